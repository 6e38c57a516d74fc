"""`locum up` with nothing set: the small local model holds the conversation."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.embedded.launched import Launched, locum
from tests.sdk.python_client.bench import WEATHER, text_of


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    launched = Launched(tmp_path_factory.mktemp("up") / "data")
    try:
        launched.wait_until_ready()
        yield launched
    finally:
        launched.end()


@pytest.fixture(scope="module")
def local(up: Launched) -> Iterator[OpenAI]:
    with OpenAI(base_url=up.base_url, api_key=up.api_key, max_retries=0, timeout=60) as client:
        yield client


def test_a_conversation_polled_and_streamed(local: OpenAI) -> None:
    beta = local.beta
    assistant = beta.assistants.create(model="gpt-4o", instructions="Answer in one short sentence.")
    thread = beta.threads.create(messages=[{"role": "user", "content": "Say hello to Ada."}])
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, max_completion_tokens=256, temperature=0
    )
    assert run.status in ("completed", "incomplete"), run.last_error
    polled = text_of(beta.threads.messages.list(thread.id).data[0])
    assert polled.strip()
    beta.threads.messages.create(thread.id, role="user", content="Now say goodbye to her.")
    with beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, max_completion_tokens=256, temperature=0
    ) as stream:
        pieces = list(stream.text_deltas)
    assert pieces
    newest = beta.threads.messages.list(thread.id).data[0]
    assert text_of(newest) == "".join(pieces)
    assert newest.role == "assistant"
    assert run.usage is not None
    assert run.usage.completion_tokens > 0


def test_doctor_finds_all_well(up: Launched) -> None:
    found = locum("doctor", "--data-dir", str(up.data_dir), cwd=up.data_dir.parent)
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_function_is_called_and_its_output_told(local: OpenAI) -> None:
    beta = local.beta
    assistant = beta.assistants.create(
        model="gpt-4o", instructions="You tell the weather, in one short sentence.", tools=[WEATHER]
    )
    thread = beta.threads.create(messages=[{"role": "user", "content": "How is the weather in Oslo?"}])
    run = beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        temperature=0,
        max_completion_tokens=256,
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    )
    assert run.status == "requires_action", run.last_error
    assert run.required_action is not None
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    assert call.function.name == "get_weather"
    assert "Oslo" in call.function.arguments
    with beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=thread.id,
        tool_outputs=[{"tool_call_id": call.id, "output": "12 degrees, rain"}],
    ) as stream:
        stream.until_done()
        run = stream.get_final_run()
    # What so small a model makes of the output is its own affair.
    assert run.status in ("completed", "incomplete", "requires_action"), run.last_error
    first = beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data[0]
    assert first.step_details.type == "tool_calls"
    told = first.step_details.tool_calls[0]
    assert told.type == "function"
    assert (first.status, told.function.output) == ("completed", "12 degrees, rain")


def test_nothing_is_left_running(up: Launched, local: OpenAI) -> None:
    assert local.models.list().data
    assert len(up.pids()) > 4
    assert up.stop() == 0
    assert up.pids() == []
