"""Texts in chunks."""

import itertools
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app import tokens
from workers.ingestion.chunking import Piece, chunk
from workers.ingestion.parsed import ParsedFile

FAMILY = "👩🏽‍❤️‍💋‍👨🏽👨‍👩‍👧‍👦🏳️‍🌈🇩🇪"

_FRAGMENTS = st.sampled_from(
    [
        "owl ",
        "Owls hunt. ",
        "\n",
        "\r\n",
        "\n\n",
        " " * 40,
        "a" * 300,
        "漢字",
        "𓅓𓅔",
        FAMILY,
        "é́́́",
        "\u200d",
        "don't ",
        "1234567890",
    ]
)
TEXTS = st.one_of(
    st.lists(_FRAGMENTS, max_size=200).map("".join),
    st.text(max_size=600),  # all planes
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=8), st.integers(1, 800)),
)


def pieces_of(text: str, size: int = 100, overlap: int = 50, page_starts: list[int] | None = None) -> list[Piece]:
    return list(chunk(ParsedFile(text, page_starts or []), size, overlap))


@given(TEXTS, st.integers(100, 160), st.floats(0, 0.5))
def test_pieces_cover_the_text_and_keep_to_the_limit(text: str, size: int, share: float) -> None:
    pieces = pieces_of(text, size, int(size * share))
    end = 0
    for piece in pieces:
        assert piece.text == text[piece.start : piece.start + len(piece.text)]
        assert piece.text
        assert tokens.count(piece.text) <= size
        assert piece.start <= end  # no gap
        assert piece.start + len(piece.text) > end  # and each goes on
        end = piece.start + len(piece.text)
    assert end == len(text)


@given(TEXTS)
@example("a" * 300 + FAMILY * 2 + "Owls hunt. 𓅓𓅔" + FAMILY * 2 + "é́́́\n\u200dowl ")  # a line ends before a joiner
def test_without_overlap_the_pieces_are_the_text(text: str) -> None:
    assert "".join(piece.text for piece in pieces_of(text, 100, 0)) == text


@given(st.text(alphabet="abc ,.\n漢字éßЖ", min_size=300, max_size=3000), st.integers(0, 50))
def test_pieces_overlap_by_as_much_as_is_asked_for(text: str, overlap: int) -> None:
    for one, two in itertools.pairwise(pieces_of(text, 100, overlap)):
        shared = text[two.start : one.start + len(one.text)]
        assert abs(tokens.count(shared) - overlap) <= 4  # a cut may change the tokens beside it


@pytest.mark.parametrize("overlap", [0, 400])
def test_default_sizes(overlap: int) -> None:
    text = " ".join(f"word{number}" for number in range(5000))
    pieces = pieces_of(text, 800, overlap)
    assert all(680 <= tokens.count(piece.text) <= 800 for piece in pieces[:-1])
    steps = [two.start - one.start for one, two in itertools.pairwise(pieces)]
    assert tokens.count(text[: steps[0]]) == pytest.approx(800 - overlap, abs=5)


def test_a_short_text_is_one_piece() -> None:
    assert pieces_of("Owls hunt at night.") == [Piece("Owls hunt at night.", 0, None)]
    assert pieces_of("") == []


def test_pieces_end_with_sentences_and_paragraphs() -> None:
    sentence = "The owl sat on the branch and looked at the moon for a while. "
    assert all(piece.text.rstrip().endswith("while.") for piece in pieces_of(sentence * 100))
    paragraphs = ("word " * 45 + "end\n\n") * 40
    assert all(piece.text.endswith("end\n\n") for piece in pieces_of(paragraphs, 100, 0))
    assert all(piece.text.endswith("。") for piece in pieces_of("これは日本語の文です。" * 200, 100, 10))


@given(st.integers(0, 12))
def test_what_is_read_as_one_character_stays_whole(shift: int) -> None:
    text = "x" * shift + "👩🏽‍❤️‍💋‍👨🏽" * 100
    for piece in pieces_of(text, 100, 30):
        end = piece.start + len(piece.text)
        assert all((place - shift) % 10 == 0 or place <= shift for place in (piece.start, end))


def test_pages_of_pieces() -> None:
    page = "The owl sat on the branch. " * 20 + "\n\n"
    text, starts = page * 3, [0, len(page), len(page), 2 * len(page)]  # the second page is empty
    pieces = pieces_of(text, 100, 0, starts)
    assert [piece.page for piece in pieces] == [
        1 if p.start < len(page) else 3 if p.start < 2 * len(page) else 4 for p in pieces
    ]
    assert {piece.page for piece in pieces} == {1, 3, 4}


def test_the_page_of_a_piece_is_that_of_its_first_word() -> None:
    text = "one " * 99 + "one.\n\n\n\n" + "two " * 99
    assert [piece.page for piece in pieces_of(text, 100, 0, [0, text.index("two")])][-1] == 2


@pytest.mark.parametrize("unit", ["\n", " ", "a", "漢", "👨‍👩‍👧‍👦", "word ", "1,"])
def test_time_is_in_proportion_to_the_text(unit: str) -> None:
    tokens.count("the vocabulary is loaded")
    seconds = []
    for size in (100_000, 800_000):
        text = unit * (size // len(unit))
        started = time.process_time()
        assert sum(1 for _ in chunk(ParsedFile(text), 800, 400)) > 0
        seconds.append(time.process_time() - started)
    assert seconds[1] < 8 * 3 * seconds[0] + 0.5
