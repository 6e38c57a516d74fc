"""Range requests (RFC 9110, section 14): one range of bytes, or all of them."""

import re
from typing import Final

from app.errors import APIError

_SINGLE: Final = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)


class RangeNotSatisfiable(APIError):
    status = 416
    type = "invalid_request_error"

    def __init__(self, size: int) -> None:
        super().__init__(f"The requested range is not within the {size} bytes of the file.", param="range")
        self._size = size

    @property
    def headers(self) -> dict[str, str]:
        return {"content-range": f"bytes */{self._size}"}


def requested(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of the range that a `Range` header asks for, of `size` bytes.

    None for all of them: also where the header is not understood or names several ranges, which a server may pass over.
    Raises RangeNotSatisfiable for a range that begins behind the last byte.
    """
    match = _SINGLE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        raise RangeNotSatisfiable(size)
    return start, end
