"""Plays every scenario that the installed client can, one line each. Ends with status 1 at the first that fails."""

# ruff: noqa: T201 - what it prints is its report

import argparse
import time
from typing import Any

import openai

from tests.sdk.python_client.bench import TIME, Bench, Scenario, equal, text_of

_RUN_SECONDS = 30


def ended(bench: Bench, run: Any) -> Any:
    """The run when it has ended or wants outputs: the oldest clients have no helper for it."""
    runs: Any = bench.client.beta.threads.runs
    deadline = time.monotonic() + _RUN_SECONDS
    while run.status in ("queued", "in_progress"):
        assert time.monotonic() < deadline, run
        time.sleep(0.02)
        run = runs.retrieve(run.id, thread_id=run.thread_id)
    return run


def an_assistant_is_made_listed_changed_and_deleted(bench: Bench) -> None:
    assistants: Any = bench.client.beta.assistants
    made = assistants.create(model="m", name="Ada", tools=[TIME], metadata={"modified": True})
    equal((made.name, made.tools[0].type, made.file_ids, made.metadata), ("Ada", "function", [], {"modified": "True"}))
    equal(assistants.retrieve(made.id), made)
    others = [assistants.create(model="m").id for _ in range(2)]
    equal([one.id for one in assistants.list(limit=1)][:3], [*others[::-1], made.id])
    changed = assistants.update(made.id, description="Counts.")
    equal((changed.description, changed.name), ("Counts.", "Ada"))
    assert assistants.delete(made.id).deleted


def a_conversation(bench: Bench) -> None:
    beta: Any = bench.client.beta
    assistant = beta.assistants.create(model=bench.model({"text": ["Good ", "day!"]}, {"text": "Again!"}))
    thread = beta.threads.create(messages=[{"role": "user", "content": "Hi", "metadata": {"n": 1}}])
    equal(beta.threads.retrieve(thread.id), thread)
    run = ended(bench, beta.threads.runs.create(thread.id, assistant_id=assistant.id))
    equal((run.status, run.last_error, run.file_ids, run.tools), ("completed", None, [], []))
    message = beta.threads.messages.create(thread.id, role="user", content="Once more")
    equal((message.file_ids, text_of(message)), ([], "Once more"))
    equal(beta.threads.messages.retrieve(message.id, thread_id=thread.id), message)
    changed = beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"a": "b"})
    equal(changed.metadata, {"a": "b"})
    again = ended(bench, beta.threads.runs.create(thread.id, assistant_id=assistant.id))
    texts = [text_of(one) for one in beta.threads.messages.list(thread.id, limit=1, order="asc")]
    equal(texts, ["Hi", "Good day!", "Once more", "Again!"])
    equal([one.id for one in beta.threads.runs.list(thread.id)], [again.id, run.id])
    (step,) = beta.threads.runs.steps.list(again.id, thread_id=thread.id)
    equal((step.type, step.status), ("message_creation", "completed"))
    equal(beta.threads.runs.steps.retrieve(step.id, thread_id=thread.id, run_id=again.id), step)
    equal(list(beta.threads.messages.files.list(message.id, thread_id=thread.id)), [])
    equal(beta.threads.update(thread.id, metadata={"a": "b"}).metadata, {"a": "b"})
    assert beta.threads.delete(thread.id).deleted


