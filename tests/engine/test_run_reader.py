"""What a reader of a run's events takes for the next one, and where it waits for the rows to tell what is missing."""

from typing import Any

import pytest

from app.domain.event_names import EventName
from app.events import START, Entry, Place, frame
from app.services.run_reader import RunReader

_QUEUED = ((0, 1, EventName.RUN_CREATED), (0, 2, EventName.RUN_QUEUED))


def _read(*told: tuple[int, int, str]) -> RunReader:
    nothing: Any = None
    reader = RunReader(nothing, nothing, "run_1", START)
    for attempt, number, name in told:
        place = Place(attempt, number)
        kind = name.removeprefix("thread.").rpartition(".")[0].rpartition(".")[2]
        reader.pass_on([Entry(place, name, frame(place, name, b'{"id":"%s_1"}' % kind.encode()))])
    return reader


@pytest.mark.parametrize(
    "following",
    [
        [(1, 1, EventName.RUN_IN_PROGRESS), (1, 2, EventName.STEP_CREATED)],
        # The first worker was lost before it had told anything.
        [(2, 1, EventName.RUN_IN_PROGRESS)],
        [(1, 1, EventName.RUN_EXPIRED)],
        [(1, 1, EventName.RUN_CANCELLING), (1, 2, EventName.RUN_CANCELLED)],
    ],
)
def test_what_follows_a_queued_run_is_passed_on(following: list[tuple[int, int, str]]) -> None:
    assert not _read(*_QUEUED, *following).is_held_up


@pytest.mark.parametrize(
    "following",
    [
        # That it is in progress was lost, with the log of the worker that had told it.
        [(2, 1, EventName.STEP_CREATED)],
        [(1, 2, EventName.STEP_CREATED)],
        [(1, 1, EventName.RUN_IN_PROGRESS), (1, 3, EventName.STEP_IN_PROGRESS)],
        [(1, 1, EventName.RUN_IN_PROGRESS), (1, 2, EventName.STEP_CREATED), (2, 1, EventName.STEP_CREATED)],
        [(1, 1, EventName.RUN_IN_PROGRESS), (1, 2, EventName.STEP_CREATED), (1, 3, EventName.RUN_COMPLETED)],
    ],
)
def test_where_something_is_missing_the_rows_are_waited_for(following: list[tuple[int, int, str]]) -> None:
    assert _read(*_QUEUED, *following).is_held_up
