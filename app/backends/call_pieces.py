"""What a server sends of a tool call at once: an entry of `tool_calls` in a delta."""

from dataclasses import dataclass, field
from typing import Any

from app.text import storable, storable_value, to_json

#: Of a call and of its function: what servers want back with it (Gemini's signatures of its thoughts; LiteLLM's form).
_CALL_EXTRAS = ("extra_content", "thought_signature", "provider_specific_fields")
_FUNCTION_EXTRAS = ("thought_signature", "provider_specific_fields")


@dataclass(frozen=True, slots=True)
class Piece:
    """What a server sends of a call at once. `place` is its index, of whatever type."""

    place: int | str | None = None
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    extras: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Piece":
        """Reads an entry of `tool_calls`. Raises TypeError and the like where it is none."""
        function = given.get("function") or {}
        extras: dict[str, Any] = {name: given[name] for name in _CALL_EXTRAS if given.get(name)}
        if inner := {name: function[name] for name in _FUNCTION_EXTRAS if function.get(name)}:
            extras["function"] = inner
        call_id, name = given.get("id"), function.get("name")
        return cls(
            place=_place(given.get("index")),
            id=storable(str(call_id)) if isinstance(call_id, str | int) and call_id != "" else None,
            name=storable(name) if name else None,
            arguments=_arguments(function.get("arguments")),
            extras=storable_value(extras),
        )

    @property
    def says_something(self) -> bool:
        """Whether there is anything in it to make a call of."""
        return bool(self.id or self.name or self.arguments or self.extras)


def _place(index: Any) -> int | str | None:
    if index is None or index == "":
        return None
    if isinstance(index, str):
        return int(index) if index.strip().lstrip("+-").isdecimal() else index
    return int(index)


def _arguments(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else to_json(value).decode()
