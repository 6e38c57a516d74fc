"""Row-level security for each kind of role that Locum logs in as: what holds, and what is said where nothing does."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

import psycopg
import pytest
from sqlalchemy import func, select, text

from app.auth import local_actor
from app.db import migrate, roles
from app.db.project import ROLE
from app.db.session import Sessions, create_engine, create_sessions, transaction
from app.embedded import doctor
from app.embedded.postgres import _programs
from app.models import Chunk, File, ProjectStorage, Thread
from app.services import embedding_models, project_removal, projects
from app.settings import Settings
from app.storage import create_storage
from tests.stack import Stack, run_stack

#: What each may do, and which role its processes have then.
ROLES: Final = {
    # Above the policies, and may make a role below them, of which it is then no full member by itself.
    "above": ("BYPASSRLS CREATEROLE", ROLE),
    # As in a managed database: it owns the tables, and may make no role.
    "plain": ("", "plain"),
    "maker": ("CREATEROLE", "maker"),
    "super": ("SUPERUSER", ROLE),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One in which nobody has made the role yet: roles are of all databases."""
    with run_stack(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@dataclass(frozen=True)
class Deployment:
    """A migrated database of a role's own."""

    settings: Settings
    sessions: Sessions
    role: str
    expected: str


def _made(stack: Stack, role: str, rights: str, schema: str | None) -> Settings:
    with psycopg.connect(stack.database_url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {role} LOGIN {rights}")
        server.execute(f"CREATE DATABASE of_{role} OWNER {role}")
    url = stack.database_url.replace("/locum?", f"/of_{role}?")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE EXTENSION IF NOT EXISTS vector")
        if schema is not None:
            server.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {role}")
    return Settings(database_url=url.replace("//locum@", f"//{role}@"), database_pool_size=2)


def _dropped(stack: Stack, role: str) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS of_{role} WITH (FORCE)")
        server.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture(scope="module", params=[*ROLES, "super in its schema"])
async def deployment(cluster: Stack, request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    name = str(request.param).split(maxsplit=1)[0]
    rights, expected = ROLES[name]
    role = f"login_{name}"
    # The path of schemas is "$user", public by default: the tables are made in the one that has the role's name.
    settings = _made(cluster, role, rights, role if "schema" in request.param else None)
    try:
        await migrate.upgrade(settings)
        engine = create_engine(settings)
        yield Deployment(settings, create_sessions(engine), role, role if expected == name else expected)
        await engine.dispose()
    finally:
        _dropped(cluster, role)


async def _count(sessions: Sessions, model: type) -> int:
    async with transaction(sessions) as session:
        return (await session.execute(select(func.count()).select_from(model))).scalar_one()


async def _filled(deployment: Deployment) -> tuple[str, str]:
    """Two projects, of which the first has a thread, and a file of ten bytes."""
    async with transaction(deployment.sessions) as session:
        owned, other = [(await projects.create(session, local_actor(), name)).id for name in ("owned", "other")]
    async with transaction(deployment.sessions.of(owned)) as session:
        session.add(Thread(id=f"thread_{owned}", project_id=owned))
        file = {"filename": "a.txt", "purpose": "assistants", "bytes": 10, "sha256": b"", "status": "processed"}
        session.add(File(id=f"file-{owned}", project_id=owned, **file))
    return owned, other


async def test_policies_hold(deployment: Deployment) -> None:
    owned, other = await _filled(deployment)
    of = deployment.sessions.of
    async with transaction(deployment.sessions) as session:
        assert tuple((await session.execute(text(roles.IN_FORCE))).one()) == (
            True, deployment.expected, deployment.role
        )  # fmt: skip
    for model in (Thread, File):
        assert (await _count(of(owned), model), await _count(of(other), model)) == (1, 0)
        assert await _count(deployment.sessions, model) == 0
    # What the triggers keep, for whoever adds and removes.
    async with transaction(of(owned)) as session:
        assert await session.scalar(select(ProjectStorage.bytes)) == 10
    assert await doctor._row_security(deployment.settings) == f"holds for the role {deployment.expected}"


async def test_vectors_get_their_index(deployment: Deployment) -> None:
    """Which is the owner's to make; afterwards the connection is what it was."""
    owned, _ = await _filled(deployment)
    async with transaction(deployment.sessions.of(owned)) as session:
        await embedding_models.ensure_model(session, "some-model", 8)
    async with transaction(deployment.sessions.of(owned)) as session:
        assert await session.scalar(text("SELECT current_user")) == deployment.expected
        assert await session.scalar(text("SELECT to_regclass('chunks_embedding_1_idx') IS NOT NULL"))
        assert (await session.scalars(select(Chunk.id))).all() == []


async def test_a_project_is_removed(deployment: Deployment) -> None:
    owned, _ = await _filled(deployment)
    async with transaction(deployment.sessions) as session:
        found = await projects.get(session, owned)
        assert found is not None
        await projects.begin_deletion(session, local_actor(), found)
    storage = create_storage(deployment.settings)
    removed = [kind async for kind, _ in project_removal.remove(deployment.sessions, storage, owned)]
    assert {"threads", "files", "project"} <= set(removed)
    for model in (Thread, File, ProjectStorage):
        assert await _count(deployment.sessions.of(owned), model) == 0


async def test_migrations_see_the_rows_of_all_projects(deployment: Deployment) -> None:
    await _filled(deployment)
    engine = create_engine(deployment.settings, is_owner=True)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM threads")) > 0
        assert await connection.scalar(text("SELECT current_user")) == deployment.role
    await engine.dispose()


def _dump(url: str) -> str:
    command = [str(_programs() / "pg_dump"), "--enable-row-security", "--data-only", url]
    environment = {**os.environ, "PGOPTIONS": "-c locum.project=*"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


async def test_a_backup_has_all_rows(deployment: Deployment) -> None:
    owned, _ = await _filled(deployment)
    dumped = await asyncio.to_thread(_dump, str(deployment.settings.database_url))
    assert f"thread_{owned}" in dumped
    assert f"file-{owned}" in dumped


@pytest.fixture
def helpless(stack: Stack) -> Iterator[Settings]:
    """A database of a role that is above the policies, and may not make one below them."""
    yield _made(stack, "login_helpless", "BYPASSRLS", None)
    _dropped(stack, "login_helpless")


async def test_a_role_that_stays_above_the_policies_is_told(stack: Stack, helpless: Settings) -> None:
    """It works as ever. The role below, which others have made, is not for it unless it is granted."""
    await migrate.upgrade(helpless)
    with pytest.raises(doctor.Wrong, match="row-level security does not hold: login_helpless logs in"):
        await doctor._row_security(helpless)
    # By its superuser, as any other Locum on this server does.
    await migrate.upgrade(Settings(database_url=stack.database_url))
    with psycopg.connect(stack.database_url, autocommit=True) as server:
        server.execute(f"GRANT {ROLE} TO login_helpless")
    await migrate.upgrade(helpless)
    assert await doctor._row_security(helpless) == f"holds for the role {ROLE}"
