"""Thoughts before an answer: taken out of it, or given back to the server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.thoughts import ThoughtFilter, Thoughts


def filtered(pieces: list[str]) -> str:
    thoughts = ThoughtFilter()
    return "".join(thoughts.feed(piece) for piece in pieces) + thoughts.end()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Hello", "Hello"),
        ("\n\nHello", "\n\nHello"),
        ("<think>Hm.</think>\n\nHello", "Hello"),
        ("\n<think>\n\n</think>\n\n", ""),
        ("<think></think>", ""),
        ("<think>a</think>\n<think>b</think>c <think>d</think>", "c <think>d</think>"),
        ("<thin ice>", "<thin ice>"),
        ("<th", "<th"),
        ("<think>never ends", "<think>never ends"),
        ("Hi <think>x</think>", "Hi <think>x</think>"),
        ("", ""),
        ("  ", "  "),
    ],
)
@given(st.data())
def test_what_is_thought_is_not_said(said: str, answer: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)))))
    pieces = [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    assert filtered(pieces) == answer


def test_an_answer_without_thoughts_is_told_at_once() -> None:
    thoughts = ThoughtFilter()
    assert [thoughts.feed(piece) for piece in ("Hel", "lo")] == ["Hel", "lo"]


def test_what_is_given_back() -> None:
    thoughts = Thoughts()
    block = {"type": "reasoning.text", "index": 0}
    for delta in (
        {"reasoning_content": "Hm, "},
        {"reasoning_content": "yes.", "reasoning": None},
        {"reasoning_details": [{**block, "text": "a"}]},
        {"reasoning_details": [{**block, "text": "b", "signature": "s"}, {"type": "reasoning.encrypted", "data": "x"}]},
        {"extra_content": {"google": {"thought": True}}},
    ):
        thoughts.take(delta)
    assert thoughts.fields() == {
        "reasoning_content": "Hm, yes.",
        "reasoning_details": [{**block, "text": "ab", "signature": "s"}, {"type": "reasoning.encrypted", "data": "x"}],
        "extra_content": {"google": {"thought": True}},
    }
