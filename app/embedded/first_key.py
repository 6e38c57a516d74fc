"""The project and the API key that a new Locum begins with."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import create_engine, create_sessions, transaction
from app.embedded.errors import CannotStart
from app.services import projects
from app.settings import Settings

_PROJECT = "default"
_NAME = "locum up"


@dataclass(frozen=True, slots=True)
class FirstKey:
    """A key, the file that it is kept in (None: its owner gave it), and whether it was made just now."""

    value: str
    file: Path | None
    is_new: bool


async def ensure(settings: Settings, file: Path, given: str | None) -> FirstKey:
    """A key of the project `default`; both are made if they are not there.

    It is `given`, else the one in `file` unless that is revoked, else a new one, which is then written there for its
    owner alone. Raises `CannotStart` if `given` is no good.
    """
    engine = create_engine(settings)
    try:
        async with transaction(create_sessions(engine)) as session:
            project = await projects.find_project(session, _PROJECT) or await projects.create_project(session, _PROJECT)
            return await _key_of(session, project.id, file, given)
    except projects.UnusableKey as error:
        raise CannotStart(f"--api-key: {error}") from None
    finally:
        await engine.dispose()


async def _key_of(session: AsyncSession, project_id: str, file: Path, given: str | None) -> FirstKey:
    if given is not None:
        _, key = await projects.create_key(session, project_id, _NAME, key=given)
        return FirstKey(key, None, is_new=False)
    if (kept := _read(file)) is not None:
        with suppress(projects.UnusableKey):
            _, key = await projects.create_key(session, project_id, _NAME, key=kept)
            return FirstKey(key, file, is_new=False)
    _, key = await projects.create_key(session, project_id, _NAME)
    _write(file, key)
    return FirstKey(key, file, is_new=True)


def _read(file: Path) -> str | None:
    try:
        return file.read_text().strip() or None
    except FileNotFoundError:
        return None


def _write(file: Path, key: str) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(key + "\n")
