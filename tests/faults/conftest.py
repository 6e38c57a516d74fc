"""A Locum whose servers can be taken away, for the tests of this folder, and clients of that one."""

from collections.abc import Iterator

import httpx2
import pytest
from openai import OpenAI

from tests.conftest import BETA
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum, run_locum
from tests.stack import BreakableStack, run_breakable_stack
from tests.watched_streams import Watch


@pytest.fixture(autouse=True)
def _logs_are_lost(watch: Watch) -> Iterator[None]:
    """A Redis that is away loses what it should have been told, so a stream may lack its beginning."""
    watch.is_lossy = True
    yield
    watch.is_lossy = False


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BreakableStack]:
    """A Postgres and a Redis that can be stopped and started."""
    with run_breakable_stack(tmp_path_factory.mktemp("breakable")) as running:
        yield running


@pytest.fixture(scope="session")
def locum(
    servers: BreakableStack, backend: CompletionBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Locum]:
    """The API and workers on them. Whoever breaks something mends it."""
    folder = tmp_path_factory.mktemp("breakable-locum")
    settings = {
        "LOCUM_MAX_QUEUED_RUNS": "3",
        "LOCUM_KEY_REQUESTS_PER_MINUTE": "100000",
        "LOCUM_DATABASE_POOL_TIMEOUT": "5",
    }
    with run_locum(servers.urls, backend.url, folder, **settings) as running:
        yield running


@pytest.fixture
def client(locum: Locum) -> Iterator[OpenAI]:
    """The official client."""
    with locum.client() as opened:
        yield opened


@pytest.fixture
def http(locum: Locum) -> Iterator[httpx2.Client]:
    """Plain HTTP below `/v1`, authenticated, with the beta header."""
    headers = {"Authorization": f"Bearer {locum.api_key}", **BETA}
    with httpx2.Client(base_url=locum.base_url, headers=headers, timeout=30) as opened:
        yield opened
