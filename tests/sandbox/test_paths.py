"""Names of files that are no text, on their way between the sandbox and a client."""

import os

from hypothesis import given
from hypothesis import strategies as st

from app.text import storable
from sandbox.protocol import escaped, unescaped
from workers.tools.file_names import fitting, numbered, repaired


@given(st.binary(max_size=80))
def test_a_path_of_any_bytes_comes_through_as_text(path: bytes) -> None:
    text = escaped(os.fsdecode(path))
    assert os.fsencode(unescaped(text)) == path
    assert storable(text) == text
    assert len(text.splitlines()) <= 1


@given(st.binary(max_size=400).map(os.fsdecode))
def test_a_repaired_name_can_be_borne_by_all(name: str) -> None:
    mended = fitting(repaired(name))
    assert storable(mended) == mended
    assert len(mended.splitlines()) <= 1
    assert len(mended.encode()) <= 240
    assert fitting(repaired(mended)) == mended


def test_endings_stay() -> None:
    assert fitting("x" * 300 + ".csv") == "x" * 236 + ".csv"
    assert numbered("a.tar", 2) == "a (2).tar"
    assert numbered(".hidden", 2) == ".hidden (2)"
    assert repaired("a\nb\u200d😀.txt") == "a_b\u200d😀.txt"
