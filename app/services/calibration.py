"""What the cosines of an embedding model are worth: how alike it finds what belongs together, and what does not.

For one model a cosine of 0.5 is as good as a hit, for another any two texts have 0.7. So each model is shown some
questions with the passages that answer them, once in a process. Where between the two means a cosine lies says the same
for all models.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from app.backends.embeddings import Embedder, Vector
from app.services.calibration_pairs import PAIRS


@dataclass(frozen=True, slots=True)
class Calibration:
    """The mean cosine of what does not belong together, and of what does, for one model."""

    unrelated: float
    related: float

    def nearness(self, cosine: float) -> float:
        """0 for a cosine as of unrelated texts, 1 as of a question and its answer; below and beyond as it comes."""
        return (cosine - self.unrelated) / (self.related - self.unrelated)


#: Where a model does not tell related texts from unrelated ones.
_UNKNOWN: Final = Calibration(0.0, 1.0)
_SMALLEST_GAP: Final = 0.02

#: What each embedder of this process has found out, by model.
_known: WeakKeyDictionary[Embedder, dict[str, Calibration]] = WeakKeyDictionary()


async def embed(embedder: Embedder, model: str, queries: Sequence[str]) -> tuple[list[Vector], Calibration]:
    """The vectors of `queries` by `model`, and its calibration, in one go. Raises BackendFailure."""
    known = _known.setdefault(embedder, {})
    if model in known:
        return await embedder.embed(queries, model), known[model]
    questions, passages = zip(*PAIRS, strict=True)
    vectors = await embedder.embed([*queries, *questions, *passages], model)
    pairs = vectors[len(queries) :]
    known[model] = calibrate(pairs[: len(PAIRS)], pairs[len(PAIRS) :])
    return vectors[: len(queries)], known[model]


def calibrate(questions: Sequence[Vector], passages: Sequence[Vector]) -> Calibration:
    """The calibration by the vectors of questions and of their answers, in the same order."""
    related = statistics.fmean(_cosine(*pair) for pair in zip(questions, passages, strict=True))
    unrelated = statistics.fmean(
        _cosine(question, passage)
        for (i, question), (j, passage) in itertools.product(enumerate(questions), enumerate(passages))
        if i != j
    )
    return Calibration(unrelated, related) if related - unrelated >= _SMALLEST_GAP else _UNKNOWN


def _cosine(one: Vector, other: Vector) -> float:
    """Of vectors of length 1."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True))
