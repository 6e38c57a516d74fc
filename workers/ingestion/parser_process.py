"""The process that parses one file, for `parsing`: `python -I -m workers.ingestion.parser_process`.

It is given the kind, the path, its parent's process id and its limits, and writes one line of JSON to standard output:
`{"page_starts": [...]}`, after which the text follows in UTF-8, or `{"code": ..., "message": ...}`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from workers.ingestion.confinement import confine


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
        header = {"code": error.code, "message": error.message}
    except MemoryError:
        header = {"code": "invalid_file", "message": "The file takes too much memory to be read."}
    with os.fdopen(answer, "wb") as out:
        out.write(json.dumps(header).encode() + b"\n" + text)


def _take_stdout() -> int:
    """Standard output for our answer alone: libraries print where they like."""
    ours = os.dup(1)
    os.dup2(2, 1)
    return ours


if __name__ == "__main__":
    main(sys.argv[1:])
