"""Every method of the Node client, called for real."""

import json
import re

import pytest

from tests.compatibility.operations import NODE_ONLY, NOT_SERVED, OPERATIONS, PYTHON_ONLY
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum
from tests.sdk.conftest import NodeClient
from tests.sdk.installing import run
from tests.watched_streams import Watch

#: The clients are installed from their registries.
pytestmark = pytest.mark.timeout(300)


def _in_python(path: str) -> str:
    """The method's name in the Python client."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", path)


def test_every_method_is_called(
    locum: Locum, backend: CompletionBackend, node_client: NodeClient, watch: Watch
) -> None:
    where = ["--base-url", locum.base_url, "--api-key", locum.new_project(), "--backend", backend.origin]
    program = [node_client.node, "--import", "./recorded_streams.mjs", "methods.mjs"]
    report = json.loads(run(*program, *where, cwd=node_client.folder))
    watch.read(node_client.folder / "streams.jsonl")
    offered, answered, refused = (set(report[name]) for name in ("offered", "answered", "refused"))
    assert offered - answered - refused == set()
    assert (answered | refused) - offered == set()
    known = (OPERATIONS.keys() | NODE_ONLY.keys()) - PYTHON_ONLY
    assert {_in_python(path) for path in answered} == known
    assert {_in_python(path) for path in refused} == NOT_SERVED.keys()
