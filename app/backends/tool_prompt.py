"""Functions, calls and their outputs as plain text, for models that know nothing of tools.

Calls and outputs go into the user's message that led to them ("Function results: ..."), not into turns of their own:
many chat templates want user and assistant to alternate, and small models answer from the user's message what they
merely repeat from an assistant's.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from app.backends.tool_schema import Function

Message = dict[str, Any]

#: A call by its name and arguments, in a form in which equal calls are equal.
CallKey = tuple[str, str]


@dataclass(slots=True)
class PlainConversation:
    """Messages without tools, and the calls that the last user's message has had answered."""

    messages: list[Message] = field(default_factory=list)
    answered: set[CallKey] = field(default_factory=set)


def call_key(name: str, arguments: str) -> CallKey:
    """`arguments` as their JSON with sorted keys; as they are where they are no JSON."""
    try:
        return name, orjson.dumps(orjson.loads(arguments), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return name, arguments


def plain(messages: list[Message], functions: list[Function]) -> PlainConversation:
    """The conversation with its tool calls and outputs as text and, if there are any, `functions` explained."""
    conversation = PlainConversation()
    calls: dict[str, dict[str, str]] = {}
    for message in messages:
        if message["role"] == "tool":
            call = calls.get(message["tool_call_id"], {"name": "function", "arguments": "{}"})
            conversation.answered.add(call_key(call["name"], call["arguments"]))
            _add_result(conversation.messages, f"{call['name']}({call['arguments']}) = {_text(message)}")
        elif message.get("tool_calls"):
            calls |= {call["id"]: call["function"] for call in message["tool_calls"]}
            if message.get("content"):
                _add_result(conversation.messages, f"You said: {_text(message)}")
        else:
            if message["role"] == "user":
                conversation.answered.clear()
            conversation.messages.append(message)
    if functions:
        _explain(conversation.messages, functions)
    return conversation


def _text(message: Message) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _add_result(messages: list[Message], line: str) -> None:
    """Adds a line to the results in the last user's message, which is made if there is none."""
    if not messages or messages[-1]["role"] != "user":
        messages.append({"role": "user", "content": f"Function results:\n{line}"})
        return
    content = messages[-1]["content"]
    text = _text(messages[-1])
    addition = f"\n{line}" if "\n\nFunction results:\n" in f"\n\n{text}" else f"\n\nFunction results:\n{line}"
    if isinstance(content, str):
        messages[-1] = {**messages[-1], "content": content + addition}
    else:
        messages[-1] = {**messages[-1], "content": [*content, {"type": "text", "text": addition}]}


def _explain(messages: list[Message], functions: list[Function]) -> None:
    """Adds to the system message what can be called and how, or makes one that says so."""
    listed = "\n".join(_described(function) for function in functions)
    text = (
        f"You can call these functions:\n{listed}\n\n"
        'To call functions, answer {"tool_calls": [{"name": ..., "arguments": {...}}]}. '
        'To answer the user, say {"answer": "..."}.'
    )
    if messages and messages[0]["role"] in ("system", "developer"):
        messages[0] = {**messages[0], "content": f"{_text(messages[0])}\n\n{text}"}
    else:
        messages.insert(0, {"role": "system", "content": text})


def _described(function: Function) -> str:
    properties = (function.get("parameters") or {}).get("properties") or {}
    description = (function.get("description") or "").strip()
    about = f": {description}" if description else ""
    return f"- {function['name']}{about} Arguments: {orjson.dumps(properties).decode()}"
