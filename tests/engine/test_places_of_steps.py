"""The rows of a run tell what its log tells, by the same places: a reader can go from the one to the other."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run as ApiRun
from sqlalchemy import event, select

from app.db.session import create_engine, create_sessions, transaction
from app.domain.event_names import ENDINGS
from app.events import START, Entry, Place, key
from app.models import Message, Run, RunStep
from app.services import run_story
from app.services.run_reader import RunReader
from app.services.run_story import BEGUN, Placed
from app.settings import Settings
from tests.api.test_file_search import FOODS, SEARCH, store
from tests.api.test_functions import TIME, answer
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum

Script = Callable[..., None]

_CALL = Call("get_time")
_BAD_CALL = Call("get_time", "[1]")
_STORIES = {
    "text": [Turn(text=["A ", "word."])],
    "text before a search": [Turn(text="I look.", tool_calls=[SEARCH]), Turn(text=["Pizza", "【0:0†foods】", "."])],
    "rounds of functions": [
        Turn(text="Let me see.", tool_calls=[_CALL]),
        Turn(tool_calls=[_CALL, Call("get_time")]),
        Turn(text="Noon."),
    ],
    "a search beside a function": [Turn(tool_calls=[SEARCH, _CALL]), Turn(text="Noon, and pizza.")],
    "a call that cannot be made": [Turn(text="Hm.", tool_calls=[_BAD_CALL]), Turn(text="Well.")],
}


@pytest.mark.parametrize("story", _STORIES)
def test_the_rows_tell_what_the_log_tells_by_the_same_places(
    client: OpenAI, locum: Locum, model: str, script: Script, story: str
) -> None:
    script(*_STORIES[story])
    run = _to_its_end(client, model)
    assert run.status == "completed"
    placed = asyncio.run(_placed(locum, run.id))
    logged = [Placed(_place(entry), entry.event) for entry in _entries(locum, run.id)]
    assert [_shown(item) for item in placed] == [_shown(item) for item in logged]


async def test_a_look_at_a_quiet_run_costs_two_statements(
    client: OpenAI, locum: Locum, backend: CompletionBackend, model: str, script: Script
) -> None:
    """Each of its readers has one taken every other second, however much has happened before."""
    script(Turn(text="Hm.", tool_calls=[_BAD_CALL]), Turn(text=["Well", ", well."], hang_after=2))
    assistant = client.beta.assistants.create(model=model, tools=[TIME])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "When?"}])
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    await asyncio.to_thread(backend.wait_until_hanging, model)
    engine = create_engine(Settings(database_url=locum.database_url))
    # Of the log it is asked only whether it is silent.
    reader = RunReader(create_sessions(engine).of_all(), SimpleNamespace(is_silent=True), run.id, START)  # type: ignore[arg-type]
    statements: list[str] = []
    try:
        async with asyncio.timeout(10):
            told = await reader.look_at_rows(0)
            while b"event: thread.run.step.failed" not in told or told.count(b"event: thread.message.created") < 2:
                told += await reader.look_at_rows(0)
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        assert await reader.look_at_rows(0) == b""
    finally:
        await engine.dispose()
        backend.release(model)
    assert [statement.split("FROM ")[1].split()[0] for statement in statements] == ["runs", "run_steps"]


def _to_its_end(client: OpenAI, model: str) -> ApiRun:
    tools: Any = [TIME, {"type": "file_search"}]
    searched: Any = {"file_search": {"vector_store_ids": [store(client, foods=FOODS)]}}
    assistant = client.beta.assistants.create(model=model, tools=tools, tool_resources=searched)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "When?"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    while run.status == "requires_action":
        assert run.required_action is not None
        run = answer(client, run, *("noon" for _ in run.required_action.submit_tool_outputs.tool_calls))
    return run


async def _placed(locum: Locum, run_id: str) -> list[Placed]:
    """What the rows tell."""
    engine = create_engine(Settings(database_url=locum.database_url))
    try:
        async with transaction(create_sessions(engine).of_all()) as session:
            run = await session.get_one(Run, run_id)
            steps = (await session.scalars(select(RunStep).where(RunStep.run_id == run_id).order_by(RunStep.seq))).all()
            written = await session.scalars(select(Message).where(Message.run_id == run_id))
            return run_story.so_far(run, steps, {message.id: message for message in written})
    finally:
        await engine.dispose()


def _entries(locum: Locum, run_id: str) -> list[Entry]:
    """What the log tells but for deltas, and for what ends a stream."""
    with locum.redis() as redis:
        logged = redis.xrange(key(run_id))
    found = [Entry(Place.parse(entry_id.decode()), *_field(fields)) for entry_id, fields in logged]
    return [entry for entry in found if entry.name not in ENDINGS and not entry.name.endswith(".delta")]


def _field(fields: dict[bytes, bytes]) -> tuple[str, bytes]:
    ((name, frame),) = fields.items()
    return name.decode(), frame


def _place(entry: Entry) -> Place:
    """Its place; the rows have a place of their own for a run that is in progress."""
    return Place(entry.place.attempt - 1, BEGUN) if entry.name == "thread.run.in_progress" else entry.place


def _shown(item: Placed) -> tuple[Place, str, dict[str, Any]]:
    """What is to be the same: of the run the rows have the newest state alone, and when it has ended no expiry."""
    thing = orjson.loads(item.event.data)
    shown = {"id": thing["id"]} if thing["object"] == "thread.run" else thing | {"expires_at": None}
    return item.place, item.event.name, shown
