"""The chain of the audit log: each entry has a hash over itself and the hash of the entry before.

So an entry that was changed, removed, put in or moved is found by whoever reads the chain. A tail that was cut off is
found by who has noted the hash of the last entry elsewhere. It takes no secret to write on at the end: the chain tells
that the past is as it was, not who may write.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

#: The hash before the first entry.
START: Final = bytes(32)


class Entry(Protocol):
    """An entry, as app.models.AuditEntry has it."""

    seq: Any
    id: Any
    effective_at: Any
    type: Any
    project_id: Any
    project_name: Any
    actor: Any
    address: Any
    details: Any
    previous: Any
    hash: Any


def hash_of(entry: Entry) -> bytes:
    """Returns the SHA-256 of an entry: of JSON with sorted names, without spaces, in ASCII, times in microseconds."""
    at: datetime = entry.effective_at
    canonical = {
        "seq": entry.seq,
        "id": entry.id,
        "effective_at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "type": entry.type,
        "project_id": entry.project_id,
        "project_name": entry.project_name,
        "actor": entry.actor,
        "address": entry.address,
        "details": entry.details,
        "previous": bytes(entry.previous).hex(),
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain is broken first, and why."""

    seq: int
    why: str


class Checker:
    """Reads a log from its beginning, in pieces."""

    def __init__(self) -> None:
        self.count = 0
        self.head = START
        self.broken: Break | None = None

    def read(self, entries: Iterable[Entry]) -> None:
        """Goes on with `entries`, in the order of `seq`; nothing more once the chain is broken."""
        for entry in entries:
            if self.broken is not None:
                return
            why = self._fault(entry)
            if why is not None:
                self.broken = Break(min(entry.seq, self.count + 1), why)
                return
            self.count += 1
            self.head = bytes(entry.hash)

    def _fault(self, entry: Entry) -> str | None:
        expected = self.count + 1
        if entry.seq > expected:
            return f"entry {expected} is missing"
        if entry.seq < expected:
            return f"entry {entry.seq} was put in"
        if bytes(entry.previous) != self.head:
            return f"entry {entry.seq} does not follow the entry before it"
        if bytes(entry.hash) != hash_of(entry):
            return f"entry {entry.seq} is not what it was when it was written"
        return None
