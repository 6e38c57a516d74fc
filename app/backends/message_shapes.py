"""The messages of a request in the shape that one model's server takes, which is learnt from what it refuses.

Chat templates and servers want less than OpenAI's, each in its own way: no system message (Gemma, o1-mini), user and
assistant in turns (Gemma, Mistral), no assistant's message at the end (Mistral, Anthropic), no messages of tools
(Gemma, Phi), ids of nine characters (Mistral), content that is a string (older templates of llama.cpp).
"""

import hashlib
import re
from collections.abc import Callable, Collection
from typing import Any, Final, Literal, get_args

from app.backends.tool_prompt import plain

Message = dict[str, Any]

#: In the order in which they are applied.
Shape = Literal[
    "thoughts left out",
    "thoughts filled in",
    "signatures left out",
    "signatures filled in",
    "tools as text",
    "content as text",
    "calls without text",
    "ids of nine characters",
    "names of tools told",
    "system message in the user's",
    "roles in turns",
    "user's message last",
]

_THOUGHTS: Final = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "extra_content")
_SIGNATURES: Final = ("extra_content", "thought_signature", "provider_specific_fields")
#: Kimi refuses an empty text of thoughts, and takes this one.
_NO_THOUGHT: Final = " "
#: Google's word for a call that Gemini has not made itself (https://ai.google.dev/gemini-api/docs/thought-signatures).
_NO_SIGNATURE: Final = {"google": {"thought_signature": "skip_thought_signature_validator"}}
_CONTINUE: Final = "Continue."
_BEGINNING: Final = "(The conversation begins.)"
_NINE: Final = re.compile(r"[A-Za-z0-9]{9}")
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_UNKNOWN: Final = (
    r"(?:unsupported|unknown|unexpected|unrecogni[sz]ed|not (?:permitted|supported|allowed)|extra (?:inputs|fields))"
)
_THOUGHT_NAMES: Final = r"(?:reasoning(?:_content|_details)?|thinking_blocks)\b"
_SIGNATURE_NAMES: Final = r"(?:extra_content|thought_signature|provider_specific_fields)"


def _either_order(one: str, other: str, apart: int = 80) -> str:
    return rf"{one}.{{0,{apart}}}{other}|{other}.{{0,{apart}}}{one}"


#: Shapes that may be meant by what servers say: the first that changes something is tried.
_IN_TURNS: Final[tuple[Shape, ...]] = (
    "roles in turns",
    "system message in the user's",
    "user's message last",
    "tools as text",
)
_FEWER_ROLES: Final[tuple[Shape, ...]] = (
    "system message in the user's",
    "tools as text",
    "roles in turns",
    "user's message last",
)
_WORDS: Final[dict[str, tuple[Shape, ...]]] = {
    r"tool.?call.?id.{0,200}\b(?:length(?: of)? 9|9 char)": ("ids of nine characters",),
    r"missing (?:a )?`?thought_signature": ("signatures filled in",),
    _either_order(_SIGNATURE_NAMES, _UNKNOWN): ("signatures left out", "thoughts left out"),
    _either_order("reasoning_content", "(?:missing|must (?:be passed|be provided|include))"): ("thoughts filled in",),
    _either_order(_THOUGHT_NAMES, _UNKNOWN) + "|both content and thinking": ("thoughts left out",),
    r"function_response\.name|tool.{0,60}\bname\b.{0,30}(?:required|missing|empty)": ("names of tools told",),
    r"either content or tool_calls, but not both": ("calls without text",),
    r"content.{0,60}(?:valid string|be a string|of type string|not be null|be null|got null|<nil>)|NoneType": (
        "content as text",
    ),
    r"roles? must alternate|alternat\w+ (?:between )?(?:the )?(?:user|roles)|consecutive (?:user|assistant)": _IN_TURNS,
    r"first message.{0,40}user|assistant messages at the end": _IN_TURNS,
    r"system (?:role|message|prompt|instruction)s?.{0,40}(?:not|un)[ -]?(?:supported|allowed|enabled)": _FEWER_ROLES,
    r"not support.{0,30}\bsystem\b|developer instruction is not enabled": _FEWER_ROLES,
    r"roles? (?:are|is) (?:not )?supported|(?:unknown|invalid|unsupported|unexpected)(?: message)? role": _FEWER_ROLES,
    r"role.{0,30}(?:not supported|unsupported)": _FEWER_ROLES,
    r"expected last role|(?:must|should) end with a (?:user|message from the user)|prefill": ("user's message last",),
    r"last message.{0,60}(?:user|assistant)|no user query": ("user's message last",),
    r"at least one (?:user )?message|contents? (?:is|are) not spec": ("user's message last",),
}
_RULES: Final = [(re.compile(words, re.IGNORECASE), shapes) for words, shapes in _WORDS.items()]


def shaped(messages: list[Message], shapes: Collection[Shape]) -> list[Message]:
    """`messages`, with each of `shapes` applied."""
    for shape in get_args(Shape):
        if shape in shapes:
            messages = _APPLIED[shape](messages)
    return messages


