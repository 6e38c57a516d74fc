"""The links of a model to files that its code has written: sandbox:/mnt/data/name, however it is spelled."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Mapping
from string import punctuation
from typing import Final

from workers.engine.pieces import MORE, Annotated, Found, More

_SCHEME: Final = "sandbox:"
#: Characters that a link without a scheme is told by.
CONTEXT: Final = 12
#: What stands before the target of a link: in Markdown, in a reference, in HTML.
_TARGET: Final = re.compile(r"(?:\]\(\s{0,3}<?|\]:\s{0,3}<?|(?:href|src)=[\"'])\Z")
_HEX: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_CUT_HEX: Final = re.compile(r"%[0-9A-Fa-f]?\Z")
_WORD: Final = re.compile(r"[A-Za-z0-9_]")

#: Reads what stands at a place of a text: its length and the characters that it means; None if it has been cut.
_Reader = Callable[[str, int], tuple[int, str] | None]


class Links:
    """Finds links to `files`: the ids of files by their paths.

    What the model wrote is read, then compared: percent-encoded or not, escaped as Markdown has it, composed characters
    or decomposed ones, with a slash or a dot too many.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = {_decomposed(path): file_id for path, file_id in files.items()}
        self._paths = sorted(self._files)

    def at(self, text: str, position: int, before: str, *, is_whole: bool) -> Found | More | None:
        """The link that begins at `position`, `before` being the text before it: see `pieces.Found`.

        `is_whole`: no more text will come.
        """
        start = position
        if text[position] != "/":
            scheme = text[position : position + len(_SCHEME)].lower()
            if len(scheme) < len(_SCHEME) and _SCHEME.startswith(scheme):
                return None if is_whole else MORE
            if scheme != _SCHEME:
                return None
            start += len(_SCHEME)
        elif _TARGET.search(before) is None:
            return None
        ends = [self._end(text, start, reader, is_whole=is_whole) for reader in (_as_it_is, _decoded)]
        if MORE in ends:
            return MORE
        found = [end for end in ends if isinstance(end, tuple)]
        if not found:
            return None
        end, file_id = max(found, key=lambda one: one[0])
        return Found(end - position, [Annotated(text[position:end], "file_path", {"file_id": file_id})])

    def _end(self, text: str, start: int, reader: _Reader, *, is_whole: bool) -> tuple[int, str] | More | None:
        """Where the longest path ends that stands at `start`, and its file."""
        path, end, found = "/", start, None
        while self._may_begin(path):
            if (file_id := self._files.get(path)) is not None:
                ends_here = _ends(text, end, is_whole=is_whole)
                if ends_here is None:
                    return MORE
                if ends_here:
                    found = (end, file_id)
            if end >= len(text):
                return found if is_whole else MORE
            read = reader(text, end)
            if read is None and not is_whole:
                return MORE
            length, meant = read or (1, text[end])
            path = _longer(path, meant)
            end += length
        return found

    def _may_begin(self, path: str) -> bool:
        """Whether a path of ours begins so."""
        begun = [path, path[:-1]] if path.endswith("/.") else [path]
        return any(self._next(beginning).startswith(beginning) for beginning in begun)

    def _next(self, path: str) -> str:
        place = bisect_left(self._paths, path)
        return self._paths[place] if place < len(self._paths) else ""


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _longer(path: str, meant: str) -> str:
    """A path and what comes next, without slashes and dots that mean nothing."""
    for character in _decomposed(meant):
        if character != "/":
            path += character
        elif path.endswith("/."):
            path = path[:-1]
        elif not path.endswith("/"):
            path += "/"
    return path


def _as_it_is(text: str, at: int) -> tuple[int, str] | None:
    return 1, text[at]


def _decoded(text: str, at: int) -> tuple[int, str] | None:
    """A character of a link's address: percent-encoded, or escaped with a backslash, or itself."""
    match text[at]:
        case "%":
            return _from_percent(text, at)
        case "\\":
            if at + 1 == len(text):
                return None
            return (2, text[at + 1]) if text[at + 1] in punctuation else (1, "\\")
    return 1, text[at]


def _from_percent(text: str, at: int) -> tuple[int, str] | None:
    """The character whose bytes in UTF-8 stand at `at`; a percent sign where there are none."""
    data = b""
    while len(data) < 4:
        found = _HEX.match(text, at + 3 * len(data))
        if found is None:
            is_cut = at + 3 * len(data) == len(text) or _CUT_HEX.match(text, at + 3 * len(data))
            return None if is_cut else (1, "%")
        data += bytes.fromhex(found[0][1:])
        try:
            return 3 * len(data), data.decode()
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                return 1, "%"
    return 1, "%"


def _ends(text: str, at: int, *, is_whole: bool) -> bool | None:
    """Whether a name may end at `at`, and is not the beginning of another; None if that is not known yet."""
    if at >= len(text):
        return True if is_whole else None
    if text[at] in ".-":
        if at + 1 >= len(text):
            return True if is_whole else None
        return _WORD.match(text[at + 1]) is None
    return _WORD.match(text[at]) is None and text[at] not in "%/" and not unicodedata.combining(text[at])
