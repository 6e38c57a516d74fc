"""Function calling: the pause for the client's outputs, and what follows."""

from collections.abc import Callable
from typing import Any

import orjson
import psycopg
import pytest
from openai import BadRequestError, OpenAI
from openai.types.beta.threads import Run

from tests.api.test_runs import expire, texts, wait_until
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn

Script = Callable[..., None]

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME: Any = {"type": "function", "function": {"name": "get_time"}}


def ask(client: OpenAI, model: str, **options: Any) -> Run:
    """A run of an assistant with two functions, polled until it ends or pauses."""
    assistant = client.beta.assistants.create(model=model, tools=[WEATHER, TIME])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "How is Oslo?"}])
    return client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, **options)


def answer(client: OpenAI, run: Run, *outputs: str) -> Run:
    """Submits the outputs of all calls, in their order, and polls on."""
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    return client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": output} for call, output in zip(calls, outputs, strict=True)],
    )


def test_one_call(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    script(
        Turn(tool_calls=[Call("get_weather", {"city": "Oslo"}, id="theirs")], usage=(10, 5)),
        Turn(text="It is sunny.", usage=(20, 4)),
    )
    run = ask(client, model)
    assert run.status == "requires_action"
    assert run.expires_at == run.created_at + 600
    assert run.usage is None
    assert run.required_action is not None
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    assert call.function.name == "get_weather"
    assert orjson.loads(call.function.arguments) == {"city": "Oslo"}
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert (step.type, step.status, step.usage) == ("tool_calls", "in_progress", None)

    run = answer(client, run, "sunny")
    assert run.status == "completed"
    assert run.required_action is None
    assert run.usage is not None
    assert (run.usage.prompt_tokens, run.usage.completion_tokens) == (30, 9)
    assert texts(client, run.thread_id) == ["How is Oslo?", "It is sunny."]
    last, first = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert first.status == "completed"
    assert first.usage is not None
    assert first.usage.total_tokens == 15
    assert first.step_details.type == "tool_calls"
    done = first.step_details.tool_calls[0]
    assert done.type == "function"
    assert (done.id, done.function.output) == (call.id, "sunny")
    assert last.step_details.type == "message_creation"

    sent = backend.requests(model)
    assert sent[0]["tools"] == [
        WEATHER,
        {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert sent[1]["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "theirs",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "theirs", "content": "sunny"},
    ]


def test_parallel_calls_over_three_rounds_with_text_before_them(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    both = [Call("get_weather", {"city": "Oslo"}), Call("get_time", {})]
    script(Turn(text="Let me look.", tool_calls=both), Turn(tool_calls=both), Turn(tool_calls=both), Turn(text="Done."))
    run = ask(client, model)
    for _ in range(3):
        assert run.status == "requires_action"
        assert run.required_action is not None
        assert len(run.required_action.submit_tool_outputs.tool_calls) == 2
        run = answer(client, run, "sunny", "noon")
    assert run.status == "completed"
    assert texts(client, run.thread_id) == ["How is Oslo?", "Let me look.", "Done."]
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
    assert [step.type for step in steps] == [
        "message_creation",
        "tool_calls",
        "tool_calls",
        "tool_calls",
        "message_creation",
    ]
    assert {step.status for step in steps} == {"completed"}
    roles = [message["role"] for message in backend.requests(model)[-1]["messages"]]
    assert roles == ["user", *(["assistant", "tool", "tool"] * 3)]
    assert backend.requests(model)[-1]["messages"][1]["content"] == "Let me look."


@pytest.mark.parametrize("quirk", ["whole_calls", "no_call_index", "repeat_call_id", "arguments_object"])
def test_calls_are_understood_from_all_kinds_of_servers(client: OpenAI, model: str, script: Script, quirk: Any) -> None:
    calls = [Call("get_weather", {"city": "Oslo"}), Call("get_weather", {"city": "Bergen"})]
    script(Turn(tool_calls=calls, quirks=frozenset({quirk})), Turn(text="Done."))
    run = ask(client, model)
    assert run.required_action is not None
    asked = [orjson.loads(call.function.arguments) for call in run.required_action.submit_tool_outputs.tool_calls]
    assert asked == [{"city": "Oslo"}, {"city": "Bergen"}]
    assert answer(client, run, "a", "b").status == "completed"


def test_without_parallel_calls_there_is_one_at_a_time(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[Call("get_weather", {"city": "Oslo"}), Call("get_time")]), Turn(text="Done."))
    run = ask(client, model, parallel_tool_calls=False)
    assert run.parallel_tool_calls is False
    assert run.required_action is not None
    assert [call.function.name for call in run.required_action.submit_tool_outputs.tool_calls] == ["get_weather"]
    assert backend.requests(model)[0]["parallel_tool_calls"] is False
    assert answer(client, run, "sunny").status == "completed"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_time"}}])
def test_a_forced_choice_holds_until_the_first_call(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend, choice: Any
) -> None:
    script(Turn(tool_calls=[Call("get_time")]), Turn(text="Noon."))
    run = ask(client, model, tool_choice=choice)
    assert run.to_dict()["tool_choice"] == choice
    run = answer(client, run, "noon")
    assert run.status == "completed"
    first, second = backend.requests(model)
    assert first["tool_choice"] == choice
    assert "tool_choice" not in second


def test_a_choice_of_none_holds(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    script(Turn(text="No tools."))
    assert ask(client, model, tool_choice="none").status == "completed"
    assert backend.requests(model)[0]["tool_choice"] == "none"


def test_a_choice_that_is_no_tool_is_refused(client: OpenAI, model: str) -> None:
    with pytest.raises(BadRequestError, match="nope") as caught:
        ask(client, model, tool_choice={"type": "function", "function": {"name": "nope"}})
    assert caught.value.param == "tool_choice"


def test_all_outputs_must_come_at_once(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("get_weather", {"city": "Oslo"}), Call("get_time")]), Turn(text="Done."))
    run = ask(client, model)
    assert run.required_action is not None
    first, second = (call.id for call in run.required_action.submit_tool_outputs.tool_calls)
    with pytest.raises(BadRequestError) as caught:
        client.beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": first, "output": "x"}]
        )
    assert f"Expected tool outputs for call_ids ['{first}', '{second}'], got ['{first}']" in caught.value.message
    assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status == "requires_action"
    queued = client.beta.threads.runs.submit_tool_outputs(
        run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": second, "output": "noon"}, {"tool_call_id": first, "output": "sunny"}],
    )
    assert (queued.status, queued.required_action, queued.usage) == ("queued", None, None)
    run = wait_until(client, run, "completed")
    with pytest.raises(BadRequestError, match='Runs in status "completed" do not accept tool outputs.'):
        client.beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": first, "output": "x"}]
        )


