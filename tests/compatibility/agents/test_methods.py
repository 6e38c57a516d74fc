"""Every method of the installed client of Azure's agents, called for real: sync and async."""

import contextlib

import pytest

from tests.compatibility.agents.calling import AgentsCaller
from tests.compatibility.agents.operations import OF_THE_CLIENT, OPERATIONS
from tests.compatibility.agents.scenarios import SCENARIOS
from tests.compatibility.agents.surface import methods
from tests.compatibility.calling import KINDS, Kind
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum


@pytest.mark.parametrize("kind", KINDS)
async def test_every_method_is_called(locum: Locum, backend: CompletionBackend, kind: Kind) -> None:
    """A method that no scenario calls is new in the client: write one, and say what it comes to in `operations`."""
    async with contextlib.aclosing(AgentsCaller(locum, backend, kind)) as call:
        for scenario in SCENARIOS:
            await scenario(call)
    assert methods(call.client) == call.operations.keys() == OPERATIONS.keys() | OF_THE_CLIENT
    for path, places in OPERATIONS.items():
        assert call.operations[path] == set(places), path
