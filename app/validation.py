"""What Pydantic found wrong with a request, in OpenAI's words (contract, section 12): one error, the first."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from app.errors import InvalidRequest
from app.json_body import Unreadable, param_path
from app.schemas.common import TAG
from app.schemas.foreign_tools import FOREIGN_TOOLS

#: What a message shows of a value that the client sent.
_SHOWN_CHARS: Final = 100
#: Where FastAPI says that a value came from.
_SOURCES: Final = frozenset({"body", "query", "path", "header", "cookie"})

#: What was expected, by Pydantic's type of error.
_EXPECTED: Final = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a decimal",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
}
#: How messages and codes name what is counted, by the kind of error.
_LENGTHS: Final = {
    "string_too_long": ("string too long", "a string", "maximum", "length", "string_above_max_length"),
    "string_too_short": ("string too short", "a string", "minimum", "length", "string_below_min_length"),
    "array_too_long": ("array too long", "an array", "maximum", "length", "array_above_max_length"),
    "array_too_short": ("array too short", "an array", "minimum", "length", "array_below_min_length"),
    "object_too_long": ("too many properties", "an object", "maximum", "size", "object_above_max_properties"),
}

Error = Mapping[str, Any]


def invalid_request(errors: Sequence[Error], *, from_fastapi: bool = True) -> InvalidRequest:
    """The answer for what Pydantic's `errors()` lists. FastAPI's begin with where the value came from."""
    error = errors[0]
    unreadable = error.get("input")
    if isinstance(unreadable, Unreadable):
        return unreadable.error
    place = tuple(part for part in error["loc"] if not (isinstance(part, str) and part.startswith(TAG)))
    if from_fastapi and place and place[0] in _SOURCES:
        place = place[1:]
    kind = error["type"]
    if kind in _EXPECTED:
        return _wrong_type(error, place, _EXPECTED[kind])
    return _RULES.get(kind, _otherwise)(error, place)


Place = tuple[str | int, ...]


def _refusal(place: Place, code: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=param_path(place)[:_SHOWN_CHARS] or None, code=code)


def _named(place: Place) -> str:
    return f"'{_cut(param_path(place))}'" if place else "the request body"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."


def _json_type(value: Any) -> str:
    """What a value is in JSON, with its article; `bool` before `int`, whose subclass it is."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "an object")


def _wrong_type(error: Error, place: Place, expected: str) -> InvalidRequest:
    got = _json_type(error["input"])
    message = f"Invalid type for {_named(place)}: expected {expected}, but got {got} instead."
    return _refusal(place, "invalid_type", message)


def _missing(_: Error, place: Place) -> InvalidRequest:
    return _refusal(place, "missing_required_parameter", f"Missing required parameter: {_named(place)}.")


def _unknown(error: Error, place: Place) -> InvalidRequest:
    name, known = error["ctx"]["name"], error["ctx"]["known"]
    message = f"Unknown parameter: {_named((*place, name))}."
    if meant := get_close_matches(_snake_case(name), known, 1):
        message += f" Did you mean '{meant[0]}'?"
    return _refusal((*place, name), "unknown_parameter", message)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[:_SHOWN_CHARS]).lower()


def _wrong_kind(error: Error, place: Place) -> InvalidRequest:
    """An object whose `type` should have told which it is (app.schemas.common.by_type)."""
    value = error["input"]
    if not isinstance(value, dict):
        return _wrong_type(error, place, "an object")
    place = (*place, "type")
    if "type" not in value:
        return _missing(error, place)
    if not isinstance(value["type"], str):
        return _wrong_type({"input": value["type"]}, place, "a string")
    return _not_one_of(value["type"], place, error["msg"].split(","))


def _not_one_of(value: str, place: Place, supported: list[str]) -> InvalidRequest:
    message = f"Invalid value: '{_cut(value)}'. Supported values are: {_listed(supported, 'and')}."
    if "code_interpreter" in supported and value in FOREIGN_TOOLS:
        message += f" This server does not have the tool '{value}' ({FOREIGN_TOOLS[value]})."
        message += " A function of your application can stand in for it."
    return _refusal(place, "invalid_value", message)


