"""SECURITY.md's table of promises names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (?P<promise>[^|]+) \| (?P<means>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)(?:::(?P<function>\w+))?`")


def _rows() -> dict[str, str]:
    """Returns the column of tests of each promise."""
    rows = {row["promise"]: row["tests"] for row in _ROW.finditer((_ROOT / "SECURITY.md").read_text())}
    return {promise: tests for promise, tests in rows.items() if promise not in ("promise", "---")}


@cache
def _functions(file: Path) -> frozenset[str]:
    """Returns the names of the test functions of a file."""
    nodes = ast.walk(ast.parse(file.read_text()))
    functions = (node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in functions if name.startswith("test_"))


def test_every_line_of_the_table_is_read() -> None:
    lines = [line for line in (_ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("|")]
    assert len(lines) == len(_rows()) + 2  # the head and its rule


@pytest.mark.parametrize("promise", _rows())
def test_a_promise_has_a_test(promise: str) -> None:
    named = _rows()[promise]
    tests = list(_TEST.finditer(named))
    assert tests
    assert not _TEST.sub("", named).strip(), f"not the names of tests: {named}"
    for test in tests:
        functions = _functions(_ROOT / test["file"])
        assert functions if test["function"] is None else test["function"] in functions, test[0]
