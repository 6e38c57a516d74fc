"""How many sessions were asked for in one moment lately: as many kernels are worth having ready."""

from collections import deque
from typing import Final

#: What comes within it is one burst.
_BURST_SECONDS: Final = 10.0
#: How long a burst is remembered.
_KEPT_SECONDS: Final = 900.0


class Demand:
    """Told of each request by `note`, in the order of time."""

    def __init__(self) -> None:
        self._asked: deque[float] = deque()
        #: When and how high: each is higher than those behind it, so that the first is the highest.
        self._bursts: deque[tuple[float, int]] = deque()

    def note(self, now: float) -> None:
        """A session is asked for at `now`."""
        self._asked.append(now)
        while self._asked[0] <= now - _BURST_SECONDS:
            self._asked.popleft()
        size = len(self._asked)
        while self._bursts and self._bursts[-1][1] <= size:
            self._bursts.pop()
        self._bursts.append((now, size))

    def burst(self, now: float) -> int:
        """The size of the largest burst that is remembered at `now`."""
        while self._bursts and self._bursts[0][0] <= now - _KEPT_SECONDS:
            self._bursts.popleft()
        return self._bursts[0][1] if self._bursts else 0
