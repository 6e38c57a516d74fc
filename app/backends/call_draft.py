"""One tool call while it comes: its name, and what of its arguments is sure."""

import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from app.backends import lenient_json
from app.backends.json_progress import JSONProgress
from app.backends.lenient_json import TextJoiner

_EMPTY_OBJECT = re.compile(r"\s*\{\s*\}\s*")
_MAY_BE_EMPTY = re.compile(r"\s*\{\s*\}?\s*")


@dataclass(slots=True, eq=False)
class CallDraft:
    """A call as far as it has come."""

    place: int | str | None
    id: str | None
    name: str
    #: The call before it, whose name it has if none comes, where nothing but its text tells it from those before: it
    #: may be one of them, sent again.
    after: "CallDraft | None"
    is_decided: bool = False
    #: Whether its id came in several pieces, so that the server does not make one for each.
    is_id_repeated: bool = False
    arguments: str = ""
    progress: JSONProgress = field(default_factory=JSONProgress)
    joiner: TextJoiner = field(default_factory=TextJoiner)
    extras: dict[str, Any] = field(default_factory=dict)
    #: Its number among those that were told, None before that.
    number: int | None = None
    told: int = 0  # characters of its arguments
    is_dropped: bool = False
    #: Each of its pieces has all of the arguments so far.
    is_cumulative: bool = False
    #: The calls that it wraps were told in its place.
    is_unwrapped: bool = False

    @property
    def is_doubtful(self) -> bool:
        """Whether it may be a call before it, sent again."""
        return self.after is not None and not self.is_decided

    @property
    def presumed_name(self) -> str:
        """Its name, or that of the call whose whole object it follows."""
        return self.name or (self.after.presumed_name if self.after is not None else "")

    @property
    def is_empty_object(self) -> bool:
        """Whether its arguments are those of a call without arguments, so far."""
        return self.progress.state == "whole" and _EMPTY_OBJECT.fullmatch(self.arguments) is not None

    @property
    def is_garbage(self) -> bool:
        """Whether it is only what stood behind the arguments of another call, and no object."""
        return self.is_doubtful and not self.name and self.progress.state == "broken"

    @property
    def is_complete(self) -> bool:
        """Whether it has all its arguments, so that more of them would be another's."""
        return self.progress.state == "whole" and not self.is_empty_object

    def goes_on_with(self, text: str) -> bool:
        """Whether `text` continues an object that is begun and not closed."""
        if self.progress.state != "open" or not text:
            return False
        trial = self.progress.copy()
        trial.feed(text)
        return trial.state != "broken"

    def take(self, text: str) -> str:
        """Takes more of the arguments; gives what stands behind their end."""
        if not text:
            return ""
        if self.is_empty_object and text.lstrip().startswith("{"):
            self.arguments, self.progress = "", JSONProgress()
        if self.progress.state == "open" and (self.is_cumulative or not self.goes_on_with(text)):
            text = self._news_of(text)
        rest = self.progress.feed(text)
        self.arguments += text[: len(text) - len(rest)]
        if self.is_empty_object and rest.lstrip().startswith("{"):
            return self.take(rest)
        return rest

    def _news_of(self, text: str) -> str:
        """What `text` adds to an object that it does not go on with: it may be all there is so far."""
        if text.startswith(self.arguments):
            self.is_cumulative = True
            return text[len(self.arguments) :]
        if self.told == 0 and text.lstrip().startswith("{"):
            self.arguments, self.progress = "", JSONProgress()
        return text

    def said_so_far(self) -> str:
        """As much of the arguments as no later piece can change."""
        text = self.arguments
        if self.progress.state == "blank" or _MAY_BE_EMPTY.fullmatch(text) is not None:
            return ""
        if self.progress.state == "broken" and _may_stand_for_an_object(text):
            return ""
        return text


def _meaning(arguments: str) -> Any:
    """What is said by arguments: their JSON, their text where they are none, an empty object where they are nothing."""
    text = arguments.strip()
    if not text:
        return {}
    try:
        return lenient_json.loads(text)
    except ValueError:
        return text


def says_same(one: str, other: str) -> bool:
    """Whether two texts of arguments say the same, however they are spaced."""
    return bool(_meaning(final(one)) == _meaning(final(other)))


def begins(whole: str, part: str) -> bool:
    """Whether `part` is the beginning of `whole`, or nothing."""
    return whole.strip().startswith(part.strip())


def _may_stand_for_an_object(text: str) -> bool:
    """Whether it may be the JSON text of an object once more in JSON, or a word for no arguments."""
    start = text.strip()
    return start.startswith('"') or any(word.startswith(start) for word in ("null", "None"))


def final(arguments: str) -> str:
    """The arguments of a call that is complete: read, where they are JSON within JSON, or a word for nothing."""
    text = arguments.strip()
    if text in ("null", "None"):
        return "{}"
    if text.startswith('"'):
        with contextlib.suppress(ValueError):  # no string either: the arguments are what they are
            inner, _ = json.JSONDecoder(strict=False).raw_decode(text)
            if isinstance(_meaning(inner), dict):
                return str(inner)
    return arguments
