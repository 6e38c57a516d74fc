"""The decoder of JSON strings that are still arriving."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.json_string import JSONStringDecoder


def _decode(pieces: list[str]) -> tuple[str, JSONStringDecoder]:
    decoder = JSONStringDecoder()
    return "".join(decoder.feed(piece) for piece in pieces), decoder


def _cut(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


@given(
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    ascii_only=st.booleans(),
    rest=st.text(max_size=5),
    cuts=st.lists(st.integers(0, 10_000), max_size=30),
)
def test_decodes_what_json_encodes(value: str, ascii_only: bool, rest: str, cuts: list[int]) -> None:
    encoded = json.dumps(value, ensure_ascii=ascii_only)[1:] + rest
    decoded, decoder = _decode(_cut(encoded, cuts))
    assert decoded == value
    assert decoder.ended
    assert decoder.rest == rest


@given(text=st.text(st.sampled_from('\\"udDcC8a0 x/n')), cuts=st.lists(st.integers(0, 100), max_size=30))
def test_cuts_change_nothing(text: str, cuts: list[int]) -> None:
    cut, whole = _decode(_cut(text, cuts)), _decode([text])
    assert cut[0] == whole[0]
    assert (cut[1].ended, cut[1].rest) == (whole[1].ended, whole[1].rest)


def test_text_comes_as_soon_as_it_is_sure() -> None:
    decoder = JSONStringDecoder()
    assert [decoder.feed(piece) for piece in ["Hel", "lo\\", "nyou \\ud83", "d\\ude", '00!" }']] == [
        "Hel",
        "lo",
        "\nyou ",
        "",
        "😀!",
    ]


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        (r'\ud83d"', "\ufffd"),
        (r'\u0000"', "\ufffd"),
        (r'\ud83dx"', "\ufffdx"),
        (r'\ud83d\n"', "\ufffd\n"),
        (r'\ud83d\ud83d\ude00"', "\ufffd😀"),
        (r'\ude00"', "\ufffd"),
        (r'\q"', "\ufffd"),
        (r'\u12zz"', "\ufffdzz"),
        ('a\nb"', "a\nb"),
    ],
)
def test_what_is_wrong_is_replaced(encoded: str, decoded: str) -> None:
    for cuts in ([], list(range(len(encoded)))):
        assert _decode(_cut(encoded, cuts))[0] == decoded
