"""Runs and their steps, and the helpers that poll and stream."""

from typing import Any

from tests.compatibility.calling import Caller
from tests.fakes.turns import Call, Turn

_TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
_HELLO: Any = [{"role": "user", "content": "Hi"}]
_FAST: Any = {"poll_interval_ms": 10}


async def _ready(call: Caller, *turns: Turn) -> Any:
    """An assistant that answers with `turns` and knows a function, and a thread."""
    assistant = await call("beta.assistants.create", model=call.model(*turns), tools=[_TOOL])
    thread = await call("beta.threads.create", messages=_HELLO)
    return {"assistant_id": assistant.id, "thread_id": thread.id}


def _outputs(run: Any) -> Any:
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": one.id, "output": "42"} for one in calls]


def _is_whole(events: list[Any], ending: str) -> bool:
    """Whether the raw events of a helper's stream end as expected."""
    return bool(events) and events[-1].event == ending


async def runs(call: Caller) -> None:
    ready = await _ready(call, Turn(text="Hello."))
    made = await call("beta.threads.runs.create", **ready)
    assert (made.status, made.assistant_id) == ("queued", ready["assistant_id"])
    thread_id = ready["thread_id"]
    done = await call("beta.threads.runs.poll", made.id, thread_id, **_FAST)
    assert (done.status, done.last_error) == ("completed", None)
    assert await call("beta.threads.runs.retrieve", made.id, thread_id=thread_id) == done
    changed = await call("beta.threads.runs.update", made.id, thread_id=thread_id, metadata={"a": "b"})
    assert changed.metadata == {"a": "b"}
    assert (await call("beta.threads.runs.list", thread_id)).data == [changed]
    steps = (await call("beta.threads.runs.steps.list", made.id, thread_id=thread_id)).data
    assert [step.type for step in steps] == ["message_creation"]
    found = await call("beta.threads.runs.steps.retrieve", steps[0].id, thread_id=thread_id, run_id=made.id)
    assert found == steps[0]


async def cancelled_runs(call: Caller) -> None:
    ready = await _ready(call, Turn(text=["a", "b"], hang_after=1))
    made = await call("beta.threads.runs.create", **ready)
    cancelled = await call("beta.threads.runs.cancel", made.id, thread_id=ready["thread_id"])
    assert cancelled.status == "cancelling"
    done = await call("beta.threads.runs.poll", made.id, ready["thread_id"], **_FAST)
    assert done.status == "cancelled"


async def polled_runs(call: Caller) -> None:
    ready = await _ready(call, Turn(tool_calls=[Call("look")]), Turn(tool_calls=[Call("look")]), Turn(text="42."))
    asked = await call("beta.threads.runs.create_and_poll", **ready, **_FAST)
    assert asked.status == "requires_action"
    place = {"thread_id": ready["thread_id"]}
    again = await call(
        "beta.threads.runs.submit_tool_outputs_and_poll",
        run_id=asked.id,
        **place,
        tool_outputs=_outputs(asked),
        **_FAST,
    )
    assert again.status == "requires_action"
    queued = await call("beta.threads.runs.submit_tool_outputs", again.id, **place, tool_outputs=_outputs(again))
    assert (queued.status, queued.required_action) == ("queued", None)
    done = await call("beta.threads.runs.poll", again.id, ready["thread_id"], **_FAST)
    assert done.status == "completed"


async def streamed_runs(call: Caller) -> None:
    ready = await _ready(call, Turn(tool_calls=[Call("look")]), Turn(text="42."), Turn(text="Hello."))
    events = await call.events("beta.threads.runs.stream", **ready)
    assert _is_whole(events, "thread.run.requires_action")
    run = events[-1].data
    events = await call.events(
        "beta.threads.runs.submit_tool_outputs_stream",
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=_outputs(run),
    )
    assert _is_whole(events, "thread.run.completed")
    assert _is_whole(await call.events("beta.threads.runs.create_and_stream", **ready), "thread.run.completed")


async def threads_with_runs(call: Caller) -> None:
    model = call.model(Turn(text="1"), Turn(text="2"), Turn(text="3"))
    assistant = await call("beta.assistants.create", model=model)
    given: Any = {"assistant_id": assistant.id, "thread": {"messages": _HELLO}}
    run = await call("beta.threads.create_and_run", **given)
    assert run.status == "queued"
    assert (await call("beta.threads.runs.poll", run.id, run.thread_id, **_FAST)).status == "completed"
    assert (await call("beta.threads.create_and_run_poll", **given, **_FAST)).status == "completed"
    events = await call.events("beta.threads.create_and_run_stream", **given)
    assert events[0].event == "thread.created"
    assert _is_whole(events, "thread.run.completed")


SCENARIOS = (runs, cancelled_runs, polled_runs, streamed_runs, threads_with_runs)
