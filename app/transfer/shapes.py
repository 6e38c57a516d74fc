"""The parts of saved objects, brought into the one shape in which Locum stores them.

Older answers and other servers leave things out that the API of today always has. Each function raises
PydanticCustomError for what cannot be one of these parts.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from app.schemas.common import Json
from app.schemas.tools import FunctionDefinition, FunctionTool, stored_search, stored_tools


def _tool(given: Any) -> Json:
    match given:
        case {"type": "code_interpreter"}:
            return {"type": "code_interpreter"}
        case {"type": "file_search"}:
            return {"type": "file_search", "file_search": stored_search(given.get("file_search") or {})}
        case {"type": "function", "function": {"name": str(), **_rest} as function}:
            return _function_tool(function)
    raise PydanticCustomError("no_tool", "Input should be a tool: code_interpreter, file_search or function")


def _function_tool(given: Json) -> Json:
    known = {name: given[name] for name in FunctionDefinition.model_fields if name in given}
    try:
        function = FunctionDefinition.model_validate(known)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise PydanticCustomError(
            "no_function", "Input should be a function, but not its {where}", {"where": where}
        ) from None
    return stored_tools([FunctionTool(type="function", function=function)])[0]


def tools(given: Any) -> Any:
    """Tools, with the defaults that answers show; what is no list is left to Pydantic."""
    return [_tool(item) for item in given] if isinstance(given, list) else given


def _part(given: Any) -> Json:
    match given:
        case {"type": "text", "text": str(value)}:
            return _text(value)
        case {"type": "text", "text": {"value": str(value), **more}}:
            return _text(value, _annotations(value, more))
        case {"type": "image_file", "image_file": {"file_id": str(), **_rest} as image}:
            return {"type": "image_file", "image_file": {"detail": "auto", **_known(image)}}
        case {"type": "image_url", "image_url": {"url": str(), **_rest} as image}:
            return {"type": "image_url", "image_url": {"detail": "auto", **_known(image)}}
        case {"type": "refusal", "refusal": str()}:
            return dict(given)
    raise PydanticCustomError("no_part", "Input should be a part: text, image_file, image_url or refusal")


def _known(given: Mapping[Any, Any]) -> Json:
    return {name: value for name, value in given.items() if value is not None}


def _annotations(value: str, text: Mapping[Any, Any]) -> list[Json]:
    """The annotations of a text, each with its place: one that comes without is where its words first stand.

    What has no place in the text is left out: Azure tells none of some.
    """
    placed = (_placed(value, given) for given in text.get("annotations") or [])
    return [annotation for annotation in placed if annotation is not None]


def _placed(value: str, given: Any) -> Json | None:
    match given:
        case {"type": str(), "start_index": int(), "end_index": int()}:
            return dict(given)
        case {"type": str(), "text": str(words)} if words and words in value:
            start = value.index(words)
            return {**given, "start_index": start, "end_index": start + len(words)}
    return None


def _text(value: str, annotations: list[Json] | None = None) -> Json:
    return {"type": "text", "text": {"value": value, "annotations": annotations or []}}


def content_parts(given: Any) -> Any:
    """The content of a message; a string, as requests have it, is one part of text."""
    if isinstance(given, str):
        return [_text(given)]
    return [_part(item) for item in given] if isinstance(given, list) else given


def step_details(given: Any) -> Any:
    """What a step did, each call with what its kind always has."""
    match given:
        case {"type": "message_creation", "message_creation": {"message_id": str()}}:
            return given
        case {"type": "tool_calls", "tool_calls": [*calls]}:
            return {"type": "tool_calls", "tool_calls": [_call(call) for call in calls]}
    raise PydanticCustomError("no_details", "Input should be the details of a message_creation or of tool_calls")


def _call(given: Any) -> Json:
    """A call with what its kind always has; older answers lack some of it."""
    match given:
        case {"id": str(call_id), "type": "function", "function": {"name": str(), **_rest} as function}:
            whole: Json = {"arguments": "", "output": None, **function}
        case {"id": str(call_id), "type": "code_interpreter", "code_interpreter": {**code}}:
            whole = {"input": "", "outputs": [], **_known(code)}
        case {"id": str(call_id), "type": "file_search", "file_search": {**search}}:
            whole = {**stored_search({}), "results": [], **_known(search)}
        case _:
            raise PydanticCustomError("no_call", "Input should be a call of function, code_interpreter or file_search")
    return {"id": call_id, "type": given["type"], given["type"]: whole}
