"""The process that parses one file, for `parsing`: `python -I -m workers.ingestion.parser_process`.

It is given the kind, the path, its parent's process id and its limits, and writes one line of JSON to standard output:
`{"page_starts": [...]}`, after which the text follows in UTF-8, or `{"code": ..., "message": ...}` for what the file is
to be blamed for, or `{"code": "memory"}`.
"""

import errno
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workers.ingestion.confinement import confine

#: What the system says no file can bring about: readers are given bytes, and open nothing by themselves.
_OF_THE_SYSTEM = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EFBIG", "EMFILE", "ENFILE", "EIO", "EAGAIN", "ENOMEM"),
        *("ENOENT", "ENOTDIR", "ENODEV", "ENOEXEC", "ETXTBSY", "ESTALE", "ELIBACC", "ELIBBAD"),
    )
)
#: The same in the words of programs of Rust.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def main(arguments: list[str]) -> None:
    """Parses the file, and answers. Whatever is not the file's fault ends the process with another status than 0."""
    kind, path, parent, memory_bytes, seconds = arguments
    answer = _take_stdout()
    confine(int(parent), int(memory_bytes), float(seconds))
    # Only now: these bring libraries along, and start threads.
    from workers.ingestion.parsed import Unparsable  # noqa: PLC0415
    from workers.ingestion.reading import read  # noqa: PLC0415

    text = b""
    header: dict[str, Any]
    try:
        parsed = read(Path(path).read_bytes(), kind)
        text = parsed.text.encode()
        header = {"page_starts": parsed.page_starts}
    except Unparsable as error:
        if any(map(_is_of_the_system, _causes(error))):
            raise
        header = {"code": error.code, "message": error.message}
    except MemoryError:
        header = {"code": "memory"}
    with os.fdopen(answer, "wb") as out:
        out.write(json.dumps(header).encode() + b"\n" + text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error := error and (error.__cause__ or error.__context__):
        yield error


def _is_of_the_system(error: BaseException) -> bool:
    """Whether the machine is at fault: a library that cannot be loaded, or what it said that it could not do."""
    if isinstance(error, ImportError):
        return True
    if isinstance(error, OSError):
        return error.errno in _OF_THE_SYSTEM
    return any(int(number) in _OF_THE_SYSTEM for number in _OS_ERROR.findall(str(error)))


def _take_stdout() -> int:
    """Standard output for our answer alone: libraries print where they like."""
    ours = os.dup(1)
    os.dup2(2, 1)
    return ours


if __name__ == "__main__":
    main(sys.argv[1:])
