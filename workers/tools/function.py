"""Function calling: what the model is told of the functions, and what the client is asked to do."""

from typing import Any

import orjson

from app.db.base import Json


def definitions(tools: list[Json]) -> list[Json]:
    """The functions among a run's tools, as chat completions want them; what is null or default is left out."""
    return [
        {
            "type": "function",
            "function": {
                name: value for name, value in tool["function"].items() if value is not None and value is not False
            },
        }
        for tool in tools
        if tool["type"] == "function"
    ]


def complaint(name: str, arguments: str, tools: list[Json]) -> str | None:
    """What is wrong with a call the model made, in words for the model; None if nothing is."""
    known = [tool["function"]["name"] for tool in tools if tool["type"] == "function"]
    if name not in known:
        return f"There is no function {name!r}. The functions are: {', '.join(known)}."
    if not is_object(arguments):
        return f"The arguments of {name!r} are not a JSON object. Call it again with valid JSON."
    return None


def is_object(arguments: str) -> bool:
    """Whether `arguments` is the JSON text of an object."""
    try:
        return isinstance(orjson.loads(arguments), dict)
    except orjson.JSONDecodeError:
        return False


def call(call_id: str, name: str, arguments: str) -> Json:
    """A function call as a step's details hold it (contract, section 5)."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments, "output": None}}


def required_action(calls: list[Json]) -> Json:
    """What a run that waits for the outputs of `calls` asks of its client."""
    asked: list[dict[str, Any]] = [
        {
            "id": item["id"],
            "type": "function",
            "function": {"name": item["function"]["name"], "arguments": item["function"]["arguments"]},
        }
        for item in calls
    ]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": asked}}
