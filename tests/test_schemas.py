"""Answers: what the rows hold, shown as OpenAI shows it, and read by the strict types of its client."""

from datetime import UTC, datetime, timedelta
from typing import Any

import openai.types.beta.threads as beta_threads
import openai.types.beta.threads.runs as beta_runs
import orjson
import pytest
from openai.types import beta
from pydantic import BaseModel, TypeAdapter

from app import models
from app.schemas.assistants import Assistant, AssistantCreate
from app.schemas.common import Answer, ListPage
from app.schemas.messages import Message, MessageCreate, content_parts
from app.schemas.response_format import stored_option
from app.schemas.run_steps import RunStep
from app.schemas.runs import Run, RunCreate, stored_truncation_strategy
from app.schemas.threads import Thread, ThreadCreate
from app.schemas.tools import stored_resources, stored_tools

#: Not on a whole second: what is answered must be.
AT = datetime(2026, 11, 23, 12, 0, 0, 999_999, tzinfo=UTC)
SECONDS = 1795435200
USAGE = {
    "prompt_tokens": 1,
    "completion_tokens": 2,
    "total_tokens": 3,
    "prompt_token_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def answer(schema: type[Answer], row: object, theirs: type[BaseModel]) -> dict[str, Any]:
    """The JSON that shows `row`, after the client's own type has taken it without a change of a type."""
    text = schema.model_validate(row).model_dump_json()
    TypeAdapter(theirs).validate_json(text, strict=True)
    shown: dict[str, Any] = orjson.loads(text)
    return shown


def assistant_row(**values: Any) -> models.Assistant:
    return models.Assistant(
        **{"id": "asst_1", "created_at": AT, "model": "m", "tools": [], "tool_resources": {}, "metadata_": {}, **values}
    )


def run_row(**values: Any) -> models.Run:
    defaults = {
        "id": "run_1",
        "created_at": AT,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "status": "queued",
        "expires_at": AT + timedelta(seconds=600),
        "model": "m",
        "tools": [],
        "tool_resources": {},
        "metadata_": {},
        "truncation_strategy": stored_truncation_strategy(None),
        "parallel_tool_calls": True,
    }
    return models.Run(**{**defaults, **values})


def step_row(**values: Any) -> models.RunStep:
    defaults = {
        "id": "step_1",
        "created_at": AT,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "run_id": "run_1",
        "turn": 0,
        "type": "message_creation",
        "status": "completed",
        "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_1"}},
        "usage": USAGE,
    }
    return models.RunStep(**{**defaults, **values})


def test_a_bare_assistant_shows_the_defaults() -> None:
    shown = answer(Assistant, assistant_row(), beta.Assistant)
    assert shown == {
        "id": "asst_1",
        "object": "assistant",
        "created_at": SECONDS,
        "name": None,
        "description": None,
        "model": "m",
        "instructions": None,
        "tools": [],
        "top_p": 1.0,
        "temperature": 1.0,
        "reasoning_effort": None,
        "tool_resources": {},
        "metadata": {},
        "response_format": "auto",
    }
    assert list(shown) == list(Assistant.model_fields)


