"""Objects of answers and of events: what v2 says, said in v1 (contract, section 13)."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from app.schemas.common import Json
from app.v1.requests import ASSISTANT_FILES

#: The ids of the files in each vector store, in their order.
StoreFiles = Mapping[str, list[str]]

#: Fields that v1 did not have, by object.
_UNKNOWN: Final[Mapping[str, frozenset[str]]] = {
    "assistant": frozenset({"tool_resources", "temperature", "top_p", "reasoning_effort", "response_format"}),
    "thread": frozenset({"tool_resources"}),
    "thread.message": frozenset({"attachments"}),
    "thread.run": frozenset({"tool_resources", "reasoning_effort", "parallel_tool_calls"}),
    "thread.run.step": frozenset({"expires_at"}),
}
_USAGE: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
#: Parameters that bodies of v1 do not have, but bodies that were translated do.
_MADE_PARAMS: Final = re.compile(r"(tool_resources\.|attachments\[).*")
#: The tool by its name in v2, unless it is what the client called it.
_TOOL: Final = re.compile(r"(?<!value: )'file_search'")


def stores_of(value: Any) -> set[str]:
    """The ids of the vector stores whose files must be known to translate `value`."""
    if not isinstance(value, dict):
        return set()
    if value.get("object") == "list":
        return set().union(*(stores_of(item) for item in value["data"]))
    return set(_store_ids(value.get("tool_resources") or {}))


def file_ids(resources: Json, files: StoreFiles) -> list[str]:
    """The `file_ids` of an assistant with these tool resources: what its tools can see, each file once."""
    of_code: list[str] = (resources.get("code_interpreter") or {}).get("file_ids") or []
    of_stores = [file_id for store_id in _store_ids(resources) for file_id in files.get(store_id, ())]
    return list(dict.fromkeys([*of_code, *of_stores]))[:ASSISTANT_FILES]


def attached(attachments: Iterable[Json]) -> list[str]:
    """The `file_ids` of a message with these attachments."""
    return list(dict.fromkeys(item["file_id"] for item in attachments if item.get("file_id")))


def translate(value: Any, files: StoreFiles) -> Any:
    """An answer, or the data of an event; `files` knows all stores that `stores_of` names."""
    if not isinstance(value, dict):
        return value
    kind = value.get("object")
    if kind == "list":
        return {**value, "data": [translate(item, files) for item in value["data"]]}
    if kind is None and isinstance(value.get("error"), dict):
        return {**value, "error": _error(value["error"])}
    rewrite = _BY_OBJECT.get(kind or "")
    if rewrite is None:
        return value
    unknown = _UNKNOWN.get(kind or "", frozenset())
    return {name: inner for name, inner in rewrite(value, files).items() if name not in unknown}


def _store_ids(resources: Json) -> list[str]:
    ids: list[str] = (resources.get("file_search") or {}).get("vector_store_ids") or []
    return ids


def _assistant(value: Json, files: StoreFiles) -> Json:
    return {**value, "tools": _tools(value["tools"]), "file_ids": file_ids(value["tool_resources"], files)}


def _thread(value: Json, _: StoreFiles) -> Json:
    return value


def _message(value: Json, _: StoreFiles) -> Json:
    return {**value, "content": _content(value["content"]), "file_ids": attached(value["attachments"])}


def _run(value: Json, files: StoreFiles) -> Json:
    answer = _assistant(value, files) | {"usage": _usage(value["usage"])}
    if isinstance(choice := value["tool_choice"], dict) and choice["type"] == "file_search":
        answer["tool_choice"] = {"type": "retrieval"}
    return answer


def _step(value: Json, _: StoreFiles) -> Json:
    return {**value, "step_details": _details(value["step_details"]), "usage": _usage(value["usage"])}


def _message_delta(value: Json, _: StoreFiles) -> Json:
    delta = value["delta"]
    return {**value, "delta": {**delta, "content": _content(delta.get("content") or [])}}


def _step_delta(value: Json, _: StoreFiles) -> Json:
    delta = value["delta"]
    return {**value, "delta": {**delta, "step_details": _details(delta["step_details"])}}


def _tools(tools: list[Json]) -> list[Json]:
    return [{"type": "retrieval"} if tool["type"] == "file_search" else _tool(tool) for tool in tools]


def _tool(tool: Json) -> Json:
    if tool["type"] != "function":
        return tool
    return {**tool, "function": {name: of for name, of in tool["function"].items() if name != "strict"}}


def _details(details: Json) -> Json:
    if not isinstance(calls := details.get("tool_calls"), list):
        return details
    return {**details, "tool_calls": [_call(call) for call in calls]}


def _call(call: Json) -> Json:
    if call["type"] != "file_search":
        return call
    kept = {name: value for name, value in call.items() if name != "file_search"}
    return {**kept, "type": "retrieval", "retrieval": {}}


def _content(parts: list[Json]) -> list[Json]:
    return [_part(part) for part in parts]


def _part(part: Json) -> Json:
    if part["type"] == "text" and "annotations" in part["text"]:
        annotations = [_annotation(annotation) for annotation in part["text"]["annotations"]]
        return {**part, "text": {**part["text"], "annotations": annotations}}
    if part["type"] == "image_file":
        return {**part, "image_file": {"file_id": part["image_file"]["file_id"]}}
    return part


def _annotation(annotation: Json) -> Json:
    """Clients of v1 read a citation's quote, which v2 tells in deltas alone."""
    if annotation["type"] != "file_citation":
        return annotation
    return {**annotation, "file_citation": {"quote": "", **annotation["file_citation"]}}


def _usage(usage: Json | None) -> Json | None:
    return usage and {name: usage[name] for name in _USAGE if name in usage}


def _error(error: Json) -> Json:
    """An error as it is told to who has never heard of what the request was translated to."""
    message = _TOOL.sub("'retrieval'", str(error.get("message", "")))
    param = error.get("param")
    return {**error, "message": message, "param": param and _MADE_PARAMS.sub("file_ids", param)}


_BY_OBJECT: Final[Mapping[str, Callable[[Json, StoreFiles], Json]]] = {
    "assistant": _assistant,
    "thread": _thread,
    "thread.message": _message,
    "thread.message.delta": _message_delta,
    "thread.run": _run,
    "thread.run.step": _step,
    "thread.run.step.delta": _step_delta,
}
