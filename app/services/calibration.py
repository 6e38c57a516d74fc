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

#: What belongs together is taken to be at least so many standard deviations above what does not: or a model that hardly
#: tells one from the other would drown the words of a query in noise.
_LEAST_DEVIATIONS: Final = 5
#: For a model to which all texts are the same.
_LEAST_STEP: Final = 0.01


@dataclass(frozen=True, slots=True)
class Calibration:
    """For one model the mean cosine of what does not belong together, and how much higher it is for what does."""

    unrelated: float
    step: float

    def nearness(self, cosine: float) -> float:
        """0 for a cosine as of unrelated texts, 1 as of a question and its answer; below and beyond as it comes."""
        return (cosine - self.unrelated) / self.step


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
    pairs = itertools.product(enumerate(questions), enumerate(passages))
    unrelated = [_cosine(question, passage) for (i, question), (j, passage) in pairs if i != j]
    related = [_cosine(question, passage) for question, passage in zip(questions, passages, strict=True)]
    mean = statistics.fmean(unrelated)
    step = max(statistics.fmean(related) - mean, _LEAST_DEVIATIONS * statistics.pstdev(unrelated), _LEAST_STEP)
    return Calibration(mean, step)


def _cosine(one: Vector, other: Vector) -> float:
    """Of vectors of length 1."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True))
