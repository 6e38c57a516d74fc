"""The garbage collector, set for a server: what was made at the start is left alone, the rest looked at less often."""

import gc
from typing import Final

#: Some thousands of objects a request come and go by reference counts; looking for cycles every 700 is in vain.
_YOUNG: Final = 20_000


def settle() -> None:
    """Call it once, when everything is imported and opened."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
