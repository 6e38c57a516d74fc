"""Search in a vector store."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field
from pydantic_core import PydanticCustomError

from app.schemas.common import TAG, Answer, Array, Json, RequestBody, array_of, by_shape, tag

#: Compound filters within each other; comparisons, and values to compare with, in all of them together.
MAX_FILTER_DEPTH: Final = 8
MAX_COMPARISONS: Final = 256
MAX_FILTER_VALUES: Final = 2048
#: Queries of one search, and the characters of all of them together: each is embedded, and looked for by its words.
MAX_QUERIES: Final = 32
MAX_QUERY_CHARACTERS: Final = 32_768

QueryText = Annotated[str, Field(min_length=1, max_length=16_384)]


def _short_together(queries: list[str]) -> list[str]:
    if sum(map(len, queries)) > MAX_QUERY_CHARACTERS:
        raise PydanticCustomError(
            "too_much", f"{MAX_QUERY_CHARACTERS} characters are the most, in all queries together"
        )
    return queries


Queries = Annotated[Array[QueryText], Field(min_length=1, max_length=MAX_QUERIES), AfterValidator(_short_together)]
Key = Annotated[str, Field(min_length=1)]

#: Booleans come before numbers: Python's are integers.
Scalar = Annotated[
    Annotated[str, tag("string")]
    | Annotated[bool, tag("boolean")]
    | Annotated[int, tag("integer")]
    | Annotated[float, tag("decimal")],
    by_shape("one of a string, number or boolean", string=str, boolean=bool, integer=int, decimal=float),
]
Ordered = Annotated[
    Annotated[str, tag("string")] | Annotated[int, tag("integer")] | Annotated[float, tag("decimal")],
    by_shape("one of a string or number", string=str, integer=int, decimal=float),
]


class Equality(RequestBody):
    type: Literal["eq", "ne"]
    key: Key
    value: Scalar


class Ordering(RequestBody):
    type: Literal["gt", "gte", "lt", "lte"]
    key: Key
    value: Ordered


class Membership(RequestBody):
    type: Literal["in", "nin"]
    key: Key
    value: Annotated[Array[Scalar], Field(max_length=MAX_FILTER_VALUES), array_of("strings or numbers")]


class CompoundFilter(RequestBody):
    type: Literal["and", "or"]
    filters: Annotated[Array["Filter"], Field(min_length=1), array_of("filters")]


_KINDS: Final = {
    **dict.fromkeys(("eq", "ne"), "equality"),
    **dict.fromkeys(("gt", "gte", "lt", "lte"), "ordering"),
    **dict.fromkeys(("in", "nin"), "membership"),
    **dict.fromkeys(("and", "or"), "compound"),
}


def _kind(value: Any) -> str | None:
    found = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return TAG + _KINDS[found] if isinstance(found, str) and found in _KINDS else None


Filter = Annotated[
    Annotated[Equality, tag("equality")]
    | Annotated[Ordering, tag("ordering")]
    | Annotated[Membership, tag("membership")]
    | Annotated[CompoundFilter, tag("compound")],
    Discriminator(_kind, custom_error_type="wrong_kind", custom_error_message=",".join(_KINDS)),
]
CompoundFilter.model_rebuild()


def _bounded(filters: Any) -> Any:
    """Refuses what would make a query without bounds, before its parts are looked at."""
    level, comparisons, values = [filters], 0, 0
    for _ in range(MAX_FILTER_DEPTH + 1):
        inner = [part["filters"] for part in level if isinstance(part, dict) and isinstance(part.get("filters"), list)]
        comparisons += len(level) - len(inner)
        values += sum(map(_count_of_values, level))
        level = [part for parts in inner for part in parts]
        if not level:
            break
    if level:
        raise PydanticCustomError("too_deep", f"filters may be nested {MAX_FILTER_DEPTH} levels deep at most")
    if comparisons > MAX_COMPARISONS:
        raise PydanticCustomError("too_many", f"{MAX_COMPARISONS} comparisons are the most")
    if values > MAX_FILTER_VALUES:
        raise PydanticCustomError("too_many", f"{MAX_FILTER_VALUES} values are the most, in all comparisons together")
    return filters


def _count_of_values(part: Any) -> int:
    if not isinstance(part, dict) or "value" not in part:
        return 0
    return len(part["value"]) if isinstance(part["value"], list) else 1


class SearchRanking(RequestBody):
    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.0


class VectorStoreSearch(RequestBody):
    query: Annotated[
        Annotated[QueryText, tag("one")] | Annotated[Queries, tag("several")],
        by_shape("one of a string or array of strings", one=str, several=list),
    ]
    filters: Annotated[Filter, BeforeValidator(_bounded)] | None = None
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    ranking_options: SearchRanking | None = None
    rewrite_query: bool = False

    @property
    def queries(self) -> list[str]:
        """What is searched for."""
        return [self.query] if isinstance(self.query, str) else self.query


class TextContent(Answer):
    type: Literal["text"] = "text"
    text: str


def _one_text(value: Any) -> Any:
    return [TextContent(text=value)] if isinstance(value, str) else value


class SearchResult(Answer):
    """A chunk. Made from what app.services.vector_search gives."""

    file_id: str
    filename: str
    score: float
    attributes: Json
    content: Annotated[list[TextContent], Field(validation_alias="text"), BeforeValidator(_one_text)]


class SearchResultsPage(Answer):
    """All results at once: there is never a next page."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[SearchResult]
    has_more: Literal[False] = False
    next_page: None = None

    @classmethod
    def of(cls, queries: Sequence[str], hits: Sequence[Any]) -> Self:
        """The page that shows `hits`."""
        return cls(search_query=list(queries), data=[SearchResult.model_validate(hit) for hit in hits])
