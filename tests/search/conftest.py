"""A library of the session's Locum, for tests below the API."""

from collections.abc import AsyncIterator

import pytest

from app.db.session import Sessions, create_engine, create_sessions
from app.settings import Settings
from tests.running import Locum
from tests.search.library import Library


@pytest.fixture
async def sessions(locum: Locum) -> AsyncIterator[Sessions]:
    """Sessions on Locum's database, one at a time: who opens another within one waits in vain."""
    engine = create_engine(Settings(database_url=locum.database_url, database_pool_size=1, database_pool_timeout=2))
    yield create_sessions(engine)
    await engine.dispose()


@pytest.fixture
async def library(locum: Locum, sessions: Sessions) -> Library:
    """A project of the test's own."""
    return await Library.of_key(sessions, locum.new_project())
