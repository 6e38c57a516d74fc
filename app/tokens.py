"""Counting tokens, where a backend does not tell, and cutting texts by them.

The count is that of OpenAI's o200k vocabulary: right for some models, near enough for budgets with the others. The
vocabulary takes some 70 MB and is loaded when the first exact count is asked for; `at_most` needs no vocabulary.
"""

import itertools
from functools import cache
from typing import Any, Final

#: What a piece may gain by a cut that moves: a character has four bytes at most, and a token at least one.
_CUT_TOKENS: Final = 8

#: Characters that are tokenized at once: the library refuses more than 200,000 tokens, and a character may be four.
_BLOCK: Final = 50_000


@cache
def _encoding() -> Any:
    import bpe_openai  # noqa: PLC0415 - see the module's docstring

    return bpe_openai.get_encoding("o200k_base")


def _tokens(text: str) -> list[int]:
    """The tokens of `text`; a long one is cut for it, which may make a token more at each cut."""
    encode = _encoding().encode_ordinary
    starts = range(0, len(text), _BLOCK)
    return list(itertools.chain.from_iterable(encode(text[start : start + _BLOCK]) for start in starts))


def count(text: str) -> int:
    """The number of tokens of `text`."""
    return len(_tokens(text))


def at_most(text: str) -> int:
    """A bound that the number of tokens of `text` does not exceed: each token is at least one byte of UTF-8."""
    return len(text.encode("utf-8", "replace"))


def beginning(text: str, limit: int, start: int = 0) -> int:
    """Where the longest stretch of `text` from `start` ends that has at most `limit` tokens (16 or more).

    Only as much of `text` is looked at as is needed, and characters stay whole.
    """
    reach = 4 * limit
    while True:
        window = text[start : start + reach]
        found = _tokens(window)
        if len(found) > limit + _CUT_TOKENS or start + reach >= len(text):
            break
        reach *= 2
    if len(found) <= limit:
        return start + len(window)
    kept = limit
    while True:
        length = max(1, len(_encoding().decode_bytes(found[:kept]).decode("utf-8", "ignore")))
        # What a text is cut into may change at its end, though it seldom does.
        excess = len(_tokens(window[:length])) - limit
        if excess <= 0 or length == 1:
            return start + length
        kept -= excess


def ending(text: str, limit: int) -> int:
    """Where the last `limit` tokens of `text` begin.

    A character that is cut there is left out.
    """
    found = _tokens(text)
    kept = found[max(0, len(found) - limit) :]
    return len(text) - len(_encoding().decode_bytes(kept).decode("utf-8", "ignore"))


def windows(text: str, limit: int) -> list[str]:
    """`text` in pieces of about the same size and of at most `limit` tokens (16 or more), none of it lost.

    Characters stay whole, for which a cut between two tokens may have to move by some bytes.
    """
    if at_most(text) <= limit:
        return [text]
    found = _tokens(text)
    if len(found) <= limit:
        return [text]
    return _cut(found, pieces=-(-len(found) // (limit - _CUT_TOKENS)))


def halves(text: str) -> list[str]:
    """`text` in two pieces of about as many tokens; what is too short to be cut comes back whole."""
    found = _tokens(text)
    return _cut(found, pieces=2) if len(found) > 2 * _CUT_TOKENS else [text]


def _cut(found: list[int], pieces: int) -> list[str]:
    steps = [len(found) * number // pieces for number in range(pieces + 1)]
    parts = [_encoding().decode_bytes(found[start:end]) for start, end in itertools.pairwise(steps)]
    data = b"".join(parts)
    ends = itertools.accumulate(map(len, parts))
    cuts = [0, *(_next_character(data, end) for end in ends)]
    return [data[start:end].decode("utf-8", "replace") for start, end in itertools.pairwise(cuts)]


def _next_character(data: bytes, position: int) -> int:
    while position < len(data) and data[position] & 0xC0 == 0x80:
        position += 1
    return position
