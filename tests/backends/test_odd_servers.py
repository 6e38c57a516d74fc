"""Ten thousand answers in the forms of every server: each is heard as what it means, no call lost and none doubled."""

from typing import Any

import orjson
import pytest

from app.backends.base import Delta, Finish, TextDelta, ToolCallDelta
from app.backends.deltas import DeltaReader
from app.backends.sse import EventSplitter
from tests.backends.odd_servers import TOOLS, Case, case
from tests.backends.test_call_assembly import assembled

CASES = 10_000
_PARTS = 4


def heard(given: Case) -> tuple[str, list[tuple[str, Any]], str]:
    """Text, calls and the reason of the end."""
    splitter, reader = EventSplitter(), DeltaReader(TOOLS)
    deltas: list[Delta] = []
    for write in [*given.writes, b""]:
        for payload in splitter.feed(write) if write else splitter.end():
            if payload.strip() != b"[DONE]":
                reader.read(payload, deltas)
    deltas += reader.finish()
    calls = assembled([delta for delta in deltas if isinstance(delta, ToolCallDelta)])
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    finish = deltas[-1]
    assert isinstance(finish, Finish)
    return text, [(name, orjson.loads(arguments or "{}")) for name, arguments in calls], finish.reason


@pytest.mark.parametrize("part", range(_PARTS))
def test_every_answer_is_heard_as_what_it_means(part: int) -> None:
    for number in range(part, CASES, _PARTS):
        given = case(number)
        meant = given.meant
        try:
            found = heard(given)
        except Exception as error:
            raise AssertionError(f"case {number}: {given.form}") from error
        assert found == (meant.text, meant.calls, meant.finish_reason), f"case {number}: {given.form}"