def test_an_explicit_zero_is_shown() -> None:
    shown = answer(Assistant, assistant_row(temperature=0.0, top_p=0.0), beta.Assistant)
    assert (shown["temperature"], shown["top_p"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("resources", "shown"),
    [
        ({}, {"code_interpreter": {"file_ids": []}}),
        ({"code_interpreter": {"file_ids": ["file-1"]}}, {"code_interpreter": {"file_ids": ["file-1"]}}),
        (
            {"file_search": {"vector_store_ids": ["vs_1"]}},
            {"file_search": {"vector_store_ids": ["vs_1"]}, "code_interpreter": {"file_ids": []}},
        ),
    ],
)
def test_the_files_of_the_code_interpreter_are_shown_where_there_are_none(resources: Any, shown: Any) -> None:
    given = {"tools": [{"type": "code_interpreter"}], "tool_resources": resources}
    assert answer(Assistant, assistant_row(**given), beta.Assistant)["tool_resources"] == shown
    assert answer(Run, run_row(**given), beta_threads.Run)["tool_resources"] == shown
    without = {"tools": [], "tool_resources": resources}
    assert answer(Assistant, assistant_row(**without), beta.Assistant)["tool_resources"] == resources


def test_a_thread() -> None:
    row = models.Thread(id="thread_1", created_at=AT, tool_resources={}, metadata_={"a": "b"})
    assert answer(Thread, row, beta.Thread) == {
        "id": "thread_1",
        "object": "thread",
        "created_at": SECONDS,
        "metadata": {"a": "b"},
        "tool_resources": {},
    }


def test_a_message() -> None:
    row = models.Message(
        id="msg_1",
        created_at=AT,
        thread_id="thread_1",
        role="user",
        status="completed",
        completed_at=AT,
        content=content_parts("Hi"),
        attachments=[],
        metadata_={},
    )
    shown = answer(Message, row, beta_threads.Message)
    assert list(shown) == [
        *("id", "object", "created_at", "assistant_id", "thread_id", "run_id", "status", "incomplete_details"),
        *("completed_at", "incomplete_at", "role", "content", "attachments", "metadata"),
    ]
    assert shown["content"] == [{"type": "text", "text": {"value": "Hi", "annotations": []}}]
    assert (shown["completed_at"], shown["incomplete_at"], shown["run_id"]) == (SECONDS, None, None)


def test_a_new_run_shows_the_defaults() -> None:
    assert answer(Run, run_row(), beta_threads.Run) == {
        "id": "run_1",
        "object": "thread.run",
        "created_at": SECONDS,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "status": "queued",
        "started_at": None,
        "expires_at": SECONDS + 600,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": "m",
        "instructions": None,
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "reasoning_effort": None,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": None,
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


@pytest.mark.parametrize(("status", "shown"), [("in_progress", None), ("completed", USAGE), ("failed", USAGE)])
def test_the_usage_of_a_step_is_shown_when_it_is_over(status: str, shown: Any) -> None:
    assert answer(RunStep, step_row(status=status), beta_runs.RunStep)["usage"] == shown


def test_a_step_has_empty_metadata() -> None:
    assert answer(RunStep, step_row(), beta_runs.RunStep)["metadata"] == {}


def test_pages() -> None:
    rows = [assistant_row(id="asst_1"), assistant_row(id="asst_2")]
    page = ListPage[Assistant].of(rows, has_more=True)
    assert [item.id for item in page.data] == ["asst_1", "asst_2"]
    assert (page.first_id, page.last_id, page.has_more) == ("asst_1", "asst_2", True)
    assert ListPage[Assistant].of([], has_more=False).model_dump() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


def test_functions_are_echoed_with_the_defaults() -> None:
    body = AssistantCreate.model_validate(
        {
            "model": "m",
            "tools": [
                {"type": "function", "function": {"name": "bare"}},
                {
                    "type": "function",
                    "function": {"name": "full", "description": "d", "parameters": {"type": "object"}, "strict": True},
                },
            ],
        }
    )
    tools = stored_tools(body.tools)
    assert tools == [
        {
            "type": "function",
            "function": {"name": "bare", "parameters": {"type": "object", "properties": {}}, "strict": False},
        },
        {
            "type": "function",
            "function": {"name": "full", "description": "d", "parameters": {"type": "object"}, "strict": True},
        },
    ]
    assert answer(Assistant, assistant_row(tools=tools), beta.Assistant)["tools"] == tools


@pytest.mark.parametrize(
    "response_format",
    [
        "auto",
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": None}},
        {"type": "json_schema", "json_schema": {"name": "n"}},
    ],
)
def test_response_formats_are_echoed_as_they_were_given(response_format: Any) -> None:
    body = AssistantCreate.model_validate({"model": "m", "response_format": response_format})
    stored = stored_option(body.response_format)
    assert stored == response_format
    assert answer(Assistant, assistant_row(response_format=stored), beta.Assistant)["response_format"] == stored


@pytest.mark.parametrize("tool_choice", ["none", "auto", "required", {"type": "function", "function": {"name": "f"}}])
def test_tool_choices_are_echoed_as_they_were_given(tool_choice: Any) -> None:
    body = RunCreate.model_validate({"assistant_id": "asst_1", "tool_choice": tool_choice})
    stored = stored_option(body.tool_choice)
    assert answer(Run, run_row(tool_choice=stored), beta_threads.Run)["tool_choice"] == tool_choice


def test_content_is_stored_as_it_is_answered() -> None:
    body = MessageCreate.model_validate(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/b.png", "detail": "low"}},
            ],
        }
    )
    assert content_parts(body.content) == [
        {"type": "text", "text": {"value": "Hi", "annotations": []}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/b.png", "detail": "low"}},
    ]


def test_truncation_is_stored_with_both_of_its_fields() -> None:
    body = RunCreate.model_validate(
        {"assistant_id": "asst_1", "truncation_strategy": {"type": "last_messages", "last_messages": 3}}
    )
    assert stored_truncation_strategy(body.truncation_strategy) == {"type": "last_messages", "last_messages": 3}
    assert stored_truncation_strategy(None) == {"type": "auto", "last_messages": None}


def test_tool_resources_that_hold_nothing_are_kept_as_they_are() -> None:
    body = ThreadCreate.model_validate(
        {"tool_resources": {"code_interpreter": {"file_ids": []}, "file_search": {"vector_stores": []}}}
    )
    assert stored_resources(body.tool_resources) == {"code_interpreter": {"file_ids": []}, "file_search": {}}
    assert stored_resources(None) == {}
