"""Names of files as clients, models and file systems can all bear them."""

import unicodedata
from typing import Final

#: Of one name in a Linux file system, in bytes, with room for a number that is added to it.
_LONGEST: Final = 240
#: Control characters, surrogates (bytes that are no UTF-8 among them), ends of lines and paragraphs.
_ODD: Final = ("Cc", "Cs", "Zl", "Zp")


def repaired(name: str) -> str:
    """Returns the name, or path, with `_` in place of each character that no name should have."""
    if name.isprintable():
        return name
    return "".join("_" if unicodedata.category(character) in _ODD else character for character in name)


def fitting(name: str) -> str:
    """Returns the name, cut in front of its ending to what a file system takes."""
    if len(name.encode()) <= _LONGEST:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = (dot + ending) if stem and len(ending.encode()) <= 20 else ""
    return name.encode()[: _LONGEST - len(tail.encode())].decode(errors="ignore") + tail


def numbered(name: str, count: int) -> str:
    """Returns a name beside others of the same name: `report (2).csv`."""
    if count == 1:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem} ({count}).{ending}" if dot and stem else f"{name} ({count})"
