"""What a search does besides finding."""

from collections.abc import Sequence

import pytest

from app.backends.base import BackendFailure
from app.backends.embeddings import Embedder, Vector
from app.db.session import Sessions, transaction
from app.services import vector_search
from app.services.calibration_pairs import PAIRS
from app.services.vector_search import Hit
from tests.fakes.embeddings import embedding
from tests.search.library import CONFIG, MODEL, Library

BREAD = "Bread dough rises for an hour in a warm place before it is baked."
RENT = "Rent is due on the third day of each month, or the landlord sends a reminder."


class Recorder(Embedder):
    """Embeds as the scripted model server, and notes for which model and what."""

    def __init__(self, sessions: Sessions, dimensions: int = 64) -> None:
        self.asked: list[tuple[str | None, list[str]]] = []
        self.away = False
        self._sessions = sessions
        self._dimensions = dimensions

    async def embed(self, texts: Sequence[str], model: str | None = None) -> list[Vector]:
        # There is one connection: whoever holds it at this moment makes this fail.
        async with transaction(self._sessions):
            self.asked.append((model, list(texts)))
        if self.away:
            raise BackendFailure("server_error", "nobody is there")
        return [embedding(text, self._dimensions) for text in texts]


async def find(library: Library, embedder: Embedder, stores: Sequence[str], *queries: str) -> list[Hit]:
    return await vector_search.search(
        library.sessions, embedder, library.project_id, stores, queries, text_search_config=CONFIG, limit=10
    )


async def test_no_transaction_is_open_while_the_query_is_embedded(library: Library) -> None:
    embedder = Recorder(library.sessions)
    found = await find(library, embedder, [await library.store(BREAD, RENT)], "bread dough")
    assert found[0].text == BREAD
    assert embedder.asked


async def test_a_model_is_calibrated_once(library: Library) -> None:
    embedder = Recorder(library.sessions)
    store = await library.store(BREAD)
    for query in ("bread", "dough"):
        await find(library, embedder, [store], query)
    pairs = [*(question for question, _ in PAIRS), *(passage for _, passage in PAIRS)]
    assert embedder.asked == [(MODEL, ["bread", *pairs]), (MODEL, ["dough"])]


async def test_only_models_that_the_stores_have_vectors_by_are_asked(library: Library) -> None:
    embedder = Recorder(library.sessions)
    await library.file(await library.store(), RENT, model=f"{library.project_id}-other")
    await find(library, embedder, [await library.store(BREAD)], "bread")
    assert [model for model, _ in embedder.asked] == [MODEL]
    assert await find(library, embedder, [await library.store()], "bread") == []
    assert len(embedder.asked) == 1


async def test_words_are_found_while_the_embeddings_server_is_away(library: Library) -> None:
    embedder = Recorder(library.sessions)
    embedder.away = True
    store = await library.store(BREAD, RENT)
    found = await find(library, embedder, [store], "When is the rent due?")
    assert found[0].text == RENT
    assert found[0].score > 0.5
    embedder.away = False
    assert (await find(library, embedder, [store], "bread dough"))[0].text == BREAD


async def test_a_server_whose_vectors_changed_their_length_is_as_good_as_gone(library: Library) -> None:
    embedder = Recorder(library.sessions, dimensions=32)
    found = await find(library, embedder, [await library.store(BREAD, RENT)], "rent due")
    assert found[0].text == RENT


async def test_several_stores_are_one_and_a_file_in_both_is_found_once(library: Library) -> None:
    first, second = await library.store(), await library.store(RENT)
    file = await library.file(first, BREAD, filename="bread.md", attributes={"a": 1})
    await library.also_in(second, file, BREAD)
    found = await find(library, Recorder(library.sessions), [first, second], "bread dough", "rent due")
    assert sorted(hit.text for hit in found) == sorted([BREAD, RENT])
    hit = next(hit for hit in found if hit.text == BREAD)
    assert (hit.file_id, hit.filename, hit.position, hit.page) == (file, "bread.md", 0, None)


@pytest.mark.parametrize("count", [5, 400])
async def test_both_sides_are_found_in_stores_of_any_size(
    library: Library, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.nearest._ALWAYS_COMPARED", 100)
    monkeypatch.setattr("app.services.nearest._INDEX_COST", 0)
    others = [f"Swallows number {number} gather in September." for number in range(count)]
    store = await library.store(*others, BREAD, "What QX-17 is nobody knows.")
    embedder = Recorder(library.sessions)
    assert (await find(library, embedder, [store], "dough rises in a warm place"))[0].text == BREAD
    assert (await find(library, embedder, [store], "QX-17"))[0].text == "What QX-17 is nobody knows."
