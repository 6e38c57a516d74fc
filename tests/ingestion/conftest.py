"""The warm process that tests of readers share."""

from collections.abc import Iterator

import pytest

from tests.ingestion.test_parsing import warm


@pytest.fixture(scope="session", autouse=True)
def _warm_process_ends() -> Iterator[None]:
    yield
    warm.close()
