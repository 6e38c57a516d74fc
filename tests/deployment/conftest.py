"""The images and the deployment: made once, since that takes minutes."""

from collections.abc import Iterator

import pytest

from tests.deployment import images
from tests.deployment.deployment import Deployment, run_deployment
from tests.deployment.engine import Engine
from tests.sandbox import image as sandbox_image


@pytest.fixture(scope="session")
def package_index(engine: Engine) -> str:
    """The URL that the packages in Locum's image came from; the images are made."""
    index = images.make_images(engine)
    sandbox_image.make_image(engine)
    return index


@pytest.fixture(scope="session")
def deployment(engine: Engine, package_index: str) -> Iterator[Deployment]:
    """Locum as the compose file runs it, healthy."""
    with run_deployment(engine) as running:
        yield running
