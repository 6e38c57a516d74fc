"""The API on S3: what clients do with files, and what is left in the bucket."""

import uuid
from collections.abc import Iterator

import pytest
from openai import OpenAI

from app.settings import Settings
from app.storage import create_storage
from tests.fakes.s3 import S3Server
from tests.running import Locum, free_port
from tests.storage.test_contract import LARGE, keys

#: Of its own for every session: the server may be an old one.
PREFIX = f"served/{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def client_on_s3(locum: Locum, s3: S3Server) -> Iterator[OpenAI]:
    """The official client of another API process on the same database, which keeps its files in S3."""
    port = free_port()
    storage = {f"LOCUM_{name.upper()}": value for name, value in s3.settings(PREFIX).items()}
    environment = {**locum.environment, **storage, "LOCUM_PORT": str(port)}
    other = Locum(environment, locum.logs, locum.database_url, port, locum.new_project())
    other.start("api-on-s3", "api")
    try:
        other.wait_until_ready()
        with other.client() as opened:
            yield opened
    finally:
        other.stop("api-on-s3")


async def test_files_and_uploads_in_a_bucket(client_on_s3: OpenAI, s3: S3Server) -> None:
    client = client_on_s3
    storage = create_storage(Settings(**s3.settings(PREFIX)))  # type: ignore[arg-type]
    made = client.files.create(file=("large.bin", LARGE), purpose="assistants")
    assert client.files.content(made.id).read() == LARGE
    part = client.files.content(made.id, extra_headers={"Range": "bytes=4194300-4194309"}).read()
    assert part == LARGE[4194300:4194310]

    completed = client.uploads.upload_file_chunked(
        file=LARGE, filename="a", bytes=len(LARGE), mime_type="text/plain", purpose="batch", part_size=2**22
    )
    assert completed.file is not None
    assert client.files.content(completed.file.id).read() == LARGE
    assert await keys(storage, "parts") == []
    assert await keys(storage, "files") == sorted([f"files/{made.id}", f"files/{completed.file.id}"])

    client.files.delete(made.id)
    client.files.delete(completed.file.id)
    assert await keys(storage, "files") == []
