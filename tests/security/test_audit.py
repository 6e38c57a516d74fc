"""The audit log in the database: written with each change, never forked, closed to changes, checked by a command."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from app.db import migrate
from app.db.session import Sessions, create_engine, create_sessions, transaction
from app.services import audit, projects, settings_record
from app.services.audit import Actor
from app.settings import Settings
from tests.stack import Stack

_BY = Actor("cli:tester", "here")
#: Makes five projects at once, in a process of its own.
_MAKE_FIVE = """
import asyncio
from app.db.session import create_engine, create_sessions, transaction
from app.services import projects
from app.services.audit import Actor
from app.settings import Settings

async def make(sessions, name):
    async with transaction(sessions) as session:
        await projects.create(session, Actor("cli:tester"), name)

async def main():
    engine = create_engine(Settings())
    sessions = create_sessions(engine)
    await asyncio.gather(*(make(sessions, f"p{n}") for n in range(5)))
    await engine.dispose()

asyncio.run(main())
"""


@pytest.fixture
def url(stack: Stack) -> Iterator[str]:
    """The URL of a database of the test's own, migrated."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE audit")
        made = stack.database_url.replace("/locum?", "/audit?")
        asyncio.run(migrate.upgrade(Settings(database_url=made)))
        yield made
        connection.execute("DROP DATABASE audit WITH (FORCE)")


@pytest.fixture
async def sessions(url: str) -> AsyncIterator[Sessions]:
    engine = create_engine(Settings(database_url=url))
    yield create_sessions(engine)
    await engine.dispose()


def _locum(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app.cli", *arguments]
    environment = {**os.environ, "LOCUM_DATABASE_URL": url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _make_twenty(url: str) -> list[int]:
    environment = {**os.environ, "LOCUM_DATABASE_URL": url}
    several = [subprocess.Popen([sys.executable, "-c", _MAKE_FIVE], env=environment) for _ in range(4)]
    return [process.wait(60) for process in several]


async def _made(sessions: Sessions, count: int) -> None:
    for number in range(count):
        async with transaction(sessions) as session:
            await projects.create(session, _BY, f"p{number}")


async def test_twenty_at_once_make_one_chain(url: str, sessions: Sessions) -> None:
    assert await asyncio.to_thread(_make_twenty, url) == [0] * 4
    async with transaction(sessions) as session:
        verdict = await audit.verify(session)
    assert (verdict.count, verdict.broken) == (20, None)


async def test_there_is_no_entry_without_its_change(sessions: Sessions) -> None:
    async def make_and_fail() -> None:
        async with transaction(sessions) as session:
            await projects.create(session, _BY, "p")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await make_and_fail()
    async with transaction(sessions) as session:
        assert (await audit.verify(session)).count == 0
        assert await projects.list_all(session) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
async def test_entries_cannot_be_changed(url: str, sessions: Sessions, statement: str) -> None:
    await _made(sessions, 1)
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        connection.execute(statement)


async def test_what_was_done_to_the_log_is_found(url: str, sessions: Sessions) -> None:
    await _made(sessions, 5)
    whole = json.loads(_locum(url, "audit", "verify", "--json").stdout)
    assert (whole["ok"], whole["entries"], whole["broken"]) == (True, 5, None)
    head = whole["head"]
    await _made(sessions, 1)
    # One who may do anything in the database.
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only")
        assert _locum(url, "audit", "verify", "--head", head).returncode == 0
        connection.execute("DELETE FROM audit_log WHERE seq >= 5")
        assert _locum(url, "audit", "verify").returncode == 0
        cut = _locum(url, "audit", "verify", "--head", head)
        assert cut.returncode == 1
        assert "the end was cut off" in cut.stderr
        connection.execute("""UPDATE audit_log SET details = '{"id": "x"}' WHERE seq = 2""")
        changed = _locum(url, "audit", "verify")
        assert (changed.returncode, changed.stdout) == (1, "")
        assert "entry 2 is not what it was" in changed.stderr
        connection.execute("DELETE FROM audit_log WHERE seq = 2")
        assert "entry 2 is missing" in _locum(url, "audit", "verify").stderr
        connection.execute("DELETE FROM audit_log WHERE seq = 1")
        assert json.loads(_locum(url, "audit", "verify", "--json").stdout)["broken"] == 1


async def test_commands_stand_in_the_log(url: str) -> None:
    key = json.loads(_locum(url, "keys", "create", "--project", "shop", "--scope", "read", "--json").stdout)
    assert _locum(url, "projects", "disable", "shop").returncode == 0
    rotated = json.loads(_locum(url, "keys", "rotate", key["id"], "--grace", "1h", "--json").stdout)
    assert rotated["scopes"] == ["read"]
    assert 3500 < rotated["replaces"]["expires_at"] - rotated["created_at"] <= 3600
    assert _locum(url, "keys", "revoke", key["id"]).returncode == 0
    assert _locum(url, "projects", "rename", "shop", "store").returncode == 0
    admin = json.loads(_locum(url, "keys", "create", "--admin", "--expires", "30d", "--json").stdout)
    assert (admin["project_id"], admin["scopes"]) == (None, ["admin"])
    listed = json.loads(_locum(url, "audit", "list", "--json").stdout)
    assert [entry["type"] for entry in listed] == [
        "project.created", "api_key.created", "project.archived", "api_key.created", "api_key.updated",
        "api_key.deleted", "project.updated", "api_key.created",
    ]  # fmt: skip
    assert {entry["actor"].partition(":")[0] for entry in listed} == {"cli"}
    assert all(entry["address"] for entry in listed)
    assert key["key"] not in str(listed)
    about = json.loads(_locum(url, "audit", "list", "--about", key["id"], "--type", "api_key.deleted", "--json").stdout)
    assert [entry["details"] for entry in about] == [{"id": key["id"]}]
    assert len(_locum(url, "audit", "list", "--limit", "3").stdout.splitlines()) == 3
    states = [line.split()[-1] for line in _locum(url, "keys", "list").stdout.splitlines()]
    assert states == ["revoked", "disabled", "active"]


async def test_a_changed_setting_is_noted_by_its_name(url: str, sessions: Sessions) -> None:
    async def noted(**changed: object) -> list[str]:
        settings = Settings(**{"database_url": url, "backend_url": "http://127.0.0.1:1/v1", **changed})  # type: ignore[arg-type]
        async with transaction(sessions) as session:
            return await settings_record.note(session, _BY, settings)

    assert await noted() == ["LOCUM_BACKEND_URL", "LOCUM_DATABASE_URL"]
    assert await noted(port=8081, backend_url="http://127.0.0.1:2/v1", log_level="debug") == []
    assert await noted(max_queued_runs=7, backend_api_key="hunter2") == [
        "LOCUM_BACKEND_API_KEY",
        "LOCUM_MAX_QUEUED_RUNS",
    ]
    assert await noted(max_queued_runs=7, backend_api_key="hunter3") == ["LOCUM_BACKEND_API_KEY"]
    assert await noted() == ["LOCUM_BACKEND_API_KEY", "LOCUM_MAX_QUEUED_RUNS"]
    with psycopg.connect(url) as connection:
        kept = str(connection.execute("SELECT to_jsonb(a) FROM audit_log a").fetchall())
    assert "hunter" not in kept
    assert kept.count("organization.updated") == 4
