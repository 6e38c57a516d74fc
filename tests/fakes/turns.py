"""What the scripted completion backend answers: turns, and how they look on the wire."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

import orjson

#: What servers in the field do differently from OpenAI's own.
Quirk = Literal[
    "crlf",  # lines end in \r\n
    "no_space",  # `data:{...}`
    "comments",  # `: keep-alive` lines between the events
    "event_names",  # an `event: message` line in every event
    "split_utf8",  # every event in two writes, cut inside its first character beyond ASCII
    "role_chunk",  # the role in a chunk of its own
    "no_done",  # no `data: [DONE]`
    "no_finish",  # no chunk with a finish_reason
    "usage_in_finish",  # usage beside the finish_reason, not in a chunk without choices
    "usage_everywhere",  # usage in every chunk, growing
    "whole_calls",  # a tool call in one chunk
    "no_call_index",  # tool call deltas without index
    "repeat_call_id",  # id and name in every delta of a call
    "arguments_object",  # arguments as an object instead of its JSON (implies whole_calls)
    "ignore_stream",  # a stream is asked for, a JSON object answered
]

MALFORMED_EVENT = 'data: {"choices": [{"delta"\n\n'

_numbers = itertools.count(1)


def error_event(message: str, code: str | None = None) -> str:
    """An error in the middle of a stream, as vLLM, LiteLLM and OpenRouter send it; to be used as an interjection."""
    body = {"error": {"message": message, "type": "server_error", "param": None, "code": code}}
    return f"data: {orjson.dumps(body).decode()}\n\n"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. `arguments` may be a string, to be sent as it is (also if it is no JSON)."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str = field(default_factory=lambda: f"call_{next(_numbers):06}")
    pieces: int = 3
    #: Fields of the server's own, beside its first piece's.
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def json(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else orjson.dumps(self.arguments).decode()


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One answer. Positions (`drop_after` and its like) count the stream's events; the role comes with the first.

    Reasoning comes first, then the refusal, the text, the tool calls, the finish reason, the usage and `[DONE]`.
    """

    text: str | Sequence[str] = ()
    tool_calls: Sequence[Call] = ()
    refusal: str | Sequence[str] = ()
    reasoning: str | Sequence[str] = ()
    #: None: "tool_calls" if there are any, else "stop".
    finish_reason: str | None = None
    #: Prompt and completion tokens; None: the server does not tell them.
    usage: tuple[int, int] | None = (10, 5)
    #: Seconds before each event.
    delay: float = 0
    #: 0: no answer at all; the connection is closed, or (with hang_after) kept silent.
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Sent in place of an answer: text and bytes as they are, anything else as JSON. The way to answer errors.
    body: Any = None
    #: The connection is closed after so many events, its response unfinished.
    drop_after: int | None = None
    #: Nothing more is sent after so many events, until `CompletionBackend.release`.
    hang_after: int | None = None
    #: Raw text put into the stream after so many events: MALFORMED_EVENT, error_event(...).
    interject: tuple[int, str] | None = None
    quirks: frozenset[Quirk] = frozenset()
    #: What the server sends in place of all this, write by write.
    writes: Sequence[bytes] = ()

    @classmethod
    def from_json(cls, data: Any) -> "Turn":
        """A turn from its JSON form (the fields of this class). Raises ValueError and TypeError."""
        if not isinstance(data, dict):
            raise TypeError("a turn is an object")
        if unknown := data.keys() - {f.name for f in fields(cls)}:
            raise ValueError(f"a turn has no {', '.join(sorted(unknown))}")
        try:
            calls = [Call(**call) for call in data.get("tool_calls", ())]
        except TypeError as e:
            raise ValueError(f"a tool call is a name with arguments: {e}") from None
        if unknown := set(data.get("quirks", ())) - set(get_args(Quirk)):
            raise ValueError(f"no such quirks: {', '.join(sorted(unknown))}")
        pairs = {name: tuple(data[name]) for name in ("usage", "interject") if data.get(name) is not None}
        return cls(**{**data, **pairs, "tool_calls": calls, "quirks": frozenset(data.get("quirks", ()))})

    @property
    def reason(self) -> str:
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


def echo(request: dict[str, Any], usage: tuple[int, int] | None = None) -> Turn:
    """The answer of a model without a script: what the user said last, word by word."""
    said = "".join(_texts(m) for m in _last(request["messages"], "user"))
    words = re.findall(r"\s*\S+\s*", f"You said: {said}")
    prompt = sum(len(_texts(m).split()) for m in request["messages"])
    return Turn(text=words, usage=usage or (prompt, len(words)))


