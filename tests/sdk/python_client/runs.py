"""Runs, polled."""

import asyncio
import time
from typing import Any

from openai import BadRequestError

from tests.sdk.python_client.bench import Bench, Scenario, equal, text_of
from tests.sdk.python_client.errors import message, refused

ANSWER: Any = {"text": ["Good ", "day", "!"], "usage": [12, 3]}


def a_conversation(bench: Bench) -> None:
    beta = bench.client.beta
    model = bench.model(ANSWER, {"text": "Again!"})
    assistant = beta.assistants.create(model=model, instructions="Be brief.")
    thread = beta.threads.create()
    for said, answered in (("Hello", "Good day!"), ("Once more", "Again!")):
        beta.threads.messages.create(thread.id, role="user", content=said)
        run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        equal((run.status, run.last_error), ("completed", None))
        newest = beta.threads.messages.list(thread.id).data[0]
        equal((newest.role, newest.run_id, text_of(newest)), ("assistant", run.id, answered))
    equal([m["role"] for m in bench.received(model)[1]["messages"]], ["system", "user", "assistant", "user"])


def a_conversation_by_the_asynchronous_client(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready(bench.model(ANSWER))

    async def talk() -> tuple[str, list[str]]:
        async with bench.async_client() as client:
            run = await client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id)
            listed = client.beta.threads.messages.list(thread_id, limit=1, order="asc")
            return run.status, [text_of(one) async for one in listed]

    equal(asyncio.run(talk()), ("completed", ["Hi", "Good day!"]))


def a_run_shows_its_usage_and_its_steps(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready(bench.model(ANSWER))
    runs = bench.client.beta.threads.runs
    run = runs.create(thread_id, assistant_id=assistant_id, temperature=0, metadata={"a": "b"})
    equal((run.status, run.usage, run.temperature, run.metadata), ("queued", None, 0, {"a": "b"}))
    run = runs.poll(run.id, thread_id=thread_id)
    assert run.usage is not None
    equal((run.usage.prompt_tokens, run.usage.completion_tokens, run.usage.total_tokens), (12, 3, 15))
    (step,) = runs.steps.list(run.id, thread_id=thread_id)
    equal((step.type, step.status, step.run_id), ("message_creation", "completed", run.id))
    equal(runs.steps.retrieve(step.id, thread_id=thread_id, run_id=run.id), step)
    changed = runs.update(run.id, thread_id=thread_id, metadata={"a": "c"})
    equal((changed.metadata, changed.status), ({"a": "c"}, "completed"))
    equal(runs.retrieve(run.id, thread_id=thread_id), changed)


def runs_and_steps_are_listed_page_by_page(bench: Bench) -> None:
    call: Any = {"tool_calls": [{"name": "get_time", "arguments": {}}]}
    model = bench.model(*[{"text": "x"}] * 4, call, call, {"text": "Noon."})
    tool: Any = {"type": "function", "function": {"name": "get_time"}}
    assistant_id, thread_id = bench.ready(model, tools=[tool])
    runs = bench.client.beta.threads.runs
    made = [runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id).id for _ in range(5)]
    equal([run.id for run in runs.list(thread_id, limit=2)], made[::-1])
    equal([run.id for run in runs.list(thread_id, limit=2, order="asc")], made)
    run = runs.retrieve(made[-1], thread_id=thread_id)
    while run.required_action is not None:
        (asked,) = run.required_action.submit_tool_outputs.tool_calls
        outputs: Any = [{"tool_call_id": asked.id, "output": "noon"}]
        run = runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=thread_id, tool_outputs=outputs)
    steps = [step.type for step in runs.steps.list(run.id, thread_id=thread_id, limit=1, order="asc")]
    equal(steps, ["tool_calls", "tool_calls", "message_creation"])
    of_run = [text_of(one) for one in bench.client.beta.threads.messages.list(thread_id, run_id=run.id, limit=1)]
    equal(of_run, ["Noon."])


def a_thread_is_made_with_its_run(bench: Bench) -> None:
    threads = bench.client.beta.threads
    assistant = bench.client.beta.assistants.create(model=bench.model(ANSWER, ANSWER))
    thread: Any = {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"a": "b"}}
    run = threads.create_and_run(assistant_id=assistant.id, thread=thread)
    run = threads.runs.poll(run.id, thread_id=run.thread_id)
    equal(run.status, "completed")
    equal(threads.retrieve(run.thread_id).metadata, {"a": "b"})
    run = threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    equal((run.status, text_of(threads.messages.list(run.thread_id).data[0])), ("completed", "Good day!"))


def an_answer_by_a_json_schema(bench: Bench) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema, "strict": True}}
    model = bench.model({"text": ['{"n"', ": 7}"]})
    assistant_id, thread_id = bench.ready(model, response_format=wanted)
    runs = bench.client.beta.threads.runs
    run = runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id)
    equal(run.to_dict()["response_format"], wanted)
    equal(bench.received(model)[0]["response_format"], wanted)
    equal(text_of(bench.client.beta.threads.messages.list(thread_id).data[0]), '{"n": 7}')


def a_run_is_cancelled(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready(bench.model({"text": ["half", "whole"], "hang_after": 1}))
    beta = bench.client.beta
    run = beta.threads.runs.create(thread_id, assistant_id=assistant_id)
    error = refused(BadRequestError, beta.threads.messages.create, thread_id, role="user", content="Wait")
    equal(message(error), f"Can't add messages to {thread_id} while a run {run.id} is active.")
    error = refused(BadRequestError, beta.threads.runs.create, thread_id, assistant_id=assistant_id)
    equal(message(error), f"Thread {thread_id} already has an active run {run.id}.")
    equal(beta.threads.runs.cancel(run.id, thread_id=thread_id).status, "cancelling")
    began = time.monotonic()
    run = beta.threads.runs.poll(run.id, thread_id=thread_id)
    equal((run.status, time.monotonic() - began < 5), ("cancelled", True))
    error = refused(BadRequestError, beta.threads.runs.cancel, run.id, thread_id=thread_id)
    equal(message(error), "Cannot cancel run with status 'cancelled'.")
    beta.threads.messages.create(thread_id, role="user", content="The thread is free again.")


def a_failure_is_told(bench: Bench) -> None:
    refusal = {"status": 400, "body": {"error": {"message": "That is too much for me."}}}
    assistant_id, thread_id = bench.ready(bench.model(refusal))
    run = bench.client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id)
    assert run.last_error is not None
    equal((run.status, run.last_error.code), ("failed", "invalid_prompt"))
    assert "That is too much for me." in run.last_error.message, run.last_error.message


SCENARIOS: list[Scenario] = [
    a_conversation,
    a_conversation_by_the_asynchronous_client,
    a_run_shows_its_usage_and_its_steps,
    runs_and_steps_are_listed_page_by_page,
    a_thread_is_made_with_its_run,
    an_answer_by_a_json_schema,
    a_run_is_cancelled,
    a_failure_is_told,
]
