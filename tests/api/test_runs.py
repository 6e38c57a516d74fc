"""Runs: from creation to their endings, polled."""

from collections.abc import Callable
from typing import Any

import httpx2
import psycopg
import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.beta.threads import Run

from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn, error_event
from tests.running import wait_for

Script = Callable[..., None]


def run_on(client: OpenAI, model: str, text: str = "Hello", **options: Any) -> Run:
    """An assistant, a thread with one message, and a run of one on the other, waited for."""
    assistant = client.beta.assistants.create(model=model, instructions="Be brief.")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": text}])
    return client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, **options)


def texts(client: OpenAI, thread_id: str, **options: Any) -> list[str]:
    """The texts of a thread's messages, oldest first."""
    page = client.beta.threads.messages.list(thread_id, order="asc", **options)
    return [part.text.value for message in page for part in message.content if part.type == "text"]


def test_a_run_completes_with_a_message(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    script(Turn(text=["Good ", "day", "!"], usage=(12, 3)))
    run = run_on(client, model)
    assert run.status == "completed"
    assert run.completed_at is not None
    assert run.expires_at is None
    assert run.usage is not None
    assert (run.usage.prompt_tokens, run.usage.completion_tokens, run.usage.total_tokens) == (12, 3, 15)
    message = client.beta.threads.messages.list(run.thread_id, run_id=run.id).data[0]
    assert message.content[0].type == "text"
    assert message.content[0].text.value == "Good day!"
    assert (message.role, message.status, message.run_id) == ("assistant", "completed", run.id)
    assert message.assistant_id == run.assistant_id
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert step.status == "completed"
    assert step.step_details.type == "message_creation"
    assert step.step_details.message_creation.message_id == message.id
    assert step.usage is not None
    assert step.usage.total_tokens == 15
    assert client.beta.threads.runs.steps.retrieve(step.id, thread_id=run.thread_id, run_id=run.id) == step
    (request,) = backend.requests(model)
    assert request["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]
    assert "temperature" not in request


def test_a_new_run_is_queued_and_shows_the_defaults(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text="x", hang_after=1))
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "queued"
    assert run.expires_at == run.created_at + 600
    assert (run.temperature, run.top_p, run.response_format, run.tool_choice) == (1.0, 1.0, "auto", "auto")
    assert run.parallel_tool_calls is True
    assert run.truncation_strategy is not None
    assert run.truncation_strategy.type == "auto"
    assert run.usage is None
    client.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    wait_until(client, run, "cancelled")


def test_the_next_run_is_told_of_the_answers_before_it(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text="Four."), Turn(text="Eight."))
    run = run_on(client, model, "What is 2+2?")
    client.beta.threads.messages.create(run.thread_id, role="user", content="And twice that?")
    client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
    assert [message["content"] for message in backend.requests(model)[1]["messages"][1:]] == [
        "What is 2+2?",
        "Four.",
        "And twice that?",
    ]
    assert texts(client, run.thread_id) == ["What is 2+2?", "Four.", "And twice that?", "Eight."]


def test_what_the_run_says_goes_over_what_the_assistant_says(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text="ok"))
    assistant = client.beta.assistants.create(
        model="echo",
        instructions="Old.",
        temperature=0.9,
        top_p=0.8,
        tools=[{"type": "function", "function": {"name": "f"}}],
        response_format={"type": "json_object"},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        model=model,
        instructions="New.",
        additional_instructions="Answer in French.",
        additional_messages=[{"role": "assistant", "content": "Oui?"}, {"role": "user", "content": "Go on."}],
        temperature=0,
        tools=[],
        response_format={"type": "text"},
        metadata={"k": "v"},
    )
    assert run.status == "completed"
    assert (run.model, run.temperature, run.top_p, run.tools) == (model, 0, 0.8, [])
    assert run.instructions == "New.\nAnswer in French."
    assert run.metadata == {"k": "v"}
    (request,) = backend.requests(model)
    assert request["temperature"] == 0
    assert request["top_p"] == 0.8
    assert "tools" not in request
    assert "response_format" not in request
    assert request["messages"] == [
        {"role": "system", "content": "New.\nAnswer in French."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Oui?"},
        {"role": "user", "content": "Go on."},
    ]
    assert texts(client, thread.id) == ["Hi", "Oui?", "Go on.", "ok"]


def test_a_run_keeps_the_assistant_as_it_was(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text=["a", "b"], hang_after=1))
    assistant = client.beta.assistants.create(model=model, instructions="First.")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    client.beta.assistants.update(assistant.id, instructions="Second.")
    client.beta.assistants.delete(assistant.id)
    assert client.beta.threads.runs.retrieve(run.id, thread_id=thread.id).instructions == "First."
    client.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    wait_until(client, run, "cancelled")


