"""file_search in runs: from a file to a cited answer, through the whole stack."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import httpx2
import orjson
import psycopg
import pytest
from openai import NotFoundError, OpenAI
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import FileSearchToolCall

from tests.api.test_functions import TIME
from tests.api.test_streaming import events_of
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum

Script = Callable[..., None]

CONTENT: Final = "step_details.tool_calls[*].file_search.results[*].content"
FOODS = "Favourite foods of the team. Ada likes pizza with pineapple. Grace prefers dumplings. Alan eats apples."
MOONS = (
    "The moons of Jupiter. Io has volcanoes, Europa has an ocean beneath its ice, Ganymede is the largest of all moons."
)
SEARCH = Call("file_search", {"queries": ["What does Ada like to eat?"]})


def upload(client: OpenAI, **texts: str) -> list[str]:
    """The ids of text files with the names `name.txt`."""
    return [
        client.files.create(file=(f"{name}.txt", text.encode()), purpose="assistants").id
        for name, text in texts.items()
    ]


@pytest.fixture
def lenient(locum: Locum) -> Iterator[OpenAI]:
    """A client that takes the null that stands, as at OpenAI, for the name of a store that was given none."""
    with OpenAI(base_url=locum.base_url, api_key=locum.api_key) as opened:
        yield opened


def store(client: OpenAI, **texts: str) -> str:
    """A vector store with text files, searchable."""
    made = client.vector_stores.create(name="facts")
    batch = client.vector_stores.file_batches.create_and_poll(
        made.id, file_ids=upload(client, **texts), poll_interval_ms=50
    )
    assert (batch.status, batch.file_counts.completed) == ("completed", len(texts))
    return made.id


def ask(client: OpenAI, model: str, stores: list[str], tools: Any = ({"type": "file_search"},), **options: Any) -> Run:
    """A run of an assistant with these stores, polled until it ends or pauses."""
    assistant = client.beta.assistants.create(
        model=model, tools=tools, tool_resources={"file_search": {"vector_store_ids": stores}}
    )
    thread = options.pop("thread", {"messages": [{"role": "user", "content": "What does Ada like?"}]})
    return client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread, **options)


def answer(client: OpenAI, run: Run) -> Message:
    """The newest message of the run's thread."""
    return client.beta.threads.messages.list(run.thread_id, limit=1).data[0]


def searches(client: OpenAI, run: Run, **options: Any) -> list[FileSearchToolCall]:
    """The searches of a run, in order."""
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc", **options).data
    calls = [call for step in steps if step.step_details.type == "tool_calls" for call in step.step_details.tool_calls]
    return [call for call in calls if call.type == "file_search"]


def told(requests: Iterable[dict[str, Any]]) -> str:
    """What the model was told of the results in the last of its requests."""
    return str([message for message in list(requests)[-1]["messages"] if message["role"] == "tool"][-1]["content"])


def test_an_answer_cites_what_was_found(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text=["Ada likes ", "pizza 【0", ":0†foo", "ds】, so", " there."]))
    run = ask(client, model, [store(client, foods=FOODS)])
    assert run.status == "completed", run.last_error

    (part,) = answer(client, run).content
    assert part.type == "text"
    assert part.text.value == "Ada likes pizza 【0:0†foods.txt】, so there."
    (citation,) = part.text.annotations
    assert citation.type == "file_citation"
    assert citation.text == "【0:0†foods.txt】"
    assert part.text.value[citation.start_index : citation.end_index] == citation.text
    (call,) = searches(client, run)
    assert call.file_search.results is not None
    (result,) = call.file_search.results
    assert (result.file_id, result.file_name) == (citation.file_citation.file_id, "foods.txt")
    assert 0 < result.score <= 1
    assert result.content is None
    assert FOODS in told(backend.requests(model))
    assert told(backend.requests(model)).startswith("【0:0†foods.txt】")


def test_the_text_of_results_is_told_where_it_is_asked_for(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text="Pizza."))
    run = ask(client, model, [store(client, foods=FOODS)])
    (call,) = searches(client, run, include=[CONTENT])
    assert call.file_search.results is not None
    assert call.file_search.results[0].content is not None
    assert call.file_search.results[0].content[0].text == FOODS
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, include=[CONTENT]).data
    one = client.beta.threads.runs.steps.retrieve(
        steps[1].id, thread_id=run.thread_id, run_id=run.id, include=[CONTENT]
    )
    assert one == steps[1]


