"""Two functions called side by side, round after round."""

import json
from typing import Any

from tests.sdk.python_client.bench import BOTH_CALLS, TIME, WEATHER, Bench, Scenario, equal, text_of, without_repeats
from tests.sdk.python_client.handlers import Recorder

ROUNDS = 3


def _ready(bench: Bench) -> tuple[str, str, str]:
    """A model that calls for both functions three times and then speaks; an assistant on it; a thread."""
    first = {**BOTH_CALLS, "text": "Let me look."}
    model = bench.model(first, *[BOTH_CALLS] * (ROUNDS - 1), {"text": ["It is ", "sunny."]})
    return model, *bench.ready(model, "How is Oslo?", tools=[WEATHER, TIME])


def _answers(run: Any) -> list[Any]:
    """What the functions give for the calls that `run` waits for."""
    equal(run.status, "requires_action")
    weather, time = run.required_action.submit_tool_outputs.tool_calls
    equal((weather.function.name, json.loads(weather.function.arguments)), ("get_weather", {"city": "Oslo"}))
    equal((time.function.name, json.loads(time.function.arguments)), ("get_time", {}))
    return [{"tool_call_id": weather.id, "output": "sunny"}, {"tool_call_id": time.id, "output": "noon"}]


def _check_end(bench: Bench, model: str, run: Any) -> None:
    """The run is whole: its messages, its steps, what the model was told of the outputs."""
    equal((run.status, run.required_action), ("completed", None))
    messages = bench.client.beta.threads.messages.list(run.thread_id, order="asc")
    equal([text_of(one) for one in messages], ["How is Oslo?", "Let me look.", "It is sunny."])
    steps = list(bench.client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc"))
    equal(
        [step.type for step in steps],
        ["message_creation", *["tool_calls"] * ROUNDS, "message_creation"],
    )
    details: Any = steps[-2].step_details
    equal([call.function.output for call in details.tool_calls], ["sunny", "noon"])
    told = bench.received(model)[-1]["messages"]
    equal([message["role"] for message in told], ["user", *["assistant", "tool", "tool"] * ROUNDS])
    equal([message["content"] for message in told[-2:]], ["sunny", "noon"])


def functions_are_called_in_rounds(bench: Bench) -> None:
    model, assistant_id, thread_id = _ready(bench)
    runs = bench.client.beta.threads.runs
    run = runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id)
    for _ in range(ROUNDS):
        run = runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=thread_id, tool_outputs=_answers(run))
    _check_end(bench, model, run)


def functions_are_called_in_streamed_rounds(bench: Bench) -> None:
    model, assistant_id, thread_id = _ready(bench)
    runs = bench.client.beta.threads.runs
    calls = [
        "run_step_created: tool_calls",
        "tool_call_created: get_weather",
        "tool_call_delta: get_weather",
        'tool_call_done: get_weather({"city":"Oslo"})',
        "tool_call_created: get_time",
        "tool_call_delta: get_time",
        "tool_call_done: get_time({})",
    ]
    handler = Recorder()
    with runs.stream(thread_id=thread_id, assistant_id=assistant_id, event_handler=handler) as stream:
        run = stream.get_final_run()
    hooks = without_repeats(handler.hooks)
    equal(hooks[hooks.index(calls[0]) :], [*_seen(hooks, calls), "end"])
    for _ in range(ROUNDS):
        handler = Recorder()
        with runs.submit_tool_outputs_stream(
            run_id=run.id, thread_id=thread_id, tool_outputs=_answers(run), event_handler=handler
        ) as stream:
            run = stream.get_final_run()
        equal(handler.events[:3], ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"])
        equal(handler.hooks[0], "run_step_done: tool_calls")
        equal(handler.hooks[-1], "end")
    equal("".join(handler.deltas), "It is sunny.")
    _check_end(bench, model, run)


def _seen(hooks: list[str], calls: list[str]) -> list[str]:
    """`calls`, without the deltas that came together with the call's first piece."""
    return [hook for hook in calls if not hook.startswith("tool_call_delta") or hook in hooks]


def a_function_is_forced(bench: Bench) -> None:
    call = {"tool_calls": [{"name": "get_time", "arguments": {}}]}
    model = bench.model(call, {"text": "Noon."})
    assistant_id, thread_id = bench.ready(model, tools=[WEATHER, TIME])
    runs = bench.client.beta.threads.runs
    forced: Any = {"type": "function", "function": {"name": "get_time"}}
    run = runs.create_and_poll(
        thread_id=thread_id, assistant_id=assistant_id, tool_choice=forced, parallel_tool_calls=False
    )
    assert run.required_action is not None
    (asked,) = run.required_action.submit_tool_outputs.tool_calls
    queued = runs.submit_tool_outputs(
        run.id, thread_id=thread_id, tool_outputs=[{"tool_call_id": asked.id, "output": "noon"}]
    )
    equal((queued.status, queued.required_action), ("queued", None))
    equal(runs.poll(run.id, thread_id=thread_id).status, "completed")
    first, second = bench.received(model)
    equal((first["tool_choice"], first["parallel_tool_calls"], "tool_choice" in second), (forced, False, False))


SCENARIOS: list[Scenario] = [
    functions_are_called_in_rounds,
    functions_are_called_in_streamed_rounds,
    a_function_is_forced,
]