def shape_wanted(words: str, messages: list[Message], shapes: Collection[Shape]) -> Shape | None:
    """The shape that a server wants which has refused `messages` in `shapes` with these words.

    None if the words are about something else, or nothing is left to be changed.
    """
    sent = shaped(messages, shapes)
    for pattern, candidates in _RULES:
        if pattern.search(words):
            for shape in candidates:
                if shape not in shapes and shaped(messages, {*shapes, shape}) != sent:
                    return shape
    return None


def _without(names: tuple[str, ...], value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if name not in names}


def _calls_changed(messages: list[Message], change: Callable[[dict[str, Any]], dict[str, Any]]) -> list[Message]:
    return [
        {**message, "tool_calls": [change(call) for call in message["tool_calls"]]}
        if message.get("tool_calls")
        else message
        for message in messages
    ]


def _thoughts_left_out(messages: list[Message]) -> list[Message]:
    return [_without(_THOUGHTS, message) for message in messages]


def _thoughts_filled_in(messages: list[Message]) -> list[Message]:
    return [
        {**message, "reasoning_content": message.get("reasoning_content") or message.get("reasoning") or _NO_THOUGHT}
        if message["role"] == "assistant"
        else message
        for message in messages
    ]


def _unsigned(call: dict[str, Any]) -> dict[str, Any]:
    return {**_without(_SIGNATURES, call), "function": _without(_SIGNATURES, call["function"])}


def _signatures_left_out(messages: list[Message]) -> list[Message]:
    return _calls_changed(messages, _unsigned)


def _signatures_filled_in(messages: list[Message]) -> list[Message]:
    return _calls_changed(messages, lambda call: {"extra_content": _NO_SIGNATURE, **call})


def _tools_as_text(messages: list[Message]) -> list[Message]:
    return plain(messages, []).messages


def _content_as_text(messages: list[Message]) -> list[Message]:
    return [{**message, "content": _as_text(message.get("content"))} for message in messages]


def _as_text(content: Any) -> Any:
    if content is None:
        return ""
    if isinstance(content, list) and all(part.get("type") == "text" for part in content):
        return "\n\n".join(part["text"] for part in content)
    return content


def _calls_without_text(messages: list[Message]) -> list[Message]:
    return [_without(("content",), message) if message.get("tool_calls") else message for message in messages]


def nine_characters(call_id: str) -> str:
    """`call_id` as Mistral wants it: nine letters and digits, always the same ones for the same id."""
    if _NINE.fullmatch(call_id):
        return call_id
    number = int.from_bytes(hashlib.sha256(call_id.encode()).digest())
    return "".join(_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(9))


def _ids_of_nine(messages: list[Message]) -> list[Message]:
    messages = _calls_changed(messages, lambda call: {**call, "id": nine_characters(call["id"])})
    return [
        {**message, "tool_call_id": nine_characters(message["tool_call_id"])} if message["role"] == "tool" else message
        for message in messages
    ]


def _names_of_tools(messages: list[Message]) -> list[Message]:
    names = {call["id"]: call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}
    return [
        {**message, "name": names.get(message["tool_call_id"], "function")} if message["role"] == "tool" else message
        for message in messages
    ]


def _system_in_user(messages: list[Message]) -> list[Message]:
    system = [message for message in messages if message["role"] in ("system", "developer")]
    others = [message for message in messages if message["role"] not in ("system", "developer")]
    if not system:
        return messages
    told: Message = {"role": "user", "content": "\n\n".join(str(_as_text(message["content"])) for message in system)}
    if others and others[0]["role"] == "user":
        return [_joined(told, others[0]), *others[1:]]
    return [told, *others]


def _joined(first: Message, second: Message) -> Message:
    """Two messages of one role as one."""
    return {**first, **second, "content": _both(first.get("content"), second.get("content"))}


def _both(one: Any, other: Any) -> Any:
    if not one or not other:
        return one or other
    if isinstance(one, str) and isinstance(other, str):
        return f"{one}\n\n{other}"
    return [*_parts(one), *_parts(other)]


def _parts(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _in_turns(messages: list[Message]) -> list[Message]:
    told: list[Message] = []
    for message in messages:
        role = message["role"]
        may_join = (
            told and told[-1]["role"] == role and role in ("user", "assistant") and not told[-1].get("tool_calls")
        )
        if may_join:
            told[-1] = _joined(told[-1], message)
            continue
        is_first = all(other["role"] in ("system", "developer") for other in told)
        if is_first and role == "assistant":
            told.append({"role": "user", "content": _BEGINNING})
        told.append(message)
    return told


def _user_last(messages: list[Message]) -> list[Message]:
    if messages and messages[-1]["role"] in ("user", "tool"):
        return messages
    return [*messages, {"role": "user", "content": _CONTINUE}]


_APPLIED: Final[dict[Shape, Callable[[list[Message]], list[Message]]]] = {
    "thoughts left out": _thoughts_left_out,
    "thoughts filled in": _thoughts_filled_in,
    "signatures left out": _signatures_left_out,
    "signatures filled in": _signatures_filled_in,
    "tools as text": _tools_as_text,
    "content as text": _content_as_text,
    "calls without text": _calls_without_text,
    "ids of nine characters": _ids_of_nine,
    "names of tools told": _names_of_tools,
    "system message in the user's": _system_in_user,
    "roles in turns": _in_turns,
    "user's message last": _user_last,
}
