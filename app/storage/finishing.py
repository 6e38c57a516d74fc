"""Cancellation that waits for what is under way."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def finished(work: asyncio.Future[Result], on_cancel: Callable[[], None] = lambda: None) -> Result:
    """What `work` gives. If the task is cancelled, `on_cancel` is called, and the task ends once the work is over."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        on_cancel()
        await asyncio.wait([work])
        if not work.cancelled():
            # Looked at, so that asyncio does not complain of an error that nobody has seen.
            work.exception()
        raise
