"""The demo application for the tests of this folder: one process for all of them, with a sandbox beside Locum."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.examples.help_desk import HelpDesk, run_help_desk
from tests.fakes.completion_backend import CompletionBackend, ScriptedTurn
from tests.running import Locum


@pytest.fixture(scope="package")
def _sandbox(locum: Locum) -> Iterator[None]:
    locum.start_sandbox()
    yield
    locum.stop("sandbox")


@pytest.fixture(scope="package")
def help_desk(
    locum: Locum, _sandbox: None, backend: CompletionBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HelpDesk]:
    """The running application; the model server must have found nothing wrong with what it was asked."""
    model = f"scripted-{uuid.uuid4().hex[:12]}"
    with run_help_desk(locum, model, tmp_path_factory.mktemp("help_desk")) as running:
        yield running
    assert [request.violation for request in backend.received(model) if request.violation is not None] == []


@pytest.fixture
def plays(help_desk: HelpDesk, backend: CompletionBackend) -> Iterator[Callable[..., None]]:
    """Sets what the help desk's model answers: `plays(Turn(...), Turn(...))`."""

    def set_turns(*turns: ScriptedTurn) -> None:
        backend.script(help_desk.model, *turns)

    yield set_turns
    backend.release(help_desk.model)
