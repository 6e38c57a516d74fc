"""Log lines: no secret leaves by them, and other libraries' lines take the same way."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from app.telemetry import without_secrets

_LINES = """
import logging, structlog
from app.settings import Settings
from app.telemetry import configure_logging
configure_logging(Settings(log_format=%r))
log = structlog.get_logger()
log.debug("not heard")
log.info("started", url="postgresql://u:hunter2@h/d", api_key="hunter2", workers=3)
logging.getLogger("uvicorn.error").warning("from %%s", "elsewhere")
logging.getLogger("uvicorn.access").info("not heard either")
try:
    raise RuntimeError("Bearer hunter2")
except RuntimeError:
    log.exception("failed")
"""


def _logged(log_format: str) -> list[str]:
    command = [sys.executable, "-c", _LINES % log_format]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert done.stdout == ""
    assert "hunter2" not in done.stderr
    return done.stderr.splitlines()


def test_lines_as_json() -> None:
    started, elsewhere, failed = [orjson.loads(line) for line in _logged("json")]
    assert (started["event"], started["level"], started["workers"]) == ("started", "info", 3)
    assert started["timestamp"].endswith("Z")
    assert (elsewhere["event"], elsewhere["level"]) == ("from elsewhere", "warning")
    assert (failed["event"], failed["level"]) == ("failed", "error")
    assert "RuntimeError" in failed["exception"]


def test_lines_for_people() -> None:
    lines = _logged("console")
    assert "[info     ] started" in lines[0]
    assert "[warning  ] from elsewhere" in lines[1]
    assert any("RuntimeError" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer [secret]"),
        ("postgresql://u:p%40ss@h:5432/d?x=1", "postgresql://u:[secret]@h:5432/d?x=1"),
        ("redis://:pw@h", "redis://:[secret]@h"),
        ("key sk-locum-abcdefghijk.", "key [secret]."),
        ("key sk-abcdefgh12345678", "key [secret]"),
        ("http://h:80/v1 at 10:30@noon", "http://h:80/v1 at 10:30@noon"),
        ("task-runner and risk-averse", "task-runner and risk-averse"),
    ],
)
def test_secrets_are_cut_out(text: str, expected: str) -> None:
    assert without_secrets(text) == expected
