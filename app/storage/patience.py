"""Patience with a storage that is out of order for a moment: full, or away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from app.storage.base import StorageAway

Result = TypeVar("Result")

#: How long it is left alone after each try, in seconds. A run waits so long, and a request does not: it is told to
#: come again.
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
#: A storage that is silent takes long to be found so: after this it is not tried again.
_SECONDS: Final = 15.0


async def patiently(work: Callable[[], Awaitable[Result]]) -> Result:
    """What `work`, which begins anew each time it is called, gives. Raises StorageAway if the storage stays so."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _SECONDS
    for pause in _PAUSES:
        try:
            return await work()
        except StorageAway:
            if clock() + pause > deadline:
                raise
            await asyncio.sleep(pause)
    return await work()
