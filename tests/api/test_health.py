"""Health and readiness."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from sqlalchemy import make_url

from app.confinement.doors import HELD
from app.main import create_app
from app.queue import announce_worker, retire_worker
from app.worker_kinds import INGESTION_QUEUE
from tests.api.test_errors import settings_of, started
from tests.running import Locum, free_port
from tests.sandbox.hosts import run_host


def _operator(locum: Locum) -> dict[str, str]:
    return {"Authorization": f"Bearer {locum.new_key(None)}"}


PARTS = ["database", "redis", "background", "worker", "ingestion", "backend", "embeddings"]


def test_alive(locum: Locum) -> None:
    answer = httpx2.get(f"{locum.origin}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready(locum: Locum) -> None:
    async with started(create_app(settings_of(locum))) as client:
        answer = await client.get("http://locum.test/readyz", headers=_operator(locum))
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    layers = {**checks["ingestion"].pop("held"), **checks["ingestion"].pop("lacks")}
    assert set(layers) == {"namespaces", "landlock", "system_calls", "account"}
    assert answer.json()["status"] == "ready"
    assert checks == {part: {"ok": True, "detail": None} for part in PARTS}


async def test_a_sandbox_host_is_asked_for_where_one_is_set(locum: Locum) -> None:
    unused_host = f"http://127.0.0.1:{free_port()}"
    async with started(create_app(settings_of(locum, sandbox_url=unused_host, sandbox_token="t" * 32))) as client:
        answer = await client.get("http://locum.test/readyz", headers=_operator(locum))
    assert answer.status_code == 503
    assert [part for part, check in answer.json()["checks"].items() if not check["ok"]] == ["sandbox"]
    assert unused_host in answer.json()["checks"]["sandbox"]["detail"]


@pytest.mark.parametrize(
    ("away", "setting", "url"),
    [
        (["database"], "database_url", "postgresql://locum@127.0.0.1:{port}/locum"),
        (["redis", "worker", "ingestion"], "redis_url", "redis://127.0.0.1:{port}/0"),
        (["backend", "embeddings"], "backend_url", "http://127.0.0.1:{port}/v1"),
        (["embeddings"], "embeddings_url", "http://127.0.0.1:{port}/v1"),
    ],
)
async def test_what_is_away_is_named(locum: Locum, away: list[str], setting: str, url: str) -> None:
    changed: Any = {setting: url.format(port=free_port())}
    async with started(create_app(settings_of(locum, **changed))) as client:
        answer = await client.get("http://locum.test/readyz", headers=_operator(locum))
        assert answer.status_code == 503
        body = answer.json()
        assert body["status"] == "unready"
        assert list(body["checks"]) == PARTS
        assert [part for part, check in body["checks"].items() if not check["ok"]] == away
        # While the database is away nobody's key can be looked at.
        assert away == ["database"] or all(body["checks"][part]["detail"] for part in away)
        assert (await client.get("http://locum.test/healthz")).status_code == 200


async def test_background_work_that_breaks_is_told(locum: Locum) -> None:
    async def breaks() -> None:
        raise ValueError("no such thing")

    app = create_app(settings_of(locum))
    async with started(app) as client:
        app.state.supervisor.keep("test", breaks)
        await asyncio.sleep(0)
        answer = await client.get("http://locum.test/readyz", headers=_operator(locum))
    assert answer.status_code == 503
    check = answer.json()["checks"]["background"]
    assert check["ok"] is False
    assert re.fullmatch(
        r"test was begun again \d times, the last time because of ValueError: no such thing", check["detail"]
    )


async def test_the_trouble_of_a_worker_is_told(locum: Locum) -> None:
    app = create_app(settings_of(locum))
    async with started(app) as client:
        await announce_worker(app.state.redis, "some-worker", 1, trouble="the sweep has ended")
        answer = await client.get("http://locum.test/readyz", headers=_operator(locum))
        assert answer.json()["checks"]["worker"] == {"ok": False, "detail": "some-worker: the sweep has ended"}
        await announce_worker(app.state.redis, "some-worker", 1)
        assert (await client.get("http://locum.test/readyz", headers=_operator(locum))).status_code == 200
        await retire_worker(app.state.redis, "some-worker")


async def test_what_does_not_confine_parsers_is_told_the_operator(locum: Locum) -> None:
    states = {"namespaces": "not held (Operation not permitted)", "landlock": HELD, "system_calls": HELD}
    app = create_app(settings_of(locum))
    async with started(app) as client:
        announced = (app.state.redis, "open-worker", 5.0, INGESTION_QUEUE)
        await announce_worker(*announced, layers=states)
        try:
            told = await client.get("http://locum.test/readyz", headers=_operator(locum))
            strangers = await client.get("http://locum.test/readyz")
        finally:
            await retire_worker(app.state.redis, "open-worker", INGESTION_QUEUE)
    check = told.json()["checks"]["ingestion"]
    assert (check["ok"], strangers.json()["checks"]["ingestion"]) == (True, {"ok": True})
    assert "open-worker: not held (Operation not permitted)" in check["lacks"]["namespaces"]
    assert "namespaces" not in check["held"]


async def test_what_holds_code_in_the_sandbox_is_told_the_operator(locum: Locum, tmp_path: Path) -> None:
    with run_host(tmp_path, warm=0) as host:
        app = create_app(settings_of(locum, sandbox_url=host.url, sandbox_token=host.token))
        async with started(app) as client:
            check = (await client.get("http://locum.test/readyz", headers=_operator(locum))).json()["checks"]["sandbox"]
            stats = host.stats()
    assert (check["ok"], check["held"], check["lacks"]) == (True, stats["held"], stats["lacks"])
    assert {"memory", "processes", "system calls", "disk and files"} <= set(check["held"])


async def test_a_database_that_is_not_migrated(locum: Locum, database: psycopg.Connection) -> None:
    database.execute("CREATE DATABASE empty")
    try:
        empty = str(make_url(locum.database_url).set(database="empty").render_as_string(hide_password=False))
        async with started(create_app(settings_of(locum, database_url=empty))) as client:
            check = (await client.get("http://locum.test/readyz", headers=_operator(locum))).json()["checks"][
                "database"
            ]
    finally:
        database.execute("DROP DATABASE empty WITH (FORCE)")
    # Nobody's key can be looked at there.
    assert check == {"ok": False}


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer sk-locum-nobody"}, {"Authorization": "of the project"}]
)
async def test_strangers_are_told_the_names_of_the_parts(locum: Locum, headers: dict[str, str]) -> None:
    if headers.get("Authorization") == "of the project":
        headers = {"Authorization": f"Bearer {locum.api_key}"}
    unused = f"http://someone:hunter2@127.0.0.1:{free_port()}"
    app = create_app(settings_of(locum, sandbox_url=unused, sandbox_token="t" * 32, backend_url=f"{unused}/v1"))
    async with started(app) as client:
        answer = await client.get("http://locum.test/readyz", headers=headers)
        assert answer.status_code == 503
        assert set(answer.json()) == {"status", "checks"}
        assert {frozenset(check) for check in answer.json()["checks"].values()} == {frozenset({"ok"})}
        assert "127.0.0.1" not in answer.text
        told = (await client.get("http://locum.test/readyz", headers=_operator(locum))).text
    assert "127.0.0.1" in told
    assert "hunter2" not in told
    assert "someone" not in told