@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True}},
    ],
)
def test_response_formats_reach_the_backend_and_come_back_as_given(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend, response_format: Any
) -> None:
    script(Turn(text='{"a": 1}'))
    run = run_on(client, model, response_format=response_format)
    assert run.status == "completed"
    assert backend.requests(model)[0]["response_format"] == response_format
    assert run.to_dict()["response_format"] == response_format


def test_images_are_shown_to_models_that_see(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text="A cat."))
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
    ]
    assistant = client.beta.assistants.create(model=model)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": content}]}
    )
    assert run.status == "completed"
    assert backend.requests(model)[0]["messages"][0]["content"] == content


def test_only_the_last_messages_are_told_if_so_asked(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text="ok"))
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": f"m{n}"} for n in range(30)])
    client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        truncation_strategy={"type": "last_messages", "last_messages": 3},
    )
    told = [message["content"] for message in backend.requests(model)[0]["messages"]]
    assert told == ["m27", "m28", "m29"]


def test_a_long_thread_is_cut_in_the_middle_to_fit_the_window(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    narrow = f"narrow-{model}"
    backend.script(narrow, Turn(text="ok"))
    assistant = client.beta.assistants.create(model=narrow, instructions="Be brief.")
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": f"number {n} " + "word " * 100} for n in range(100)]
    )
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    told = [message["content"].split(" word")[0] for message in backend.requests(narrow)[0]["messages"]]
    assert told[0] == "Be brief."
    assert told[1] == "number 0"
    assert told[-1] == "number 99"
    assert 5 < len(told) < 20
    assert told[2:] == [f"number {n}" for n in range(100 - len(told) + 2, 100)]
    backend.forget(narrow)


def test_an_answer_cut_short_makes_the_run_incomplete(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text=["Once upon", " a time"], finish_reason="length", usage=(20, 300)))
    run = run_on(client, model, max_completion_tokens=300)
    assert run.status == "incomplete"
    assert run.incomplete_details is not None
    assert run.incomplete_details.reason == "max_completion_tokens"
    assert run.usage is not None
    assert run.usage.completion_tokens == 300
    message = client.beta.threads.messages.list(run.thread_id).data[0]
    assert message.status == "incomplete"
    assert message.incomplete_details is not None
    assert message.incomplete_details.reason == "max_tokens"
    assert texts(client, run.thread_id)[-1] == "Once upon a time"
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert step.status == "completed"


def test_a_prompt_over_its_budget_makes_the_run_incomplete(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text="never"))
    run = run_on(client, model, "word " * 2000, max_prompt_tokens=300)
    assert run.status == "incomplete"
    assert run.incomplete_details is not None
    assert run.incomplete_details.reason == "max_prompt_tokens"


def test_a_refusal_is_a_part_of_its_own(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(refusal=["I'd rather", " not."]))
    run = run_on(client, model)
    assert run.status == "completed"
    message = client.beta.threads.messages.list(run.thread_id).data[0]
    assert message.content[0].type == "refusal"
    assert message.content[0].refusal == "I'd rather not."


def test_an_empty_answer_completes(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text=""))
    run = run_on(client, model)
    assert run.status == "completed"
    assert texts(client, run.thread_id) == ["Hello", ""]


def test_usage_is_estimated_where_the_backend_does_not_tell(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text=["one ", "two ", "three"], usage=None))
    run = run_on(client, model)
    assert run.usage is not None
    assert run.usage.completion_tokens == 3
    assert run.usage.prompt_tokens > 0


