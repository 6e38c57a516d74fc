"""The chain of the audit log: whatever is done to the past is found."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import AuditEntry
from app.services.audit_chain import START, Checker, hash_of

_AT = datetime(2025, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def _log(count: int) -> list[AuditEntry]:
    """A log that is as it was written."""
    entries: list[AuditEntry] = []
    for seq in range(1, count + 1):
        entry = AuditEntry(
            seq=seq,
            id=f"audit_{seq}",
            effective_at=_AT + timedelta(seconds=seq),
            type="project.created",
            project_id=f"proj_{seq}",
            project_name="Läden & Söhne",
            actor="cli:root",
            address=None,
            details={"id": f"proj_{seq}", "data": {"name": "a", "scopes": ["read"], "expires_at": seq}},
            previous=entries[-1].hash if entries else START,
        )
        entry.hash = hash_of(entry)
        entries.append(entry)
    return entries


def _checked(entries: list[AuditEntry]) -> Checker:
    checker = Checker()
    checker.read(entries)
    return checker


def test_a_log_that_is_whole() -> None:
    entries = _log(5)
    checker = _checked(entries)
    assert (checker.count, checker.head, checker.broken) == (5, entries[-1].hash, None)
    assert (_checked([]).count, _checked([]).head) == (0, START)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "audit_x"),
        ("effective_at", _AT),
        ("type", "project.deleted"),
        ("project_id", None),
        ("project_name", "Laden"),
        ("actor", "cli:nobody"),
        ("address", "192.0.2.1"),
        ("details", {"id": "proj_3", "data": {"name": "b", "scopes": ["read"], "expires_at": 3}}),
        ("hash", bytes(32)),
        ("previous", bytes(32)),
    ],
)
def test_an_entry_that_was_changed(name: str, value: Any) -> None:
    entries = _log(5)
    setattr(entries[2], name, value)
    broken = _checked(entries).broken
    assert broken is not None
    assert broken.seq == 3


def _rehash(entries: list[AuditEntry], place: int) -> None:
    """As who changes an entry and knows how hashes are made, but leaves those behind it."""
    entries[place].actor = "cli:nobody"
    entries[place].hash = hash_of(entries[place])


def _insert(entries: list[AuditEntry], place: int) -> None:
    (new,) = _log(1)
    new.seq, new.previous = entries[place].seq, entries[place].previous
    new.hash = hash_of(new)
    for entry in entries[place:]:
        entry.seq += 1
    entries.insert(place, new)


def _swap(entries: list[AuditEntry], place: int) -> None:
    first, second = entries[place], entries[place + 1]
    first.seq, second.seq = second.seq, first.seq
    entries[place], entries[place + 1] = second, first


def _remove(entries: list[AuditEntry], place: int) -> None:
    del entries[place]


def _remove_and_close(entries: list[AuditEntry], place: int) -> None:
    del entries[place]
    for seq, entry in enumerate(entries, 1):
        entry.seq = seq


@given(
    st.integers(0, 7),
    st.sampled_from(
        [(_rehash, 1), (_insert, 0), (_insert, 1), (_swap, 0), (_remove, 0), (_remove_and_close, 0)],
    ),
)
def test_what_was_done_to_the_past(place: int, done: tuple[Callable[[list[AuditEntry], int], None], int]) -> None:
    entries = _log(10)
    done[0](entries, place)
    broken = _checked(entries).broken
    assert broken is not None
    assert place + 1 <= broken.seq <= place + 2


@given(st.integers(0, 9))
def test_a_tail_that_was_cut_has_another_head(count: int) -> None:
    whole = _checked(_log(10))
    cut = _checked(_log(10)[:count])
    assert cut.broken is None
    assert cut.head != whole.head
