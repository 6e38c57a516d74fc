"""From the chunks of a chat completion stream to deltas, whatever dialect of the format the server speaks.

Known differences, all understood:

- content as a list of parts (Mistral);
- tool calls in every form that app.backends.call_assembly knows; the older `function_call`;
- other words for the finish reason; none with the last chunk, or in the chunk of the usage;
- usage beside the choices, or in a chunk of its own, or several times, or not at all, or nonsense;
- a `message` in place of a `delta` (servers that ignore `stream`), or after all deltas, saying everything once more;
- what the model thinks, in fields of its own or as `<think>` before the answer (app.backends.thoughts);
- a character cut in two by the chunks; bytes that are no UTF-8; `NaN` and its like (app.backends.lenient_json).
"""

from collections.abc import Collection
from typing import Any

from app.backends import lenient_json
from app.backends.base import (
    BackendFailure,
    Delta,
    Finish,
    FinishReason,
    RefusalDelta,
    TextDelta,
    Usage,
)
from app.backends.call_assembly import CallAssembler, NamelessCall
from app.backends.call_pieces import Piece
from app.backends.failures import Retryable, ServerError, code_of, malformed
from app.backends.lenient_json import TextJoiner
from app.backends.thoughts import ThoughtFilter, Thoughts

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
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "sensitive": "content_filter",
}
#: Reasons that are troubles of the server's (OpenRouter, vLLM and SGLang, DeepSeek, Zhipu, Gemini).
_TROUBLES = frozenset({"error", "abort", "insufficient_system_resource", "network_error", "malformed_function_call"})


class DeltaReader:
    """Reads the chunks of one completion, in order, into the list it is given. `tools`: the names of the request's."""

    def __init__(self, tools: Collection[str] = ()) -> None:
        self._calls = CallAssembler(tools)
        self._thoughts, self._filter = Thoughts(), ThoughtFilter()
        self._text, self._refusal = TextJoiner(), TextJoiner()
        self._has_said = False
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
        rest: list[Delta] = []
        # What was held back for a character's other half, or for the end of thoughts, which has not come.
        if text := self._filter.feed(self._text.end()) + self._filter.end():
            rest.append(TextDelta(text))
        if refusal := self._refusal.end():
            rest.append(RefusalDelta(refusal))
        try:
            self._calls.end(rest)
        except NamelessCall:
            raise malformed("a tool call without a name") from None
        reason = self._reason or "stop"
        if reason in ("stop", "tool_calls"):
            reason = "tool_calls" if self._calls.count else "stop"
        rest.append(Finish(reason, self._usage, self._thoughts.fields(), self._calls.returned()))
        return rest

    def _read_chunk(self, chunk: dict[str, Any], into: list[Delta]) -> None:
        choices = chunk.get("choices")
        if not choices and (chunk.get("error") or chunk.get("object") == "error" or "detail" in chunk):
            raise _told(chunk)
        for choice in choices or ():
            if choice.get("index"):
                continue  # one completion is asked for; more of them are nobody's
            if delta := choice.get("delta"):
                self._read_delta(delta, into)
            if message := choice.get("message"):
                self._read_message(message, into)
            if reason := choice.get("finish_reason"):
                if str(reason).lower() in _TROUBLES:
                    raise _told(chunk if chunk.get("error") else choice)
                self._reason = _FINISH_REASONS.get(str(reason).lower(), "stop")
        if chunk.get("error"):
            raise _told(chunk)
        if usage := chunk.get("usage"):
            self._usage = _usage(usage)

    def _read_delta(self, delta: dict[str, Any], into: list[Delta]) -> None:
        self._say(delta, into)
        for given in delta.get("tool_calls") or ():
            if given is not None:
                self._calls.add(Piece.of(given), into)
        if legacy := delta.get("function_call"):
            self._calls.add(Piece.of({"index": 0, "function": legacy}), into)

    def _read_message(self, message: dict[str, Any], into: list[Delta]) -> None:
        """Reads a whole message. What deltas have said before is not said again."""
        if not self._has_said:
            self._say(message, into)
        pieces = [Piece.of(given) for given in message.get("tool_calls") or () if given is not None]
        if not pieces and (legacy := message.get("function_call")):
            pieces = [Piece.of({"index": 0, "function": legacy})]
        self._calls.add_whole(pieces, into)

    def _say(self, delta: dict[str, Any], into: list[Delta]) -> None:
        self._thoughts.take(delta)
        content = delta.get("content")
        if content and (text := self._text.feed(content if isinstance(content, str) else _text_of_parts(content))):
            self._has_said = True
            if text := self._filter.feed(text):
                into.append(TextDelta(text))
        if refusal := self._refusal.feed(delta.get("refusal") or ""):
            self._has_said = True
            into.append(RefusalDelta(refusal))


def _told(error: dict[str, Any]) -> BackendFailure:
    """The failure that a server tells of in the middle of a stream."""
    told = ServerError.from_json(error)
    code = code_of(told.code or told.type)
    message = f"The model server broke off: {told.words}"
    is_final = code == "invalid_prompt" or told.is_quota
    failure = BackendFailure(code, message) if is_final else Retryable(code, message)
    failure.told = told
    return failure


def _text_of_parts(parts: list[dict[str, Any]]) -> str:
    return "".join(part["text"] for part in parts if part["type"] == "text")


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
