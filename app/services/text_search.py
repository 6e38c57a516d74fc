"""Full text search: the words of chunks, and which chunks hold the words of a query.

A query is taken apart into terms: its words, as the text search configuration has them (stems, no stop words), and as
phrases what belongs together (`ERR_4012`, `numpy.linalg.norm`, two neighbours in Chinese, Japanese or Korean). A chunk
matches if it holds any of them. How well is the sum over its terms of how rare the term is and, with quickly
diminishing returns, how often the chunk has it (as in BM25).

A common word is in so many chunks of a large collection that ranking all of them would take seconds, and tell little.
There only those chunks are ranked that hold one of the query's rarest terms; they are ranked by all of them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    SQLColumnExpression,
    bindparam,
    cast,
    func,
    literal,
    select,
    text,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, REGCONFIG, TEXT, TSQUERY, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Json
from app.models import Chunk
from app.services.search_scope import Asked, Scope, Shape, Size, built_once, in_stores, select_chunks

#: Between the parts of identifiers, numbers, paths and addresses. Postgres's parser would take some of them for signs,
#: hosts, files or tags, and the parts would not be found.
_SEPARATORS: Final = r"-_./\:@#+=<>|~^&%$*"
#: Scripts that put no spaces between words: each character is taken for a word.
_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"

_COMPOUND: Final = re.compile(rf"[^\W_]+(?:[{re.escape(_SEPARATORS)}]+[^\W_]+)+")
_RUN: Final = re.compile(f"[{_UNSPACED}]{{2,}}")

#: Terms of one query: phrases, and the longest words, which are the rarest as a rule.
_MOST_TERMS: Final = 32
_MOST_PHRASES: Final = 16
#: How many chunks with a term are counted, and how many chunks are ranked.
_MOST_RANKED: Final = 500
#: Words in more chunks than this, of all stores, are not counted: to read where they are takes longer than it is worth.
_MOST_POSTINGS: Final = 5_000

#: A word in a tsquery.
_WORD: Final = re.compile(r"'(?:[^']|'')*'")

#: By the rights of the tables' owner: migration 0011.
_COMMON_WORDS: Final = text(
    "SELECT word, share FROM common_words_of_chunks(CAST(:words AS text[]), CAST(:least AS real))"
)

#: What ts_rank gives for a word that a text holds once, and for one that it holds without end.
_ONCE: Final = 0.06079271
_ALWAYS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase as a tsquery, how many chunks hold it (or more), and how much it weighs by that."""

    tsquery: str
    chunks: int
    weight: float


#: The rarest first.
Terms = Sequence[Term]


def words_of(content: Any, config: str) -> ColumnElement[str]:
    """What `chunks.words` holds for `content`, a string or an expression, by one of Postgres's configurations."""
    return func.to_tsvector(cast(config, REGCONFIG), _spaced(content))


async def find_terms(session: AsyncSession, scope: Scope, size: Size, query: str, config: str) -> Terms:
    """The terms of `query`; none if it has stop words alone."""
    tsqueries = list(await session.scalars(_tsqueries(), _asked(query, config)))
    if not tsqueries:
        return ()
    counts = dict.fromkeys(tsqueries, 0)
    if size.few:
        values = scope.values | {"tsqueries": tsqueries, "any_of_them": " | ".join(tsqueries)}
        counts |= (await session.execute(_count_in_one_pass(scope.shape), values)).all()
    else:
        common = await _shares_of_common_words(session, tsqueries, size.in_all)
        counts |= {tsquery: round(_bound(tsquery, common) * size.in_scope) for tsquery in tsqueries}
        if rest := [tsquery for tsquery in tsqueries if not counts[tsquery]]:
            values = scope.values | {f"tsquery_{number}": tsquery for number, tsquery in enumerate(rest)}
            counts |= (await session.execute(_count_apart(len(rest)), values)).all()
    terms = [Term(tsquery, count, _weight(count, size.in_scope)) for tsquery, count in counts.items()]
    return sorted(terms, key=lambda term: term.chunks)


def best(scope: Scope, terms: Terms, limit: int) -> Asked:
    """Asks for the ids of the chunks that match `terms` best."""
    return _best(scope.shape), scope.values | score_values(terms) | {"worthy": _worthy(terms), "limit": limit}


def score(words: SQLColumnExpression[str]) -> ColumnElement[float]:
    """How well `words` match the terms in `score_values`: 0 for not at all, about 1 for each once, at most 1.65."""
    term = _table(tsquery=bindparam("tsqueries", type_=ARRAY(TEXT)), share=bindparam("shares", type_=ARRAY(Float)))
    # For phrases ts_rank may give more than for any word, whatever is between their words.
    rank = func.least(func.ts_rank(words, cast(term.c.tsquery, TSQUERY)), _ALWAYS) / _ONCE
    return func.coalesce(
        select(func.sum(term.c.share * rank)).where(_hold(words, term.c.tsquery)).scalar_subquery(), 0.0
    )


def score_values(terms: Terms) -> Json:
    """The values of the parameters that `score` has."""
    total = sum(term.weight for term in terms)
    return {"tsqueries": [term.tsquery for term in terms], "shares": [term.weight / total for term in terms]}


