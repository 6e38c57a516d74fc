"""The statuses and events of the domain are those of the wire."""

from enum import StrEnum
from typing import get_args

import pytest
from pydantic import BaseModel

from app.domain import statuses
from app.domain.event_names import EventName
from app.schemas import file_batches, messages, run_steps, runs, uploads, vector_store_files, vector_stores
from tests.event_order import NAMES


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (runs.Run, statuses.RunStatus),
        (run_steps.RunStep, statuses.StepStatus),
        (messages.Message, statuses.MessageStatus),
        (vector_store_files.VectorStoreFile, statuses.FileStatus),
        (file_batches.FileBatch, statuses.FileStatus),
        (vector_stores.VectorStore, statuses.StoreStatus),
        (uploads.Upload, statuses.UploadStatus),
    ],
)
def test_what_is_told_is_what_there_is(told: type[BaseModel], known: type[StrEnum]) -> None:
    assert set(get_args(told.model_fields["status"].annotation)) == set(known)


def test_a_run_that_has_ended_stays_as_it_is_and_every_other_can_end() -> None:
    assert {*statuses.ACTIVE, *statuses.TERMINAL} == set(statuses.RunStatus) == set(statuses.TRANSITIONS)
    for status in statuses.ACTIVE:
        assert statuses.TRANSITIONS[status] & {*statuses.TERMINAL, statuses.RunStatus.CANCELLING}


def test_every_event_of_a_run_has_a_name() -> None:
    assert {*EventName, "error", "done"} == NAMES
