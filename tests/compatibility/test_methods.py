"""Every method of the installed client, called for real: sync and async, plain, raw and streaming."""

import contextlib

import pytest

from tests.compatibility.calling import KINDS, Caller, Kind, Record
from tests.compatibility.operations import NOT_SERVED, OPERATIONS
from tests.compatibility.scenarios import SCENARIOS
from tests.compatibility.surface import VARIANTS, Variant
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum

#: What the client says of `files.retrieve_content`.
pytestmark = pytest.mark.filterwarnings("ignore:The `.content\\(\\)` method should be used instead:DeprecationWarning")

_PLAYS = [(kind, variant) for kind in KINDS for variant in VARIANTS]


@pytest.mark.parametrize(("kind", "variant"), _PLAYS, ids=["-".join(play) for play in _PLAYS])
async def test_every_method_is_called(locum: Locum, backend: CompletionBackend, kind: Kind, variant: Variant) -> None:
    """A method that no scenario calls is new in the client: write one, and say what it comes to in `operations`."""
    record = Record()
    async with contextlib.aclosing(Caller(locum, backend, kind, variant, record)) as call:
        for scenario in SCENARIOS:
            await scenario(call)
        offered = call.offered
    called = {called.method for called in record.called}
    assert {method for method in offered if method.variant == variant} - called == set()
    assert called - offered == set()
    assert {called.method.path for called in record.answered} == OPERATIONS.keys()
    assert {called.method.path for called in record.refused} == NOT_SERVED.keys()
    for path, places in OPERATIONS.items():
        assert set(places) - record.operations[path] == set(), path
