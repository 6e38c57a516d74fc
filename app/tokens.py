"""Counting tokens, where a backend does not tell, and cutting texts by them.

The count is that of OpenAI's o200k vocabulary: right for some models, near enough for budgets with the others. The
vocabulary takes some 70 MB and is loaded when the first exact count is asked for; `at_most` needs no vocabulary.
"""

import itertools
from functools import cache
from typing import Any, Final

#: What a piece may gain by a cut that moves: a character has four bytes at most, and a token at least one.
_CUT_TOKENS: Final = 8


@cache
def _encoding() -> Any:
    import bpe_openai  # noqa: PLC0415 - see the module's docstring

    return bpe_openai.get_encoding("o200k_base")


def count(text: str) -> int:
    """The number of tokens of `text`."""
    return len(_encoding().encode_ordinary(text))


def at_most(text: str) -> int:
    """A bound that the number of tokens of `text` does not exceed: each token is at least one byte of UTF-8."""
    return len(text.encode("utf-8", "replace"))


def windows(text: str, limit: int) -> list[str]:
    """`text` in pieces of about the same size and of at most `limit` tokens (16 or more), none of it lost.

    Characters stay whole, for which a cut between two tokens may have to move by some bytes.
    """
    if at_most(text) <= limit:
        return [text]
    found = _encoding().encode_ordinary(text)
    if len(found) <= limit:
        return [text]
    return _cut(found, pieces=-(-len(found) // (limit - _CUT_TOKENS)))


def halves(text: str) -> list[str]:
    """`text` in two pieces of about as many tokens; what is too short to be cut comes back whole."""
    found = _encoding().encode_ordinary(text)
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
