"""What a model means by the name of a tool, where it writes more than the name.

Models that were trained with tools in a namespace write it (`functions.get_weather`, Gemini `default_api.get_weather`,
Kimi `functions.get_weather:0`); parts of a chat format leak into names (gpt-oss `get_weather<|channel|>commentary`).
"""

import re
from collections.abc import Collection
from typing import Any

from app.backends import lenient_json
from app.text import to_json

#: OpenAI's models wrap calls that belong together in one call of this name, which no client knows.
_PARALLEL = frozenset({"multi_tool_use.parallel", "multi_tool_use_parallel"})

_MARKUP = re.compile(r"<\|.*|<[/\w].*", re.DOTALL)
_NUMBER = re.compile(r":\d+$")
_PUNCTUATION = " \t\r\n\"'`()"


def understood(name: str, known: Collection[str]) -> str:
    """The tool of `known` that `name` means; `name` without white space where it means none of them."""
    for candidate in _candidates(name):
        if candidate in known:
            return candidate
    return name.strip() or name


def _candidates(name: str) -> list[str]:
    plain = _MARKUP.sub("", name).strip(_PUNCTUATION)
    numberless = _NUMBER.sub("", plain)
    last = re.split(r"[./:]", numberless)[-1].strip(_PUNCTUATION)
    return [name, name.strip(), plain, numberless, last]


def is_parallel(name: str, known: Collection[str]) -> bool:
    """Whether `name` is that of a call which wraps others."""
    if name in known:
        return False
    plain = _MARKUP.sub("", name).strip(_PUNCTUATION)
    return plain.removeprefix("functions.") in _PARALLEL


def unwrapped(arguments: str) -> list[tuple[str, str]]:
    """Name and arguments of the calls that a call of `multi_tool_use.parallel` wraps; none if they cannot be read."""
    try:
        uses = lenient_json.loads(arguments)["tool_uses"]
        return [_use(use) for use in uses]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _use(use: dict[str, Any]) -> tuple[str, str]:
    name = use.get("recipient_name") or use["name"]
    given = use.get("parameters", use.get("arguments"))
    if not isinstance(name, str):
        raise TypeError(name)
    return name, given if isinstance(given, str) else to_json(given or {}).decode()
