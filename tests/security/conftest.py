"""Two projects: one with an object of every kind, one whose key is used against it."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum
from tests.security.ground import made_objects


@pytest.fixture(scope="module")
def anybody(locum: Locum) -> Iterator[httpx2.Client]:
    """Plain HTTP without a key."""
    with httpx2.Client(base_url=locum.origin, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="module")
def owner(locum: Locum) -> Iterator[httpx2.Client]:
    with _opened(locum) as opened:
        yield opened


@pytest.fixture(scope="module")
def stranger(locum: Locum) -> Iterator[httpx2.Client]:
    with _opened(locum) as opened:
        yield opened


def _opened(locum: Locum) -> httpx2.Client:
    headers = {"OpenAI-Beta": "assistants=v2", "Authorization": f"Bearer {locum.new_project()}"}
    return httpx2.Client(base_url=locum.origin, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def ids(owner: httpx2.Client, backend: CompletionBackend) -> dict[str, str]:
    """An object of the owner's for every name of a path parameter."""
    return made_objects(owner, backend)
