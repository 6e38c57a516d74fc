"""Which texts are found by which words."""

import pytest
from sqlalchemy import select

from app.db.session import Sessions
from app.models import Chunk
from app.services import nearest, text_search
from app.services.search_scope import Scope, Size
from tests.search.library import CONFIG, Library

FEW = Size(in_scope=2, in_all=2, few=True, many=False)
MANY = Size(in_scope=2, in_all=2, few=False, many=False)
#: In the same stores, and about something else.
OTHER = "Swallows gather in September and leave for the south."


async def found_by(library: Library, store: str, query: str, size: Size = FEW) -> dict[str, float]:
    """The texts in a store that hold words of a query, and how well they match."""
    scope = Scope(library.project_id, [store])
    async with library.sessions() as session:
        await nearest.prepare(session)
        terms = await text_search.find_terms(session, scope, size, query, CONFIG)
        if not terms:
            return {}
        best = (await session.scalars(*text_search.best(scope, terms, 100))).all()
        scored = select(Chunk.text, text_search.score(Chunk.words)).where(Chunk.id.in_(best))
        return dict((await session.execute(scored, text_search.score_values(terms))).all())


@pytest.mark.parametrize("size", [FEW, MANY])
@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The connection pool is exhausted.", "What happens when connections are exhausting?"),
        ("Stops with ERR_4012 at once.", "ERR_4012"),
        ("Stops with ERR_4012 at once.", "what is err 4012"),
        ("Stops with ERR-4012 at once.", "4012"),
        ("Call get_user_name(id) first.", "get_user_name"),
        ("Call get_user_name(id) first.", "the user name"),
        ("See numpy.linalg.norm for more.", "linalg"),
        ("See numpy.linalg.norm for more.", "numpy.linalg.norm()"),
        ("A List<String> of names.", "string"),
        ("It is in /usr/share/doc/readme.txt now.", "readme"),
        ("Mail to berit@example.com please.", "berit"),
        ("Python 3.11 or newer.", "python 3.11"),
        ("Der Mietvertrag wird gekündigt.", "Wie wird der MIETVERTRAG gekündigt?"),
        ("Где находится библиотека?", "библиотека"),
        ("今天天气很好", "天气怎么样"),
        ("東京タワーに行きました。", "東京"),
        ("한국어 문서를 찾습니다", "문서"),
        ("It's the user's turn, isn't it?", "users"),
        ("50% of $100 & <b>money</b>", "money"),
    ],
)
async def test_a_text_is_found_by_its_words(library: Library, text: str, query: str, size: Size) -> None:
    store = await library.store(text, OTHER)
    assert list(await found_by(library, store, query, size)) == [text]


@pytest.mark.parametrize("query", ["the of and", "?!", " ", "\\ ' \" & | ! ( ) : * <->", "'", "天", "a" * 3000])
async def test_a_query_may_hold_anything(library: Library, query: str) -> None:
    assert await found_by(library, await library.store(OTHER), query) == {}


@pytest.mark.parametrize("size", [FEW, MANY])
async def test_a_rare_word_counts_more_than_common_ones(library: Library, size: Size) -> None:
    common = [f"The server reads its settings, number {number}." for number in range(20)]
    rare = "The quokka has no settings."
    store = await library.store(*common, rare)
    found = await found_by(library, store, "settings of the quokka", Size(21, 21, few=size.few, many=False))
    assert max(found, key=lambda text: found[text]) == rare


async def test_an_identifier_is_more_than_its_parts(library: Library) -> None:
    apart, whole = "Error ERR in line 4012 of the file.", "Error in line 7: ERR_4012."
    store = await library.store(apart, whole)
    found = await found_by(library, store, "ERR_4012")
    assert found[whole] > found[apart] > 0


async def test_to_say_it_again_counts_less_each_time(library: Library) -> None:
    texts = [" ".join(["quokka"] * times) for times in (1, 2, 3)]
    found = await found_by(library, await library.store(*texts), "quokka")
    once, twice, thrice = (found[text] for text in texts)
    assert once == pytest.approx(1, abs=0.01)
    assert 0 < thrice - twice < twice - once


async def test_the_longest_query_has_bounds(library: Library, sessions: Sessions) -> None:
    query = " ".join(f"word{number} snake_case_{number}" for number in range(700))
    scope = Scope(library.project_id, [await library.store(OTHER)])
    async with sessions() as session:
        assert 0 < len(await text_search.find_terms(session, scope, MANY, query, CONFIG)) <= 32
