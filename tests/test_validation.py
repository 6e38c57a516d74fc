"""Bodies of requests: what is refused, and in which words."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from app.errors import InvalidRequest
from app.json_body import MAX_DEPTH, parse
from app.schemas.assistants import AssistantCreate, AssistantModify
from app.schemas.messages import MessageCreate
from app.schemas.runs import RunCreate, SubmitToolOutputs, ThreadAndRunCreate
from app.schemas.threads import ThreadCreate, ThreadModify
from app.validation import invalid_request

BODIES = [
    AssistantCreate,
    AssistantModify,
    ThreadCreate,
    MessageCreate,
    RunCreate,
    ThreadAndRunCreate,
    SubmitToolOutputs,
]
FUNCTION = {"type": "function", "function": {"name": "f"}}


def refusal(model: type[BaseModel], body: Any) -> tuple[str, str | None, str | None]:
    """Message, param and code of the answer to `body`."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    error = invalid_request(caught.value.errors(), from_fastapi=False)
    return error.message, error.param, error.code


def assistant(**fields: Any) -> dict[str, Any]:
    return {"model": "m", **fields}


def message(**fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": "Hi", **fields}


def run(**fields: Any) -> dict[str, Any]:
    return {"assistant_id": "asst_1", **fields}


@pytest.mark.parametrize(
    ("model", "body", "text", "param", "code"),
    [
        # Missing and unknown.
        (AssistantCreate, {}, "Missing required parameter: 'model'.", "model", "missing_required_parameter"),
        (
            MessageCreate,
            message(attachments=[{"file_id": "file-1"}]),
            "Missing required parameter: 'attachments[0].tools'.",
            "attachments[0].tools",
            "missing_required_parameter",
        ),
        (
            AssistantCreate,
            assistant(tools=[{}]),
            "Missing required parameter: 'tools[0].type'.",
            "tools[0].type",
            "missing_required_parameter",
        ),
        (
            RunCreate,
            run(truncation_strategy={"type": "last_messages"}),
            "Missing required parameter: 'truncation_strategy.last_messages'.",
            "truncation_strategy.last_messages",
            "missing_required_parameter",
        ),
        (AssistantCreate, assistant(file_ids=[]), "Unknown parameter: 'file_ids'.", "file_ids", "unknown_parameter"),
        (
            MessageCreate,
            message(attachments=[{"fileId": "file-1"}]),
            "Unknown parameter: 'attachments[0].fileId'. Did you mean 'file_id'?",
            "attachments[0].fileId",
            "unknown_parameter",
        ),
        (
            MessageCreate,
            message(attachments=[{"file_id": "f", "tools": [{"type": "file_search", "file_search": {}}]}]),
            "Unknown parameter: 'attachments[0].tools[0].file_search'.",
            "attachments[0].tools[0].file_search",
            "unknown_parameter",
        ),
        (
            ThreadAndRunCreate,
            run(additional_instructions="x"),
            "Unknown parameter: 'additional_instructions'. Did you mean 'instructions'?",
            "additional_instructions",
            "unknown_parameter",
        ),
        # Types: nothing is coerced.
        (
            MessageCreate,
            message(metadata={"modified": True}),
            "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
            "metadata.modified",
            "invalid_type",
        ),
        (
            AssistantModify,
            {"tool_resources": {"file_search": {"vector_store_ids": "vs_1"}}},
            (
                "Invalid type for 'tool_resources.file_search.vector_store_ids': "
                "expected an array of strings, but got a string instead."
            ),
            "tool_resources.file_search.vector_store_ids",
            "invalid_type",
        ),
        (
            MessageCreate,
            message(content=5),
            "Invalid type for 'content': expected one of a string or array of objects, but got an integer instead.",
            "content",
            "invalid_type",
        ),
        (
            MessageCreate,
            message(content=["Hi"]),
            "Invalid type for 'content[0]': expected an object, but got a string instead.",
            "content[0]",
            "invalid_type",
        ),
        (
            MessageCreate,
            message(content=[{"type": "text", "text": {"value": "Hi"}}]),
            "Invalid type for 'content[0].text': expected a string, but got an object instead.",
            "content[0].text",
            "invalid_type",
        ),
        (
            AssistantCreate,
            assistant(temperature="1"),
            "Invalid type for 'temperature': expected a decimal, but got a string instead.",
            "temperature",
            "invalid_type",
        ),
        (
            AssistantCreate,
            assistant(tools={}),
            "Invalid type for 'tools': expected an array of objects, but got an object instead.",
            "tools",
            "invalid_type",
        ),
        (
            RunCreate,
            run(max_prompt_tokens=300.5),
            "Invalid type for 'max_prompt_tokens': expected an integer, but got a decimal instead.",
            "max_prompt_tokens",
            "invalid_type",
        ),
        (
            RunCreate,
            run(stream="true"),
            "Invalid type for 'stream': expected a boolean, but got a string instead.",
            "stream",
            "invalid_type",
        ),
        (
            MessageCreate,
            message(role=None),
            "Invalid type for 'role': expected one of 'user' or 'assistant', but got null instead.",
            "role",
            "invalid_type",
        ),
        (
            RunCreate,
            run(tool_choice=[]),
            "Invalid type for 'tool_choice': expected one of a string or object, but got an array instead.",
            "tool_choice",
            "invalid_type",
        ),
        (
            ThreadCreate,
            [],
            "Invalid type for the request body: expected an object, but got an array instead.",
            None,
            "invalid_type",
        ),
        # Values.
        (
            MessageCreate,
            message(role="system"),
            "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
            "role",
            "invalid_value",
        ),
        (
            AssistantCreate,
            assistant(tools=[FUNCTION, {"type": "retrieval"}]),
            "Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'file_search', and 'function'.",
            "tools[1].type",
            "invalid_value",
        ),
        (
            RunCreate,
            run(tool_choice="any"),
            "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
            "tool_choice",
            "invalid_value",
        ),
        (
            AssistantCreate,
            assistant(tools=[{"type": "function", "function": {"name": "get weather"}}]),
            (
                "Invalid 'tools[0].function.name': string does not match pattern. "
                "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            ),
            "tools[0].function.name",
            "invalid_value",
        ),
        (
            RunCreate,
            run(assistant_id="undefined"),
            "Invalid 'assistant_id': 'undefined'. Expected an ID that begins with 'asst'.",
            "assistant_id",
            "invalid_value",
        ),
        # Sizes.
        (
            MessageCreate,
            message(metadata={"k": "x" * 695}),
            (
                "Invalid 'metadata.k': string too long. "
                "Expected a string with maximum length 512, but got a string with length 695 instead."
            ),
            "metadata.k",
            "string_above_max_length",
        ),
        (
            MessageCreate,
            message(metadata={"k" * 65: "x"}),
            (
                "Invalid 'metadata': key too long. "
                "Expected keys with maximum length 64, but got a key with length 65 instead."
            ),
            "metadata",
            "string_above_max_length",
        ),
        (
            MessageCreate,
            message(metadata={str(n): "x" for n in range(17)}),
            (
                "Invalid 'metadata': too many properties. "
                "Expected an object with maximum size 16, but got an object with size 17 instead."
            ),
            "metadata",
            "object_above_max_properties",
        ),
        (
            RunCreate,
            run(tools=[FUNCTION] * 21),
            (
                "Invalid 'tools': array too long. "
                "Expected an array with maximum length 20, but got an array with length 21 instead."
            ),
            "tools",
            "array_above_max_length",
        ),
        (
            MessageCreate,
            message(content=[]),
            (
                "Invalid 'content': array too short. "
                "Expected an array with minimum length 1, but got an array with length 0 instead."
            ),
            "content",
            "array_below_min_length",
        ),
        (
            MessageCreate,
            message(content=""),
            (
                "Invalid 'content': string too short. "
                "Expected a string with minimum length 1, but got a string with length 0 instead."
            ),
            "content",
            "string_below_min_length",
        ),
        (
            RunCreate,
            run(max_prompt_tokens=10),
            "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >= 256, but got 10 instead.",
            "max_prompt_tokens",
            "integer_below_min_value",
        ),
        (
            RunCreate,
            run(truncation_strategy={"type": "last_messages", "last_messages": 2**31}),
            (
                "Invalid 'truncation_strategy.last_messages': integer above maximum value. "
                "Expected a value <= 2147483647, but got 2147483648 instead."
            ),
            "truncation_strategy.last_messages",
            "integer_above_max_value",
        ),
        (
            AssistantCreate,
            assistant(temperature=3),
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
            "temperature",
            "decimal_above_max_value",
        ),
        (
            AssistantCreate,
            assistant(top_p=-0.5),
            "Invalid 'top_p': decimal below minimum value. Expected a value >= 0, but got -0.5 instead.",
            "top_p",
            "decimal_below_min_value",
        ),
    ],
)
def test_refusals(model: type[BaseModel], body: Any, text: str, param: str | None, code: str) -> None:
    assert refusal(model, body) == (text, param, code)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (AssistantCreate, assistant(temperature=0, top_p=1, tools=[], metadata=None, response_format="auto")),
        (AssistantCreate, assistant(name="n" * 256, description="d" * 512, instructions="i" * 256_000)),
        (AssistantCreate, assistant(tools=[FUNCTION] * 128, metadata={"k" * 64: "v" * 512})),
        (AssistantCreate, assistant(tool_resources={"code_interpreter": {"file_ids": []}})),
        (AssistantModify, {}),
        (AssistantModify, {"name": None, "description": None, "instructions": None, "tool_resources": None}),
        (ThreadModify, {"metadata": None, "tool_resources": {}}),
        (MessageCreate, message(attachments=None, metadata={})),
        (MessageCreate, message(content=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}])),
        (RunCreate, run(tool_choice={"type": "function", "function": {"name": "f"}}, tools=None)),
        (RunCreate, run(max_prompt_tokens=256, truncation_strategy={"type": "auto", "last_messages": None})),
        (ThreadAndRunCreate, run(thread={"messages": [message()]}, tool_resources={}, stream=True)),
        (SubmitToolOutputs, {"tool_outputs": [{"tool_call_id": "call_1", "output": ""}], "stream": None}),
    ],
)
def test_what_the_contract_allows_is_taken(model: type[BaseModel], body: Any) -> None:
    model.model_validate(body)


