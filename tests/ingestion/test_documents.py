"""Texts of files: kept as long as a file needs them."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from openai import OpenAI

from app.db.session import Sessions, create_engine, create_sessions, transaction
from app.services import documents
from app.settings import Settings
from tests.api.stored_files import ended, new_store, upload, words
from tests.running import Locum


@pytest.fixture
async def sessions(locum: Locum) -> AsyncIterator[Sessions]:
    engine = create_engine(Settings(database_url=locum.database_url))
    yield create_sessions(engine).of_all()
    await engine.dispose()


async def drop_unused(sessions: Sessions) -> None:
    dropped = 1
    while dropped:
        async with transaction(sessions) as session:
            dropped = await documents.drop_unused(session)


async def test_a_text_goes_with_the_last_file_that_has_it(
    client: OpenAI, database: psycopg.Connection, sessions: Sessions
) -> None:
    text = words(20, "onlyhere")

    def is_kept() -> bool:
        return database.execute("SELECT 1 FROM documents WHERE text = %s", [text]).fetchone() is not None

    store, first, second = new_store(client), upload(client, text), upload(client, text)
    for file_id in (first, second):
        client.vector_stores.files.create(store, file_id=file_id)
        ended(client, store, file_id)
    client.files.delete(first)
    await drop_unused(sessions)
    assert is_kept()
    assert client.vector_stores.files.content(second, vector_store_id=store).data[0].text == text
    client.vector_stores.files.delete(second, vector_store_id=store)
    await drop_unused(sessions)
    assert not is_kept()


async def test_a_text_is_kept_once_however_often_it_is_made(database: psycopg.Connection, sessions: Sessions) -> None:
    row = database.execute("SELECT id FROM projects LIMIT 1").fetchone()
    assert row is not None
    async with transaction(sessions) as session:
        made = [await documents.keep(session, row[0], b"sha", "text", "Twice.", []) for _ in range(2)]
        found = await documents.find(session, row[0], b"sha", "text")
    assert found is not None
    assert [found.id, found.id] == made
    assert database.execute("SELECT count(*) FROM documents WHERE sha256 = 'sha'").fetchone() == (1,)
