"""A running Locum for the whole session, on real parts: Postgres, Redis, an API and a worker process, and a backend
that answers by script. Tests reach it as applications do, through the official client."""

import contextlib
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import hypothesis
import psycopg
import pytest
from openai import AsyncOpenAI, OpenAI
from playwright.async_api import Browser, Page

from tests.browser import Heard, open_page, run_browser
from tests.deployment.engine import CannotRun, Engine, run_engine, what_is_missing
from tests.fakes.completion_backend import CompletionBackend, ScriptedTurn
from tests.recorded import teach_the_client
from tests.running import Locum, run_locum
from tests.sharing import ByFile
from tests.stack import Stack, run_stack
from tests.watched_streams import Watch

teach_the_client()

# A machine that is busy is no bug. The same examples each time: `--hypothesis-profile=explore` looks for others.
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.register_profile("locum", deadline=None, derandomize=True)
# For `make fuzz`.
hypothesis.settings.register_profile("fuzz", deadline=None, print_blob=True)
hypothesis.settings.load_profile("locum")

#: Folders whose tests start stacks of their own.
_HEAVY = ("faults", "embedded", "deployment", "sdk")

#: Fixtures that are real parts, and what a module starts them with by itself.
_REAL = frozenset({"stack", "locum", "engine", "browser", "run_stack", "run_locum"})
#: Folders, besides the heavy ones, whose tests have other real parts.
_BESIDE = ("sandbox", "storage")

#: Sent by hand where the official client is not used.
BETA = {"OpenAI-Beta": "assistants=v2"}


@pytest.fixture(scope="session")
def watch() -> Iterator[Watch]:
    """Looks at every run's stream that is read through HTTP in this process."""
    watching = Watch()
    with pytest.MonkeyPatch.context() as patch:
        watching.put_on(patch.setattr)
        yield watching


@pytest.fixture(autouse=True)
def _events_are_in_order(watch: Watch) -> Iterator[None]:
    """Fails a test that saw a stream whose events do not follow each other as they must."""
    watch.taken()
    yield
    assert watch.taken() == []


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An empty Postgres with pgvector and a Redis."""
    with run_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def backend() -> Iterator[CompletionBackend]:
    """The scripted completion backend. Use a model of your own (`model`), so that tests stay apart."""
    with CompletionBackend() as running:
        yield running


@pytest.fixture(scope="session")
def locum(stack: Stack, backend: CompletionBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locum]:
    """The API and a worker of each kind, as processes of their own."""
    with run_locum(stack, backend.url, tmp_path_factory.mktemp("locum")) as running:
        yield running


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A Docker engine, for all tests. Where none can be run they are skipped; with `--docker=required` they fail."""
    required = request.config.getoption("--docker") == "required"
    if reason := what_is_missing():
        _do_without(reason, required=required)
    with contextlib.ExitStack() as running:
        folder = Path(tempfile.mkdtemp(prefix="locum-docker-"))
        try:
            engine = running.enter_context(run_engine(folder))
        except CannotRun as error:
            _do_without(str(error), required=required)
        yield engine