def _listed(words: Sequence[str], last: str) -> str:
    quoted = [f"'{word}'" for word in words]
    if len(quoted) < 3:
        return f" {last} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {last} {quoted[-1]}"


def _literal(error: Error, place: Place) -> InvalidRequest:
    supported = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    if isinstance(error["input"], str):
        return _not_one_of(error["input"], place, supported)
    return _wrong_type(error, place, f"one of {_listed(supported, 'or')}")


def _too_long(error: Error, place: Place) -> InvalidRequest:
    if place and place[-1] == "[key]":
        return _long_key(error, place[:-2])
    value = error["input"]
    kind = f"{'string' if isinstance(value, str) else 'object' if isinstance(value, dict) else 'array'}_too_long"
    return _wrong_length(error, place, kind, error["ctx"]["max_length"])


def _long_key(error: Error, place: Place) -> InvalidRequest:
    limit, length = error["ctx"]["max_length"], len(error["input"])
    message = (
        f"Invalid {_named(place)}: key too long. Expected keys with maximum length {limit}, "
        f"but got a key with length {length} instead."
    )
    return _refusal(place, "string_above_max_length", message)


def _too_short(error: Error, place: Place) -> InvalidRequest:
    kind = "string_too_short" if isinstance(error["input"], str) else "array_too_short"
    return _wrong_length(error, place, kind, error["ctx"]["min_length"])


def _wrong_length(error: Error, place: Place, kind: str, limit: int) -> InvalidRequest:
    trouble, what, bound, measure, code = _LENGTHS[kind]
    message = (
        f"Invalid {_named(place)}: {trouble}. Expected {what} with {bound} {measure} {limit}, "
        f"but got {what} with {measure} {len(error['input'])} instead."
    )
    return _refusal(place, code, message)


def _below(error: Error, place: Place) -> InvalidRequest:
    return _out_of_range(error, place, "below minimum", ">=", error["ctx"]["ge"])


def _above(error: Error, place: Place) -> InvalidRequest:
    return _out_of_range(error, place, "above maximum", "<=", error["ctx"]["le"])


def _out_of_range(error: Error, place: Place, trouble: str, comparison: str, bound: float) -> InvalidRequest:
    kind = "decimal" if isinstance(bound, float) else "integer"
    shown_bound = f"{bound:g}" if isinstance(bound, float) else bound
    got = _cut(str(error["input"]))
    message = (
        f"Invalid {_named(place)}: {kind} {trouble} value. "
        f"Expected a value {comparison} {shown_bound}, but got {got} instead."
    )
    return _refusal(place, f"{kind}_{trouble.replace('imum', '').replace(' ', '_')}_value", message)


def _pattern(error: Error, place: Place) -> InvalidRequest:
    message = (
        f"Invalid {_named(place)}: string does not match pattern. "
        f"Expected a string that matches the pattern '{error['ctx']['pattern']}'."
    )
    return _refusal(place, "invalid_value", message)


def _bad_id(error: Error, place: Place) -> InvalidRequest:
    value, prefix = _cut(error["input"]), error["ctx"]["prefix"]
    message = f"Invalid {_named(place)}: '{value}'. Expected an ID that begins with '{prefix}'."
    return _refusal(place, "invalid_value", message)


def _otherwise(error: Error, place: Place) -> InvalidRequest:
    return _refusal(place, "invalid_value", f"Invalid {_named(place)}: {error['msg']}.")


_RULES: Final[Mapping[str, Callable[[Error, Place], InvalidRequest]]] = {
    "missing": _missing,
    "unknown_parameter": _unknown,
    "wrong_kind": _wrong_kind,
    "wrong_type": lambda error, place: _wrong_type(error, place, error["msg"]),
    "literal_error": _literal,
    "string_too_long": _too_long,
    "string_too_short": _too_short,
    "too_long": _too_long,
    "too_short": _too_short,
    "greater_than_equal": _below,
    "less_than_equal": _above,
    "string_pattern_mismatch": _pattern,
    "bad_id": _bad_id,
}
