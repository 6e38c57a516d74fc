"""Counting tokens, where a backend does not tell.

The count is that of OpenAI's o200k vocabulary: right for some models, near enough for budgets with the others. The
vocabulary takes some 70 MB and is loaded when the first exact count is asked for; `at_most` needs no vocabulary.
"""

from functools import cache
from typing import Any


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
