"""Every method of the installed client, called for real: sync and async, plain, raw and streaming."""

from collections.abc import AsyncIterator
from typing import cast

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.compatibility.calling import KINDS, Called, Caller, Record
from tests.compatibility.operations import NOT_SERVED, OPERATIONS
from tests.compatibility.scenarios import SCENARIOS, Scenario
from tests.compatibility.surface import VARIANTS, methods
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum

#: What the client says of `files.retrieve_content`.
pytestmark = pytest.mark.filterwarnings("ignore:The `.content\\(\\)` method should be used instead:DeprecationWarning")

_PLAYS = [(kind, variant) for kind in KINDS for variant in VARIANTS]
_played: set[tuple[str, str, Scenario]] = set()


@pytest.fixture(params=_PLAYS, ids=["-".join(play) for play in _PLAYS], scope="module")
async def call(
    request: pytest.FixtureRequest, locum: Locum, backend: CompletionBackend, record: Record
) -> AsyncIterator[Caller]:
    kind, variant = request.param
    opened = Caller(locum, backend, kind, variant, record)
    yield opened
    await opened.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_a_scenario(call: Caller, scenario: Scenario) -> None:
    await scenario(call)
    _played.add((call.kind, call.variant, scenario))


def test_no_method_is_left_out(record: Record) -> None:
    """A method that no scenario calls is new in the client: write one, and say in the document what it comes to."""
    if len(_played) < len(_PLAYS) * len(SCENARIOS):
        pytest.skip("not all scenarios have been played")
    clients = {"sync": OpenAI(api_key="none"), "async": AsyncOpenAI(api_key="none")}
    offered = {Called(kind, method) for kind in KINDS for method in methods(cast("OpenAI", clients[kind]))}
    assert offered - record.called == set()
    assert record.called - offered == set()
    assert {called.method.path for called in record.answered} == OPERATIONS.keys()
    assert {called.method.path for called in record.refused} == NOT_SERVED.keys()
    for path, places in OPERATIONS.items():
        assert set(places) - record.operations[path] == set(), path
