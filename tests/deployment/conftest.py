"""The engine, the images and the deployment: made once, since that takes a minute."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.deployment import images
from tests.deployment.deployment import Deployment, run_deployment
from tests.deployment.engine import CannotRun, Engine, run_engine, what_is_missing


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A Docker engine. Where none can be run the tests are skipped; with `--docker=required` they fail."""
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


@pytest.fixture(scope="session")
def package_index(engine: Engine) -> str:
    """The URL that the packages in Locum's image came from; the images are made."""
    return images.make_images(engine)


@pytest.fixture(scope="session")
def deployment(engine: Engine, package_index: str) -> Iterator[Deployment]:
    """Locum as the compose file runs it, healthy."""
    with run_deployment(engine) as running:
        yield running
