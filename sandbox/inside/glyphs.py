"""Fonts for the characters that a chosen font lacks: Matplotlib tries them after it, whatever it is. Runs inside."""

import functools
import logging
from collections.abc import Callable
from typing import Any

#: In the order in which they are tried for a character.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    *(
        f"Noto Sans {script}"
        for script in (
            *("Arabic", "Devanagari", "Bengali", "Hebrew", "Thai", "Tamil", "Telugu", "Gujarati", "Gurmukhi"),
            *("Kannada", "Malayalam", "Oriya", "Sinhala", "Khmer", "Lao", "Myanmar", "Georgian", "Armenian"),
            *("Ethiopic", "Symbols"),
        )
    ),
    "Noto Emoji",
)


def add_fonts(font_manager: Any) -> None:
    """Changes `matplotlib.font_manager`."""
    find = font_manager.FontManager._find_fonts_by_props  # noqa: SLF001 - there is no public way
    # Each has one face: which of a text's other properties it has makes no difference.
    fallback = functools.cache(lambda manager: _fallback(font_manager, functools.partial(find, manager)))

    @functools.wraps(find)
    def find_fonts(self: Any, prop: Any, fontext: str = "ttf", *args: Any, **kwargs: Any) -> list[Any]:
        found: list[Any] = find(self, prop, fontext, *args, **kwargs)
        return [*found, *(path for path in fallback(self) if path not in found)] if fontext == "ttf" else found

    font_manager.FontManager._find_fonts_by_props = find_fonts  # noqa: SLF001
    logging.getLogger("matplotlib.font_manager").addFilter(_Once())


def _fallback(font_manager: Any, find: Callable[..., list[Any]]) -> list[Any]:
    try:
        return find(font_manager.FontProperties(family=list(_FAMILIES)), fallback_to_default=False)
    except ValueError:
        # None of them is there.
        return []


class _Once(logging.Filter):
    """Lets each record through once: that a font is missing is said for every text otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        is_new = said not in self._said
        self._said.add(said)
        return is_new