def _last(messages: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    return [m for m in messages if m["role"] == role][-1:]


def _texts(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def completion(turn: Turn, model: str) -> bytes:
    """The turn as the JSON of a completion that is not streamed."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(turn.text) or None,
        "refusal": "".join(turn.refusal) or None,
    }
    if turn.reasoning:
        message["reasoning_content"] = "".join(turn.reasoning)
    if turn.tool_calls:
        message["tool_calls"] = [_whole_call(turn, i) for i in range(len(turn.tool_calls))]
        for call in message["tool_calls"]:
            del call["index"]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": turn.reason}
    return orjson.dumps(_frame(model, "chat.completion", [choice]) | {"usage": _usage(turn.usage)})


def events(turn: Turn, model: str, include_usage: bool) -> list[bytes]:
    """The turn as server-sent events. A pair of writes (quirk split_utf8) is two entries, the first without its end."""
    if turn.writes:
        return list(turn.writes)
    encoded = [_event(turn, chunk) for chunk in _chunks(turn, model, include_usage)]
    if "no_done" not in turn.quirks:
        encoded.append(_event(turn, None))
    if turn.interject:
        position, text = turn.interject
        encoded.insert(position, text.encode())
    if "split_utf8" in turn.quirks:
        return [part for event in encoded for part in _split(event)]
    return encoded


def _event(turn: Turn, chunk: dict[str, Any] | None) -> bytes:
    data = b"[DONE]" if chunk is None else orjson.dumps(chunk)
    lines = [b"data:" + data if "no_space" in turn.quirks else b"data: " + data, b"", b""]
    if "event_names" in turn.quirks:
        lines.insert(0, b"event: message")
    if "comments" in turn.quirks:
        lines[:0] = [b": keep-alive", b""]
    return (b"\r\n" if "crlf" in turn.quirks else b"\n").join(lines)


def _split(event: bytes) -> list[bytes]:
    for position, byte in enumerate(event):
        if byte >= 0x80:
            return [event[: position + 1], event[position + 1 :]]
    return [event]


def _chunks(turn: Turn, model: str, include_usage: bool) -> list[dict[str, Any]]:
    deltas = _deltas(turn)
    if not deltas or "role_chunk" in turn.quirks:
        deltas.insert(0, {"role": "assistant", "content": ""})
    else:
        deltas[0] = {"role": "assistant", **deltas[0]}
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas
    ]
    if "no_finish" not in turn.quirks:
        choices.append({"index": 0, "delta": {}, "logprobs": None, "finish_reason": turn.reason})
    chunks = [_frame(model, "chat.completion.chunk", [choice]) for choice in choices]
    _put_usage(turn, model, chunks, include_usage)
    return chunks


def _put_usage(turn: Turn, model: str, chunks: list[dict[str, Any]], include_usage: bool) -> None:
    if turn.usage is None or not include_usage:
        return
    if "usage_everywhere" in turn.quirks:
        for number, chunk in enumerate(chunks):
            chunk["usage"] = _usage((turn.usage[0], min(number, turn.usage[1])))
        chunks[-1]["usage"] = _usage(turn.usage)
    elif "usage_in_finish" in turn.quirks:
        chunks[-1]["usage"] = _usage(turn.usage)
    else:
        chunks.append(_frame(model, "chat.completion.chunk", []) | {"usage": _usage(turn.usage)})


def _deltas(turn: Turn) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"reasoning_content": piece} for piece in _pieces(turn.reasoning)]
    deltas += [{"refusal": piece} for piece in _pieces(turn.refusal)]
    deltas += [{"content": piece} for piece in _pieces(turn.text)]
    for index in range(len(turn.tool_calls)):
        deltas += [{"tool_calls": [call]} for call in _call_deltas(turn, index)]
    return deltas


def _pieces(text: str | Sequence[str]) -> Sequence[str]:
    return [text] if isinstance(text, str) and text else text


def _whole_call(turn: Turn, index: int) -> dict[str, Any]:
    call = turn.tool_calls[index]
    arguments = call.arguments if "arguments_object" in turn.quirks else call.json
    function = {"name": call.name, "arguments": arguments}
    return {"index": index, "id": call.id, "type": "function", "function": function, **call.extra}


def _call_deltas(turn: Turn, index: int) -> list[dict[str, Any]]:
    whole = _whole_call(turn, index)
    deltas: list[dict[str, Any]]
    if turn.quirks & {"whole_calls", "arguments_object"}:
        deltas = [whole]
    else:
        call = turn.tool_calls[index]
        deltas = [whole | {"function": {"name": call.name, "arguments": ""}}]
        size = max(1, -(-len(call.json) // call.pieces))
        for start in range(0, len(call.json), size):
            function: dict[str, Any] = {"arguments": call.json[start : start + size]}
            if "repeat_call_id" in turn.quirks:
                deltas.append(whole | {"function": {"name": call.name, **function}})
            else:
                deltas.append({"index": index, "function": function})
    if "no_call_index" in turn.quirks:
        for delta in deltas:
            del delta["index"]
    return deltas


def _frame(model: str, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": 1_700_000_000,
        "model": model,
        "choices": choices,
    }


def _usage(usage: tuple[int, int] | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "prompt_tokens": usage[0],
        "completion_tokens": usage[1],
        "total_tokens": sum(usage),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
