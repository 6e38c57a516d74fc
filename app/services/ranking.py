"""From how near a chunk is and how well its words match to one score, and to one order over several queries.

The constants come from benchmarks/retrieval.py; docs/retrieval.md tells what a score means.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Ranker = Literal["none", "auto", "default-2024-11-15"]

#: What matching words count beside nearness.
_WORDS: Final = 0.75
#: The evidence at which a chunk is as likely to answer as not, and how fast the score goes from 0 to 1 around it.
_EVEN: Final = 0.9
_STEEPNESS: Final = 3.0
#: The usual constant of reciprocal rank fusion: how little the first places differ.
_RANK_OFFSET: Final = 60


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that may be found, as one query sees it.

    `nearness` is 0 for an unrelated vector and 1 for one as of an answer (app.services.calibration), None if the query
    has no vector by the chunk's model. `words` is 0 without any of the query's words and about 1 with all of them
    (app.services.text_search), None if the query has none.
    """

    chunk_id: int
    file_id: str
    position: int
    nearness: float | None
    words: float | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk in its place, with a score from 0 to 1."""

    chunk_id: int
    score: float


def rank(by_query: Sequence[Sequence[Candidate]], ranker: Ranker) -> list[Ranked]:
    """The candidates of all queries, the best first, each once. The same piece of a file in two stores is one."""
    scores = _fused(by_query) if ranker == "none" else _by_relevance(by_query)
    ordered = sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))
    pieces = {candidate.chunk_id: (candidate.file_id, candidate.position) for found in by_query for candidate in found}
    first = {pieces[chunk_id]: Ranked(chunk_id, score) for chunk_id, score in reversed(ordered)}
    return [ranked for chunk_id, _ in ordered if (ranked := first[pieces[chunk_id]]).chunk_id == chunk_id]


def relevance(nearness: float | None, words: float | None) -> float:
    """How likely a chunk answers a query, from 0 to 1. Where one sign is missing, the other stands for both."""
    if nearness is None:
        nearness = words or 0.0
    if words is None:
        words = nearness
    return 1 / (1 + math.exp(-_STEEPNESS * (nearness + _WORDS * words - _EVEN)))


def _by_relevance(by_query: Iterable[Sequence[Candidate]]) -> dict[int, float]:
    """The score of each chunk for the query that it fits best."""
    scores: dict[int, float] = defaultdict(float)
    for found in by_query:
        for candidate in found:
            score = relevance(candidate.nearness, candidate.words)
            scores[candidate.chunk_id] = max(scores[candidate.chunk_id], score)
    return scores


def _fused(by_query: Sequence[Sequence[Candidate]]) -> dict[int, float]:
    """Reciprocal rank fusion: 1 for a chunk that is first by nearness and by words for all queries."""
    scores: dict[int, float] = defaultdict(float)
    orders = [order for found in by_query for sign in (_nearness, _words) if (order := _ordered(found, sign))]
    for order in orders:
        for place, chunk_id in enumerate(order):
            scores[chunk_id] += (_RANK_OFFSET + 1) / (_RANK_OFFSET + 1 + place) / len(orders)
    return scores


def _ordered(found: Sequence[Candidate], sign: Callable[[Candidate], float | None]) -> list[int]:
    signed = [(value, candidate.chunk_id) for candidate in found if (value := sign(candidate)) is not None]
    return [chunk_id for _, chunk_id in sorted(signed, key=lambda pair: (-pair[0], pair[1]))]


def _nearness(candidate: Candidate) -> float | None:
    return candidate.nearness


def _words(candidate: Candidate) -> float | None:
    """Without any of the words, a chunk has no place in their order."""
    return candidate.words or None
