"""Locum by its compose file, on an engine of the tests' own."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import OpenAI

from tests.deployment import images
from tests.deployment.engine import CommandFailed, Engine
from tests.deployment.images import REPOSITORY
from tests.fakes.completion_backend import CompletionBackend
from tests.running import free_port, wait_for
from tests.sandbox import image as sandbox_image

_HEALTHY_SECONDS = 60


@dataclass
class Deployment:
    """A deployment that is up, with a key for its API and the model server that it asks."""

    engine: Engine
    variables: Path
    port: int
    backend: CompletionBackend
    api_key: str = ""

    def compose(self, *arguments: str) -> str:
        """`docker-compose ...`; gives what it printed. Raises CommandFailed."""
        return compose(self.engine, self.variables, *arguments)

    def up(self, *options: str) -> None:
        """`docker-compose up`, until every container is healthy. Raises CommandFailed with the ends of the logs."""
        try:
            self.compose("up", "--detach", "--no-build", *options)
            wait_for(self._is_healthy, "healthy containers", _HEALTHY_SECONDS)
        except (CommandFailed, TimeoutError) as error:
            raise CommandFailed(f"{error}\n{self.compose('logs', '--no-color', '--tail=20')}") from None

    def _is_healthy(self) -> bool:
        return {self.health(name) for service in _LASTING for name in self.containers(service)} == {"healthy"}

    def client(self) -> OpenAI:
        """The official client, at the published port."""
        return OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=self.api_key, max_retries=0, timeout=30)

    def containers(self, service: str) -> list[str]:
        """The containers of `service`, whether they run or not, without those of `run`."""
        labels = [f"service={service}", "oneoff=False"]
        filters = [f"--filter=label=com.docker.compose.{label}" for label in labels]
        return self.engine.docker("ps", "--all", "--quiet", *filters).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows of `container`."""
        found: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", container))
        return found[0]

    def health(self, container: str) -> str:
        """The state of the health check of `container`: starting, healthy, unhealthy; or why there is none."""
        state = self.inspect(container)["State"]
        return str(state["Health"]["Status"]) if state["Running"] else "not running"


_LASTING = ("postgres", "redis", "api", "worker", "ingestion", "embeddings", "sandbox")


def compose(engine: Engine, variables: Path, *arguments: str) -> str:
    """`docker-compose ...` with the file `variables` in the place of `.env`. Raises CommandFailed."""
    files = [f"--file={REPOSITORY}/docker-compose.yml", f"--file={REPOSITORY}/tests/deployment/impatient.yml"]
    options = ["--ansi=never", "--project-name=locum", "--profile=sandbox", *files, f"--env-file={variables}"]
    return engine.run("docker-compose", *options, *arguments)


@contextlib.contextmanager
def run_deployment(engine: Engine) -> Iterator[Deployment]:
    """Runs the compose file with the images of `tests.deployment.images` until the block is left."""
    port, backend_port = free_port(), free_port()
    variables = engine.folder / "env"
    settings = {
        "POSTGRES_PASSWORD": "correcthorse1",
        "REDIS_PASSWORD": "batterystaple2",
        "LOCUM_IMAGE": images.LOCUM,
        "LOCUM_POSTGRES_IMAGE": images.POSTGRES,
        "LOCUM_REDIS_IMAGE": images.REDIS,
        "LOCUM_PORT": str(port),
        "LOCUM_BACKEND_URL": f"http://host.docker.internal:{backend_port}/v1",
        "LOCUM_BACKEND_API_KEY": "the-key-of-the-model-server",
        "LOCUM_MODELS": '[{"match": "scripted-*"}]',
        "LOCUM_SANDBOX_IMAGE": sandbox_image.IMAGE,
        "LOCUM_SANDBOX_URL": "http://sandbox:8070",
        "LOCUM_SANDBOX_TOKEN": "the-token-of-the-sandbox",
        "LOCUM_SANDBOX_MOUNT": f"{engine.folder}/sandbox",
        "LOCUM_DOCKER_SOCKET": f"{engine.folder}/docker.sock",
    }
    variables.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    backend = CompletionBackend(host=engine.gateway, port=backend_port)
    deployment = Deployment(engine, variables, port, backend)
    try:
        deployment.up()
        # Its address is the network's, which `up` has made.
        with backend:
            deployment.api_key = deployment.compose("run", "--rm", "-T", "api", "keys", "create").splitlines()[-1]
            yield deployment
    finally:
        deployment.compose("down", "--volumes")
