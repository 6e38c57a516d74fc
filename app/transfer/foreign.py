"""What objects of other services hold that Locum has no place for: it is left out of them, and told.

Agents of Azure's have tools that are services of Azure's, runs copy those tools, and steps hold their calls. An object
is worth more without such a part than not at all.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.db.base import Json
from app.schemas.foreign_tools import FOREIGN_TOOLS

_TOOLS: Final = frozenset(("code_interpreter", "file_search", "function"))
_RESOURCES: Final = {"code_interpreter": frozenset(("file_ids",)), "file_search": frozenset(("vector_store_ids",))}
_DETAILS: Final = frozenset(("message_creation", "tool_calls"))


def without_foreign(given: Json) -> tuple[Json | None, list[str]]:
    """An object of a dump without what Locum has no place for, and what that was.

    None in place of an object of which nothing would be left. What is no object's part at all, for want of a `type` for
    example, stays: it is for the schemas to refuse.
    """
    match given.get("object"):
        case "assistant" | "thread.run" | "thread":
            return _with_settings(given)
        case "thread.message":
            return _with_attachments(given)
        case "thread.run.step":
            return _with_details(given)
    return given, []


def _with_settings(given: Json) -> tuple[Json, list[str]]:
    changed: Json = {}
    left_out: list[str] = []
    if foreign := _foreign(given.get("tools")):
        changed["tools"] = [tool for tool in given["tools"] if _kind_of(tool) not in foreign]
        left_out += [f"the tool {_told(kind)}" for kind in foreign]
    left_out += [f"tool_resources.{name}" for name in _foreign_resources(given.get("tool_resources"))]
    choice = given.get("tool_choice")
    if isinstance(choice, dict) and _foreign([choice]):
        changed["tool_choice"] = None
    return given | changed, left_out


def _with_attachments(given: Json) -> tuple[Json, list[str]]:
    attachments = given.get("attachments")
    if not isinstance(attachments, list):
        return given, []
    kept = [item for item in attachments if not _is_asset(item)]
    if len(kept) == len(attachments):
        return given, []
    return given | {"attachments": kept}, ["attachments of an Azure storage (data_source)"]


def _with_details(given: Json) -> tuple[Json | None, list[str]]:
    details = given.get("step_details")
    kind = _kind_of(details)
    if kind is not None and kind not in _DETAILS:
        return None, [f"details of the type {kind}"]
    if not isinstance(details, dict) or not (foreign := _foreign(details.get("tool_calls"))):
        return given, []
    left_out = [f"calls of {_told(name)}" for name in foreign]
    kept = [call for call in details["tool_calls"] if _kind_of(call) not in foreign]
    return (given | {"step_details": details | {"tool_calls": kept}} if kept else None), left_out


def _is_asset(attachment: Any) -> bool:
    return isinstance(attachment, dict) and not attachment.get("file_id") and bool(attachment.get("data_source"))


def _kind_of(part: Any) -> str | None:
    kind = part.get("type") if isinstance(part, dict) else None
    return kind if isinstance(kind, str) else None


def _foreign(parts: Any) -> list[str]:
    """The types of tools or of calls among `parts` that Locum has not, each once."""
    kinds = (_kind_of(part) for part in parts) if isinstance(parts, list) else ()
    return list(dict.fromkeys(kind for kind in kinds if kind is not None and kind not in _TOOLS))


def _foreign_resources(given: Any) -> Iterator[str]:
    """The names of what tool resources hold, and Locum has no place for."""
    if not isinstance(given, Mapping):
        return
    for name, resource in given.items():
        known = _RESOURCES.get(name)
        if known is None:
            yield from [name] if resource else []
        elif isinstance(resource, Mapping):
            yield from (f"{name}.{field}" for field, value in resource.items() if value and field not in known)


def _told(kind: str) -> str:
    service = FOREIGN_TOOLS.get(kind)
    return kind if service is None else f"{kind} ({service})"