def words_in_memory() -> ColumnElement[str]:
    """The words of a chunk, unpacked once for several looks at them: those in the table are unpacked for each."""
    return Chunk.words.op("||")(cast("", TSVECTOR)).label("words")


def _worthy(terms: Terms) -> str:
    """What a chunk must hold to be ranked: any of the rarest terms; all, where none is rare."""
    rarest, chunks = [], 0
    for term in terms:
        chunks += term.chunks
        if chunks > _MOST_RANKED:
            break
        rarest.append(term.tsquery)
    return " | ".join(rarest) or " & ".join(f"({term.tsquery})" for term in terms)


def _weight(having: int, chunks: int) -> float:
    """How rare a term is: the inverse document frequency of BM25. What no chunk has is as rare as what one has."""
    having = max(having, 1)
    chunks = max(having, chunks)
    return math.log(1 + (chunks - having + 0.5) / (having + 0.5))


def _asked(query: str, config: str) -> Json:
    """The parameters of `_tsqueries` for a query. Of a run of unspaced script they are its neighbours."""
    runs = [run[at : at + 2] for run in _RUN.findall(query) for at in range(len(run) - 1)]
    phrases = list(dict.fromkeys(_COMPOUND.findall(query) + runs))[:_MOST_PHRASES]
    return {"config": config, "words": _RUN.sub(" ", query), "phrases": phrases}


@cache
def _tsqueries() -> Select[str]:
    """Selects the terms of a query: of its words and of its phrases."""
    config = cast(bindparam("config"), REGCONFIG)
    words = func.unnest(func.to_tsvector(config, _spaced(bindparam("words")))).table_valued("lexeme")
    phrase = _table(text=bindparam("phrases", type_=ARRAY(TEXT)))
    of_phrase = cast(func.phraseto_tsquery(config, _spaced(phrase.c.text)), TEXT)
    terms = union(select(func.quote_literal(words.c.lexeme).label("tsquery")), select(of_phrase)).subquery()
    is_phrase = terms.c.tsquery.contains("<")
    longest_first = (is_phrase.desc(), func.length(terms.c.tsquery).desc(), terms.c.tsquery)
    return select(terms.c.tsquery).where(terms.c.tsquery != "").order_by(*longest_first).limit(_MOST_TERMS)


@built_once
def _best(shape: Shape) -> Select[Any]:
    matching = select_chunks(shape, Chunk.id, words_in_memory()).where(_hold(Chunk.words, bindparam("worthy")))
    ranked = matching.limit(_MOST_RANKED).subquery()
    return select(ranked.c.id).order_by(score(ranked.c.words).desc(), ranked.c.id).limit(bindparam("limit"))


@built_once
def _count_in_one_pass(shape: Shape) -> Select[Any]:
    """Selects how many chunks hold each term, looking at all chunks."""
    matching = select_chunks(shape, words_in_memory()).where(_hold(Chunk.words, bindparam("any_of_them")))
    # Without the offset, which drops nothing, the words would be unpacked for each term.
    chunk = matching.offset(0).subquery()
    term = _table(tsquery=bindparam("tsqueries", type_=ARRAY(TEXT)))
    joined = select(term.c.tsquery, func.count()).select_from(chunk).join(term, _hold(chunk.c.words, term.c.tsquery))
    return joined.group_by(term.c.tsquery)


async def _shares_of_common_words(session: AsyncSession, tsqueries: Sequence[str], in_all: int) -> dict[str, float]:
    """In which share of all chunks, of all projects, each word is that is in very many, as Postgres has sampled it."""
    words = [word for tsquery in tsqueries for word in _WORD.findall(tsquery)]
    rows = await session.execute(_COMMON_WORDS, {"words": words, "least": _MOST_POSTINGS / max(in_all, 1)})
    return dict(rows.all())


def _bound(tsquery: str, common: Mapping[str, float]) -> float:
    """The share of the chunks that may hold a term, 0 if it is not known to be common. A phrase needs all its words."""
    return min(common.get(word, 0.0) for word in _WORD.findall(tsquery))


@built_once
def _count_apart(terms: int) -> Select[Any]:
    """Selects how many chunks of the stores hold each of so many terms, or that there are more than would be ranked."""
    counts = []
    for number in range(terms):
        tsquery = bindparam(f"tsquery_{number}", type_=TEXT)
        held = select(literal(1)).where(in_stores(Chunk.vector_store_id), _hold(Chunk.words, tsquery))
        found = held.limit(_MOST_RANKED + 1).subquery()
        counts.append(select(tsquery.label("tsquery"), func.count()).select_from(found))
    return select(union_all(*counts).subquery())


def _hold(words: Any, tsquery: Any) -> ColumnElement[bool]:
    held: ColumnElement[bool] = words.op("@@", is_comparison=True)(cast(tsquery, TSQUERY))
    return held


def _spaced(content: Any) -> ColumnElement[str]:
    """`content` with a space for each separator, and around each character of unspaced scripts."""
    spaces = " " * len(_SEPARATORS)
    return func.regexp_replace(func.translate(content, _SEPARATORS, spaces), f"([{_UNSPACED}])", r" \1 ", "g")


def _table(**columns: ColumnElement[Any]) -> Any:
    """A table named `term` of arrays side by side."""
    return func.unnest(*columns.values()).table_valued(*columns, name="term").render_derived()
