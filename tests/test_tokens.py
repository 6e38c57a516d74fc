"""Texts cut by tokens."""

from hypothesis import given
from hypothesis import strategies as st

from app import tokens

_TEXTS = st.text(alphabet="ab \n漢字😀é", max_size=400)


@given(_TEXTS, st.integers(16, 100))
def test_windows_lose_nothing_and_keep_to_the_limit(text: str, limit: int) -> None:
    windows = tokens.windows(text, limit)
    assert "".join(windows) == text
    assert all(tokens.count(window) <= limit for window in windows)


def test_windows_are_of_about_the_same_size() -> None:
    sizes = [tokens.count(window) for window in tokens.windows("word " * 1010, 100)]
    assert len(sizes) == 11
    assert max(sizes) - min(sizes) <= 2


@given(_TEXTS, st.integers(16, 100), st.integers(0, 50))
def test_beginnings_are_as_long_as_the_limit_lets_them(text: str, limit: int, start: int) -> None:
    start = min(start, len(text))
    end = tokens.beginning(text, limit, start)
    assert tokens.count(text[start:end]) <= limit
    assert end == len(text) or tokens.count(text[start : end + 4]) > limit - 4


@given(_TEXTS, st.integers(0, 100))
def test_endings_have_the_last_tokens(text: str, limit: int) -> None:
    start = tokens.ending(text, limit)
    assert 0 <= start <= len(text)
    assert abs(tokens.count(text[start:]) - min(limit, tokens.count(text))) <= 4


def test_texts_of_any_length_are_counted() -> None:
    assert tokens.count("\U00013153" * 120_000) > 200_000


@given(_TEXTS)
def test_halves_lose_nothing(text: str) -> None:
    assert "".join(tokens.halves(text)) == text


def test_what_is_too_short_is_not_halved() -> None:
    assert tokens.halves("two words") == ["two words"]
    assert len(tokens.halves("word " * 50)) == 2