@pytest.mark.parametrize(
    ("turn", "code", "words"),
    [
        (
            Turn(status=429, body={"error": {"message": "Slow down.", "code": "insufficient_quota"}}),
            "rate_limit_exceeded",
            "Slow down.",
        ),
        (Turn(status=400, body={"error": {"message": "Too long for me."}}), "invalid_prompt", "Too long for me."),
        (Turn(status=401, body={"error": {"message": "Who are you?"}}), "server_error", "Who are you?"),
        (Turn(status=500, body="boom"), "server_error", "boom"),
        (Turn(text=["half", " an", " answer"], drop_after=2, delay=0.05), "server_error", ""),
        (Turn(text=["half", " an", " answer"], hang_after=2), "server_error", ""),
        (Turn(text=["half", " an", " answer"], interject=(2, 'data: {"choices": [{"delta"\n\n')), "server_error", ""),
        (Turn(text=["half", " an"], interject=(2, error_event("Out of memory."))), "server_error", "Out of memory."),
    ],
    ids=["quota", "bad request", "bad key", "broken", "dropped", "silent", "malformed", "error event"],
)
def test_a_backend_in_trouble_fails_the_run_in_its_own_words(
    client: OpenAI, model: str, script: Script, turn: Turn, code: str, words: str
) -> None:
    script(turn, repeat=True)
    run = run_on(client, model)
    assert run.status == "failed"
    assert run.failed_at is not None
    assert run.expires_at is None
    assert run.last_error is not None
    assert run.last_error.code == code
    assert words in run.last_error.message
    for message in client.beta.threads.messages.list(run.thread_id, run_id=run.id):
        assert message.status == "incomplete"
        assert message.incomplete_details is not None
        assert message.incomplete_details.reason == "run_failed"
    for step in client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id):
        assert step.status == "failed"
        assert step.last_error is not None
    client.beta.threads.messages.create(run.thread_id, role="user", content="The thread is free again.")


def test_a_failed_answer_keeps_what_was_written(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text=["half", " an", " answer"], drop_after=2, delay=0.05))
    run = run_on(client, model)
    assert texts(client, run.thread_id)[-1] == "half an"


def test_trouble_before_the_first_token_is_tried_again(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(status=503, body="loading"), Turn(status=0, drop_after=0), Turn(text="There."))
    run = run_on(client, model)
    assert run.status == "completed"
    assert texts(client, run.thread_id)[-1] == "There."


def test_a_content_filter_fails_the_run(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text=["Some"], finish_reason="content_filter"))
    run = run_on(client, model)
    assert run.status == "failed"
    message = client.beta.threads.messages.list(run.thread_id).data[0]
    assert message.incomplete_details is not None
    assert message.incomplete_details.reason == "content_filter"


# Cancelling.


def wait_until(client: OpenAI, run: Run, status: str, seconds: float = 10) -> Run:
    """The run, once it has `status`."""

    def reached() -> Run | None:
        now = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        return now if now.status == status else None

    found: Run = wait_for(reached, f"the run to be {status}", seconds)
    return found


def start(client: OpenAI, model: str, **options: Any) -> Run:
    """A run that is under way."""
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    run: Run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id, **options)
    return run


def start_and_hear(client: OpenAI, model: str, text: str) -> Run:
    """A run that is under way, once its stream has said `text`."""
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    said = ""
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        for piece in stream.text_deltas:
            said += piece
            if said == text:
                break
        assert stream.current_run is not None
        return stream.current_run


def test_a_run_at_work_is_cancelled_within_a_second_and_keeps_what_it_wrote(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["Some", " words", " never"], hang_after=2))
    run = start_and_hear(client, model, "Some words")
    cancelling = client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert cancelling.status == "cancelling"
    assert cancelling.cancelled_at is None
    cancelled = wait_until(client, run, "cancelled", 1)
    assert cancelled.cancelled_at is not None
    assert cancelled.expires_at is None
    message = client.beta.threads.messages.list(run.thread_id).data[0]
    assert message.status == "incomplete"
    assert message.incomplete_details is not None
    assert message.incomplete_details.reason == "run_cancelled"
    assert texts(client, run.thread_id)[-1] == "Some words"
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert step.status == "cancelled"
    assert step.cancelled_at is not None
    backend.wait_until_idle(model)


def test_a_run_that_waits_for_the_first_token_is_cancelled(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text="x", hang_after=0))
    run = start(client, model)
    backend.wait_until_hanging(model)
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    wait_until(client, run, "cancelled", 1)
    assert client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data == []


def test_an_ended_run_cannot_be_cancelled(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text="Done."))
    run = run_on(client, model)
    with pytest.raises(BadRequestError, match="Cannot cancel run with status 'completed'.") as caught:
        client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert (caught.value.type, caught.value.param, caught.value.code) == ("invalid_request_error", None, None)


# The thread's lock.


