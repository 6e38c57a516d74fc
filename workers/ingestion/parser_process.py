"""What a confined process does to parse one file, for `parsing`: the work of an `app.confinement.server`.

The request has the kind. The answer is a line of JSON: `{"page_starts": [...]}`, after which the text follows in UTF-8,
or `{"code": ..., "message": ...}` for what the file is to be blamed for.
"""

import contextlib
import errno
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workers.ingestion import readers
from workers.ingestion.parsed import Unparsable
from workers.ingestion.reading import read

#: A small file of each kind, ours.
CONTROL_FILES = Path(__file__).parent / "control_files"

#: What the system says no file can bring about: readers are given bytes, and open nothing by themselves.
_OF_THE_SYSTEM = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EFBIG", "EMFILE", "ENFILE", "EIO", "EAGAIN", "ENOMEM"),
        *("ENOENT", "ENOTDIR", "ENODEV", "ENOEXEC", "ETXTBSY", "ESTALE", "ELIBACC", "ELIBBAD"),
    )
)


def prepare() -> None:
    """Loads what files of any kind are read with, and reads a good one of each kind.

    What a first reading makes for all later ones (tables, compiled patterns) is then made once, not for every file.
    """
    readers.prepare()
    for path in sorted(CONTROL_FILES.iterdir()):
        # What cannot be read here is told when such a file comes.
        with contextlib.suppress(Exception):
            read(path.read_bytes(), path.suffix.removeprefix("."))


def work(request: Mapping[str, Any], data: bytes) -> Iterator[bytes]:
    """Parses the file. Whatever is not its fault is raised."""
    header: dict[str, Any]
    text = b""
    try:
        parsed = read(data, request["kind"])
        text = parsed.text.encode()
        header = {"page_starts": parsed.page_starts}
    except Unparsable as error:
        if any(map(_is_of_the_system, _causes(error))):
            raise
        header = {"code": error.code, "message": error.message}
    yield json.dumps(header).encode() + b"\n"
    yield text


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error := error and (error.__cause__ or error.__context__):
        yield error


def _is_of_the_system(error: BaseException) -> bool:
    """Whether the machine is at fault: a library that cannot be loaded, or what it said that it could not do."""
    return isinstance(error, ImportError) or (isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM)