def test_the_events_of_a_search(client: OpenAI, http: httpx2.Client, model: str, script: Script) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text=["Pizza", "【0:0†", "foods】", "."]))
    assistant = client.beta.assistants.create(
        model=model,
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store(client, foods=FOODS)]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "What does Ada like?"}])
    body = {"assistant_id": assistant.id, "stream": True}
    params = {"include[]": CONTENT}
    with http.stream("POST", f"/threads/{thread.id}/runs", json=body, params=params) as response:
        events = list(events_of(response))
    names = [event.name.removeprefix("thread.") for event in events]
    assert [name for name in names if name != "message.delta"] == [
        *("run.created", "run.queued", "run.in_progress"),
        *("run.step.created", "run.step.in_progress", "run.step.delta", "run.step.completed"),
        *("run.step.created", "run.step.in_progress", "message.created", "message.in_progress"),
        *("message.completed", "run.step.completed", "run.completed", "done"),
    ]
    by_name = dict(zip(reversed(names), reversed(events), strict=True))
    (call,) = by_name["run.step.delta"].json()["delta"]["step_details"]["tool_calls"]
    ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
    assert call.pop("id").startswith("call_")
    assert call == {"index": 0, "type": "file_search", "file_search": {"ranking_options": ranking, "results": []}}
    done = by_name["run.step.completed"].json()["step_details"]["tool_calls"][0]
    assert set(done) == {"id", "type", "file_search"}
    assert done["file_search"]["results"][0]["content"] == [{"type": "text", "text": FOODS}]
    cited = [event for event in events if b"file_citation" in event.data.encode() and event.name.endswith("delta")]
    (part,) = cited[0].json()["delta"]["content"]
    assert part["text"]["value"] == "【0:0†foods.txt】"
    (annotation,) = part["text"]["annotations"]
    assert (annotation["index"], annotation["start_index"], annotation["end_index"]) == (
        0,
        5,
        5 + len("【0:0†foods.txt】"),
    )
    assert annotation["file_citation"]["quote"] == FOODS


def test_the_stream_helper_puts_the_message_together(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text=["A【0:0】", "【0:1】B"]))
    assistant = client.beta.assistants.create(
        model=model,
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store(client, foods=FOODS, moons=MOONS)]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Well?"}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        (message,) = stream.get_final_messages()
    assert message.content == client.beta.threads.messages.list(thread.id, limit=1).data[0].content
    assert message.content[0].type == "text"
    assert len(message.content[0].text.annotations) == 2


def test_several_queries_and_calls_in_one_turn(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    calls = [
        Call("file_search", {"queries": ["pizza", "Jupiter's moons"]}),
        Call("file_search", {"queries": ["Europa"]}),
    ]
    script(Turn(tool_calls=calls), Turn(text="Io【0:2】."))
    run = ask(client, model, [store(client, foods=FOODS, moons=MOONS)])
    first, second = searches(client, run)
    assert first.file_search.results is not None
    assert second.file_search.results is not None
    assert {result.file_name for result in first.file_search.results} == {"foods.txt", "moons.txt"}
    part = answer(client, run).content[0]
    assert part.type == "text"
    (citation,) = part.text.annotations
    assert citation.type == "file_citation"
    assert citation.file_citation.file_id == second.file_search.results[0].file_id


def test_the_stores_of_assistant_and_thread_are_searched_together(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("file_search", {"queries": ["Ada Jupiter"]})]), Turn(text="Both."))
    (moons,) = upload(client, moons=MOONS)
    attachments: Any = [{"file_id": moons, "tools": [{"type": "file_search"}]}]
    thread = {"messages": [{"role": "user", "content": "Well?", "attachments": attachments}]}
    run = ask(client, model, [store(client, foods=FOODS)], thread=thread)
    assert run.status == "completed", run.last_error
    (call,) = searches(client, run)
    assert {result.file_name for result in call.file_search.results or ()} == {"foods.txt", "moons.txt"}


