"""The body of a chat completion request, in the dialect that a model has shown it understands."""

import re
from typing import Any

from app.backends.base import CompletionRequest
from app.backends.failures import ServerError

#: Parameters that an answer does not depend on for its sense: better without than not at all.
_OPTIONAL = ("stream_options", "parallel_tool_calls", "reasoning_effort", "temperature", "top_p")

_NOT_KNOWN = re.compile(
    r"unsupported|unrecogni[sz]ed|unknown|unexpected|does(?: not|n't) support"
    r"|not (?:permitted|supported|allowed|recogni[sz]ed)|extra (?:inputs|fields)",
    re.IGNORECASE,
)


class Dialect:
    """What one model of one server wants left out or named otherwise, learned from its refusals.

    `max_tokens` is the name that all servers know, but OpenAI's own newer models, which ask for
    `max_completion_tokens`.
    """

    def __init__(self) -> None:
        self._dropped: set[str] = set()
        self._limit_name = "max_tokens"

    def body(self, model: str, request: CompletionRequest) -> dict[str, Any]:
        """The JSON of the request."""
        body: dict[str, Any] = {
            "model": model,
            "messages": request.messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": request.tools or None,
            "tool_choice": request.tool_choice if request.tools else None,
            "parallel_tool_calls": request.parallel_tool_calls if request.tools else None,
            "response_format": request.response_format,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "reasoning_effort": request.reasoning_effort,
            self._limit_name: request.max_completion_tokens,
            **request.options,
        }
        return {name: value for name, value in body.items() if value is not None and name not in self._dropped}

    def learn(self, error: ServerError, sent: dict[str, Any]) -> str | None:
        """Takes in a refusal of the request `sent`.

        Gives the name of the parameter that will be left out or renamed from now on, so that trying again makes sense;
        None if the error is about something else.
        """
        if "max_tokens" in sent and "max_completion_tokens" in error.words:
            self._limit_name = "max_completion_tokens"
            return "max_tokens"
        if not _NOT_KNOWN.search(error.words):
            return None
        for name in _OPTIONAL:
            if name in sent and (error.param == name or re.search(rf"\b{name}\b", error.words)):
                self._dropped.add(name)
                return name
        return None