@pytest.mark.parametrize(
    "bad", [Call("get_weather", '{"city": "Os'), Call("get_weather", "[1]"), Call("get_wether", {"city": "Oslo"})]
)
def test_a_call_that_cannot_be_made_is_given_back_to_the_model(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend, bad: Call
) -> None:
    script(Turn(tool_calls=[bad]), Turn(tool_calls=[Call("get_weather", {"city": "Oslo"})]), Turn(text="Done."))
    run = ask(client, model)
    assert run.status == "requires_action"
    run = answer(client, run, "sunny")
    assert run.status == "completed"
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
    assert [step.status for step in steps] == ["failed", "completed", "completed"]
    told = backend.requests(model)[1]["messages"][-1]
    assert told["role"] == "tool"
    assert "get_weather" in told["content"]


def test_a_model_that_never_learns_fails_the_run(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("get_weather", "{{")]), repeat=True)
    run = ask(client, model)
    assert run.status == "failed"
    assert run.last_error is not None
    assert run.last_error.code == "server_error"
    assert "get_weather" in run.last_error.message


def test_a_call_without_arguments_has_an_empty_object(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("get_time", "")]), Turn(text="Noon."))
    run = ask(client, model)
    assert run.required_action is not None
    assert run.required_action.submit_tool_outputs.tool_calls[0].function.arguments == "{}"
    assert answer(client, run, "noon").status == "completed"


def test_a_paused_run_can_be_cancelled(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("get_time")]))
    run = ask(client, model)
    cancelling = client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert cancelling.status == "cancelling"
    run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    assert run.status == "cancelled"
    assert run.required_action is None
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert step.status == "cancelled"
    client.beta.threads.messages.create(run.thread_id, role="user", content="Free again.")


def test_a_paused_run_expires(client: OpenAI, model: str, script: Script, database: psycopg.Connection) -> None:
    script(Turn(tool_calls=[Call("get_time")]))
    run = ask(client, model)
    expire(database, run)
    wait_until(client, run, "expired")
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert step.status == "expired"
    with pytest.raises(BadRequestError, match='Runs in status "expired" do not accept tool outputs.'):
        answer(client, run, "noon")


def test_turns_without_end_fail_the_run(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("get_time")]), repeat=True)
    run = ask(client, model)
    for _ in range(12):
        assert run.status == "requires_action"
        run = answer(client, run, "noon")
    assert run.status == "failed"
    assert run.last_error is not None
    assert "12 turns" in run.last_error.message


def test_models_without_tool_calling_call_by_constrained_json(
    client: OpenAI, model: str, backend: CompletionBackend
) -> None:
    toolless = f"toolless-{model}"
    backend.script(toolless, Turn(text="Plain."))
    run = ask(client, toolless)
    assert run.status == "completed"
    assert "tools" not in backend.requests(toolless)[0]
    backend.forget(toolless)
