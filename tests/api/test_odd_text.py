"""Text that Postgres cannot store: U+0000 and lone surrogates, whatever way they come, cost no run and no object."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from sqlalchemy import Text, bindparam, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db.session import create_engine
from tests.api.test_errors import settings_of
from tests.api.test_file_search import FOODS, ask, searches, store
from tests.api.test_runs import run_on, texts
from tests.backends.test_odd_streams import chunks
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum

Script = Callable[..., None]

ODD = "a\0b\ud83d\ude00\ud83d"
MENDED = "a\ufffdb😀\ufffd"


async def test_every_parameter_of_every_statement_is_made_storable(locum: Locum) -> None:
    engine = create_engine(settings_of(locum))
    try:
        async with engine.connect() as connection:
            plain = await connection.execute(text("SELECT CAST(:odd AS text)"), {"odd": ODD})
            assert plain.scalar_one() == MENDED
            core = select(literal(ODD), func.concat(bindparam("odd", ODD, type_=Text), "!"))
            assert tuple((await connection.execute(core)).one()) == (MENDED, f"{MENDED}!")
            several = select(bindparam("odd", [ODD, "b"], type_=ARRAY(Text)))
            assert (await connection.execute(several)).scalar_one() == [MENDED, "b"]
            value = {ODD: [ODD, {"deep": ODD, "n": 1.5, "literally": r"\u0000"}]}
            mended = {MENDED: [MENDED, {"deep": MENDED, "n": 1.5, "literally": r"\u0000"}]}
            stored = select(bindparam("odd", value, type_=JSONB))
            assert (await connection.execute(stored)).scalar_one() == mended
            await connection.execute(text("CREATE TEMPORARY TABLE odd (t text)"))
            await connection.execute(text("INSERT INTO odd VALUES (:t)"), [{"t": ODD}, {"t": "b"}])
            rows = (await connection.execute(text("SELECT t FROM odd"))).scalars().all()
            assert rows == [MENDED, "b"]
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        (rb'"a\u0000b\ud83d\ude00\ud83d"', MENDED),
        (rb'"a\ud83d", "logprobs": NaN}}]}' + b"\n\ndata: " + rb'{"choices": [{"delta": {"content": "\ude00b"', "a😀b"),
        (b'"a\xff", "n": Infinity', "a\ufffd"),
    ],
)
def test_what_a_model_says(client: OpenAI, model: str, script: Script, delta: bytes, said: str) -> None:
    script(Turn(body=chunks(b'{"content": %s}' % delta)), Turn(text="Yes."))
    run = run_on(client, model)
    assert run.status == "completed", run.last_error
    assert texts(client, run.thread_id) == ["Hello", said]
    # The model is told of it again.
    again = client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
    assert again.status == "completed", again.last_error


def test_what_a_model_asks_a_function(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    arguments = r'{"city": "a\u0000b\ud83d"}'
    script(Turn(tool_calls=[Call("get_weather", arguments)]), Turn(text="Rain."))
    tools: Any = [{"type": "function", "function": {"name": "get_weather"}}]
    assistant = client.beta.assistants.create(model=model, tools=tools)
    thread: Any = {"messages": [{"role": "user", "content": "Weather?"}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    assert run.required_action is not None, run.last_error
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    assert call.function.arguments == arguments
    outputs: Any = [{"tool_call_id": call.id, "output": "rain"}]
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs
    )
    assert run.status == "completed", run.last_error
    assert backend.requests(model)[1]["messages"][-2]["tool_calls"][0]["function"]["arguments"] == arguments


@pytest.mark.parametrize("query", [r"Ada \u0000 pizza", r"Ada \ud83d pizza", "Ada \t\x01 pizza"])
def test_what_a_model_searches(client: OpenAI, model: str, script: Script, query: str) -> None:
    script(Turn(tool_calls=[Call("file_search", f'{{"queries": ["{query}"]}}')]), Turn(text="Pizza."))
    run = ask(client, model, [store(client, foods=FOODS)])
    assert run.status == "completed", run.last_error
    (call,) = searches(client, run)
    assert call.file_search.results is not None
    assert [result.file_name for result in call.file_search.results] == ["foods.txt"]


def test_what_a_models_server_complains_of(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(status=400, body=rb'{"error": {"message": "No\u0000, \ud83d\ude00 \ud83d."}}'))
    run = run_on(client, model)
    assert run.status == "failed"
    assert run.last_error is not None
    assert "No\ufffd, 😀 \ufffd." in run.last_error.message


@pytest.mark.parametrize("name", [b"a\0b", b"\xff\xfe"])
def test_an_odd_id_is_refused(http: httpx2.Client, name: bytes) -> None:
    quoted = "".join(f"%{byte:02x}" for byte in name)
    answer = http.get(f"/threads/{quoted}")
    assert answer.status_code == 400


def test_a_request_with_nul_is_refused(http: httpx2.Client) -> None:
    answer = http.post("/threads", content=json.dumps({"metadata": {"a": "b\0"}}).encode())
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "metadata.a")
