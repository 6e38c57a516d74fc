"""How long one look at what code has made may take, since code decides how much there is to see."""

import time


class TooMuchToSee(Exception):
    """The budget was used up before all was seen."""


class Budget:
    """Processor time of this thread; `spend` raises TooMuchToSee once it is used up."""

    def __init__(self, seconds: float) -> None:
        self._until = time.thread_time() + seconds

    def spend(self) -> None:
        """Has to be called with every step."""
        if time.thread_time() > self._until:
            raise TooMuchToSee
