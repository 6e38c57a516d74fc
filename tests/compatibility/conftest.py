"""Clients for tests of what parameters do."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

from tests import compatibility
from tests.compatibility.telling import Told
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum


@pytest.fixture(scope="session")
def all_effects() -> None:
    """What all tests show of parameters: known once their modules are imported."""
    for module in pkgutil.iter_modules(compatibility.__path__):
        import_module(f"{compatibility.__name__}.{module.name}")


@pytest.fixture
def told(request: pytest.FixtureRequest, locum: Locum, backend: CompletionBackend) -> Iterator[Told]:
    """A client in a project of its own; the test must send the parameters that it says it shows."""
    opened = Told(locum, backend, locum.new_project())
    yield opened
    opened.close()
    callspec = getattr(request.node, "callspec", None)
    here = callspec.params.get("place") if callspec else None
    assert opened.sent.lacks(getattr(request.function, "shows", {}), here) == []
