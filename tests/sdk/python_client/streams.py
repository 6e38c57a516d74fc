"""Streamed runs, by the helpers of the client and without them."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from openai import APIError, AssistantEventHandler, AsyncAssistantEventHandler

from tests.sdk.python_client.bench import Bench, Scenario, equal, text_of, without_repeats
from tests.sdk.python_client.handlers import AsyncRecorder, Recorder

ANSWER: Any = {"text": ["Good ", "day", "!"], "usage": [7, 3]}

EVENTS = [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
]
HOOKS = [
    "run_step_created: message_creation",
    "message_created",
    "text_created",
    "text_delta",
    "text_done: Good day!",
    "message_done: Good day!",
    "run_step_done: message_creation",
    "end",
]


def an_event_handler_is_called(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready(bench.model(ANSWER))
    handler = Recorder()
    runs = bench.client.beta.threads.runs
    with runs.stream(thread_id=thread_id, assistant_id=assistant_id, event_handler=handler) as stream:
        stream.until_done()
        equal((stream.get_final_run().status, stream.current_run), ("completed", stream.get_final_run()))
        equal([text_of(one) for one in stream.get_final_messages()], ["Good day!"])
        equal([step.type for step in stream.get_final_run_steps()], ["message_creation"])
    equal(without_repeats(handler.hooks), HOOKS)
    equal(without_repeats(handler.events), EVENTS)
    equal("".join(handler.deltas), "Good day!")


def an_asynchronous_event_handler_is_called(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready(bench.model(ANSWER))
    handler = AsyncRecorder()

    async def read() -> None:
        async with bench.async_client() as client:
            runs = client.beta.threads.runs
            async with runs.stream(thread_id=thread_id, assistant_id=assistant_id, event_handler=handler) as stream:
                await stream.until_done()
                equal((await stream.get_final_run()).status, "completed")

    asyncio.run(read())
    equal(without_repeats(handler.hooks), HOOKS)


def the_text_is_read_as_it_comes(bench: Bench) -> None:
    model = bench.model({**ANSWER, "hang_after": 1})
    assistant_id, thread_id = bench.ready(model)
    with bench.client.beta.threads.runs.stream(thread_id=thread_id, assistant_id=assistant_id) as stream:
        deltas = iter(stream.text_deltas)
        equal(next(deltas), "Good ")
        bench.release(model)
        equal("".join(deltas), "day!")


def a_thread_is_made_with_its_streamed_run(bench: Bench) -> None:
    assistant = bench.client.beta.assistants.create(model=bench.model(ANSWER))
    thread: Any = {"messages": [{"role": "user", "content": "Hi"}]}
    with bench.client.beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=thread) as stream:
        names = [str(event.event) for event in stream]
    equal(without_repeats(names), ["thread.created", *EVENTS])


def events_are_read_without_a_helper(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready(bench.model(ANSWER))
    with bench.client.beta.threads.runs.create(thread_id, assistant_id=assistant_id, stream=True) as stream:
        events = list(stream)
    equal(without_repeats([event.event for event in events]), EVENTS)
    last = events[-1]
    assert last.event == "thread.run.completed"
    assert last.data.usage is not None
    equal(last.data.usage.total_tokens, 10)


def a_cancel_ends_the_stream(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready(bench.model({"text": ["half", "whole"], "hang_after": 1}))
    runs = bench.client.beta.threads.runs

    class Canceller(AssistantEventHandler):
        def on_text_delta(self, delta: Any, snapshot: Any) -> None:  # noqa: ARG002
            assert self.current_run is not None
            runs.cancel(self.current_run.id, thread_id=thread_id)

    handler = Canceller()
    with runs.stream(thread_id=thread_id, assistant_id=assistant_id, event_handler=handler) as stream:
        names = [event.event for event in stream]
    equal(
        names[-4:],
        ["thread.run.cancelling", "thread.message.incomplete", "thread.run.step.cancelled", "thread.run.cancelled"],
    )
    newest = bench.client.beta.threads.messages.list(thread_id).data[0]
    equal((newest.status, text_of(newest)), ("incomplete", "half"))


def a_failure_ends_the_stream(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready(bench.model({"text": ["half", "whole", "more"], "drop_after": 2}))

    async def read() -> AsyncAssistantEventHandler:
        async with bench.async_client() as client:
            runs = client.beta.threads.runs
            async with runs.stream(thread_id=thread_id, assistant_id=assistant_id) as stream:
                await stream.until_done()
                return stream

    run = asyncio.run(read()).current_run
    assert run is not None
    assert run.last_error is not None
    equal((run.status, run.last_error.code), ("failed", "server_error"))


def a_thread_that_is_deleted_is_an_error_in_its_stream(bench: Bench) -> None:
    threads = bench.client.beta.threads
    hanging: Any = {"text": ["half", "whole"], "hang_after": 1}
    assistant_id, thread_id = bench.ready(bench.model(hanging, hanging))
    other = threads.create(messages=[{"role": "user", "content": "Hi"}]).id
    with threads.runs.create(thread_id, assistant_id=assistant_id, stream=True) as events:
        equal(_code_of_error(events, lambda: threads.delete(thread_id)), "thread_deleted")
    with threads.runs.stream(thread_id=other, assistant_id=assistant_id) as stream:
        equal(_code_of_error(stream, lambda: threads.delete(other)), "thread_deleted")


def _code_of_error(events: Iterable[Any], interrupt: Callable[[], Any]) -> str | None:
    """The code of the error that `events` end with; `interrupt` is called at the first delta."""
    try:
        for event in events:
            if event.event == "thread.message.delta":
                interrupt()
    except APIError as error:
        return error.code
    raise AssertionError("the stream ended without an error")


SCENARIOS: list[Scenario] = [
    an_event_handler_is_called,
    an_asynchronous_event_handler_is_called,
    the_text_is_read_as_it_comes,
    a_thread_is_made_with_its_streamed_run,
    events_are_read_without_a_helper,
    a_cancel_ends_the_stream,
    a_failure_ends_the_stream,
    a_thread_that_is_deleted_is_an_error_in_its_stream,
]