def test_attachments_feed_a_store_of_the_thread(
    client: OpenAI, lenient: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    first, second = upload(client, foods=FOODS, moons=MOONS)
    thread = client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "Read.",
                "attachments": [{"file_id": first, "tools": [{"type": "file_search"}]}],
            }
        ]
    )
    assert thread.tool_resources is not None
    assert thread.tool_resources.file_search is not None
    (store_id,) = thread.tool_resources.file_search.vector_store_ids or []
    kept = lenient.vector_stores.retrieve(store_id)
    assert kept.expires_after is not None
    assert kept.expires_after.days == 7
    message = client.beta.threads.messages.create(
        thread.id,
        role="user",
        content="This too.",
        attachments=[{"file_id": second, "tools": [{"type": "file_search"}]}],
    )
    assert message.attachments is not None
    assert message.attachments[0].file_id == second
    assert client.beta.threads.retrieve(thread.id).tool_resources == thread.tool_resources
    assert lenient.vector_stores.retrieve(store_id).file_counts.total == 2

    # The run waits until both can be searched, and the model is told what is attached.
    script(Turn(tool_calls=[Call("file_search", {"queries": ["Ada Jupiter"]})]), Turn(text="Both."))
    assistant = client.beta.assistants.create(model=model, tools=[{"type": "file_search"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    assert {result.file_name for result in searches(client, run)[0].file_search.results or ()} == {
        "foods.txt",
        "moons.txt",
    }
    said = [message["content"] for message in backend.requests(model)[0]["messages"] if message["role"] == "user"]
    assert "foods.txt" in said[0]
    assert second in said[1]


def test_a_store_described_with_an_assistant_is_made(client: OpenAI, lenient: OpenAI, model: str) -> None:
    (foods,) = upload(client, foods=FOODS)
    described: Any = {
        "file_ids": [foods],
        "metadata": {"of": "me"},
        "chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 20}},
    }
    assistant = client.beta.assistants.create(
        model=model, tools=[{"type": "file_search"}], tool_resources={"file_search": {"vector_stores": [described]}}
    )
    assert assistant.tool_resources is not None
    assert assistant.tool_resources.file_search is not None
    (store_id,) = assistant.tool_resources.file_search.vector_store_ids or []
    made = lenient.vector_stores.retrieve(store_id)
    assert (made.metadata, made.expires_after) == ({"of": "me"}, None)
    (file,) = client.vector_stores.files.list(store_id).data
    assert file.chunking_strategy is not None
    assert file.chunking_strategy.type == "static"
    assert file.chunking_strategy.static.max_chunk_size_tokens == 100


@pytest.mark.parametrize(
    "resources",
    [
        {"file_search": {"vector_store_ids": ["vs_none"]}},
        {"file_search": {"vector_stores": [{"file_ids": ["file-none"]}]}},
    ],
)
def test_what_is_not_there_is_refused(client: OpenAI, model: str, resources: Any) -> None:
    with pytest.raises(NotFoundError, match="none"):
        client.beta.assistants.create(model=model, tools=[{"type": "file_search"}], tool_resources=resources)
    with pytest.raises(NotFoundError, match="none"):
        client.beta.threads.create(tool_resources=resources)


def test_attachments_of_another_project_are_missing(client: OpenAI, other_client: OpenAI) -> None:
    (foods,) = upload(other_client, foods=FOODS)
    thread = client.beta.threads.create()
    with pytest.raises(NotFoundError, match=foods):
        client.beta.threads.messages.create(
            thread.id, role="user", content="x", attachments=[{"file_id": foods, "tools": [{"type": "file_search"}]}]
        )
    assert client.beta.threads.messages.list(thread.id).data == []


def test_a_deleted_store_is_passed_over(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text="I do not know."))
    gone = store(client, foods=FOODS)
    assistant = client.beta.assistants.create(
        model=model, tools=[{"type": "file_search"}], tool_resources={"file_search": {"vector_store_ids": [gone]}}
    )
    client.vector_stores.delete(gone)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "?"}]}
    )
    assert run.status == "completed", run.last_error
    assert told(backend.requests(model)) == "Nothing was found."


def test_an_expired_store_fails_the_run(
    client: OpenAI, model: str, script: Script, database: psycopg.Connection
) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text="never"))
    old = store(client, foods=FOODS)
    client.vector_stores.update(old, expires_after={"anchor": "last_active_at", "days": 1})
    database.execute("UPDATE vector_stores SET expires_at = now() - interval '1 second' WHERE id = %s", [old])
    run = ask(client, model, [old])
    assert run.status == "failed"
    assert run.last_error is not None
    assert "has expired" in run.last_error.message


