"""What docs/migrating.md tells an owner to do is done as it stands there."""

import re
import sqlite3
import sys
from pathlib import Path

import psycopg
import pytest
from openai import OpenAI

from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum, wait_for
from tests.sdk.installing import run
from tests.transfer.dumps import Shop, read, table, transfer

ROOT = Path(__file__).parents[2]
#: What is for clients of Azure is in tests/sdk/test_from_azure.py.
PAGE = re.sub(r"\n## From Azure.*?(?=\n## )", "", (ROOT / "docs" / "migrating.md").read_text(), flags=re.DOTALL)


@pytest.fixture
def project(locum: Locum, database: psycopg.Connection) -> tuple[str, str]:
    """A project of the test's own: its id and its key."""
    key = locum.new_project()
    found = database.execute("SELECT id FROM projects ORDER BY created_at DESC LIMIT 1").fetchone()
    assert found is not None
    return found[0], key


def test_the_script_saves_what_a_server_has(locum: Locum, project: tuple[str, str], model: str, tmp_path: Path) -> None:
    """What it saves is what an export has; a file that gives no contents back is saved as its text."""
    owner, key = project
    shop = Shop(model)
    assert transfer(locum, "import", str(shop.save(tmp_path)), "--project", owner).returncode == 0
    client = locum.client(key)
    wait_for(lambda: client.vector_stores.retrieve(shop.store).status == "completed", "the ingestion", 30)
    saved, exported = tmp_path / "saved.jsonl", tmp_path / "exported.jsonl"
    script = ROOT / "examples" / "migration" / "save_hosted.py"
    ids = tmp_path / "ids"
    ids.write_text(f"{shop.thread}\nthread_gone\n")
    shell = f"exec '{sys.executable}' -W ignore::DeprecationWarning '{script}' '{saved}' < '{ids}' 2>&1"
    said = run("sh", "-c", shell, cwd=tmp_path, OPENAI_BASE_URL=locum.base_url, OPENAI_API_KEY=key)
    assert "thread_gone: Error code: 404" in said
    assert shop.lost in said
    assert transfer(locum, "export", str(exported), "--project", owner).returncode == 0

    def found(path: Path) -> dict[tuple[str, str], object]:
        return {(item["object"], item["id"]): _told_without_asking(item) for item in read(path)}

    assert found(saved) == found(exported)
    assert {path.name: path.read_bytes() for path in (tmp_path / "saved.files").iterdir()} == shop.contents
    client.close()


def _told_without_asking(item: dict[str, object]) -> object:
    """An object without the text of search results, which is told only where `include[]` asks for it."""
    details = item.get("step_details")
    for call in details.get("tool_calls", []) if isinstance(details, dict) else []:
        for result in call.get("file_search", {}).get("results", []):
            result.pop("content", None)
    return item


def test_rows_of_an_application_become_conversations(
    locum: Locum, project: tuple[str, str], backend: CompletionBackend, model: str, tmp_path: Path
) -> None:
    owner, key = project
    shop = Shop(model)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE conversations (thread_id, user, began)")
        database.execute("CREATE TABLE messages (id, thread_id, author, body, at)")
        database.execute("INSERT INTO conversations VALUES (?, 'u-1', 1700000000)", [shop.thread])
        said = [(f"{shop.run[4:]}{n}", shop.thread, author, body, 1700000001) for n, (author, body) in enumerate(
            [("customer", "Where is my kettle?"), ("bot", "On its way."), ("customer", "Since when?")]
        )]  # fmt: skip
        database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", said)
    database.close()
    script = next(code for code in _code() if "sqlite3.connect" in code)
    lines = run(sys.executable, "-c", script, "shop.db", cwd=tmp_path)
    done = transfer(locum, "import", "-", "--project", owner, stdin=lines.encode())
    assert table(done.stdout)["thread.message"] == (3, 0), done.stderr
    with locum.client(key) as client:
        listed = client.beta.threads.messages.list(shop.thread, order="asc").data
        assert [message.role for message in listed] == ["user", "assistant", "user"]
        assert client.beta.threads.retrieve(shop.thread).metadata == {"user": "u-1"}


def test_the_check_runs(locum: Locum, project: tuple[str, str], tmp_path: Path) -> None:
    with locum.client(project[1]) as client:
        _fill(client)
    check = next(code for code in _code() if "file_counts" in code)
    check = check.replace("http://127.0.0.1:8080/v1", locum.base_url).replace("sk-locum-...", project[1])
    said = run(sys.executable, "-W", "ignore::DeprecationWarning", "-c", check, cwd=tmp_path)
    assert "0 of 0 files searchable, 0 failed" in said
    assert "Desk gpt-4o" in said


def _fill(client: OpenAI) -> None:
    client.vector_stores.create(name="manuals")
    client.beta.assistants.create(model="gpt-4o", name="Desk")


def _code() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
