"""Where markdown is rendered: a long text by a confined process, so that it keeps no other request waiting."""

import asyncio
import html
import io
import os
from typing import Final

import structlog

from app.confinement.warm import Limits, Lost, TooMuch, Warm
from app.playground.markdown import to_html

_log = structlog.get_logger()

#: As much as a message may hold.
MAX_CHARACTERS: Final = 256_000
#: Rendered in some milliseconds, whatever it is.
_SHORT: Final = 2_000
_SECONDS: Final = 5.0
_LIMITS: Final = Limits(memory_bytes=2**29, cpu_seconds=_SECONDS, seconds=_SECONDS, answer_bytes=2**24)


class Renderer:
    """Renders texts, one long one at a time. To be used on one event loop, and closed."""

    def __init__(self) -> None:
        self._warm = Warm("app.playground.rendering_process")
        self._one_at_a_time = asyncio.Lock()

    async def rendered(self, text: str) -> str:
        """Returns `text` as HTML; what takes too long as it is written, escaped."""
        if len(text) <= _SHORT:
            return to_html(text)
        try:
            await self._warm.start()
            # Those that wait for their turn wait no longer either.
            async with asyncio.timeout(_SECONDS), self._one_at_a_time:
                return await self._confined(text)
        except (TimeoutError, Lost, TooMuch, OSError) as error:
            _log.warning("markdown_not_rendered", characters=len(text), error=str(error) or type(error).__name__)
            return f"<pre>{html.escape(text)}</pre>"

    async def _confined(self, text: str) -> str:
        with io.FileIO(os.memfd_create("text"), "r+") as file:
            file.write(text.encode(errors="replace"))
            file.seek(0)
            outcome = await self._warm.do({}, file.fileno(), _LIMITS)
        if outcome.status != 0:
            raise Lost(f"it ended with status {outcome.status}: {outcome.complaint.decode(errors='replace')}")
        return outcome.answer.decode(errors="replace")

    def close(self) -> None:
        """Ends the process."""
        self._warm.close()
