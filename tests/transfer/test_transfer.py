"""`locum import` and `locum export`: what an application saved of the hosted API goes on as if it had always been
here."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.fakes.completion_backend import CompletionBackend, Turn
from tests.running import Locum, wait_for
from tests.transfer.dumps import T0, Json, Shop, read, table, transfer, write

ROOT = Path(__file__).parents[2]


@pytest.fixture
def owner(locum: Locum, database: psycopg.Connection) -> Iterator[tuple[str, OpenAI]]:
    """A project of the test's own: its id, and a client for it."""
    key = locum.new_project()
    found = database.execute("SELECT id FROM projects ORDER BY created_at DESC LIMIT 1").fetchone()
    assert found is not None
    with locum.client(key) as client:
        yield found[0], client


def _imported(locum: Locum, project: str, path: Path, *options: str) -> str:
    done = transfer(locum, "import", str(path), "--project", project, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _exported(locum: Locum, project: str, path: Path) -> list[Json]:
    done = transfer(locum, "export", str(path), "--project", project)
    assert done.returncode == 0, done.stderr
    return read(path)


def _by_id(objects: list[Json]) -> dict[tuple[str, str], Json]:
    return {(item["object"], item["id"]): item for item in objects}


def test_a_dump_goes_on_living(
    locum: Locum,
    owner: tuple[str, OpenAI],
    backend: CompletionBackend,
    script: Callable[..., None],
    model: str,
    tmp_path: Path,
) -> None:
    project, client = owner
    shop = Shop(model)
    path = shop.save(tmp_path)
    said = _imported(locum, project, path)
    assert table(said) == {
        "file": (4, 0), "vector_store": (1, 0), "vector_store.file": (2, 0), "assistant": (1, 0), "thread": (1, 0),
        "thread.message": (3, 0), "thread.run": (1, 0), "thread.run.step": (2, 0),
    }  # fmt: skip
    assert f"file {shop.lost}: there are no contents" in said

    def done() -> bool:
        return client.vector_stores.retrieve(shop.store).file_counts.in_progress == 0

    wait_for(done, "the ingestion", 30)
    _look_at(client, shop)

    script(Turn(text="As I said."))
    client.beta.threads.messages.create(shop.thread, role="user", content="Really?")
    run = client.beta.threads.runs.create_and_poll(thread_id=shop.thread, assistant_id=shop.assistant)
    assert run.status == "completed"
    told = [message for message in backend.received(model)[0].body["messages"] if message["role"] != "system"]
    assert [message["role"] for message in told] == ["user", "user", "assistant", "user"]
    assert "The lamp blinks." in str(told[0])
    assert "data:image/png;base64" in str(told[0])
    assert "Descale it now." in str(told[2])
    listed = client.beta.threads.messages.list(shop.thread, order="asc").data
    assert [message.id for message in listed[:3]] == shop.messages

    before = _exported(locum, project, tmp_path / "before.jsonl")
    again = table(_imported(locum, project, path))
    assert {new for new, _ in again.values()} == {0}
    assert again["thread.message"] == (0, 3)
    assert _exported(locum, project, tmp_path / "after.jsonl") == before


def _look_at(client: OpenAI, shop: Shop) -> None:
    """Everything is what it was."""
    entries = {entry.id: entry for entry in client.vector_stores.files.list(shop.store)}
    assert entries[shop.manual].status == "completed"
    assert entries[shop.manual].attributes == {"product": "Zephyr", "year": 2023, "old": False}
    lost = entries[shop.lost]
    assert (lost.status, lost.last_error and lost.last_error.code) == ("failed", "invalid_file")
    assert "not in the dump" in str(lost.last_error)
    found = client.vector_stores.search(shop.store, query="When does the lamp blink?").data
    assert "descaling" in found[0].content[0].text
    assert client.files.retrieve(shop.manual).created_at == T0
    for file_id, data in shop.contents.items():
        assert client.files.content(file_id).read() == data
    with pytest.raises(BadRequestError, match="contents of the file were not in the dump"):
        client.files.content(shop.lost)
    again = client.vector_stores.create(name="again")
    entry = client.vector_stores.files.create_and_poll(shop.lost, vector_store_id=again.id)
    assert entry.last_error is not None
    assert (entry.status, entry.last_error.code) == ("failed", "invalid_file")
    assistant = client.beta.assistants.retrieve(shop.assistant)
    assert (assistant.created_at, assistant.temperature, assistant.top_p) == (T0 + 3, 0.25, 1.0)
    steps = client.beta.threads.runs.steps.list(shop.run, thread_id=shop.thread, order="asc").data
    assert [step.id for step in steps] == shop.steps


def test_the_export_of_an_import_is_the_dump(
    locum: Locum, owner: tuple[str, OpenAI], model: str, tmp_path: Path
) -> None:
    project, client = owner
    shop = Shop(model)
    _imported(locum, project, shop.save(tmp_path))
    wait_for(lambda: client.vector_stores.retrieve(shop.store).status == "completed", "the ingestion", 30)
    exported = _exported(locum, project, tmp_path / "out.jsonl")
    saved, got = _by_id(shop.objects()), _by_id(exported)
    assert got.keys() == saved.keys()
    # What Locum makes anew, and what was not saved.
    made_anew = {"usage_bytes", "file_counts", "description"}
    changed = {shop.lost}
    for key, item in saved.items():
        if key[1] not in changed:
            left = {name: value for name, value in item.items() if name not in made_anew}
            assert {name: value for name, value in got[key].items() if name in left} == left
    messages = [item["id"] for item in exported if item["object"] == "thread.message"]
    assert messages == shop.messages
    contents = {path.name: path.read_bytes() for path in (tmp_path / "out.files").iterdir()}
    assert contents == shop.contents

    database_is_empty = "DELETE FROM {} WHERE project_id = %s"
    with psycopg.connect(locum.database_url, autocommit=True) as connection:
        for name in ("threads", "assistants", "vector_stores", "files", "imported_places"):
            connection.execute(database_is_empty.format(name).encode(), [project])
    done = transfer(
        locum, "import", "-", "--project", project, "--files", str(tmp_path / "out.files"),
        stdin=(tmp_path / "out.jsonl").read_bytes(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wait_for(lambda: client.vector_stores.retrieve(shop.store).status == "completed", "the ingestion", 30)
    assert _exported(locum, project, tmp_path / "twice.jsonl") == exported


def test_contents_that_come_later_are_taken_in(
    locum: Locum, owner: tuple[str, OpenAI], model: str, tmp_path: Path
) -> None:
    project, client = owner
    shop = Shop(model)
    path = shop.save(tmp_path)
    _imported(locum, project, path)
    (tmp_path / "shop.files" / f"{shop.lost}.txt").write_text("The text of the lost manual, as its store had it.")
    said = _imported(locum, project, path)
    assert table(said)["file"] == (1, 3)
    assert f"file {shop.lost}: its text alone was saved; it is now lost.txt.txt" in said
    wait_for(lambda: client.vector_stores.retrieve(shop.store).file_counts.completed == 2, "the ingestion", 30)


def test_a_dump_with_faults_is_not_imported_at_all(
    locum: Locum, owner: tuple[str, OpenAI], model: str, tmp_path: Path
) -> None:
    project, client = owner
    shop = Shop(model)
    good = shop._thread()
    broken: list[Any] = [
        {**good, "id": "conversation-7"},
        {"object": "list", "data": []},
        {"object": "thread", "id": "thread_abc"},
        {**shop._messages()[0], "role": "system"},
        {**shop._messages()[0], "content": [{"type": "audio"}]},
        good,
    ]
    path = write(tmp_path / "broken.jsonl", [good, *broken])
    path.write_text(path.read_text() + "[]\n{\n\n")
    done = transfer(locum, "import", str(path), "--project", project)
    assert done.returncode == 1
    lines = [line.removeprefix("locum: ") for line in done.stderr.splitlines()]
    expected = [
        "line 2: thread: id: ",
        "line 3: 'object' is 'list'; expected one of file, vector_store,",
        "line 4: thread: created_at: Field required",
        "line 5: thread.message: role: Input should be 'user' or 'assistant'",
        "line 6: thread.message: content: Input should be a part: text,",
        f"line 7: thread {shop.thread} is there twice",
        "line 8: no JSON object",
        "line 9: no JSON: ",
        "nothing was imported",
    ]
    assert len(lines) == len(expected), lines
    for line, begin in zip(lines, expected, strict=True):
        assert line.startswith(begin)
    with pytest.raises(NotFoundError):
        client.beta.threads.retrieve(shop.thread)


def test_text_that_cannot_be_stored_is_mended(locum: Locum, owner: tuple[str, OpenAI], tmp_path: Path) -> None:
    project, client = owner
    shop = Shop("any")
    metadata = {"a": "b\0c", "d\ud83d\ude00": "\udcff", "e": r"\u0000"}
    path = tmp_path / "odd.jsonl"
    path.write_text(json.dumps({**shop._thread(), "metadata": metadata}) + "\n")
    assert table(_imported(locum, project, path))["thread"] == (1, 0)
    mended = {"a": "b\ufffdc", "d😀": "\ufffd", "e": r"\u0000"}
    assert client.beta.threads.retrieve(shop.thread).metadata == mended


def test_ids_of_another_project_are_refused(
    locum: Locum, owner: tuple[str, OpenAI], client: OpenAI, model: str, tmp_path: Path
) -> None:
    theirs = client.beta.threads.create()
    shop = Shop(model)
    path = write(tmp_path / "theirs.jsonl", [shop._assistant(), {**shop._thread(), "id": theirs.id}])
    done = transfer(locum, "import", str(path), "--project", owner[0])
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"locum: line 2: thread {theirs.id} belongs to another project"
    with pytest.raises(NotFoundError):
        owner[1].beta.assistants.retrieve(shop.assistant)


def test_what_lacks_its_owner_is_left_out(locum: Locum, owner: tuple[str, OpenAI], model: str, tmp_path: Path) -> None:
    shop = Shop(model)
    lone = [item for item in shop.objects() if item["object"] in ("thread.message", "thread.run", "thread.run.step")]
    said = _imported(locum, owner[0], write(tmp_path / "lone.jsonl", [shop._assistant(), *lone]))
    assert table(said)["assistant"] == (1, 0)
    assert table(said)["thread.message"] == table(said)["thread.run.step"] == (0, 0)
    thread = f"there is no thread {shop.thread}, here or in the dump"
    assert f"line 2: thread.message {shop.messages[0]}: {thread}" in said
    assert f"line 6: thread.run.step {shop.steps[0]}: there is no run {shop.run}, here or in the dump" in said


def test_old_and_bare_shapes(
    locum: Locum, owner: tuple[str, OpenAI], http: httpx2.Client, model: str, tmp_path: Path
) -> None:
    """Lines made of an application's own rows, and what was under way when it was saved."""
    project, client = owner
    shop = Shop(model)
    thread = {"object": "thread", "id": shop.thread, "created_at": "2024-05-01T10:00:00.5Z"}
    said = [
        {"object": "thread.message", "id": message, "thread_id": shop.thread, "created_at": T0 + at, "role": role,
         "content": text}
        for message, at, role, text in zip(
            shop.messages, (5, 5, 9), ("user", "assistant", "user"), ("b", "a", "c"), strict=True
        )
    ]  # fmt: skip
    run = {**shop._runs()[0], "status": "requires_action", "completed_at": None, "expires_at": T0 + 606}
    path = write(tmp_path / "rows.jsonl", [said[2], said[1], said[0], thread, run])
    _imported(locum, project, path, "--newest-first")
    listed = client.beta.threads.messages.list(shop.thread).data
    assert [message.content[0].text.value for message in listed if message.content[0].type == "text"] == list("cab")
    assert client.beta.threads.retrieve(shop.thread).created_at == 1714557600
    over = client.beta.threads.runs.retrieve(shop.run, thread_id=shop.thread)
    assert (over.status, over.expires_at, over.required_action) == ("expired", None, None)
    client.beta.threads.messages.create(shop.thread, role="user", content="It takes messages again.")


def test_what_is_imported_later_stands_where_its_time_says(
    locum: Locum, owner: tuple[str, OpenAI], model: str, tmp_path: Path
) -> None:
    """An import that was cut off is run again, under a conversation that has gone on meanwhile."""
    project, client = owner
    shop = Shop(model)
    first, second, third = ({**said, "created_at": T0 + at} for at, said in enumerate(shop._messages(), start=5))
    _imported(locum, project, write(tmp_path / "cut-off.jsonl", [shop._thread(), third]))
    new = client.beta.threads.messages.create(shop.thread, role="user", content="And now?")
    whole = write(tmp_path / "whole.jsonl", [shop._thread(), third, second, first])
    said = transfer(locum, "import", str(whole), "--project", project, LOCUM_PRUNE_THREADS_DAYS="9").stdout
    assert table(said)["thread.message"] == (2, 1)
    assert "LOCUM_PRUNE_... is set" in said
    listed = client.beta.threads.messages.list(shop.thread, order="asc").data
    assert [message.id for message in listed] == [*shop.messages, new.id]


def test_what_is_listed_can_be_deleted_on_the_way(
    locum: Locum, owner: tuple[str, OpenAI], model: str, tmp_path: Path
) -> None:
    """A page begins behind an object that was deleted, though its id does not tell its place."""
    project, client = owner
    objects = [{**Shop(model)._assistant(), "created_at": T0 + number % 3} for number in range(7)]
    _imported(locum, project, write(tmp_path / "many.jsonl", objects))
    mine = client.beta.assistants.create(model="m")
    deleted = []
    for assistant in client.beta.assistants.list(limit=2):
        client.beta.assistants.delete(assistant.id)
        deleted.append(assistant.id)
    in_order = sorted(range(7), key=lambda number: (objects[number]["created_at"], number), reverse=True)
    assert deleted == [mine.id, *(objects[number]["id"] for number in in_order)]


def test_an_import_that_is_killed_is_run_again(
    locum: Locum, owner: tuple[str, OpenAI], database: psycopg.Connection, model: str, tmp_path: Path
) -> None:
    """Killed while it waits for a row that somebody else has in hand: the first packs are there, the last is not."""
    project, client = owner
    shops = [Shop(model) for _ in range(3)]
    talk = [
        {**shop._messages()[0], "id": f"msg_{number:04}{shop.thread[7:]}", "attachments": []}
        for shop in shops
        for number in range(1500)
    ]
    for shop in shops:
        path = shop.save(tmp_path)
    write(path, [*(item for shop in shops for item in shop.objects()), *talk])
    last = shops[-1].thread
    with psycopg.connect(locum.database_url) as other:
        other.execute(
            "INSERT INTO threads (id, project_id, created_at, metadata, tool_resources)"
            " VALUES (%s, %s, now(), '{}', '{}')",
            [last, project],
        )
        importing = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "import", str(path), "--project", project],
            env=locum.environment,
            stdout=subprocess.DEVNULL,
        )
        waits = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
        mine = other.info.backend_pid
        try:
            wait_for(lambda: database.execute(waits, [mine]).fetchone() == (1,), "the import to wait", 60)
        finally:
            importing.kill()
            importing.wait()
        other.rollback()
    assert client.beta.threads.retrieve(shops[0].thread).id == shops[0].thread
    with pytest.raises(NotFoundError):
        client.beta.threads.retrieve(last)
    said = table(_imported(locum, project, path))
    new, known = said["thread.message"]
    assert new
    assert known
    assert new + known == len(talk) + sum(len(shop.messages) for shop in shops)
    exported = _by_id(_exported(locum, project, tmp_path / "out.jsonl"))
    assert exported.keys() == {key for shop in shops for key in _by_id(shop.objects())} | _by_id(talk).keys()
    assert {path.name: path.read_bytes() for path in (tmp_path / "out.files").iterdir()} == {
        name: data for shop in shops for name, data in shop.contents.items()
    }
