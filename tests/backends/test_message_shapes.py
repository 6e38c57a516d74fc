"""The shapes that chat templates want: from the words of a refusal, and what becomes of the messages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.message_shapes import Shape, nine_characters, shape_wanted, shaped

SYSTEM = {"role": "system", "content": "Be brief."}
CALLS: list[dict[str, Any]] = [
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Hm.",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": "x"}},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "42"},
]


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


EVERYTHING = [SYSTEM, said("Welcome."), user("a"), user("b"), said("c"), user("d"), *CALLS]

#: Servers' words, with the shapes that are learnt one after the other as long as they are said again.
WORDS: list[tuple[str, list[Shape]]] = [
    ("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.", ["ids of nine characters"]),
    ("Tool call IDs should be alphanumeric strings with length 9!", ["ids of nine characters"]),
    (
        "Error: Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...",
        ["roles in turns", "system message in the user's", "tools as text"],
    ),
    (
        (
            "After the optional system message, conversation roles must alternate user and assistant roles except for "
            "tool calls and results."
        ),
        ["roles in turns", "system message in the user's", "tools as text"],
    ),
    ("System role not supported", ["system message in the user's", "tools as text", "roles in turns"]),
    (
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        ["system message in the user's", "tools as text", "roles in turns"],
    ),
    (
        "Only user and assistant roles are supported!",
        ["system message in the user's", "tools as text", "roles in turns"],
    ),
    (
        "Only user, assistant and system roles are supported, got tool.",
        ["system message in the user's", "tools as text", "roles in turns"],
    ),
    ("messages.1.content: Input should be a valid string", ["content as text"]),
    ('can only concatenate str (not "NoneType") to str', ["content as text"]),
    ("property 'reasoning_content' is unsupported", ["thoughts left out"]),
    ("messages.2.assistant.reasoning_content: Extra inputs are not permitted", ["thoughts left out"]),
    ("Cannot pass both content and thinking in an assistant message with tool calls!", ["thoughts left out"]),
    ("The `reasoning_content` in the thinking mode must be passed back to the API.", ["thoughts filled in"]),
    ("Missing `reasoning_content` field in the assistant message at message index 2.", ["thoughts filled in"]),
    (
        "GenerateContentRequest.contents[2].parts[0].function_response.name: Name cannot be empty.",
        ["names of tools told"],
    ),
    ("Unknown parameter: 'messages[6].tool_calls[0].extra_content'.", ["signatures left out", "thoughts left out"]),
    ("Assistant message must have either content or tool_calls, but not both.", ["calls without text"]),
]


@pytest.mark.parametrize(("words", "shapes"), WORDS)
def test_what_words_teach(words: str, shapes: list[Shape]) -> None:
    learnt: list[Shape] = []
    while (shape := shape_wanted(words, EVERYTHING, set(learnt))) is not None:
        learnt.append(shape)
    assert learnt == shapes


@pytest.mark.parametrize(
    "words",
    [
        "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        "No user query found in messages.",
        "Assistant response prefill is incompatible with enable_thinking.",
    ],
)
def test_the_user_has_the_last_word(words: str) -> None:
    messages = [user("a"), said("b")]
    assert shape_wanted(words, messages, set()) == "user's message last"
    assert shaped(messages, {"user's message last"})[-1]["role"] == "user"


def test_signatures_are_filled_in() -> None:
    bare = [user("a"), {**CALLS[0], "tool_calls": [{**CALLS[0]["tool_calls"][0], "extra_content": None}]}, CALLS[1]]
    del bare[1]["tool_calls"][0]["extra_content"]
    words = "Function call is missing a thought_signature in functionCall parts."
    assert shape_wanted(words, bare, set()) == "signatures filled in"
    assert shape_wanted(words, EVERYTHING, set()) is None


@pytest.mark.parametrize("words", ["", "Internal server error", "The model is overloaded.", "Invalid API key"])
def test_other_words_teach_nothing(words: str) -> None:
    assert shape_wanted(words, EVERYTHING, set()) is None


def test_the_system_message_goes_into_the_first_users() -> None:
    only: set[Shape] = {"system message in the user's"}
    assert shaped([SYSTEM, user("a")], only) == [user("Be brief.\n\na")]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
    assert shaped([SYSTEM, user([image])], only) == [user([{"type": "text", "text": "Be brief."}, image])]
    assert shaped([SYSTEM, said("a")], only) == [user("Be brief."), said("a")]
    assert shaped([SYSTEM], only) == [user("Be brief.")]


def test_neighbours_are_merged() -> None:
    told = shaped(EVERYTHING, {"roles in turns"})
    assert [message["role"] for message in told] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
        *("assistant", "tool"),
    ]
    assert told[3]["content"] == "a\n\nb"


def test_nine_characters() -> None:
    assert nine_characters("D681PevKs") == "D681PevKs"
    assert nine_characters("call_1") == nine_characters("call_1") != nine_characters("call_2")
    assert len(nine_characters("call_1")) == 9
    assert nine_characters("call_1").isalnum()


MESSAGE = st.one_of(
    st.builds(user, st.text("ab", min_size=1, max_size=3)), st.builds(said, st.text("cd", min_size=1, max_size=3))
)


@given(st.lists(MESSAGE), st.booleans(), st.integers(0, 2))
def test_a_template_that_wants_turns_has_them_and_nothing_is_lost(
    messages: list[dict[str, Any]], has_system: bool, turns: int
) -> None:
    told = [SYSTEM] * has_system + messages + CALLS * turns
    strict: set[Shape] = {"tools as text", "system message in the user's", "roles in turns", "user's message last"}
    taken = shaped(told, strict)
    assert all((message["role"] == "user") == (number % 2 == 0) for number, message in enumerate(taken))
    assert taken[-1]["role"] == "user"
    text = "".join(message["content"] for message in taken)
    assert all(message["content"] in text for message in told if message["content"])
