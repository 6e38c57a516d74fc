"""JSON that is not quite JSON, and texts that come in pieces cut anywhere."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.lenient_json import TextJoiner, loads
from app.text import storable

PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
CUTS = st.lists(st.integers(0, 10_000), max_size=20)


def _pieces(whole: Any, cuts: list[int]) -> list[Any]:
    edges = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    return [whole[start:end] for start, end in itertools.pairwise(edges)]


def _joined(pieces: list[str]) -> str:
    joiner = TextJoiner()
    return "".join(joiner.feed(piece) for piece in pieces) + joiner.end()


@given(text=PLAIN_TEXT, cuts=CUTS)
def test_surrogate_pairs_cut_anywhere(text: str, cuts: list[int]) -> None:
    units = memoryview(text.encode("utf-16-le")).cast("H").tolist()
    assert _joined(["".join(map(chr, piece)) for piece in _pieces(units, cuts)]) == text


@given(text=PLAIN_TEXT, cuts=CUTS)
def test_bytes_cut_anywhere(text: str, cuts: list[int]) -> None:
    assert _joined([piece.decode("utf-8", "surrogateescape") for piece in _pieces(text.encode(), cuts)]) == text


@given(text=st.text(st.characters(categories=["Cs"]) | st.sampled_from("a\0😀é")), cuts=CUTS)
def test_whatever_comes_is_whole_and_the_same_for_all_cuts(text: str, cuts: list[int]) -> None:
    joined = _joined(_pieces(text, cuts))
    assert joined == _joined([text])
    assert joined == storable(joined)


def test_text_comes_as_soon_as_it_is_sure() -> None:
    joiner = TextJoiner()
    assert [joiner.feed(piece) for piece in ("a", "b\ud83d", "", "\ude00c", "\udcf0\udc9f", "\udc98", "\udc80!")] == [
        *("a", "b", "", "😀c", "", "", "😀!"),
    ]


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b'{"a": NaN, "b": [Infinity, -Infinity, 1e999, -1e999], "c": 1}', {"a": None, "b": [None] * 4, "c": 1}),
        (b'{"a": "\xff", "b": NaN}', {"a": "\udcff", "b": None}),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "x\ty\nz"}', {"a": "x\ty\nz"}),
        (b"[%s, 1]" % (b"9" * 5000), [None, 1]),
        (b'["\t", 123456789012345678901]', ["\t", 123456789012345678901.0]),
        ('["\ud83d"]', ["\ud83d"]),
    ],
)
def test_what_can_be_understood_is_read(payload: bytes | str, value: Any) -> None:
    assert loads(payload) == value


@pytest.mark.parametrize("payload", [b"", b"{", b'{"a": }', b"[DONE]", b"\xff\xfe", b"[" * 100_000, b"{} {}"])
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra data|deeply"):
        loads(payload)


@given(st.binary(max_size=60))
def test_no_bytes_break_it(payload: bytes) -> None:
    try:
        json.dumps(loads(payload))
    except ValueError:
        return
