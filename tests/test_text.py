"""Text that can be stored, whatever it was."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text import storable, storable_value, to_json

ANY_TEXT = st.text(st.characters())  # surrogates and U+0000 among them
PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def _values(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        text
        | st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=10,
    )


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("a\0b", "a\ufffdb"),
        ("a\udcffb", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude00\ud83d", "\ufffd😀\ufffd"),
        ("é\0\ud83d", "é\ufffd\ufffd"),
    ],
)
def test_what_cannot_be_stored_is_replaced(text: str, mended: str) -> None:
    assert storable(text) == mended


@given(ANY_TEXT)
def test_all_text_becomes_storable(text: str) -> None:
    mended = storable(text)
    assert "\0" not in mended
    assert mended.encode().decode() == mended
    assert storable(mended) == mended


@given(PLAIN_TEXT)
def test_text_that_can_be_stored_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


@given(_values(PLAIN_TEXT))
def test_json_that_can_be_stored_is_what_it_was(value: Any) -> None:
    assert to_json(value) == orjson.dumps(value)


@given(_values(ANY_TEXT))
def test_all_json_becomes_storable(value: Any) -> None:
    written = to_json(value)
    read = orjson.loads(written)
    assert read == orjson.loads(orjson.dumps(storable_value(value)))
    assert "\0" not in "".join(_strings(read))


@given(st.lists(st.sampled_from(["\\", "u0000", "\0", '"', "a"])).map("".join))
def test_only_nul_is_taken_for_nul(text: str) -> None:
    assert json.loads(to_json({text: text})) == {storable(text): storable(text)}


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in _strings(item))]
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("value", [object(), {1: 2}, 2**70])
def test_what_is_no_json_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        to_json(value)