def test_an_active_run_locks_its_thread(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    script(Turn(text="x", hang_after=0))
    run = start(client, model)
    with pytest.raises(BadRequestError) as caught:
        client.beta.threads.messages.create(run.thread_id, role="user", content="Wait!")
    assert f"Can't add messages to {run.thread_id} while a run {run.id} is active." in caught.value.message
    with pytest.raises(BadRequestError) as caught:
        client.beta.threads.runs.create(thread_id=run.thread_id, assistant_id=run.assistant_id)
    assert f"Thread {run.thread_id} already has an active run {run.id}." in caught.value.message
    with pytest.raises(BadRequestError, match="Cannot update run with status"):
        client.beta.threads.runs.update(run.id, thread_id=run.thread_id, metadata={"a": "b"})
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    wait_until(client, run, "cancelled")
    client.beta.threads.messages.create(run.thread_id, role="user", content="Now?")
    updated = client.beta.threads.runs.update(run.id, thread_id=run.thread_id, metadata={"a": "b"})
    assert updated.metadata == {"a": "b"}


# Expiry.


def expire(database: psycopg.Connection, run: Run) -> None:
    """Lets the run's ten minutes be over."""
    database.execute("UPDATE runs SET expires_at = now() - interval '1 second' WHERE id = %s", [run.id])


def test_a_run_over_its_time_expires_and_frees_the_thread(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend, database: psycopg.Connection
) -> None:
    script(Turn(text=["Some", " words"], hang_after=1))
    run = start(client, model)
    backend.wait_until_hanging(model)
    expire(database, run)
    expired = wait_until(client, run, "expired")
    assert expired.expires_at is None
    message = client.beta.threads.messages.list(run.thread_id).data[0]
    assert message.incomplete_details is not None
    assert message.incomplete_details.reason == "run_expired"
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert step.status == "expired"
    assert step.expired_at is not None
    client.beta.threads.messages.create(run.thread_id, role="user", content="Free again.")


# What there is to run on.


def test_there_must_be_something_to_run_on(client: OpenAI, model: str, script: Script) -> None:
    thread = client.beta.threads.create()
    mute = client.beta.assistants.create(model=model)
    with pytest.raises(BadRequestError) as caught:
        client.beta.threads.runs.create(thread_id=thread.id, assistant_id=mute.id)
    assert caught.value.code == "invalid_thread"
    script(Turn(text="Hello!"))
    instructed = client.beta.assistants.create(model=model, instructions="Greet.")
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=instructed.id)
    assert run.status == "completed"


def test_what_is_missing_is_named(client: OpenAI, model: str) -> None:
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(NotFoundError, match="No assistant found with id 'asst_missing'."):
        client.beta.threads.runs.create(thread_id=thread.id, assistant_id="asst_missing")
    with pytest.raises(NotFoundError, match="No thread found with id 'thread_missing'."):
        client.beta.threads.runs.create(thread_id="thread_missing", assistant_id=assistant.id)
    with pytest.raises(NotFoundError, match="No run found with id 'run_missing'."):
        client.beta.threads.runs.retrieve("run_missing", thread_id=thread.id)
    with pytest.raises(NotFoundError, match="No run found with id 'run_missing'."):
        client.beta.threads.runs.steps.list("run_missing", thread_id=thread.id)


def test_deleting_the_thread_of_an_active_run_deletes_the_run_and_stops_its_work(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["a", "b"], hang_after=1))
    run = start(client, model)
    backend.wait_until_hanging(model)
    assert client.beta.threads.delete(run.thread_id).deleted
    backend.wait_until_idle(model, 2)
    with pytest.raises(NotFoundError):
        client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def test_all_runs_of_a_thread_are_listed_page_by_page(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text="ok"), repeat=True)
    first = run_on(client, model)
    runs = [first.id]
    for _ in range(4):
        run = client.beta.threads.runs.create_and_poll(thread_id=first.thread_id, assistant_id=first.assistant_id)
        runs.append(run.id)
    listed = [run.id for run in client.beta.threads.runs.list(first.thread_id, limit=2)]
    assert listed == runs[::-1]
    assert [run.id for run in client.beta.threads.runs.list(first.thread_id, limit=2, order="asc")] == runs


def test_a_run_without_instructions(
    client: OpenAI, http: httpx2.Client, model: str, script: Callable[..., None]
) -> None:
    script(Turn(text=("Yes.",)), Turn(text=("Yes.",)))
    assistant = client.beta.assistants.create(model=model)
    thread = {"messages": [{"role": "user", "content": "Hi"}]}
    asked = {"assistant_id": assistant.id, "thread": thread, "stream": True}
    with http.stream("POST", "/threads/runs", json=asked) as answer:
        told = [line for line in answer.iter_lines() if '"object":"thread.run"' in line]
    assert told
    assert all('"instructions":null' in line for line in told)
    given = http.post("/threads/runs", json={"assistant_id": assistant.id, "thread": thread, "instructions": ""}).json()
    assert given["instructions"] == ""
