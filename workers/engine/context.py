"""From a conversation to the messages of one model call: pure functions over what workers.engine.history has read."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app import tokens
from app.db.base import Json
from app.text import to_json
from workers.engine.annotations import without_markers
from workers.tools.arguments import is_object

#: What a message costs besides its text, and what an image is taken to cost.
_MESSAGE_TOKENS: Final = 4
_IMAGE_TOKENS: Final = 1024

#: Of a message: what is counted by itself, or costs next to nothing. The rest are calls, and what servers want back.
_TOLD_APART: Final = frozenset({"role", "content", "tool_call_id"})

Measure = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of the thread: its role, its content parts as they are stored, and what is said of its attachments."""

    role: str
    content: Sequence[Json]
    attached: str | None = None


@dataclass(frozen=True, slots=True)
class ToldCall:
    """A tool call as the model made it, and what it is told in return."""

    id: str
    name: str
    arguments: str
    output: str
    #: What the model server is to be given back with it: see `workers.tools.base.UPSTREAM`.
    upstream: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolExchange:
    """The tool calls of one turn. `is_refused`: none of them could be made, and the outputs say why."""

    calls: Sequence[ToldCall]
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class OwnTurn:
    """One earlier turn of this run: what it wrote, what it called."""

    text: str | None = None
    exchange: ToolExchange | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything a model call may be told. `messages` are in order; the first of them may be far from the second."""

    instructions: str | None
    messages: Sequence[StoredMessage]
    turns: Sequence[OwnTurn] = field(default_factory=list)


class DoesNotFit(Exception):
    """Not even the instructions, the last message and the run's own turns fit the budget."""


def build(conversation: Conversation, *, budget: int, vision: bool) -> list[Json]:
    """The messages of one model call, in at most `budget` tokens.

    The instructions, the last message and the run's own turns are always told; of the others the first and the newest
    that fit, so that what is dropped is dropped from the middle (contract, section 6, truncation_strategy). Raises
    DoesNotFit if the budget is too small even for what must be told.
    """
    system = [{"role": "system", "content": conversation.instructions}] if conversation.instructions else []
    told = [chat for message in conversation.messages if (chat := chat_message(message, vision=vision)) is not None]
    own = [chat for turn in conversation.turns for chat in _own_turn(turn)]
    if _bound([*system, *told, *own], tokens.at_most) <= budget:
        return [*system, *told, *own]
    left = budget - _bound([*system, *own], tokens.count)
    return [*system, *_from_the_middle(told, left), *own]


def least(conversation: Conversation, *, vision: bool) -> list[Json]:
    """The least that a model call must tell: instructions, last message, the run's own turns."""
    shortened = replace(conversation, messages=conversation.messages[-1:])
    return build(shortened, budget=sys.maxsize, vision=vision)


def _from_the_middle(told: list[Json], budget: int) -> list[Json]:
    """The first message and the newest ones, as far as `budget` tokens go; the last one in any case."""
    if not told:
        if budget < 0:
            raise DoesNotFit
        return []
    *others, last = told
    left = budget - _bound([last], tokens.count)
    if left < 0:
        raise DoesNotFit
    first: list[Json] = []
    if others:
        cost = _bound(others[:1], tokens.count)
        if cost <= left:
            first = [others[0]]
            left -= cost
    kept: list[Json] = []
    for message in reversed(others[1:]):
        cost = _bound([message], tokens.count)
        if cost > left:
            break
        kept.append(message)
        left -= cost
    return [*first, *reversed(kept), last]


def _bound(messages: Sequence[Json], measure: Measure) -> int:
    return sum(_cost(message, measure) for message in messages)


def _cost(message: Json, measure: Measure) -> int:
    total = _MESSAGE_TOKENS
    content = message.get("content")
    if isinstance(content, str):
        total += measure(content)
    elif content is not None:
        total += sum(measure(part["text"]) if part["type"] == "text" else _IMAGE_TOKENS for part in content)
    if more := {name: value for name, value in message.items() if name not in _TOLD_APART}:
        total += measure(to_json(more).decode())
    return total


def chat_message(message: StoredMessage, *, vision: bool) -> Json | None:
    """A stored message as chat completions want it, or None if nothing of it can be told.

    Text alone becomes one string, which every backend takes. Images go to models that see, and only as the user's;
    others are told that there was one.
    """
    images = [part for part in message.content if part["type"] == "image_url"]
    if images and vision and message.role == "user":
        parts = [_chat_part(part) for part in message.content]
        attached = [{"type": "text", "text": message.attached}] if message.attached else []
        return {"role": "user", "content": [*parts, *attached]}
    texts = [*(_text(part) for part in message.content), message.attached or ""]
    if not any(texts):
        return None
    return {"role": message.role, "content": "\n\n".join(text for text in texts if text)}


def _chat_part(part: Json) -> Json:
    if part["type"] != "image_url":
        return {"type": "text", "text": _text(part)}
    shown = {"url": part["image_url"]["url"]}
    if part["image_url"].get("detail", "auto") != "auto":
        shown["detail"] = part["image_url"]["detail"]
    return {"type": "image_url", "image_url": shown}


def _text(part: Json) -> str:
    match part["type"]:
        case "text":
            return without_markers(part["text"])
        case "refusal":
            return str(part["refusal"])
        case "image_url":
            return f"[image: {part['image_url']['url']}]"
        case unknown:
            raise ValueError(f"a content part of type {unknown!r}")


def _own_turn(turn: OwnTurn) -> list[Json]:
    """A turn as an assistant message, followed by one tool message for each call.

    With what the server wants back of what it said: its ids for the calls, its reasoning, its signatures.
    """
    if turn.exchange is None:
        return [{"role": "assistant", "content": turn.text}] if turn.text else []
    calls = [_made(call) for call in turn.exchange.calls]
    answers = [
        {"role": "tool", "tool_call_id": made["id"], "content": call.output}
        for made, call in zip(calls, turn.exchange.calls, strict=True)
    ]
    fields = {name: value for call in turn.exchange.calls for name, value in call.upstream.get("message", {}).items()}
    return [{"role": "assistant", "content": turn.text, "tool_calls": calls, **fields}, *answers]


def _made(call: ToldCall) -> Json:
    """A call as the server has made it."""
    extras = {name: value for name, value in call.upstream.items() if name not in ("id", "function", "message")}
    function = {"name": call.name, "arguments": _valid(call.arguments), **call.upstream.get("function", {})}
    return {"id": call.upstream.get("id", call.id), "type": "function", "function": function, **extras}


def _valid(arguments: str) -> str:
    """Backends parse the arguments of earlier calls: what is not JSON would make them refuse the whole request."""
    return arguments if is_object(arguments) else "{}"
