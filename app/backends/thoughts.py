"""What a model thinks before it answers, where its server tells it from the answer, and where it does not."""

import re
from typing import Any

from app.text import storable, storable_value

#: Fields of a message with thoughts as text, and those with blocks of them. Servers that know them want them back.
_TEXTS = ("reasoning_content", "reasoning")
_BLOCKS = ("reasoning_details", "thinking_blocks")
#: Of a block that comes in pieces: what is to be joined. The rest is said once.
_JOINED = frozenset({"text", "summary", "data", "thinking"})

_BEGIN, _END = "<think>", "</think>"


class Thoughts:
    """The fields of a message in which a server tells what its model thought, put together from pieces."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._blocks: dict[str, list[Any]] = {}
        self._others: dict[str, Any] = {}

    def take(self, delta: dict[str, Any]) -> None:
        """Takes what a delta has of them."""
        for name in _TEXTS:
            if isinstance(piece := delta.get(name), str) and piece:
                self._texts.setdefault(name, []).append(piece)
        for name in _BLOCKS:
            if isinstance(blocks := delta.get(name), list):
                for block in blocks:
                    _add(self._blocks.setdefault(name, []), block)
        if isinstance(extra := delta.get("extra_content"), dict) and extra:
            self._others["extra_content"] = extra

    def fields(self) -> dict[str, Any]:
        """What the server is to be given back with the message."""
        texts = {name: storable("".join(pieces)) for name, pieces in self._texts.items()}
        return {**texts, **storable_value({**self._blocks, **self._others})}


def _add(blocks: list[Any], block: Any) -> None:
    """Joins a block to the last one, where it is a piece of that."""
    last = blocks[-1] if blocks else None
    if not (isinstance(block, dict) and isinstance(last, dict)) or not _is_piece(block, last):
        blocks.append(block)
        return
    for name, value in block.items():
        if name in _JOINED and isinstance(value, str) and isinstance(last.get(name), str):
            last[name] += value
        elif value is not None:
            last[name] = value


def _is_piece(block: dict[str, Any], last: dict[str, Any]) -> bool:
    return block.get("index") is not None and all(block.get(name) == last.get(name) for name in ("index", "type"))


class ThoughtFilter:
    """Takes the thoughts out of an answer that begins with `<think>...</think>`, from pieces cut anywhere.

    The white space behind it goes with it. Thoughts that come to no end are the answer, after all.
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_open = False  # within <think>
        self._is_past = False  # the answer has begun
        self._has_thought = False

    def feed(self, piece: str) -> str:
        """Returns what `piece` adds to the answer."""
        if self._is_past:
            return piece
        searched = max(0, len(self._held) - len(_END))
        self._held += piece
        if not self._is_open:
            searched, start = 0, self._held.lstrip()
            if not start.startswith(_BEGIN):
                return "" if _BEGIN.startswith(start) else self._all()
            self._is_open = True
        end = self._held.find(_END, searched)
        if end < 0:
            return ""
        self._held = self._held[end + len(_END) :].lstrip()
        self._is_open, self._has_thought = False, True
        # A second block may follow; white space alone is held until it is known what it belongs to.
        return self.feed("") if self._held else ""

    def end(self) -> str:
        """Returns what was held back and is the answer."""
        return "" if self._is_past else self._all()

    def _all(self) -> str:
        self._is_past = True
        held, self._held = self._held, ""
        return held.lstrip() if self._has_thought else held


def is_blank(text: str) -> bool:
    """Whether nothing is said by `text`."""
    return not re.search(r"[^\s\u200b\ufeff]", text)
