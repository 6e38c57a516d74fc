"""How often the answer is among the first results: of Locum's search, and of what it consists of."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from sqlalchemy import select

from app.models import Chunk, EmbeddingModel, File
from app.services import nearest, text_search, vector_search
from app.services.ranking import Ranker
from app.services.search_scope import Scope
from benchmarks.questions import Answer, SourceDocument
from benchmarks.surroundings import Surroundings

QUESTIONS: Final = 600
NAMES: Final = 300
FOUND: Final = 10
_CONFIG: Final = "english"

#: That the documentation of Python packages has nothing about.
FOREIGN: Final = (
    "How long does it take for bread dough to rise?",
    "who won the world cup in 2014",
    "best recipe for lentil soup",
    "symptoms of an underactive thyroid",
    "Where do swallows spend the winter?",
    "train from Berlin to Prague",
    "opening hours of the swimming pool",
    "how to treat a sprained ankle",
    "tax deduction for a home office",
    "What happens when a tenant does not pay?",
    "what is the capital of Australia",
    "Wie kündige ich meinen Mietvertrag?",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where the answer is."""

    text: str
    document: SourceDocument
    answer: Answer

    def is_answered_by(self, filename: str, text: str) -> bool:
        """Whether a chunk has half of the answer, or is half of it."""
        start = self.document.text.find(text) if filename == self.document.name else -1
        if start < 0:
            return False
        common = min(start + len(text), self.answer.end) - max(start, self.answer.start)
        return common >= min(self.answer.end - self.answer.start, len(text)) / 2


#: The names of files and the texts of chunks that a question brings, the best first.
Found = Sequence[tuple[str, str]]
Way = Callable[[str], Awaitable[Found]]


async def measure(around: Surroundings, documents: Sequence[SourceDocument], store: str) -> None:
    """Asks for sentences and for names, in all ways."""
    of_model = select(EmbeddingModel).where(EmbeddingModel.name == around.embedder.model)
    async with around.sessions() as session:
        model = (await session.execute(of_model)).scalar_one()
    ways = Ways(around, Scope(around.project, [store]), model)
    chosen = random.Random(7)
    answers = [(document, answer) for document in documents for answer in document.answers]
    sentences = [Question(answer.sentence, document, answer) for document, answer in answers]
    names = [Question(answer.name, document, answer) for document, answer in answers if answer.name]
    for kind, questions, count in (("sentences", sentences, QUESTIONS), ("names", names, NAMES)):
        asked = chosen.sample(questions, min(count, len(questions)))
        print(f"quality: {len(asked)} {kind} from the documentation of {len(documents)} modules")
        for name, way in ways.all().items():
            await _ask(name, way, asked)
    await _scores(around, store, chosen.sample(sentences, min(100, len(sentences))))


async def _ask(name: str, way: Way, questions: Sequence[Question]) -> None:
    places = []
    for question in questions:
        found = await way(question.text)
        hits = [place for place, chunk in enumerate(found, 1) if question.is_answered_by(*chunk)]
        places.append(min(hits, default=None))
    rates = [fmean(place is not None and place <= k for place in places) for k in (5, FOUND)]
    reciprocal = fmean(1 / place if place else 0.0 for place in places)
    print(f"  {name:28} answer among the first 5 {rates[0]:.3f}   {FOUND} {rates[1]:.3f}   MRR {reciprocal:.3f}")


async def _scores(around: Surroundings, store: str, questions: Sequence[Question]) -> None:
    answers: list[float] = []
    for question in questions:
        for hit in await _search(around, store, question.text):
            if question.is_answered_by(hit.filename, hit.text):
                answers.append(hit.score)
                break
    foreign = [(await _search(around, store, text))[0].score for text in FOREIGN]
    print("scores")
    print(f"  of the answers, where found: median {median(answers):.2f}, {_share(answers):.0%} above 0.5")
    unfit = f"median {median(foreign):.2f}, {_share(foreign):.0%} above 0.5"
    print(f"  of the best for {len(FOREIGN)} questions about other things: {unfit}")


def _share(scores: Sequence[float]) -> float:
    return fmean(score > 0.5 for score in scores)


async def _search(around: Surroundings, store: str, question: str, ranker: Ranker = "auto") -> list[vector_search.Hit]:
    return await vector_search.search(
        around.sessions,
        around.embedder,
        around.project,
        [store],
        [question],
        text_search_config=_CONFIG,
        limit=FOUND,
        ranker=ranker,
    )


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to ask."""

    around: Surroundings
    scope: Scope
    model: EmbeddingModel

    def all(self) -> dict[str, Way]:
        """By name."""
        return {
            "hybrid (ranker auto)": self._auto,
            "hybrid (ranker none)": self._none,
            "meaning alone": self._by_meaning,
            "words alone": self._by_words,
        }

    async def _auto(self, question: str) -> Found:
        return await self._hybrid(question, "auto")

    async def _none(self, question: str) -> Found:
        return await self._hybrid(question, "none")

    async def _hybrid(self, question: str, ranker: Ranker) -> Found:
        found = await _search(self.around, self.scope.store_ids[0], question, ranker)
        return [(hit.filename, hit.text) for hit in found]

    async def _by_meaning(self, question: str) -> Found:
        (vector,) = await self.around.embedder.embed([question])
        async with self.around.sessions() as session:
            ids = await session.scalars(*nearest.one_by_one(self.scope, self.model, vector, FOUND))
            return await self._texts(list(ids))

    async def _by_words(self, question: str) -> Found:
        async with self.around.sessions() as session:
            size = await nearest.measure(session, self.scope, FOUND)
            terms = await text_search.find_terms(session, self.scope, size, question, _CONFIG)
            if not terms:
                return []
            ids = await session.scalars(*text_search.best(self.scope, terms, FOUND))
            return await self._texts(list(ids))

    async def _texts(self, chunk_ids: Sequence[int]) -> Found:
        statement = select(Chunk.id, File.filename, Chunk.text).join(File, File.id == Chunk.file_id)
        async with self.around.sessions() as session:
            rows = await session.execute(statement.where(Chunk.id.in_(chunk_ids)))
        found = {chunk_id: (filename, text) for chunk_id, filename, text in rows}
        return [found[chunk_id] for chunk_id in chunk_ids]