def _do_without(reason: str, *, required: bool) -> NoReturn:
    if required:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def database(locum: Locum) -> Iterator[psycopg.Connection]:
    """A connection to Locum's database, each statement its own transaction."""
    with psycopg.connect(locum.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def client(locum: Locum) -> Iterator[OpenAI]:
    """The official client; it refuses answers that are not of its types."""
    with locum.client() as opened:
        yield opened


@pytest.fixture
def other_client(locum: Locum) -> Iterator[OpenAI]:
    """The official client with the key of another project."""
    with locum.client(locum.new_project()) as opened:
        yield opened


@pytest.fixture
async def aclient(locum: Locum) -> AsyncIterator[AsyncOpenAI]:
    """The official asynchronous client."""
    async with AsyncOpenAI(
        base_url=locum.base_url, api_key=locum.api_key, max_retries=0, _strict_response_validation=True
    ) as opened:
        yield opened


@pytest.fixture(scope="session")
def http(locum: Locum) -> Iterator[httpx2.Client]:
    """Plain HTTP below `/v1`, authenticated, with the beta header."""
    headers = {"Authorization": f"Bearer {locum.api_key}", **BETA}
    with httpx2.Client(base_url=locum.base_url, headers=headers, timeout=30) as opened:
        yield opened


@pytest.fixture
def model(backend: CompletionBackend) -> Iterator[str]:
    """The name of a model that no other test uses; the backend must have found nothing wrong with its requests."""
    name = f"scripted-{uuid.uuid4().hex[:12]}"
    yield name
    found = [request.violation for request in backend.received(name) if request.violation is not None]
    backend.release(name)
    backend.forget(name)
    assert found == []


@pytest.fixture
def script(backend: CompletionBackend, model: str) -> Callable[..., None]:
    """Sets what `model` answers: `script(Turn(...), Turn(...))`."""

    def set_turns(*turns: ScriptedTurn, repeat: bool = False) -> None:
        backend.script(model, *turns, repeat=repeat)

    return set_turns


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium; where there is none the test is skipped."""
    async with run_browser() as running:
        yield running


@pytest.fixture
async def opened_page(browser: Browser) -> AsyncIterator[tuple[Page, Heard]]:
    """A page, and what it complains of: nothing, at the end of the test."""
    async with open_page(browser) as (page, heard):
        yield page, heard


@pytest.fixture(scope="session")
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for screenshots: `--pictures FOLDER`, or one that goes away."""
    given: str | None = request.config.getoption("--pictures")
    return Path(given) if given else tmp_path_factory.mktemp("pictures")


@pytest.fixture
def page(opened_page: tuple[Page, Heard]) -> Page:
    """A page in a profile of its own, for tests that expect no complaints."""
    return opened_page[0]


@pytest.fixture
def heard(opened_page: tuple[Page, Heard]) -> Heard:
    """What `page` complains of."""
    return opened_page[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-compatibility", action="store_true", help="docs/compatibility.md is written, not compared"
    )
    parser.addoption("--pictures", help="the folder for the screenshots that browser tests make")
    parser.addoption(
        "--docker",
        choices=("no", "able", "required"),
        default="no",
        help="the tests on a Docker engine: not at all, where one can be run, or failing where none can",
    )
    parser.addoption(
        "--unit", action="store_true", help="quick tests without any real part: no Postgres, Redis, browser, sandbox"
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """How several processes share the tests."""
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the tests in order. Those on a Docker engine, which build images for minutes, are asked for.

    Where several processes share them, what takes longest comes first, so that no process is left with it; one process
    by itself begins with what is quick.
    """
    if config.getoption("--unit"):
        config.hook.pytest_deselected(items=[item for item in items if not _is_unit(item)])
        items[:] = filter(_is_unit, items)
    items.sort(key=_weight, reverse=hasattr(config, "workerinput"))
    if config.getoption("--docker") == "no":
        for item in items:
            if _is_on_docker(item):
                item.add_marker(pytest.mark.skip(reason="needs a Docker engine: make test-deployment"))


def _weight(item: pytest.Item) -> int:
    """2 for tests on a Docker engine, 1 for those that start stacks of their own."""
    return 2 if _is_on_docker(item) else int(any(part in _HEAVY for part in item.path.parts))


def _is_unit(item: pytest.Item) -> bool:
    """Whether a test is quick and has no real part."""
    if item.get_closest_marker("slow") or {*_HEAVY, *_BESIDE}.intersection(item.path.parts):
        return False
    return _REAL.isdisjoint([*getattr(item, "fixturenames", ()), *vars(getattr(item, "module", None) or object)])


def _is_on_docker(item: pytest.Item) -> bool:
    return "engine" in getattr(item, "fixturenames", ())
