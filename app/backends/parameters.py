"""The body of a chat completion request, in the dialect that a model has shown it understands."""

import re
from dataclasses import dataclass
from typing import Any

from app import tokens
from app.backends.base import SAMPLING, BackendFailure, CompletionRequest, sampling_of
from app.backends.failures import ServerError
from app.backends.message_shapes import Shape, shape_wanted, shaped
from app.backends.window_words import WindowTold, window_told
from app.text import to_json

#: Parameters that an answer does not depend on for its sense: better without than not at all.
_OPTIONAL = ("stream_options", "parallel_tool_calls", *SAMPLING)

_NOT_KNOWN = re.compile(
    r"unsupported|unrecogni[sz]ed|unknown|unexpected|does(?: not|n't) support"
    r"|not (?:permitted|supported|allowed|recogni[sz]ed)|extra (?:inputs|fields)",
    re.IGNORECASE,
)
_NO_TOOLS = re.compile(
    r"not support (?:the )?(?:use of )?(?:tools?|functions?)\b(?!_choice)|support tool use|enable-auto-tool-choice"
    r"|tools param requires|(?:tools?|functions?)[ -]?(?:call(?:s|ing)|use)?`? (?:is|are) not (?:supported|enabled)",
    re.IGNORECASE,
)
_MOST_COMPLETION = re.compile(
    r"at most (\d+) completion tokens|range of max_tokens is \[1, ?(\d+)\]|less than or equal to `?(\d+)"
    r"|max_tokens: \d+ > (\d+)",
    re.IGNORECASE,
)
#: What a prompt may have beyond its estimate before a limit of the answer is thought to be the trouble, and how much of
#: the window an answer that is limited to fit keeps free.
_SLACK = 64
#: By how much the estimate grows when a server refuses again what should have fit.
_GROWTH = 1.2


@dataclass(frozen=True, slots=True)
class Window:
    """A context window that was learnt: its tokens, and how many of them one of Locum's own count is worth."""

    tokens: int
    ratio: float = 1.0

    @property
    def in_own_tokens(self) -> int:
        """The window by Locum's count."""
        return max(1, int(self.tokens / self.ratio))


class WindowExceeded(BackendFailure):
    """The prompt is larger than the model's window, which has been learnt by it: a shorter one may fit."""


class ToolsRefused(BackendFailure):
    """The model calls no functions by itself."""


class Dialect:
    """What one model of one server wants left out or told otherwise, learned from its refusals.

    `max_tokens` is the name that all servers know, but OpenAI's own newer models, which ask for
    `max_completion_tokens`.
    """

    def __init__(self) -> None:
        self._dropped: set[str] = set()
        self._limit_name = "max_tokens"
        self._shapes: set[Shape] = set()
        self._is_strict_dropped = False
        self._most_completion: int | None = None
        self._is_limit_fitted = False
        self.window: Window | None = None

    def body(self, model: str, request: CompletionRequest) -> dict[str, Any]:
        """The JSON of the request."""
        body: dict[str, Any] = {
            "model": model,
            "messages": shaped(request.messages, self._shapes),
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": self._tools(request.tools) or None,
            "tool_choice": request.tool_choice if request.tools else None,
            "parallel_tool_calls": request.parallel_tool_calls if request.tools else None,
            "response_format": request.response_format,
            **sampling_of(request),
            self._limit_name: self._limit(request),
            **request.options,
        }
        return {name: value for name, value in body.items() if value is not None and name not in self._dropped}

    def learn(self, status: int, error: ServerError, request: CompletionRequest, sent: dict[str, Any]) -> str | None:
        """Takes in a refusal of `request`, which went out as `sent`; `status` is 200 for one told in a stream.

        Gives in words what will be otherwise from now on, so that trying again makes sense; None if the error is about
        something else. Raises WindowExceeded and ToolsRefused, where the caller must ask otherwise.
        """
        if status in (401, 403, 429):
            return None
        words = error.full or error.words
        if (told := window_told(error)) is not None:
            return self._learn_window(told, request, words)
        if sent.get("tools") and _NO_TOOLS.search(words):
            raise ToolsRefused("invalid_prompt", f"The model server said: {error.words}")
        if (shape := shape_wanted(words, request.messages, self._shapes)) is not None:
            self._shapes.add(shape)
            return f"messages: {shape}"
        return self._learn_parameter(error, sent) if status in (200, 400, 422) else None

    def _learn_parameter(self, error: ServerError, sent: dict[str, Any]) -> str | None:
        most = _MOST_COMPLETION.search(error.words)
        if (
            most
            and self._limit_name in sent
            and (limit := int(most.group(most.lastindex or 1))) < sent[self._limit_name]
        ):
            self._most_completion = max(1, limit)
            return f"{self._limit_name} is {limit} at most"
        if "max_tokens" in sent and "max_completion_tokens" in error.words:
            self._limit_name = "max_completion_tokens"
            return "max_tokens is max_completion_tokens"
        if not _NOT_KNOWN.search(error.words):
            return None
        if re.search(r"\bstrict\b", f"{error.words} {error.param}") and self._tools(sent.get("tools", [])) != _loose(
            sent
        ):
            self._is_strict_dropped = True
            return "strict is left out of functions"
        for name in _OPTIONAL:
            if name in sent and (error.param == name or re.search(rf"\b{name}\b", error.words)):
                self._dropped.add(name)
                return f"{name} is left out"
        return None

    def _learn_window(self, told: WindowTold, request: CompletionRequest, words: str) -> str | None:
        """Raises WindowExceeded, unless it was the limit of the answer that went beyond the window."""
        estimate = max(1, estimated_tokens(request))
        window = told.window or (self.window.tokens if self.window else None)
        ratio = (told.prompt or 0) / estimate
        if self.window is not None and window == self.window.tokens:
            ratio = max(ratio, self.window.ratio * _GROWTH)  # it was thought to fit
        if window is None:
            window = estimate // 2
        self.window = Window(window, max(1.0, ratio))
        fits = told.prompt is not None and told.prompt + _SLACK < window
        if fits and request.max_completion_tokens is not None and not self._is_limit_fitted:
            self._is_limit_fitted = True
            return f"the window is of {window} tokens"
        raise WindowExceeded("invalid_prompt", f"The prompt is larger than the model's context window: {words[:500]}")

    def _limit(self, request: CompletionRequest) -> int | None:
        limit = request.max_completion_tokens
        if limit is None:
            return None
        if self._most_completion is not None:
            limit = min(limit, self._most_completion)
        if self._is_limit_fitted and self.window is not None:
            prompt = int(estimated_tokens(request) * self.window.ratio)
            limit = min(limit, max(1, self.window.tokens - prompt - _SLACK))
        return limit

    def _tools(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return _loose({"tools": tools}) if self._is_strict_dropped else tools


def _loose(sent: dict[str, Any]) -> list[dict[str, Any]]:
    """The tools of a request without `strict`."""
    return [
        {**tool, "function": {name: value for name, value in tool["function"].items() if name != "strict"}}
        if isinstance(tool.get("function"), dict)
        else tool
        for tool in sent.get("tools", [])
    ]


def estimated_tokens(request: CompletionRequest) -> int:
    """The tokens of a request's prompt, by Locum's count."""
    return tokens.count(to_json([request.messages, request.tools]).decode())
