"""Filters on the attributes of files, as SQL (contract, section 9).

Types are respected: a number never equals a string, and only numbers are ordered among numbers, strings among strings.
What a file does not have differs from everything: `ne` and `nin` hold for it, all others do not.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, cast, func, not_, or_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute

from app.db.base import Json

Condition = ColumnElement[bool]
Attributes = ColumnElement[Json] | InstrumentedAttribute[Json]


def condition(filters: Json, attributes: Attributes) -> Condition:
    """What `filters`, valid by app.schemas.vector_search, asks of the column `attributes`. It is never NULL."""
    kind = filters["type"]
    if kind in _COMPOUNDS:
        return _COMPOUNDS[kind](*(condition(part, attributes) for part in filters["filters"]))
    return _COMPARISONS[kind](attributes, filters["key"], filters["value"])


def _eq(attributes: Attributes, key: str, value: Any) -> Condition:
    return attributes.op("@>", is_comparison=True)(cast({key: value}, JSONB))


def _ne(attributes: Attributes, key: str, value: Any) -> Condition:
    return not_(_eq(attributes, key, value))


def _in(attributes: Attributes, key: str, values: list[Any]) -> Condition:
    return func.coalesce((attributes[key]).in_([cast(value, JSONB) for value in values]), False)


def _nin(attributes: Attributes, key: str, values: list[Any]) -> Condition:
    return not_(_in(attributes, key, values))


def _ordering(operator: str) -> Callable[[Attributes, str, Any], Condition]:
    def compare(attributes: Attributes, key: str, value: Any) -> Condition:
        found: ColumnElement[Any]
        wanted: ColumnElement[Any]
        if isinstance(value, str):
            # Strings compare as code points, whatever the locale of the database: dates in ISO 8601 in any case.
            same_type, found, wanted = "string", attributes[key].as_string().collate("C"), bindparam(None, value)
        else:
            same_type, found, wanted = "number", attributes[key], cast(value, JSONB)
        # As JSON numbers compare without a cast, which might be tried on a string.
        holds = and_(func.jsonb_typeof(attributes[key]) == same_type, found.op(operator, is_comparison=True)(wanted))
        return func.coalesce(holds, False)

    return compare


_COMPOUNDS: Final[dict[str, Callable[..., Condition]]] = {"and": and_, "or": or_}
_COMPARISONS: Final[dict[str, Callable[[Attributes, str, Any], Condition]]] = {
    "eq": _eq,
    "ne": _ne,
    "gt": _ordering(">"),
    "gte": _ordering(">="),
    "lt": _ordering("<"),
    "lte": _ordering("<="),
    "in": _in,
    "nin": _nin,
}
