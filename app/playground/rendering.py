"""Where markdown is rendered: a long text in a process of its own, so that it keeps no other request waiting."""

import asyncio
import html
from typing import Final

import anyio.to_process
import structlog
from anyio import BrokenWorkerProcess, CapacityLimiter

from app.playground.markdown import to_html

_log = structlog.get_logger()

#: As much as a message may hold.
MAX_CHARACTERS: Final = 256_000
#: Rendered in some milliseconds, whatever it is.
_SHORT: Final = 2_000
_SECONDS: Final = 5.0

_one_at_a_time = CapacityLimiter(1)


async def rendered(text: str) -> str:
    """Returns `text` as HTML; what takes too long as it is written, escaped."""
    if len(text) <= _SHORT:
        return to_html(text)
    try:
        async with asyncio.timeout(_SECONDS):
            # The process is killed when the time is over.
            return await anyio.to_process.run_sync(to_html, text, cancellable=True, limiter=_one_at_a_time)
    except (TimeoutError, BrokenWorkerProcess) as error:
        _log.warning("markdown_not_rendered", characters=len(text), error=type(error).__name__)
        return f"<pre>{html.escape(text)}</pre>"
