"""From the chunks of a chat completion stream to deltas, whatever dialect of the format the server speaks.

Known differences, all understood:

- content as a list of parts (Mistral);
- whole tool calls in one chunk, with arguments as an object (Ollama);
- tool calls without `index`, or all with index 0 and ids of their own (Gemini); id and name repeated in every chunk;
- the older `function_call`; other words for the finish reason;
- usage beside the choices, or in a chunk of its own, or not at all, or nonsense;
- a `message` in place of a `delta` (servers that ignore `stream`);
- a character cut in two by the chunks; bytes that are no UTF-8; `NaN` and its like (app.backends.lenient_json).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.backends import lenient_json
from app.backends.base import (
    BackendFailure,
    Delta,
    Finish,
    FinishReason,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from app.backends.failures import Retryable, ServerError, code_of, malformed
from app.backends.lenient_json import TextJoiner
from app.text import storable, to_json

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
}


@dataclass(slots=True)
class _Call:
    number: int
    id: str | None
    name: str | None = None
    #: Arguments that came before the name.
    held: str = ""
    has_arguments: bool = False
    joiner: TextJoiner = field(default_factory=TextJoiner)


class DeltaReader:
    """Reads the chunks of one completion, in order, into the list it is given."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._text, self._refusal = TextJoiner(), TextJoiner()
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None

    @property
    def finished(self) -> bool:
        """Whether the server has told why the completion ended."""
        return self._reason is not None

    def read(self, payload: bytes, into: list[Delta]) -> None:
        """Appends what a chunk brings. Raises BackendFailure: malformed chunks, and errors told in a chunk."""
        try:
            chunk = lenient_json.loads(payload)
        except ValueError:
            raise malformed("an event that is not JSON", payload) from None
        try:
            self._read_chunk(chunk, into)
        except (AttributeError, TypeError, ValueError, LookupError, OverflowError):  # any part may be of any type
            raise malformed("a chunk of a form that is not known", payload) from None

    def finish(self) -> list[Delta]:
        """The last deltas of the completion. Raises BackendFailure if a tool call never got its name."""
        if any(call.name is None for call in self._calls):
            raise malformed("a tool call without a name")
        reason = self._reason or "stop"
        if reason in ("stop", "tool_calls"):
            reason = "tool_calls" if self._calls else "stop"
        return [*self._cut_off(), Finish(reason, self._usage)]

    def _cut_off(self) -> Iterator[Delta]:
        """What was held back for a character's other half, which has not come."""
        if text := self._text.end():
            yield TextDelta(text)
        if refusal := self._refusal.end():
            yield RefusalDelta(refusal)
        for call in self._calls:
            if arguments := call.joiner.end():
                yield ToolCallDelta(call.number, None, arguments)

    def _read_chunk(self, chunk: dict[str, Any], into: list[Delta]) -> None:
        choices = chunk.get("choices")
        if not choices and (chunk.get("error") or chunk.get("object") == "error" or "detail" in chunk):
            raise _told(chunk)
        for choice in choices or ():
            if choice.get("index"):
                continue  # one completion is asked for; more of them are nobody's
            delta = choice.get("delta") or choice.get("message")
            if delta:
                self._read_delta(delta, into)
            if reason := choice.get("finish_reason"):
                if reason == "error":
                    raise _told(chunk if chunk.get("error") else choice)
                self._reason = _FINISH_REASONS.get(str(reason).lower(), "stop")
        if usage := chunk.get("usage"):
            self._usage = _usage(usage)

    def _read_delta(self, delta: dict[str, Any], into: list[Delta]) -> None:
        content = delta.get("content")
        if content and (text := self._text.feed(content if isinstance(content, str) else _text_of_parts(content))):
            into.append(TextDelta(text))
        if refusal := self._refusal.feed(delta.get("refusal") or ""):
            into.append(RefusalDelta(refusal))
        for piece in delta.get("tool_calls") or ():
            self._read_call(piece, into)
        if legacy := delta.get("function_call"):
            self._read_call({"index": 0, "function": legacy}, into)

    def _read_call(self, piece: dict[str, Any], into: list[Delta]) -> None:
        function = piece.get("function") or {}
        call = self._call_of(piece, function.get("name"))
        arguments = call.joiner.feed(_arguments(function.get("arguments")))
        call.has_arguments |= bool(arguments)
        if call.name is not None:
            if arguments:
                into.append(ToolCallDelta(call.number, None, arguments))
        elif name := function.get("name"):
            call.name = storable(name)
            into.append(ToolCallDelta(call.number, call.name, call.held + arguments))
        else:
            call.held += arguments

    def _call_of(self, piece: dict[str, Any], name: str | None) -> _Call:
        """The call that a piece belongs to, which may be a new one."""
        index, call_id = piece.get("index"), piece.get("id") or None
        known = self._known_call(index, call_id, name)
        if known is not None:
            return known
        call = _Call(len(self._calls), call_id)
        self._calls.append(call)
        if index is not None:
            self._by_index[int(index)] = call
        return call

    def _known_call(self, index: Any, call_id: str | None, name: str | None) -> _Call | None:
        if index is not None:
            call = self._by_index.get(int(index))
            is_another = call and call_id and name and call_id != call.id and call.has_arguments
            return None if is_another else call
        if call_id is not None:
            return next((call for call in self._calls if call.id == call_id), None)
        return self._calls[-1] if self._calls and not name else None


def _told(error: dict[str, Any]) -> BackendFailure:
    """The failure that a server tells of in the middle of a stream."""
    told = ServerError.from_json(error)
    code = code_of(told.code or told.type)
    message = f"The model server broke off: {told.words}"
    if code == "invalid_prompt" or told.is_quota:
        return BackendFailure(code, message)
    return Retryable(code, message)


def _text_of_parts(parts: list[dict[str, Any]]) -> str:
    return "".join(part["text"] for part in parts if part["type"] == "text")


def _arguments(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else to_json(value).decode()


def _usage(usage: Any) -> Usage | None:
    """None for what tells no usage: it is estimated then, and no answer is lost for it."""
    if not isinstance(usage, dict):
        return None
    counts = [_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
    if None in counts:
        return None
    prompt, completion = (count or 0 for count in counts)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=_detail(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=_detail(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _detail(details: Any, name: str) -> int:
    return (_count(details.get(name)) or 0) if isinstance(details, dict) else 0


def _count(value: Any) -> int | None:
    """A number of tokens, however it is written; None if it is no number."""
    try:
        return min(max(int(value or 0), 0), 2**31 - 1)
    except (TypeError, ValueError, OverflowError):
        return None