def a_function_is_called(bench: Bench) -> None:
    threads: Any = bench.client.beta.threads
    model = bench.model({"tool_calls": [{"name": "get_time", "arguments": {}}]}, {"text": "Noon."})
    assistant = bench.client.beta.assistants.create(model=model, tools=[TIME])
    run = threads.create_and_run(assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]})
    run = ended(bench, run)
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": "noon"}]
    run = threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)
    equal(ended(bench, run).status, "completed")
    steps = list(threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc"))
    equal([step.type for step in steps], ["tool_calls", "message_creation"])
    equal(steps[0].step_details.tool_calls[0].function.output, "noon")


def files_are_retrieved_from(bench: Bench) -> None:
    client: Any = bench.client
    file = client.files.create(file=("facts.txt", b"The capital of Norway is Oslo."), purpose="assistants")
    other = client.files.create(file=("more.txt", b"It lies on a fjord."), purpose="assistants")
    search = {"tool_calls": [{"name": "file_search", "arguments": {"query": "capital of Norway"}}]}
    model = bench.model(search, {"text": "Oslo."})
    beta = client.beta
    assistant = beta.assistants.create(model=model, tools=[{"type": "retrieval"}], file_ids=[file.id])
    equal((assistant.tools[0].type, assistant.file_ids), ("retrieval", [file.id]))
    made = beta.assistants.files.create(assistant.id, file_id=other.id)
    equal((made.id, made.object, made.assistant_id), (other.id, "assistant.file", assistant.id))
    equal(beta.assistants.files.retrieve(other.id, assistant_id=assistant.id), made)
    equal([one.id for one in beta.assistants.files.list(assistant.id, limit=1)], [other.id, file.id])
    assert beta.assistants.files.delete(other.id, assistant_id=assistant.id).deleted
    equal(beta.assistants.retrieve(assistant.id).file_ids, [file.id])
    thread = beta.threads.create()
    message = beta.threads.messages.create(thread.id, role="user", content="Which?", file_ids=[other.id])
    equal(message.file_ids, [other.id])
    (attached,) = beta.threads.messages.files.list(message.id, thread_id=thread.id)
    equal((attached.id, attached.message_id), (other.id, message.id))
    found = beta.threads.messages.files.retrieve(other.id, thread_id=thread.id, message_id=message.id)
    equal(found, attached)
    run = ended(bench, beta.threads.runs.create(thread.id, assistant_id=assistant.id))
    equal((run.status, run.last_error, run.file_ids), ("completed", None, [file.id]))
    steps = list(beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc"))
    (call,) = steps[0].step_details.tool_calls
    equal((call.type, call.retrieval), ("retrieval", {}))


def a_run_is_streamed(bench: Bench) -> None:
    beta: Any = bench.client.beta
    assistant_id, thread_id = bench.ready(bench.model({"text": ["Good ", "day!"]}))
    with beta.threads.runs.stream(thread_id=thread_id, assistant_id=assistant_id) as stream:
        equal("".join(stream.text_deltas), "Good day!")
        run = stream.current_run
    equal((run.status, run.file_ids), ("completed", []))


def runs_are_polled_by_the_client(bench: Bench) -> None:
    beta: Any = bench.client.beta
    assistant_id, thread_id = bench.ready(bench.model({"text": "Good day!"}))
    run = beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id)
    equal((run.status, run.usage is not None), ("completed", True))


def a_run_that_ends_early_is_told_as_its_stream_could_tell(bench: Bench) -> None:
    beta: Any = bench.client.beta
    model = bench.model({"text": "Good", "finish_reason": "length"})
    assistant_id, thread_id = bench.ready(model)
    events = beta.threads.runs.create(thread_id, assistant_id=assistant_id, stream=True)
    last = [event for event in events if event.event.startswith("thread.run.") and event.data.object == "thread.run"][
        -1
    ]
    equal((last.event, last.data.status), ("thread.run.completed", "incomplete"))


ALL: list[Scenario] = [
    an_assistant_is_made_listed_changed_and_deleted,
    a_conversation,
    a_function_is_called,
    files_are_retrieved_from,
]
#: Since 1.14 or later.
WITH_HELPERS: list[Scenario] = [
    a_run_is_streamed,
    runs_are_polled_by_the_client,
    a_run_that_ends_early_is_told_as_its_stream_could_tell,
]


def main() -> None:
    """Reads the command line. Raises what the first scenario that fails raises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True, help="of Locum, with its /v1")
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--backend", required=True, help="where the scripted backend is controlled")
    arguments = parser.parse_args()
    print(f"openai {openai.__version__}")
    bench = Bench(arguments.base_url, arguments.api_key, arguments.backend)
    # The types of their own clients were wrong about what may be null.
    bench.client = bench.lenient_client()
    runs: Any = bench.client.beta.threads.runs
    with bench.client:
        for scenario in ALL + (WITH_HELPERS if hasattr(runs, "stream") else []):
            print(scenario.__name__.replace("_", " "), end=" ... ", flush=True)
            scenario(bench)
            print("ok", flush=True)


if __name__ == "__main__":
    main()
