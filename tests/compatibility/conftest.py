"""Records of the calls that the tests of this folder make, which the document is made of."""

import pytest

from tests.compatibility.calling import Record


@pytest.fixture(scope="session")
def record() -> Record:
    """What the Python clients have called so far."""
    return Record()
