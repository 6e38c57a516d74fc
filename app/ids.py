"""Prefixed object ids: `asst_...`, `thread_...`, as OpenAI's clients know them (opaque, prefix + 24 alphanumerics).

The first nine characters hold the time of making in microseconds, so that ids made later sort later (in the "C"
collation), those of one process in any case. Clients must not rely on it; Locum does in one place: a page cursor whose
object has been deleted since still has a place in the list (docs/decisions/0003-cursors-outlive-their-objects.md).
"""

import secrets
import time
from datetime import UTC, datetime, timedelta

#: In ASCII order, so that the text order of two ids is the order of their numbers.
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TIME_CHARS = 9
_RANDOM_CHARS = 15
#: Enough that the remainder by 62**15 is as good as even.
_RANDOM_BYTES = 20
_MAKING_BEGAN = datetime(2023, 11, 1, tzinfo=UTC)
_CLOCKS_APART = timedelta(days=1)

ASSISTANT = "asst"
THREAD = "thread"
MESSAGE = "msg"
RUN = "run"
RUN_STEP = "step"
TOOL_CALL = "call"
PROJECT = "proj"
API_KEY = "key"
AUDIT_ENTRY = "audit"
REQUEST = "req"
FILE = "file"
#: Of files that were made on Azure; such come by import alone.
AZURE_FILE = "assistant-"
UPLOAD = "upload"
UPLOAD_PART = "part"
VECTOR_STORE = "vs"
FILE_BATCH = "vsfb"


class _Clock:
    """Microseconds since 1970 that never stand still: two calls give two times, the later one the higher."""

    def __init__(self) -> None:
        self._last = 0

    def tick(self) -> int:
        self._last = max(self._last + 1, time.time_ns() // 1_000)
        return self._last


_clock = _Clock()


def new(prefix: str) -> str:
    """Makes an id: `prefix`, an underscore, nine characters of time and fifteen of chance (89 bits).

    File ids have a hyphen instead, as OpenAI's (contract, section 2).
    """
    micros = _clock.tick()
    stamp = ""
    for _ in range(_TIME_CHARS):
        micros, digit = divmod(micros, len(ALPHABET))
        stamp = ALPHABET[digit] + stamp
    chance = int.from_bytes(secrets.token_bytes(_RANDOM_BYTES))
    for _ in range(_RANDOM_CHARS):
        chance, digit = divmod(chance, len(ALPHABET))
        stamp += ALPHABET[digit]
    return f"{prefix}-{stamp}" if prefix == FILE else f"{prefix}_{stamp}"


def made_at(object_id: str) -> datetime | None:
    """The time at which an id of ours was made, or None if `object_id` cannot be one."""
    _, _, body = object_id.partition("-" if object_id.startswith(f"{FILE}-") else "_")
    if len(body) != _TIME_CHARS + _RANDOM_CHARS or not all(c in ALPHABET for c in body):
        return None
    micros = 0
    for char in body[:_TIME_CHARS]:
        micros = micros * len(ALPHABET) + ALPHABET.index(char)
    try:
        made = datetime.fromtimestamp(micros / 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    # Ids that other servers made of chance, and that were imported, seldom fall into so short a time.
    return made if _MAKING_BEGAN <= made <= datetime.now(UTC) + _CLOCKS_APART else None
