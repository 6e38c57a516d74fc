"""Clients of the past."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.running import Locum


@pytest.fixture
def v1(locum: Locum) -> Iterator[httpx2.Client]:
    """Plain HTTP below `/v1`, authenticated, with the beta header of version 1."""
    headers = {"Authorization": f"Bearer {locum.api_key}", "OpenAI-Beta": "assistants=v1"}
    with httpx2.Client(base_url=locum.base_url, headers=headers, timeout=30) as opened:
        yield opened
