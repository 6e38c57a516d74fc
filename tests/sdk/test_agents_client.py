"""Every method of the Node client for Azure's agents, called for real."""

import json
import re
from pathlib import Path

import httpx2

from tests.compatibility.agents.operations import NODE_NAMES, OPERATIONS, PYTHON_ONLY
from tests.compatibility.calling import operation
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum
from tests.sdk.installing import run


def _in_python(path: str) -> str:
    """The method's name in the Python client."""
    return NODE_NAMES.get(path) or re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", path)


def test_every_method_is_called(locum: Locum, backend: CompletionBackend, node_folder: Path) -> None:
    where = ["--base-url", locum.base_url, "--api-key", locum.new_project(), "--backend", backend.origin]
    report = json.loads(run("node", "agents.mjs", "--origin", locum.origin, *where, cwd=node_folder))
    assert set(report["offered"]) == report["operations"].keys()
    assert {_in_python(path) for path in report["offered"]} == OPERATIONS.keys() - PYTHON_ONLY
    for path, asked in report["operations"].items():
        name = _in_python(path)
        called = {operation(method, httpx2.URL(url)) for method, _, url in (one.partition(" ") for one in asked)}
        # What is made is asked for again until it is ready, by all methods that make something.
        assert called - {*OPERATIONS[name], *OPERATIONS.get(f"{name}_and_poll", ())} == set(), path
        assert OPERATIONS[name][0] in called
