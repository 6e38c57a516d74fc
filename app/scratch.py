"""Files for the time of a piece of work, which are gone with the process that made them, however it ends."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_file() -> Iterator[Path]:
    """Yields a path by which this process can open an empty file, to write and to read. Raises OSError.

    The file has no name in the temporary folder: a process that is killed leaves nothing there.
    """
    with tempfile.TemporaryFile() as file:
        yield Path(f"/proc/self/fd/{file.fileno()}")
