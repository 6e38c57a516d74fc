"""Tool calling for model servers without it, by an answer constrained to a JSON schema.

One request, with `response_format: json_schema`, has the model answer either `{"tool_calls": [{"name", "arguments"}]}`
or `{"answer": text}`; the text is streamed while it arrives. (Asking first for the name of a function and then for its
arguments was tried on SmolLM2-135M: it chose worse without seeing arguments.) A second request, without the schema,
brings the answer in two cases:

- The model calls again, with the same arguments, what it has just been given the output of: small models do so without
  end. It then has what it asked for, and is let talk freely, which it does better than within JSON.
- The caller wants an answer in a `response_format` of its own.

A server that ignores `response_format` is taken at its word: what is no JSON is the answer.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from app.backends import lenient_json
from app.backends.base import (
    CompletionRequest,
    Delta,
    Finish,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from app.backends.json_string import JSONStringDecoder
from app.backends.openai import OpenAIBackend
from app.backends.parameters import Window
from app.backends.tool_prompt import PlainConversation, call_key, plain
from app.backends.tool_schema import Function, answer_schema
from app.text import storable_value, to_json

_FENCE = re.compile(r"^\s*```(?:json)?\s*|\s*```\s*$")
_ANSWER_BEGINS = re.compile(r'\s*(?:```(?:json)?\s*)?\{\s*"answer"\s*:\s*"')
_NO_JSON = re.compile(r"\s*[^\s{`]")

#: A call's name and arguments.
_Call = tuple[str, str]


class EmulatedBackend:
    """`backend`, with tools."""

    def __init__(self, backend: OpenAIBackend) -> None:
        self._backend = backend

    @property
    def window(self) -> Window | None:
        """The context window, if the server has told it by a refusal."""
        return self._backend.window

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[list[Delta], None]:
        """Streams one completion, as `CompletionBackend` says."""
        functions, must_call = _callable_functions(request)
        if functions:
            stream = self._decided(request, functions, must_call)
        else:
            stream = self._backend.stream(_without_tools(request, plain(request.messages, [])))
        async with aclosing(stream) as batches:
            async for batch in batches:
                yield batch

    async def _decided(
        self, request: CompletionRequest, functions: list[Function], must_call: bool
    ) -> AsyncGenerator[list[Delta], None]:
        """Has the model decide, and streams what it decides for."""
        conversation = plain(request.messages, functions)
        explained = _without_tools(request, conversation)
        decision = _Decision()
        constrained = replace(explained, response_format=_decision_format(request, functions, must_call))
        async with aclosing(self._backend.stream(constrained)) as batches:
            async for batch in batches:
                if (text := decision.read(batch)) and not _is_formatted(request):
                    yield [TextDelta(text)]
        used = decision.finish.usage
        calls = decision.calls()
        new = [call for call in calls if must_call or call_key(*call) not in conversation.answered]
        if new:
            deltas: list[Delta] = [ToolCallDelta(index, *call) for index, call in enumerate(new)]
            yield [*deltas, Finish("tool_calls", used)]
        elif decision.finish.reason == "length" or not (calls or _is_formatted(request)):
            yield decision.rest()
        elif _is_formatted(request):
            bare = _without_tools(request, plain(request.messages, []))
            async with aclosing(self._backend.stream(_within(bare, used))) as batches:
                async for batch in batches:
                    yield [_with_usage(delta, used) for delta in batch]
        else:
            async with aclosing(self._freely(_within(explained, used))) as batches:
                async for batch in batches:
                    yield [_with_usage(delta, used) for delta in batch]

    async def _freely(self, request: CompletionRequest) -> AsyncGenerator[list[Delta], None]:
        """An answer without a schema, which may be in the form that the model has been told of, or just text."""
        answer = _Decision()
        async with aclosing(self._backend.stream(request)) as batches:
            async for batch in batches:
                if text := answer.read(batch):
                    yield [TextDelta(text)]
        yield answer.rest()


def _without_tools(request: CompletionRequest, conversation: PlainConversation) -> CompletionRequest:
    return replace(request, messages=conversation.messages, tools=[], tool_choice=None, parallel_tool_calls=None)


def _is_formatted(request: CompletionRequest) -> bool:
    """Whether the caller wants the answer in a format of its own."""
    return request.response_format is not None and request.response_format.get("type") != "text"


def _within(request: CompletionRequest, used: Usage | None) -> CompletionRequest:
    """The request with what a first one has left of its tokens."""
    limit = request.max_completion_tokens
    if limit is None or used is None:
        return request
    return replace(request, max_completion_tokens=max(1, limit - used.completion_tokens))


def _with_usage(delta: Delta, more: Usage | None) -> Delta:
    """The delta, with `more` on top of the usage if it is the end; unknown if either is."""
    if not isinstance(delta, Finish) or delta.usage is None or more is None:
        return replace(delta, usage=None) if isinstance(delta, Finish) else delta
    usage = Usage(
        prompt_tokens=delta.usage.prompt_tokens + more.prompt_tokens,
        completion_tokens=delta.usage.completion_tokens + more.completion_tokens,
        cached_tokens=delta.usage.cached_tokens + more.cached_tokens,
        reasoning_tokens=delta.usage.reasoning_tokens + more.reasoning_tokens,
    )
    return replace(delta, usage=usage)


def _callable_functions(request: CompletionRequest) -> tuple[list[Function], bool]:
    """The functions that may be called now, and whether one must be."""
    functions = [tool["function"] for tool in request.tools if tool["type"] == "function"]
    choice = request.tool_choice
    if choice == "none":
        return [], False
    if isinstance(choice, dict):
        named = choice.get("function", {}).get("name")
        return [function for function in functions if function["name"] == named], True
    return functions, choice == "required"


def _decision_format(request: CompletionRequest, functions: list[Function], must_call: bool) -> dict[str, Any]:
    # With a format of the caller's own, this request brings the decision alone, a second one the answer.
    answer = {"const": ""} if _is_formatted(request) else {"type": "string"}
    parallel = request.parallel_tool_calls is not False
    schema = answer_schema(functions, None if must_call else answer, parallel=parallel)
    return {"type": "json_schema", "json_schema": {"name": "next_step", "strict": True, "schema": schema}}


class _Decision:
    """The model's constrained answer, while it comes and when it is there."""

    def __init__(self) -> None:
        self.finish = Finish("stop", None)
        self._text = ""
        self._answer: JSONStringDecoder | None = None
        self._is_plain = False

    def read(self, batch: list[Delta]) -> str:
        """Takes in a batch, and gives what it adds to an answer's text."""
        for delta in batch:
            if isinstance(delta, Finish):
                self.finish = delta
        return self._take("".join(delta.text for delta in batch if isinstance(delta, TextDelta | RefusalDelta)))

    def _take(self, piece: str) -> str:
        if self._is_plain:
            return piece
        if self._answer is not None:
            return self._answer.feed(piece)
        self._text += piece
        if begun := _ANSWER_BEGINS.match(self._text):
            self._answer = JSONStringDecoder()
            return self._answer.feed(self._text[begun.end() :])
        if _NO_JSON.match(self._text):
            self._is_plain = True
            return self._text
        return ""

    def calls(self) -> list[_Call]:
        """The calls of a decision that is there in full, each once."""
        decided = self._json()
        calls = decided.get("tool_calls") if isinstance(decided, dict) else None
        if not isinstance(calls, list):
            return []
        found = [(call["name"], _arguments(call)) for call in calls if isinstance(call, dict) and _is_named(call)]
        return list({call_key(*call): call for call in found}.values())

    def rest(self) -> list[Delta]:
        """The end, after the text that `read` has not given because the server kept to no form that it knows."""
        text = self._unread()
        return [TextDelta(text), self.finish] if text else [self.finish]

    def _unread(self) -> str:
        if self._answer is not None or self._is_plain or self.finish.reason == "length":
            return ""
        decided = self._json()
        if isinstance(decided, dict) and "tool_calls" in decided:
            return ""
        answer = decided.get("answer") if isinstance(decided, dict) else None
        return self._text if answer is None else str(answer)

    def _json(self) -> Any:
        if self._answer is not None or self._is_plain:
            return None
        try:
            return storable_value(lenient_json.loads(_FENCE.sub("", self._text)))
        except (ValueError, RecursionError):
            return None


def _is_named(call: dict[str, Any]) -> bool:
    return isinstance(call.get("name"), str)


def _arguments(call: dict[str, Any]) -> str:
    arguments = call.get("arguments")
    return arguments if isinstance(arguments, str) else to_json(arguments or {}).decode()
