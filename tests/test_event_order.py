"""The grammar of streams finds what is out of order, and nothing in what is not."""

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from openai.types.beta import AssistantStreamEvent

from tests.event_order import NAMES, Beginning, EventOrder

Event = tuple[str, Any]


def _run(state: str, status: str | None = None) -> Event:
    return f"thread.run.{state}", {"id": "run_1", "created_at": 100, "status": status or state}


def _step(state: str, status: str | None = None, at: int = 100) -> Event:
    details = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
    step = {"id": "step_1", "created_at": at, "type": "message_creation", "step_details": details}
    return f"thread.run.step.{state}", {**step, "status": status or state}


def _message(state: str, text: str = "", status: str | None = None) -> Event:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}] if text else []
    message = {"id": "msg_1", "created_at": 101, "content": content}
    return f"thread.message.{state}", {**message, "status": status or state}


def _text(value: str, index: int = 0, **more: Any) -> Event:
    part = {"index": index, "type": "text", "text": {"value": value, **more}}
    return "thread.message.delta", {"id": "msg_1", "delta": {"content": [part]}}


def _calls(state: str, *calls: Any) -> Event:
    name, step = _step(state)
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    return name, {**step, "id": "step_0", "type": "tool_calls", "step_details": details}


def _call(index: int = 0, **call: Any) -> Event:
    details = {"type": "tool_calls", "tool_calls": [{"index": index, "type": "function", **call}]}
    return "thread.run.step.delta", {"id": "step_0", "delta": {"step_details": details}}


BEGUN = [_run("created", "queued"), _run("queued"), _run("in_progress")]
DONE: Event = ("done", None)
#: Each with its place below.
TEXT: list[Event] = [
    *BEGUN,  # 0 to 2
    _step("created", "in_progress"),
    _step("in_progress"),
    _message("created", status="in_progress"),  # 5
    _message("in_progress"),
    _text("Good ", annotations=[]),
    _text("day."),
    _message("completed", "Good day."),
    _step("completed"),  # 10
    _run("completed"),
    DONE,
]
FUNCTION: list[Event] = [
    *BEGUN,
    _calls("created"),
    _calls("in_progress"),
    _call(id="call_1", function={"name": "look", "arguments": "", "output": None}),  # 5
    _call(function={"arguments": "{}"}),
    _run("requires_action"),
    DONE,
]
ASKED = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}", "output": "42"}}
OUTPUTS: list[Event] = [_calls("completed", ASKED), _run("queued"), *TEXT[2:]]


def faults(events: list[Event], beginning: Beginning = "run", *, whole: bool = True, number: int = 1) -> list[str]:
    """What is wrong with these events."""
    order = EventOrder(beginning)
    for at, (name, data) in enumerate(events):
        order.take(name, "[DONE]" if name == "done" else json.dumps(data), f"1-{number + at}")
    if whole:
        order.end()
    return order.faults


@pytest.mark.parametrize(
    ("events", "beginning"),
    [
        (TEXT, "run"),
        (TEXT, "log"),
        ([("thread.created", {"id": "thread_1", "created_at": 99}), *TEXT], "thread"),
        (FUNCTION, "run"),
        (OUTPUTS, "outputs"),
        (TEXT[8:], "middle"),
        (TEXT[12:], "middle"),
        (
            [
                *TEXT[:8],
                _run("cancelling"),
                _message("incomplete", "Good "),
                _step("cancelled"),
                _run("cancelled"),
                DONE,
            ],
            "run",
        ),
        ([*TEXT[:8], _message("incomplete", "Good "), _step("failed"), _run("failed"), DONE], "run"),
        ([*BEGUN[:2], _run("expired"), DONE], "run"),
        ([*TEXT[:8], ("error", {"error": {}}), DONE], "run"),
    ],
)
def test_streams_that_are_in_order(events: list[Event], beginning: Beginning) -> None:
    assert faults(events, beginning) == []


def test_a_reader_may_go_away_at_any_time() -> None:
    for length in range(len(TEXT)):
        assert faults(TEXT[:length], whole=False) == []


def test_what_is_told_from_the_database_leaves_things_out() -> None:
    told = [TEXT[3], TEXT[5], TEXT[9], TEXT[10], TEXT[11], DONE]
    assert faults(told, "log", number=2**32) == []
    assert faults(told, "log") != []


@pytest.mark.parametrize("left_out", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
def test_nothing_may_be_left_out(left_out: int) -> None:
    assert faults(TEXT[:left_out] + TEXT[left_out + 1 :]) != []


@pytest.mark.parametrize("at", range(len(TEXT)))
def test_nothing_may_come_twice(at: int) -> None:
    # Things may be in progress for longer than one event says.
    if TEXT[at][0].endswith("in_progress") and at != 2:
        return
    assert faults([*TEXT[: at + 1], *TEXT[at:]]) != []


@pytest.mark.parametrize("at", range(len(TEXT) - 1))
def test_no_two_change_places(at: int) -> None:
    assert faults([*TEXT[:at], TEXT[at + 1], TEXT[at], *TEXT[at + 2 :]]) != []


def _changed(events: list[Event], at: int, other: Event) -> Callable[[], list[str]]:
    return lambda: faults([*events[:at], other, *events[at + 1 :]])


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (_changed(TEXT, 7, _text("Good ")), "no annotations"),
        (_changed(TEXT, 8, _text("day.", annotations=[])), "told again"),
        (_changed(TEXT, 8, _text("night.")), "do not add up"),
        (_changed(TEXT, 8, _text("day.", index=2, annotations=[])), "index 2"),
        (_changed(TEXT, 11, _run("completed", "queued")), "carries the status"),
        (_changed(TEXT, 9, _message("completed", "Good day.", "in_progress")), "carries the status"),
        (_changed(TEXT, 3, _step("created", "in_progress", at=99)), "created_at"),
        (_changed(FUNCTION, 6, _call(id="call_1", function={"arguments": "{}"})), "told again"),
        (_changed(FUNCTION, 7, _run("failed")), "are open"),
        (_changed(FUNCTION, 7, _run("queued")), "before the run has ended"),
    ],
)
def test_faults_are_named(found: Callable[[], list[str]], words: str) -> None:
    assert words in "\n".join(found())


def test_the_end_is_said_in_one_way() -> None:
    order = EventOrder("middle")
    order.take("thread.run.completed", json.dumps(TEXT[11][1]))
    order.take("done", "{}")
    assert "done carries" in order.faults[0]


def test_the_names_are_those_that_clients_know() -> None:
    """Every stream that a test reads is held to this grammar, and so to the names of OpenAI's own client."""
    kinds = get_args(get_args(AssistantStreamEvent)[0])
    assert {get_args(kind.model_fields["event"].annotation)[0] for kind in kinds} | {"done"} == NAMES
    order = EventOrder("middle")
    order.take("thread.run.paused", '{"id": "run_1", "status": "paused"}')
    assert order.faults == ["thread.run.paused is no event that clients know (of )"]
