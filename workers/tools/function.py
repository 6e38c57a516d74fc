"""Function calling: what the model is told of the functions, and what the client is asked to do."""

from dataclasses import dataclass, field
from typing import Any

from app.db.base import Json
from workers.tools.arguments import is_object


@dataclass(slots=True)
class FunctionDraft:
    """A function call while the model makes it; one without arguments has those of an empty object."""

    id: str
    name: str
    _arguments: list[str] = field(default_factory=list)

    def add(self, arguments: str) -> Json:
        is_first = not self._arguments
        self._arguments.append(arguments)
        if is_first:
            told = {"name": self.name, "arguments": arguments, "output": None}
            return {"id": self.id, "type": "function", "function": told}
        return {"type": "function", "function": {"arguments": arguments}}

    def call(self) -> Json:
        arguments = "".join(self._arguments).strip() or "{}"
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": arguments, "output": None},
        }


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function of the client's: `function` as the run's tools have it."""

    function: Json
    type: str = "function"

    @property
    def name(self) -> str:
        return str(self.function["name"])

    def definition(self) -> Json:
        """What is null or default is left out."""
        told = {name: value for name, value in self.function.items() if value is not None and value is not False}
        return {"type": "function", "function": told}

    def draft(self, call_id: str) -> FunctionDraft:
        return FunctionDraft(call_id, self.name)

    def complaint(self, call: Json) -> str | None:
        if not is_object(call["function"]["arguments"]):
            return f"The arguments of {self.name!r} are not a JSON object. Call it again with valid JSON."
        return None

    def arguments(self, call: Json) -> str:
        return str(call["function"]["arguments"])

    def output(self, call: Json, number: int, first: int) -> str:  # noqa: ARG002 - the same for all tools
        return str(call["function"]["output"] or "")


def required_action(calls: list[Json]) -> Json:
    """What a run that waits for the outputs of the function calls among `calls` asks of its client."""
    asked: list[dict[str, Any]] = [
        {
            "id": item["id"],
            "type": "function",
            "function": {"name": item["function"]["name"], "arguments": item["function"]["arguments"]},
        }
        for item in calls
        if item["type"] == "function"
    ]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": asked}}
