"""Bodies of requests: what v1 says, said in v2.

What is wrong with a body in either version is left as it is, for the schemas of v2 to refuse.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from app.errors import InvalidRequest
from app.json_body import param_path
from app.schemas.common import Json
from app.schemas.tools import FileIds
from app.validation import invalid_request

#: Of the metadata of the vector stores that are made here for assistants: it says whose they are.
STORE_MARK: Final[Mapping[str, str]] = {"made_for": "file_ids of an assistant (assistants=v1)"}

#: Contract, section 13.
ASSISTANT_FILES: Final = 20
_MESSAGE_FILES: Final = 10

_ASSISTANT_FILE_IDS: Final = TypeAdapter(Annotated[FileIds, Field(max_length=ASSISTANT_FILES)])
_MESSAGE_FILE_IDS: Final = TypeAdapter(Annotated[FileIds, Field(max_length=_MESSAGE_FILES)])

#: Both may look at the files of a message: which of them a run will have is not known yet.
_MESSAGE_TOOLS: Final = ("file_search", "code_interpreter")

_Place = tuple[str | int, ...]
Translation = Callable[[Any], Any]


def translation(method: str, path: str) -> Translation | None:
    """What translates the body of a request, if one can come with it. It raises InvalidRequest."""
    if method != "POST":
        return None
    return next((translate for pattern, translate in _BY_PATH if pattern.fullmatch(path)), None)


def tool_resources(tools: Sequence[str], file_ids: Sequence[str]) -> Json:
    """Where the files of an assistant go, by the types of its tools: to each tool that is enabled.

    Without such a tool they are kept for the code interpreter, which does not see them before it is enabled.
    """
    resources: Json = {}
    if "file_search" in tools:
        if file_ids:
            resources["file_search"] = {"vector_stores": [{"file_ids": [*file_ids], "metadata": {**STORE_MARK}}]}
        if "code_interpreter" not in tools:
            return resources
    return {"code_interpreter": {"file_ids": [*file_ids]}, **resources}


def _new_assistant(body: Any) -> Any:
    body = _assistant(body)
    if not isinstance(body, dict):
        return body
    if not body.get("file_ids"):
        return _without(body, "file_ids")
    tools = [str(tool.get("type")) for tool in _objects(body.get("tools"))]
    return {**_without(body, "file_ids"), "tool_resources": tool_resources(tools, body["file_ids"])}


def _assistant(body: Any) -> Any:
    """What both creation and change have; `file_ids` are checked, and stay."""
    if not isinstance(body, dict):
        return body
    body = _with_tools(_with_metadata(_refusing(body, "tool_resources")))
    if body.get("file_ids") is None:
        return _without(body, "file_ids")
    return {**body, "file_ids": _file_ids(body, _ASSISTANT_FILE_IDS)}


def _thread(body: Any, place: _Place = ()) -> Any:
    if not isinstance(body, dict):
        return body
    return _with_messages(_with_metadata(_refusing(body, "tool_resources", place)), "messages", place)


def _message(body: Any, place: _Place = ()) -> Any:
    if not isinstance(body, dict):
        return body
    body = _with_metadata(_refusing(body, "attachments", place))
    file_ids = _file_ids(body, _MESSAGE_FILE_IDS, place)
    body = _without(body, "file_ids")
    if file_ids:
        tools = [{"type": name} for name in _MESSAGE_TOOLS]
        body["attachments"] = [{"file_id": file_id, "tools": tools} for file_id in file_ids]
    return body


def _run(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    body = _with_tools(_with_metadata(_refusing(body, "tool_resources")))
    if isinstance(choice := body.get("tool_choice"), dict) and choice.get("type") == "retrieval":
        body = {**body, "tool_choice": {**choice, "type": "file_search"}}
    if "thread" in body:
        body = {**body, "thread": _thread(body["thread"], ("thread",))}
    return _with_messages(body, "additional_messages", ())


def _with_messages(body: Json, name: str, place: _Place) -> Json:
    if not isinstance(messages := body.get(name), list):
        return body
    return {**body, name: [_message(message, (*place, name, at)) for at, message in enumerate(messages)]}


def _with_tools(body: Json) -> Json:
    if not isinstance(tools := body.get("tools"), list):
        return body
    return {**body, "tools": [_tool(tool, at) for at, tool in enumerate(tools)]}


def _tool(tool: Any, at: int) -> Any:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind == "file_search":
        message = "Invalid value: 'file_search'. Supported values are: 'code_interpreter', 'retrieval', and 'function'."
        raise InvalidRequest(message, param=f"tools[{at}].type", code="invalid_value")
    return {**tool, "type": "file_search"} if kind == "retrieval" else tool


def _with_metadata(body: Any) -> Any:
    """Numbers and booleans in metadata are made strings, as v1 did (contract, section 13)."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict):
        return body
    coerced = {key: str(value) if isinstance(value, bool | int | float) else value for key, value in metadata.items()}
    return {**body, "metadata": coerced}


def _file_ids(body: Json, kind: TypeAdapter[list[str]], place: _Place = ()) -> list[str]:
    """The ids of files that a body names, each once. Raises InvalidRequest."""
    if body.get("file_ids") is None:
        return []
    try:
        file_ids = kind.validate_python(body["file_ids"], strict=True)
    except ValidationError as error:
        errors = [{**one, "loc": (*place, "file_ids", *one["loc"])} for one in error.errors()]
        raise invalid_request(errors, from_fastapi=False) from None
    return list(dict.fromkeys(file_ids))


def _refusing(body: Json, name: str, place: _Place = ()) -> Json:
    """A body without `name`, which only v2 knows: InvalidRequest, unless it is null."""
    if body.get(name) is not None:
        param = param_path((*place, name))
        raise InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    return _without(body, name)


def _without(body: Json, name: str) -> Json:
    return {key: value for key, value in body.items() if key != name}


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_BY_PATH: Final[Sequence[tuple[re.Pattern[str], Translation]]] = [
    (re.compile(r"/v1/assistants"), _new_assistant),
    (re.compile(r"/v1/assistants/[^/]+"), _assistant),
    (re.compile(r"/v1/threads/runs"), _run),
    (re.compile(r"/v1/threads"), _thread),
    (re.compile(r"/v1/threads/[^/]+"), _thread),
    (re.compile(r"/v1/threads/[^/]+/messages"), _message),
    (re.compile(r"/v1/threads/[^/]+/runs"), _run),
    (re.compile(r"/v1/threads/[^/]+/(messages|runs)/[^/]+"), _with_metadata),
]
