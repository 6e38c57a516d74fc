"""The project and the API key that a new Locum begins with. The key is an application's: it opens the project and
administers nothing."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import local_actor
from app.db.session import create_engine, create_sessions, transaction
from app.embedded.errors import CannotStart
from app.models import Project
from app.services import api_keys, projects
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

    It is `given`, else the one in `file` unless that has ended, else a new one, which is then written there for its
    owner alone. Raises `CannotStart` if `given` is no good.
    """
    engine = create_engine(settings)
    try:
        async with transaction(create_sessions(engine)) as session:
            project = await projects.found_or_made(session, local_actor(), _PROJECT)
            return await _key_of(session, project, file, given)
    except api_keys.UnusableKey as error:
        raise CannotStart(f"--api-key: {error}") from None
    finally:
        await engine.dispose()


async def _key_of(session: AsyncSession, project: Project, file: Path, given: str | None) -> FirstKey:
    by = local_actor()
    if given is not None:
        _, key = await api_keys.create(session, by, project, _NAME, key=given)
        return FirstKey(key, None, is_new=False)
    if (kept := _read(file)) is not None:
        with suppress(api_keys.UnusableKey):
            _, key = await api_keys.create(session, by, project, _NAME, key=kept)
            return FirstKey(key, file, is_new=False)
    _, key = await api_keys.create(session, by, project, _NAME)
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