def test_hosted_and_function_calls_of_one_turn(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[SEARCH, Call("get_time", {})]), Turn(text="Pizza【0:0】 at noon."))
    run = ask(client, model, [store(client, foods=FOODS)], tools=[{"type": "file_search"}, TIME])
    assert run.status == "requires_action"
    assert run.required_action is not None
    (asked,) = run.required_action.submit_tool_outputs.tool_calls
    assert asked.function.name == "get_time"
    assert searches(client, run)[0].file_search.results
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": asked.id, "output": "12:00"}]
    )
    assert run.status == "completed"
    outputs = [message for message in backend.requests(model)[-1]["messages"] if message["role"] == "tool"]
    assert FOODS in outputs[0]["content"]
    assert outputs[1]["content"] == "12:00"
    part = answer(client, run).content[0]
    assert part.type == "text"
    assert len(part.text.annotations) == 1


def test_a_search_without_queries_goes_back_to_the_model(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[Call("file_search", {"query": 1})]), Turn(tool_calls=[SEARCH]), Turn(text="Pizza【1:0】."))
    run = ask(client, model, [store(client, foods=FOODS)])
    assert run.status == "completed", run.last_error
    assert "at least one query" in str(backend.requests(model)[1]["messages"][-1]["content"])
    part = answer(client, run).content[0]
    assert part.type == "text"
    assert part.text.annotations[0].text == "【1:0†foods.txt】"


def test_a_function_of_the_same_name_keeps_it(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[Call("file_search_", {"queries": ["Ada"]})]), Turn(tool_calls=[Call("file_search", {})]))
    own: Any = {"type": "function", "function": {"name": "file_search"}}
    run = ask(client, model, [store(client, foods=FOODS)], tools=[{"type": "file_search"}, own])
    assert run.status == "requires_action"
    assert [tool["function"]["name"] for tool in backend.requests(model)[0]["tools"]] == ["file_search_", "file_search"]
    assert searches(client, run)[0].file_search.results


def test_a_forced_search(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text="Pizza."))
    ask(client, model, [store(client, foods=FOODS)], tool_choice={"type": "file_search"})
    first, second = backend.requests(model)
    assert first["tool_choice"] == {"type": "function", "function": {"name": "file_search"}}
    assert "tool_choice" not in second


def test_the_limits_of_a_search(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("file_search", {"queries": ["Ada Jupiter"]})]), Turn(text="One."))
    options: Any = {"max_num_results": 1, "ranking_options": {"ranker": "auto", "score_threshold": 0.0}}
    tools: Any = [{"type": "file_search", "file_search": options}]
    run = ask(client, model, [store(client, foods=FOODS, moons=MOONS)], tools=tools)
    assert len(searches(client, run)[0].file_search.results or ()) == 1


def test_markers_of_earlier_answers_are_not_told_again(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text="Pizza【0:0】."), Turn(text="As I said【0:0】."))
    run = ask(client, model, [store(client, foods=FOODS)])
    client.beta.threads.messages.create(run.thread_id, role="user", content="Sure?")
    again = client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
    said = [message["content"] for message in backend.requests(model)[-1]["messages"] if message["role"] == "assistant"]
    assert said == ["Pizza."]
    part = answer(client, again).content[0]
    assert part.type == "text"
    assert (part.text.value, part.text.annotations) == ("As I said【0:0】.", [])


def test_images_from_files_are_shown_to_the_model(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text="A dot."))
    data = b"\x89PNG\r\n\x1a\n" + bytes(100)
    image = client.files.create(file=("dot.png", data), purpose="vision").id
    assistant = client.beta.assistants.create(model=model)
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_file", "image_file": {"file_id": image, "detail": "low"}},
    ]
    thread: Any = {"messages": [{"role": "user", "content": content}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    assert run.status == "completed", run.last_error
    sent = backend.requests(model)[0]["messages"][-1]["content"]
    assert sent[1]["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert sent[1]["image_url"]["detail"] == "low"
    shown = client.beta.threads.messages.list(run.thread_id, order="asc").data[0].content[1]
    assert shown.type == "image_file"
    assert shown.image_file.file_id == image


def test_an_image_that_is_not_there_is_refused(client: OpenAI) -> None:
    content: Any = [{"type": "image_file", "image_file": {"file_id": "file-none"}}]
    with pytest.raises(NotFoundError, match="No such File object: file-none"):
        client.beta.threads.create(messages=[{"role": "user", "content": content}])


def test_arguments_are_not_shown(http: httpx2.Client, client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text="Pizza."))
    run = ask(client, model, [store(client, foods=FOODS)])
    steps = http.get(f"/threads/{run.thread_id}/runs/{run.id}/steps").content
    assert [
        set(call) for step in orjson.loads(steps)["data"] for call in step["step_details"].get("tool_calls", [])
    ] == [{"id", "type", "file_search"}]
