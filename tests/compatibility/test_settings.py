"""Parameters of assistants, and the same ones of runs: what the model is told, what is answered."""

from typing import Any, Final

import pytest

from tests.compatibility.effects import shows, shows_at
from tests.compatibility.telling import ASSISTANT, CHANGED_ASSISTANT, HELLO, RUN, THREAD_AND_RUN, Told, system_text
from tests.fakes.turns import Call, Turn

_ALL: Final = ((ASSISTANT, ""), (CHANGED_ASSISTANT, ""), (RUN, ""), (THREAD_AND_RUN, ""))
_PLACES: Final = [place for place, _ in _ALL]
_SCHEMA: Final[Any] = {
    "name": "answer",
    "description": "The answer.",
    "schema": {"type": "object", "properties": {"number": {"type": "integer"}}},
    "strict": True,
}
_FORMAT: Final[Any] = {"type": "json_schema", "json_schema": _SCHEMA}
_FUNCTION: Final[Any] = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}


@shows_at(
    _ALL,
    {
        "model": "the model that is asked, by the operator's routes",
        "instructions": "the system message",
        "temperature": "told to the model server",
        "top_p": "told to the model server",
        "metadata": "kept and answered",
        "response_format": "told to the model server",
        "response_format.type": "told to the model server; `text` is what is without it",
        "response_format.json_schema": "told to the model server",
        "response_format.json_schema.name": "told to the model server",
        "response_format.json_schema.description": "told to the model server",
        "response_format.json_schema.schema": "told to the model server; to the model, where the server cannot hold it",
        "response_format.json_schema.strict": "told to the model server",
    },
)
@pytest.mark.parametrize("place", _PLACES)
def test_settings_reach_the_model(told: Told, place: str) -> None:
    model = told.model(Turn(text='{"number": 42}'))
    settings: Any = {"instructions": "Be brief.", "temperature": 0.25, "top_p": 0.5, "response_format": _FORMAT}
    run = told.run(place, model, **settings, metadata={"a": "b"})
    assert (run.status, run.model, run.instructions) == ("completed", model, "Be brief.")
    assert (run.temperature, run.top_p) == (0.25, 0.5)
    assert run.to_dict()["response_format"] == _FORMAT
    (request,) = told.requests(model)
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (request["temperature"], request["top_p"], request["response_format"]) == (0.25, 0.5, _FORMAT)
    if place in (RUN, THREAD_AND_RUN):
        assert run.metadata == {"a": "b"}
    else:
        assert told.client.beta.assistants.retrieve(run.assistant_id).metadata == {"a": "b"}


@shows_at(((ASSISTANT, ""), (CHANGED_ASSISTANT, ""), (RUN, "")), {"reasoning_effort": "told to the model server"})
@pytest.mark.parametrize("place", [ASSISTANT, CHANGED_ASSISTANT, RUN])
def test_effort_reaches_the_model(told: Told, place: str) -> None:
    model = told.model(Turn(text="42"))
    run = told.run(place, model, reasoning_effort="low")
    assert run.to_dict()["reasoning_effort"] == "low"
    assert told.requests(model)[0]["reasoning_effort"] == "low"


@shows(ASSISTANT, {"name": "kept and answered", "description": "kept and answered"})
@shows(CHANGED_ASSISTANT, {"name": "kept and answered", "description": "kept and answered"})
def test_names_are_kept(told: Told) -> None:
    assistants = told.client.beta.assistants
    made = assistants.create(model="echo", name="Ada", description="Counts.")
    assert (made.name, made.description) == ("Ada", "Counts.")
    assistants.update(made.id, name="Grace", description="Compiles.")
    changed = assistants.retrieve(made.id)
    assert (changed.name, changed.description) == ("Grace", "Compiles.")


@shows_at(
    _ALL,
    {
        "tools": "what the model may call; those of a run go over the assistant's",
        "tools.type": "`function`, `file_search`, `code_interpreter`",
        "tools.function": "told to the model server",
        "tools.function.name": "told to the model server",
        "tools.function.description": "told to the model server",
        "tools.function.parameters": "told to the model server",
        "tools.function.strict": "told to the model server",
    },
)
@pytest.mark.parametrize("place", _PLACES)
def test_tools_reach_the_model(told: Told, place: str) -> None:
    model = told.model(Turn(text="No call."))
    tools: Any = [{"type": "function", "function": _FUNCTION}, {"type": "code_interpreter"}, {"type": "file_search"}]
    run = told.run(place, model, tools=tools)
    assert [tool["type"] for tool in run.to_dict()["tools"]] == [tool["type"] for tool in tools]  # type: ignore[attr-defined]
    offered = {tool["function"]["name"]: tool["function"] for tool in told.requests(model)[0]["tools"]}
    assert offered["get_weather"] == _FUNCTION
    assert len(offered) == 3


