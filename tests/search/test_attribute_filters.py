"""Filters as SQL hold for what they hold for in Python."""

import operator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import cast, column, func, select
from sqlalchemy.dialects.postgresql import JSONB

from app.db.base import Json
from app.db.session import Sessions
from app.schemas.vector_search import MAX_FILTER_DEPTH, VectorStoreSearch
from app.services import attribute_filters
from app.services.search_scope import Scope, select_files

# Few keys and values, so that filters often hold; with what JSON, SQL and Python are apt to confuse.
KEYS = st.sampled_from(["a", "b", "a.b", "'", 'quo"te', "ключ"])
STRINGS = st.sampled_from(["", "1", "true", "a", "B", "é", "zz", "2024-01-31", "%", "\\", "\U0001f34f"]) | st.text(
    st.characters(exclude_characters="\0", codec="utf-8"), max_size=5
)
NUMBERS = st.integers(-2, 2) | st.sampled_from([0.5, -0.0, 1.0, 1e300, 2**53, 1e-7])
SCALARS = STRINGS | NUMBERS | st.booleans()

COMPARISONS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["eq", "ne"]), "key": KEYS, "value": SCALARS}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["gt", "gte", "lt", "lte"]), "key": KEYS, "value": STRINGS | NUMBERS}
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["in", "nin"]), "key": KEYS, "value": st.lists(SCALARS, max_size=4)}
    ),
)
FILTERS = st.recursive(
    COMPARISONS,
    lambda parts: st.fixed_dictionaries(
        {"type": st.sampled_from(["and", "or"]), "filters": st.lists(parts, min_size=1, max_size=3)}
    ),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(KEYS, SCALARS, max_size=4)

ORDERINGS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def holds(filters: Json, attributes: Json) -> bool:
    """What a filter means."""
    kind = filters["type"]
    if kind in ("and", "or"):
        parts = [holds(part, attributes) for part in filters["filters"]]
        return all(parts) if kind == "and" else any(parts)
    key, value = filters["key"], filters["value"]
    if kind in ("ne", "nin"):
        return not holds({"type": {"ne": "eq", "nin": "in"}[kind], "key": key, "value": value}, attributes)
    if key not in attributes:
        return False
    found = attributes[key]
    if kind == "eq":
        return same(found, value)
    if kind == "in":
        return any(same(found, one) for one in value)
    alike = isinstance(found, str) == isinstance(value, str) and not isinstance(found, bool)
    return alike and ORDERINGS[kind](found, value)


@pytest.fixture
async def matched(sessions: Sessions) -> Any:
    """Asks the database for which of some attributes a filter holds."""

    async def ask(filters: Json, rows: list[Json]) -> list[bool]:
        elements = func.jsonb_array_elements(cast(rows, JSONB))
        table = elements.table_valued(column("attributes", JSONB), name="rows").render_derived()
        async with sessions() as session:
            asked = select(attribute_filters.holds(table.c.attributes))
            return list(await session.scalars(asked, attribute_filters.values(filters)))

    return ask


@given(filters=FILTERS, rows=st.lists(ATTRIBUTES, min_size=1, max_size=8))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_sql_holds_for_what_the_filter_means(matched: Any, filters: Json, rows: list[Json]) -> None:
    # As the API reads them, and as the database keeps them.
    read = VectorStoreSearch.model_validate({"query": "a", "filters": orjson.loads(orjson.dumps(filters))})
    assert read.filters is not None
    assert await matched(read.filters.model_dump(), rows) == [holds(filters, row) for row in rows]


async def test_the_deepest_filter_is_no_trouble(matched: Any) -> None:
    filters: Json = {"type": "eq", "key": "a", "value": 1}
    for _ in range(MAX_FILTER_DEPTH):
        filters = {"type": "and", "filters": [filters] * 2}
    assert await matched(filters, [{"a": 1}, {"a": 2}]) == [True, False]


def test_all_filters_share_one_statement() -> None:
    shapes = {
        str(select_files(Scope("project", ["store"], filters).shape))
        for filters in ({"type": "eq", "key": "a", "value": 1}, {"type": "in", "key": "b", "value": ["x", "y"]})
    }
    (statement,) = shapes
    assert "jsonb_path_match" in statement
    assert str(select_files(Scope("project", ["store"]).shape)) != statement
