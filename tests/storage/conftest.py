"""The storages that Locum has, each on a place of its own for every test."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.storage import Storage, create_storage
from tests.fakes.s3 import S3Server, run_s3


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server."""
    with run_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(params=["local", "s3"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """An empty storage of each kind."""
    settings: dict[str, Any] = {"data_dir": tmp_path}
    if request.param == "s3":
        settings |= request.getfixturevalue("s3").settings(f"tests/{uuid.uuid4().hex}")
    made = create_storage(Settings(**settings))
    yield made
    await made.aclose()