def test_what_a_client_sent_is_not_told_back_at_length() -> None:
    long = "x" * 100_000
    for body in ({long: 1, "model": "m"}, assistant(tools=[{"type": long}]), assistant(reasoning_effort=long)):
        text, param, _ = refusal(AssistantCreate, body)
        assert len(text) < 500
        assert param is not None
        assert len(param) < 200


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
_FIELDS = [
    *("model", "name", "tools", "tool_resources", "metadata", "response_format", "role", "content", "attachments"),
    *("type", "function", "text", "image_url", "file_search", "messages", "thread", "assistant_id", "tool_choice"),
    *("truncation_strategy", "max_prompt_tokens", "json_schema", "schema", "tool_outputs", "additional_messages"),
]
_WORDS = ["function", "text", "image_url", "json_schema", "last_messages", "user", "auto", "file_search", "asst_1"]
likely_bodies = st.recursive(
    json_values | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=5),
    max_leaves=20,
)


@given(st.sampled_from(BODIES), likely_bodies)
def test_any_body_is_taken_or_refused_with_one_clear_error(model: type[BaseModel], body: Any) -> None:
    try:
        model.model_validate(body)
    except ValidationError as caught:
        error = invalid_request(caught.errors(), from_fastapi=False)
        assert error.status == 400
        assert error.message.endswith((".", "?"))
        assert error.code
        orjson.dumps(error.body())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"NaN",
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'"\xff"',
        b"\xef\xbb\xbf",
        b"{'a': 1}",
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    ],
)
def test_bodies_that_are_no_json_or_too_deep(raw: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(raw)
    assert caught.value.code == "invalid_json"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b'{"messages": [{"content": "a\\u0000b"}]}', "messages[0].content"),
        (b'{"metadata": {"a\\u0000": "b"}}', "metadata"),
        (b'"\\u0000"', None),
    ],
)
def test_the_null_character_is_refused_wherever_it_is(raw: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest, match=r"U\+0000") as caught:
        parse(raw)
    assert (caught.value.param, caught.value.code) == (param, "invalid_value")


@given(json_values)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    raw = orjson.dumps(value)
    assert parse(raw) == orjson.loads(raw)
