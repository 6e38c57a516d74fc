"""A model's context window, as servers tell it when a request is larger."""

import re
from dataclasses import dataclass
from typing import Final

from app.backends.failures import ServerError

_EXCEEDED: Final = re.compile(
    r"context[ _](?:length|window|size)|maximum context|n_ctx|prompt (?:is )?too long|too many tokens"
    r"|input (?:is too long|length|tokens?\b.{0,60}(?:exceed|limit))|input token count|exceeded model token limit"
    r"|maximum prompt length|prompt exceeds|`inputs` .{0,40}must|too large for model|reduce the length of",
    re.IGNORECASE,
)
_CODES: Final = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
#: A limit of tokens a minute is no window.
_RATES: Final = re.compile(r"per (?:minute|day|second)|rate.?limit|\bTPM\b|quota", re.IGNORECASE)

_WINDOWS: Final = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"context (?:length|window|size)(?: is| of)?(?: only| exactly)?[ (:]+(\d+)",
        r"\bn_ctx\W{0,4}(\d+)",
        r"(\d+) maximum context length",
        r"maximum number of tokens allowed \(?(\d+)",
        r"> (\d+) maximum",
        r"maximum prompt length is (\d+)",
        r"token limit:? (\d+)",
        r"must (?:be|have) (?:<=|less than) (\d+)",
        r"cannot exceed (\d+)",
        r"input length should be \[\d+, ?(\d+)\]",
        r"(?:limit|maximum)(?: is| of)? (\d+) (?:input )?tokens",
    )
]
_PROMPTS: Final = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"resulted in (\d+)",
        r"(\d+) in the messages",
        r"(\d+) of text input",
        r"(\d+) tokens from the input",
        r"\b(\d+) input tokens",
        r"n_(?:prompt_tokens|keep)\W{0,4}(\d+)",
        r"keep the first (\d+)",
        r"request \((\d+) tokens",
        r"requested tokens \((\d+)",
        r"prompt contains (\d+)",
        r"input \((\d+) tokens",
        r"given: (\d+)",
        r"input token count \(?(\d+)",
        r"too long: (\d+)",
        r"requested: (\d+)",
        r"request contains (\d+)",
        r"inputs? has (\d+)",
    )
]


@dataclass(frozen=True, slots=True)
class WindowTold:
    """What a server has told: the tokens of its window, and those of the prompt that it refused."""

    window: int | None
    prompt: int | None


def window_told(error: ServerError) -> WindowTold | None:
    """What a refusal says of the window; None if it is about something else."""
    words = re.sub(r"(?<=\d)[,_](?=\d{3})", "", error.full or error.words)
    if not (_CODES & {error.code, error.type} or _EXCEEDED.search(words)) or _RATES.search(words):
        return None
    return WindowTold(error.n_ctx or _first(_WINDOWS, words), error.n_prompt_tokens or _first(_PROMPTS, words))


def _first(patterns: list[re.Pattern[str]], words: str) -> int | None:
    found = (match for pattern in patterns if (match := pattern.search(words)))
    return next((int(match.group(1)) for match in found if 0 < int(match.group(1)) < 2**31), None)
