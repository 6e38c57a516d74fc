"""The arguments of a tool call: JSON text, as a model gave it."""

import json
from typing import Any

import orjson

from app.backends import lenient_json
from app.text import storable_value


def is_object(arguments: str) -> bool:
    """Returns whether `arguments` is the JSON text of an object that every client can read.

    Half of a surrogate pair, written as an escape, is no reason to refuse it: parsers take it.
    """
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(arguments, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return False
    return isinstance(value, dict)


def as_object(arguments: str) -> dict[str, Any] | None:
    """Returns the object that `arguments` is the JSON text of, its text storable; None if it is none."""
    try:
        value = storable_value(lenient_json.loads(arguments))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(constant)