@shows_at(
    _ALL,
    {
        "tools.file_search": "how the tool searches",
        "tools.file_search.max_num_results": "how many results the model is told at most",
        "tools.file_search.ranking_options": "how results are ranked",
        "tools.file_search.ranking_options.ranker": "both rankers are the same one; answered as `default_2024_08_21`",
        "tools.file_search.ranking_options.score_threshold": "results with lower scores are not told",
    },
)
@pytest.mark.parametrize("place", _PLACES)
def test_searches_are_bounded(told: Told, place: str) -> None:
    store: Any = {"file_search": {"vector_store_ids": [told.store("Ada likes pizza.", "Grace likes pizza.")]}}
    search = Call("file_search", {"queries": ["pizza"]})
    found = []
    for limit, threshold in ((1, 0.0), (5, 0.0), (5, 1.0)):
        ranking = {"ranker": "auto", "score_threshold": threshold}
        tool = {"type": "file_search", "file_search": {"max_num_results": limit, "ranking_options": ranking}}
        model = told.model(Turn(tool_calls=[search]), Turn(text="Pizza."))
        run = told.run(place, model, {"tool_resources": store}, tools=[tool])
        echoed: Any = run.to_dict()["tools"]
        assert echoed[0]["file_search"]["ranking_options"]["ranker"] == "default_2024_08_21"
        found.append(len(told.results(run)))
    assert found == [1, 2, 0]


@shows(RUN, {"additional_instructions": "appended to the instructions"})
def test_instructions_are_appended(told: Told) -> None:
    model = told.model(Turn(text="Hi"))
    run = told.run(RUN, model, {"instructions": "Be brief."}, additional_instructions="Be kind.")
    assert run.instructions == "Be brief.\nBe kind."
    assert system_text(told.requests(model)[0]) == "Be brief.\nBe kind."


_BOTH: Final = ((RUN, ""), (THREAD_AND_RUN, ""))
_RUNS: Final = [RUN, THREAD_AND_RUN]
_WEATHER: Final[Any] = {"type": "function", "function": _FUNCTION}


@shows_at(
    _BOTH, {"max_completion_tokens": "told to the model server, less what is used up; then the run is `incomplete`"}
)
@pytest.mark.parametrize("place", _RUNS)
def test_completion_tokens_are_a_budget(told: Told, place: str) -> None:
    model = told.model(Turn(tool_calls=[Call("file_search", {"queries": ["x"]})], usage=(10, 300)))
    run = told.run(place, model, tools=[{"type": "file_search"}], max_completion_tokens=300)
    assert told.requests(model)[0]["max_tokens"] == 300
    assert (run.status, run.max_completion_tokens) == ("incomplete", 300)
    assert run.incomplete_details is not None
    assert run.incomplete_details.reason == "max_completion_tokens"


@shows_at(_BOTH, {"max_prompt_tokens": "the thread is cut to fit; a run that cannot go on is `incomplete`"})
@pytest.mark.parametrize("place", _RUNS)
def test_prompt_tokens_are_a_budget(told: Told, place: str) -> None:
    model = told.model()
    run = told.run(place, model, instructions="word " * 400, max_prompt_tokens=256)
    assert (run.status, run.max_prompt_tokens) == ("incomplete", 256)
    assert run.incomplete_details is not None
    assert run.incomplete_details.reason == "max_prompt_tokens"
    assert told.requests(model) == []


@shows_at(_BOTH, {"parallel_tool_calls": "told to the model server; if false, one function is called at a time"})
@pytest.mark.parametrize("place", _RUNS)
def test_calls_come_one_by_one(told: Told, place: str) -> None:
    model = told.model(Turn(tool_calls=[Call("get_weather", {"city": city}) for city in ("Oslo", "Ulm")]))
    run = told.run(place, model, tools=[_WEATHER], parallel_tool_calls=False)
    assert told.requests(model)[0]["parallel_tool_calls"] is False
    assert run.parallel_tool_calls is False
    assert run.required_action is not None
    assert len(run.required_action.submit_tool_outputs.tool_calls) == 1


@shows_at(
    _BOTH,
    {
        "tool_choice": "told to the model server, up to the first call",
        "tool_choice.type": "as `tool_choice`",
        "tool_choice.function": "as `tool_choice`",
        "tool_choice.function.name": "as `tool_choice`",
    },
)
@pytest.mark.parametrize("place", _RUNS)
def test_a_tool_is_chosen(told: Told, place: str) -> None:
    model = told.model(Turn(tool_calls=[Call("get_weather", {"city": "Oslo"})]))
    choice: Any = {"type": "function", "function": {"name": "get_weather"}}
    run = told.run(place, model, tools=[_WEATHER], tool_choice=choice)
    assert told.requests(model)[0]["tool_choice"] == choice
    assert run.to_dict()["tool_choice"] == choice


