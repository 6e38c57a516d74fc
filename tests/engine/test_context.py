"""Building the messages of a model call: what is told, what is dropped, and that it fits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import tokens
from workers.engine import context
from workers.engine.context import Conversation, DoesNotFit, OwnTurn, StoredMessage, ToldCall, ToolExchange


def said(role: str, text: str) -> StoredMessage:
    """A stored message of one text part."""
    return StoredMessage(role, [{"type": "text", "text": {"value": text, "annotations": []}}])


def cost(messages: list[dict[str, Any]]) -> int:
    """Tokens of text messages, as the budget counts them."""
    return sum(4 + tokens.count(message["content"]) for message in messages)


conversations = st.builds(
    Conversation,
    instructions=st.none() | st.text(min_size=1, max_size=60),
    messages=st.lists(
        st.builds(said, st.sampled_from(["user", "assistant"]), st.text(min_size=1, max_size=80)), max_size=30
    ),
)


@given(conversations, st.integers(0, 400))
def test_what_is_told_fits_and_is_the_first_and_the_newest_in_order(conversation: Conversation, budget: int) -> None:
    try:
        told = context.build(conversation, budget=budget, vision=True)
    except DoesNotFit:
        least = context.least(conversation, vision=True)
        assert cost(least) > budget
        return
    assert cost(told) <= budget
    everything = context.build(conversation, budget=10**9, vision=True)
    if told == everything:
        return
    systems = [message for message in told if message["role"] == "system"]
    assert systems == [message for message in everything if message["role"] == "system"]
    rest = told[len(systems) :]
    thread = everything[len(systems) :]
    newest = len(rest) - 1 if rest[0] == thread[0] and len(rest) > 1 else len(rest)
    assert rest[len(rest) - newest :] == thread[len(thread) - newest :]
    assert rest[-1] == thread[-1]


@given(conversations)
def test_nothing_is_dropped_where_there_is_room(conversation: Conversation) -> None:
    told = context.build(conversation, budget=10**9, vision=True)
    texts = [message.content[0]["text"]["value"] for message in conversation.messages]
    assert [message["content"] for message in told if message["role"] != "system"] == texts


def test_the_middle_is_dropped_first() -> None:
    messages = [said("user", f"{n} " + "word " * 50) for n in range(20)]
    told = context.build(Conversation("Be brief.", messages), budget=300, vision=True)
    numbers = [int(message["content"].split()[0]) for message in told[1:]]
    assert numbers == [0, 16, 17, 18, 19]


def test_own_turns_are_always_told() -> None:
    call = ToldCall("call_1", "f", "{}", "42")
    turns = [OwnTurn("Let me see.", ToolExchange([call])), OwnTurn("So far:")]
    messages = [said("user", "word " * 300), said("user", "last")]
    told = context.build(Conversation(None, messages, turns), budget=80, vision=True)
    assert [message["role"] for message in told] == ["user", "assistant", "tool", "assistant"]
    assert told[0]["content"] == "last"
    assert told[2] == {"role": "tool", "tool_call_id": "call_1", "content": "42"}


def test_arguments_that_are_no_json_are_not_sent_back() -> None:
    call = ToldCall("call_1", "f", "{oops", "Not JSON.")
    turns = [OwnTurn(None, ToolExchange([call], is_refused=True))]
    told = context.build(Conversation(None, [said("user", "x")], turns), budget=1000, vision=True)
    assert told[1]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert told[2]["content"] == "Not JSON."


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}}


@pytest.mark.parametrize(
    ("role", "vision", "expected"),
    [
        ("user", True, [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]),
        ("user", False, "[image: https://example.com/a.png]"),
        ("assistant", True, "[image: https://example.com/a.png]"),
    ],
)
def test_images_go_to_models_that_see(role: str, vision: bool, expected: Any) -> None:
    told = context.build(Conversation(None, [StoredMessage(role, [IMAGE])]), budget=5000, vision=vision)
    assert told == [{"role": role, "content": expected}]


def test_what_must_be_told_and_does_not_fit_is_an_error() -> None:
    with pytest.raises(DoesNotFit):
        context.build(Conversation("word " * 100, [said("user", "x")]), budget=50, vision=True)
