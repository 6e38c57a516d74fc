"""Filters on the attributes of files, as SQL (contract, section 9).

A filter becomes the value of a parameter, an SQL/JSON path with its variables. So all filters share one statement: were
its shape the client's to choose, each new one would have to be built, prepared and kept.

Types are respected: a number never equals a string, and only numbers are ordered among numbers, strings among strings.
What a file does not have differs from everything: `ne` and `nin` hold for it, all others do not.
"""

from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Text, bindparam, cast, func
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.orm import InstrumentedAttribute

from app.db.base import Json

Attributes = ColumnElement[Json] | InstrumentedAttribute[Json]

#: Strings compare as code points there, whatever the locale of the database: dates in ISO 8601 in any case.
_OPERATORS: Final = {"eq": "==", "ne": "==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "in": "==", "nin": "=="}
_NEGATED: Final = frozenset({"ne", "nin"})
_COMPOUNDS: Final = {"and": " && ", "or": " || "}


def holds(attributes: Attributes) -> ColumnElement[bool]:
    """Whether a filter holds for the column `attributes`: the one in the parameters that `values` returns."""
    path = cast(bindparam("filter_path", type_=Text), JSONPATH)
    # Of what has no answer, such as an order between a number and a string, jsonb_path_match returns NULL.
    matched = func.jsonb_path_match(attributes, path, bindparam("filter_values", type_=JSONB), True)  # noqa: FBT003
    return func.coalesce(matched, False)


def values(filters: Json) -> Json:
    """Returns the parameters of `holds` for `filters`, valid by app.schemas.vector_search."""
    variables: list[Any] = []
    path = _predicate(filters, variables)
    return {"filter_path": path, "filter_values": {f"v{number}": value for number, value in enumerate(variables)}}


def _predicate(filters: Json, variables: list[Any]) -> str:
    """Returns the path that says what `filters` say. The values that it compares with are put into `variables`."""
    kind = filters["type"]
    if kind in _COMPOUNDS:
        return _COMPOUNDS[kind].join(f"({_predicate(part, variables)})" for part in filters["filters"])
    several = "[*]" if kind in {"in", "nin"} else ""
    # A key may hold anything: strings of paths are escaped as those of JSON.
    comparison = f"$.{orjson.dumps(filters['key']).decode()} {_OPERATORS[kind]} $v{len(variables)}{several}"
    variables.append(filters["value"])
    return f"(({comparison}) is unknown) || !({comparison})" if kind in _NEGATED else comparison