@shows_at(
    _BOTH,
    {
        "truncation_strategy": "how much of the thread the model is told",
        "truncation_strategy.type": "`auto` drops from the middle what does not fit",
        "truncation_strategy.last_messages": "so many messages are told; not gone by with `auto`, and answered as null",
    },
)
@pytest.mark.parametrize("place", _RUNS)
def test_a_thread_is_truncated(told: Told, place: str) -> None:
    threads = told.client.beta.threads
    messages: Any = [{"role": "user", "content": text} for text in ("one", "two", "three")]
    model = told.model(Turn(text="Three."))
    made: Any = {"assistant_id": told.client.beta.assistants.create(model=model).id}
    made["truncation_strategy"] = {"type": "last_messages", "last_messages": 2}
    if place == RUN:
        run = threads.runs.create_and_poll(thread_id=threads.create(messages=messages).id, **made)
    else:
        run = threads.create_and_run_poll(thread={"messages": messages}, **made)
    assert [message["content"] for message in told.requests(model)[0]["messages"]] == ["two", "three"]
    assert run.truncation_strategy is not None
    assert run.truncation_strategy.last_messages == 2


@shows_at(_BOTH, {"stream": "the answer is the run's events", "assistant_id": "the assistant whose settings are taken"})
@pytest.mark.parametrize("place", _RUNS)
def test_a_run_is_streamed(told: Told, place: str) -> None:
    threads = told.client.beta.threads
    assistant = told.client.beta.assistants.create(model=told.model(Turn(text="Hi")))
    if place == RUN:
        thread = threads.create(messages=HELLO)
        stream = threads.runs.create(thread.id, assistant_id=assistant.id, stream=True)
    else:
        stream = threads.create_and_run(thread={"messages": HELLO}, assistant_id=assistant.id, stream=True)
    events: list[Any] = list(stream)
    assert events[-1].event == "thread.run.completed"
    assert events[-1].data.assistant_id == assistant.id


_RESULTS: Final[Any] = ["step_details.tool_calls[*].file_search.results[*].content"]


@shows(RUN, {"include": "the run's events tell the text of what was found"})
@shows("GET /threads/{thread_id}/runs/{run_id}/steps", {"include": "the steps tell the text of what was found"})
@shows(
    "GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}", {"include": "the step tells the text of what was found"}
)
def test_results_are_told_with_their_text(told: Told) -> None:
    store: Any = {"file_search": {"vector_store_ids": [told.store("Ada likes pizza.")]}}
    search = Turn(tool_calls=[Call("file_search", {"queries": ["pizza"]})])
    model = told.model(search, Turn(text="Pizza."), search, Turn(text="Pizza."))
    assistant = told.client.beta.assistants.create(model=model, tools=[{"type": "file_search"}], tool_resources=store)
    threads = told.client.beta.threads
    thread = threads.create(messages=HELLO)

    def texts(step: Any) -> Any:
        (found,) = step.step_details.tool_calls[0].file_search.results
        return [part.text for part in found.content or ()]

    for include, expected in ((_RESULTS, ["Ada likes pizza."]), ([], [])):
        stream = threads.runs.create(thread.id, assistant_id=assistant.id, stream=True, include=include)
        steps = [event.data for event in stream if event.event == "thread.run.step.completed"]
        assert texts(steps[0]) == expected
        place: Any = {"thread_id": thread.id, "run_id": steps[0].run_id, "include": include}
        assert texts(threads.runs.steps.retrieve(steps[0].id, **place)) == expected
        listed = threads.runs.steps.list(**place, order="asc").data
        assert texts(listed[0]) == expected


@shows(
    "POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
    {
        "tool_outputs": "told to the model; all of them at once",
        "tool_outputs.tool_call_id": "the call that is answered",
        "tool_outputs.output": 'what the model is told; `""` where it is left out',
        "stream": "the answer is the run's events",
    },
)
def test_outputs_reach_the_model(told: Told) -> None:
    model = told.model(Turn(tool_calls=[Call("get_weather", {"city": "Oslo"}, id="call_1")]), Turn(text="Sunny."))
    run = told.run(RUN, model, tools=[_WEATHER])
    assert run.required_action is not None
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    outputs: Any = [{"tool_call_id": call.id, "output": "sunny"}]
    stream = told.client.beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=run.thread_id, tool_outputs=outputs, stream=True
    )
    assert [event.event for event in stream][-1] == "thread.run.completed"
    answered = [message for message in told.requests(model)[1]["messages"] if message["role"] == "tool"]
    assert [message["content"] for message in answered] == ["sunny"]


@shows("POST /threads/{thread_id}/runs/{run_id}", {"metadata": "replaced, once the run has ended or waits"})
def test_metadata_of_a_run_is_replaced(told: Told) -> None:
    run = told.run(RUN, told.model(Turn(text="Hi")), metadata={"a": "b"})
    runs = told.client.beta.threads.runs
    assert runs.update(run.id, thread_id=run.thread_id, metadata={"c": "d"}).metadata == {"c": "d"}
    assert runs.retrieve(run.id, thread_id=run.thread_id).metadata == {"c": "d"}
