"""`locum prune`, and the sweep that keeps to a retention: what is deleted, and above all what is not."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from openai import NotFoundError
from redis.asyncio import Redis

from app.db.session import create_engine, create_sessions
from app.services.prune_sweep import PRUNED_KEY, PruneSweep
from app.settings import Settings
from app.storage import create_storage
from tests.fakes.completion_backend import Call, Turn
from tests.running import Locum
from tests.transfer.dumps import transfer


class Attic:
    """A project of the test's own, in which things can be made old."""

    def __init__(self, locum: Locum, database: psycopg.Connection) -> None:
        self.locum = locum
        self.database = database
        self.client = locum.client(locum.new_project())
        found = database.execute("SELECT id FROM projects ORDER BY created_at DESC LIMIT 1").fetchone()
        assert found is not None
        self.project: str = found[0]

    def age(self, *object_ids: str, days: int = 40) -> None:
        """Makes objects so many days older, with all that is in them."""
        past = f"created_at = created_at - interval '{days} days'"
        for table in ("threads", "files", "messages", "runs"):
            owner = "thread_id" if table in ("messages", "runs") else "id"
            query = f"UPDATE {table} SET {past} WHERE {owner} = ANY(%s)"
            self.database.execute(query.encode(), [list(object_ids)])

    def expire(self, store_id: str, days: int) -> None:
        """Has a vector store expired so many days ago."""
        self.database.execute(
            "UPDATE vector_stores SET expires_at = now() - make_interval(days => %s) WHERE id = %s", [days, store_id]
        )

    def file(self, name: str = "a.txt", purpose: str = "assistants") -> str:
        return self.client.files.create(file=(name, b"text"), purpose=purpose).id  # type: ignore[arg-type]

    def thread(self, *said: str) -> str:
        return self.client.beta.threads.create(messages=[{"role": "user", "content": text} for text in said]).id

    def prune(self, *options: str) -> list[str]:
        """What the command says."""
        done = transfer(self.locum, "prune", "--project", self.project, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def files(self) -> set[str]:
        return {file.id for file in self.client.files.list()}


@pytest.fixture
def attic(locum: Locum, database: psycopg.Connection) -> Iterator[Attic]:
    made = Attic(locum, database)
    yield made
    made.client.close()


def test_idle_threads_go_and_others_stay(attic: Attic, script: Callable[..., None], model: str) -> None:
    client = attic.client
    idle, spoken, at_work, young = (attic.thread("hello") for _ in range(4))
    script(Turn(tool_calls=[Call("f", {})]))
    assistant = client.beta.assistants.create(model=model, tools=[{"type": "function", "function": {"name": "f"}}])
    run = client.beta.threads.runs.create_and_poll(thread_id=at_work, assistant_id=assistant.id)
    attic.age(idle, spoken, at_work)
    client.beta.threads.messages.create(spoken, role="user", content="I am back.")
    assert attic.prune("--threads-days", "30", "--dry-run") == ["1 threads would be deleted"]
    client.beta.threads.retrieve(idle)
    assert attic.prune("--threads-days", "30") == ["1 threads deleted"]
    with pytest.raises(NotFoundError):
        client.beta.threads.retrieve(idle)
    for thread_id in (spoken, at_work, young):
        client.beta.threads.retrieve(thread_id)
    assert client.beta.threads.runs.retrieve(run.id, thread_id=at_work).status == "requires_action"


def test_files_that_something_names_stay(attic: Attic) -> None:
    """In a store, at the disposal of an assistant or a thread, shown or linked in a message, an output of code."""
    client = attic.client
    orphan, stored, coded, threaded, shown, linked, put_out, tuned = (attic.file(f"{n}.txt") for n in range(8))
    young = attic.file("young.txt")
    client.vector_stores.create(name="s", file_ids=[stored])
    client.beta.assistants.create(model="m", tool_resources={"code_interpreter": {"file_ids": [coded]}})
    client.beta.threads.create(tool_resources={"code_interpreter": {"file_ids": [threaded]}})
    image = {"type": "image_file", "image_file": {"file_id": shown}}
    thread = client.beta.threads.create(messages=[{"role": "user", "content": [image]}])  # type: ignore[list-item]
    link = {"type": "file_path", "text": "sandbox:/mnt/data/x", "start_index": 0, "end_index": 3,
            "file_path": {"file_id": linked}}  # fmt: skip
    content = psycopg.types.json.Jsonb([{"type": "text", "text": {"value": "abc", "annotations": [link]}}])
    message = client.beta.threads.messages.create(thread.id, role="assistant", content="abc")
    attic.database.execute("UPDATE messages SET content = %s WHERE id = %s", [content, message.id])
    attic.database.execute("UPDATE files SET purpose = 'fine-tune' WHERE id = %s", [tuned])
    attic.age(orphan, stored, coded, threaded, shown, linked, put_out, tuned)
    attachment = {"file_id": put_out, "tools": [{"type": "code_interpreter"}]}
    client.beta.threads.messages.create(
        thread.id,
        role="user",
        content="x",
        attachments=[attachment],  # type: ignore[list-item]
    )
    client.beta.threads.update(thread.id, tool_resources=None)
    assert attic.prune("--files-days", "30", "--dry-run") == ["1 files would be deleted"]
    assert attic.prune("--files-days", "30") == ["1 files deleted"]
    assert attic.files() == {stored, coded, threaded, shown, linked, put_out, tuned, young}
    assert attic.prune("--files-days", "30") == ["0 files deleted"]


def test_files_of_pruned_threads_and_stores_follow(attic: Attic) -> None:
    client = attic.client
    file = attic.file("b.txt")
    store = client.vector_stores.create(name="s", file_ids=[file])
    kept = client.vector_stores.create(name="in use")
    attic.age(file)
    attic.expire(store.id, days=8)
    attic.expire(kept.id, days=2)
    assert attic.prune("--vector-stores-days", "7", "--files-days", "30") == [
        "1 vector stores deleted",
        "1 files deleted",
    ]
    assert [left.id for left in client.vector_stores.list()] == [kept.id]
    assert attic.files() == set()


def test_nothing_is_pruned_unasked(attic: Attic) -> None:
    done = transfer(attic.locum, "prune")
    assert done.returncode == 1
    assert done.stderr.startswith("locum: nothing to prune: give --threads-days")


async def test_the_sweep_keeps_to_the_settings(attic: Attic) -> None:
    """A page in each sweep, and then nothing for an hour."""
    ancient, recent = attic.thread("hello"), attic.thread("hello")
    attic.age(ancient, days=6000)
    environment = attic.locum.environment
    settings = Settings(
        database_url=environment["LOCUM_DATABASE_URL"],
        redis_url=environment["LOCUM_REDIS_URL"],
        data_dir=environment["LOCUM_DATA_DIR"],
        prune_threads_days=5000,
    )
    engine, redis, storage = (
        create_engine(settings),
        Redis.from_url(settings.required_redis_url),
        create_storage(settings),
    )
    try:
        sweep = PruneSweep(create_sessions(engine).of_all(), storage, redis, settings)
        await redis.delete(PRUNED_KEY)
        await sweep.sweep()
        while sweep.at_work:
            await sweep.sweep()
        with pytest.raises(NotFoundError):
            attic.client.beta.threads.retrieve(ancient)
        attic.client.beta.threads.retrieve(recent)
        attic.age(recent, days=6000)
        await sweep.sweep()
        attic.client.beta.threads.retrieve(recent)
        keeping = PruneSweep(
            create_sessions(engine).of_all(), storage, redis, settings.model_copy(update={"prune_threads_days": None})
        )
        await redis.delete(PRUNED_KEY)
        await keeping.sweep()
        assert not await redis.exists(PRUNED_KEY)
    finally:
        await redis.aclose()
        await storage.aclose()
        await engine.dispose()
