"""Prefixed object ids: `asst_...`, `thread_...`, as OpenAI's clients know them (opaque, prefix + 24 alphanumerics).

The first eight characters hold the time of making in milliseconds, so that ids made later sort later (in the "C"
collation). Clients must not rely on it; Locum does in one place: a page cursor whose object has been deleted since
still has a place in the list (docs/decisions/0003-cursors-outlive-their-objects.md).
"""

import secrets
import time
from datetime import UTC, datetime

#: In ASCII order, so that the text order of two ids is the order of their numbers.
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TIME_CHARS = 8
_RANDOM_CHARS = 16
_MAKING_BEGAN = datetime(2023, 11, 1, tzinfo=UTC)

ASSISTANT = "asst"
THREAD = "thread"
MESSAGE = "msg"
RUN = "run"
RUN_STEP = "step"
TOOL_CALL = "call"
PROJECT = "proj"
API_KEY = "key"
REQUEST = "req"


def new(prefix: str) -> str:
    """Makes an id: `prefix`, an underscore, eight characters of time and sixteen of chance (95 bits)."""
    millis = time.time_ns() // 1_000_000
    stamp = ""
    for _ in range(_TIME_CHARS):
        millis, digit = divmod(millis, len(ALPHABET))
        stamp = ALPHABET[digit] + stamp
    return f"{prefix}_{stamp}{''.join(secrets.choice(ALPHABET) for _ in range(_RANDOM_CHARS))}"


def made_at(object_id: str) -> datetime | None:
    """The time at which an id of ours was made, or None if `object_id` cannot be one."""
    _, _, body = object_id.partition("_")
    if len(body) != _TIME_CHARS + _RANDOM_CHARS or not all(c in ALPHABET for c in body):
        return None
    millis = 0
    for char in body[:_TIME_CHARS]:
        millis = millis * len(ALPHABET) + ALPHABET.index(char)
    try:
        made = datetime.fromtimestamp(millis / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return made if _MAKING_BEGAN <= made else None
