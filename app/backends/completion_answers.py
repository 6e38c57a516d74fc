"""The deltas of a completion as the answer of `/v1/chat/completions`, whole or as the chunks of a stream."""

import time
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import orjson

from app import ids
from app.backends.base import BackendFailure, Delta, Finish, RefusalDelta, TextDelta, ToolCallDelta, Usage

_DONE = b"data: [DONE]\n\n"


class CompletionAnswer:
    """One answer of the model `model`."""

    def __init__(self, model: str) -> None:
        self._common = {"id": ids.new("chatcmpl").replace("_", "-", 1), "created": int(time.time()), "model": model}
        self._call_ids: dict[int, str] = {}

    async def whole(self, batches: AsyncIterable[list[Delta]]) -> dict[str, Any]:
        """The answer in one. Raises BackendFailure."""
        texts: dict[str, list[str]] = {"content": [], "refusal": []}
        calls: dict[int, dict[str, Any]] = {}
        finish = Finish("stop", None)
        async for batch in batches:
            for delta in batch:
                match delta:
                    case TextDelta(text):
                        texts["content"].append(text)
                    case RefusalDelta(text):
                        texts["refusal"].append(text)
                    case ToolCallDelta(index, name, arguments):
                        call = calls.setdefault(index, self._call(index, name))
                        call["function"]["arguments"] += arguments
                    case Finish():
                        finish = delta
        message: dict[str, Any] = {"role": "assistant", **{name: "".join(said) or None for name, said in texts.items()}}
        if calls:
            message["tool_calls"] = [calls[index] for index in sorted(calls)]
        elif message["refusal"] is None:
            message["content"] = message["content"] or ""
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish.reason}
        usage = {} if finish.usage is None else {"usage": _usage(finish.usage)}
        return {**self._common, "object": "chat.completion", "choices": [choice], **usage}

    async def chunks(self, batches: AsyncIterable[list[Delta]], *, include_usage: bool) -> AsyncIterator[bytes]:
        """The events of a stream. One that breaks off ends with an error, which OpenAI's clients raise."""
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async for batch in batches:
                for delta in batch:
                    if isinstance(delta, Finish):
                        yield self._chunk({}, delta.reason)
                        if include_usage and delta.usage is not None:
                            yield self._event({"choices": [], "usage": _usage(delta.usage)})
                    else:
                        yield self._chunk(self._shown(delta))
        except BackendFailure as failure:
            error = {"message": failure.message, "type": "server_error", "param": None, "code": failure.code}
            yield b"data: " + orjson.dumps({"error": error}) + b"\n\n"
            return
        yield _DONE

    def _shown(self, delta: TextDelta | RefusalDelta | ToolCallDelta) -> dict[str, Any]:
        match delta:
            case TextDelta(text):
                return {"content": text}
            case RefusalDelta(text):
                return {"refusal": text}
            case ToolCallDelta(index, name, arguments):
                if index in self._call_ids:
                    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}
                call = self._call(index, name)
                call["function"]["arguments"] = arguments
                return {"tool_calls": [{"index": index, **call}]}

    def _call(self, index: int, name: str | None) -> dict[str, Any]:
        call_id = self._call_ids.setdefault(index, ids.new(ids.TOOL_CALL))
        return {"id": call_id, "type": "function", "function": {"name": name or "", "arguments": ""}}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._event({"choices": [choice]})

    def _event(self, body: dict[str, Any]) -> bytes:
        return b"data: " + orjson.dumps({**self._common, "object": "chat.completion.chunk", **body}) + b"\n\n"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
