"""A short storm: what `make faults` does at length."""

import os
from pathlib import Path

import pytest

from app.settings import SandboxSettings
from sandbox.environment import Environment
from tests.fakes.completion_backend import CompletionBackend
from tests.faults.injectors import FAULTS
from tests.faults.storm import Storm
from tests.faults.system import run_system

CASES = 36


@pytest.mark.timeout(400)
def test_nothing_is_lost_stuck_or_doubled_in_a_storm(backend: CompletionBackend, tmp_path: Path) -> None:
    seed = int(os.environ.get("LOCUM_FAULTS_SEED", "1"))
    has_sandbox = Environment.of(SandboxSettings()).problem() is None
    with run_system(tmp_path, backend, has_sandbox=has_sandbox) as system:
        storm = Storm(system, backend, seed, CASES)
        said: list[str] = [f"seed {seed}"]
        wrong = storm.blow(said.append)
    assert not wrong, "\n".join([*said, *wrong])
    assert set(storm.happened) == {fault.__name__ for fault in FAULTS}
    assert {case.status for case in storm.cases if not case.may_fail} == {"completed"}
