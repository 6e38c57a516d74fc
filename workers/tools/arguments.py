"""The arguments of a tool call: JSON text, as a model gave it."""

from typing import Any

import orjson


def is_object(arguments: str) -> bool:
    """Whether `arguments` is the JSON text of an object."""
    return as_object(arguments) is not None


def as_object(arguments: str) -> dict[str, Any] | None:
    """The object that `arguments` is the JSON text of; None if it is none."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
