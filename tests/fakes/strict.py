"""Servers that want more than OpenAI's, or less: what they refuse, with their own words and status.

The words are facts, recorded from public reports of each server's errors.
"""

import re
from collections.abc import Callable
from typing import Any, Literal, get_args

#: What a model may be strict about. `window` is told apart, with its number of tokens.
Strictness = Literal[
    "nine_ids",  # Mistral: ids of calls are nine letters and digits
    "alternating",  # Gemma's template behind llama.cpp: user and assistant take turns, no tool messages, no system
    "alternating_after_system",  # Mistral's template: the same after a system message, calls apart
    "no_system",  # o1-mini; Gemma 1 and 2
    "user_last",  # Mistral: the assistant's message cannot be the last
    "plain_roles",  # vLLM with Mistral's first template: user and assistant alone
    "no_tools",  # Ollama: the model's template knows no tools
    "no_strict",  # servers whose functions have no `strict`
    "reasoning_back",  # DeepSeek and Kimi: a turn with calls comes back with its reasoning
    "signatures_back",  # Gemini 3: a call comes back with the signature of its thought
    "no_reasoning",  # Groq and others: no fields of reasoning in requests
    "text_content",  # llama.cpp's older templates: content is a string, also beside calls
]
Refusal = tuple[int, dict[str, Any]]


def _error(message: str, code: int = 400, kind: str = "invalid_request_error") -> Refusal:
    return code, {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _llama_cpp(exception: str) -> Refusal:
    place = "\n------------\nWhile executing CallExpression at line 47, column 32 in source:\n...\n"
    words = f"{place}Error: Jinja Exception: {exception}"
    return 500, {"error": {"code": 500, "message": words, "type": "server_error"}}


def _calls(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for message in messages for call in message.get("tool_calls") or ()]


def _nine_ids(body: dict[str, Any]) -> Refusal | None:
    for call in _calls(body["messages"]):
        if not re.fullmatch(r"[a-zA-Z0-9]{9}", call["id"]):
            words = f"Tool call id was {call['id']} but must be a-z, A-Z, 0-9, with a length of 9."
            return 400, {"object": "error", "message": words, "type": "invalid_function_call", "code": "3280"}
    return None


def _take_turns(roles: list[str]) -> bool:
    return all((role == "user") == (number % 2 == 0) for number, role in enumerate(roles))


def _alternating(body: dict[str, Any]) -> Refusal | None:
    if _take_turns([message["role"] for message in body["messages"]]):
        return None
    return _llama_cpp("Conversation roles must alternate user/assistant/user/assistant/...")


def _alternating_after_system(body: dict[str, Any]) -> Refusal | None:
    messages = body["messages"][body["messages"][0]["role"] == "system" :]
    roles = [message["role"] for message in messages if message["role"] != "tool" and not message.get("tool_calls")]
    if _take_turns(roles):
        return None
    return _llama_cpp(
        "After the optional system message, conversation roles must alternate user and assistant roles "
        "except for tool calls and results."
    )


def _no_system(body: dict[str, Any]) -> Refusal | None:
    if all(message["role"] != "system" for message in body["messages"]):
        return None
    return _error("Unsupported value: 'messages[0].role' does not support 'system' with this model.")


def _user_last(body: dict[str, Any]) -> Refusal | None:
    role = body["messages"][-1]["role"]
    if role in ("user", "tool"):
        return None
    return _error(f"Expected last role User or Tool (or Assistant with prefix True) for serving but got {role}")


def _plain_roles(body: dict[str, Any]) -> Refusal | None:
    if all(message["role"] in ("user", "assistant") for message in body["messages"]):
        return None
    return _error("Only user and assistant roles are supported!", 500, "InternalServerError")


def _no_tools(body: dict[str, Any]) -> Refusal | None:
    if "tools" not in body:
        return None
    return _error(f"registry.ollama.ai/library/{body['model']} does not support tools", 400, "api_error")


def _no_strict(body: dict[str, Any]) -> Refusal | None:
    for number, tool in enumerate(body.get("tools", ())):
        if "strict" in tool["function"]:
            place = f"body -> tools -> {number} -> function -> strict"
            return 422, {"detail": [{"loc": place.split(" -> "), "msg": "Extra inputs are not permitted", "type": "x"}]}
    return None


def _reasoning_back(body: dict[str, Any]) -> Refusal | None:
    for number, message in enumerate(body["messages"]):
        if message.get("tool_calls") and not message.get("reasoning_content"):
            return _error(
                f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {number}"
            )
    return None


def _signatures_back(body: dict[str, Any]) -> Refusal | None:
    for number, message in enumerate(body["messages"]):
        calls = message.get("tool_calls")
        if calls and "thought_signature" not in calls[0].get("extra_content", {}).get("google", {}):
            name = f"default_api:{calls[0]['function']['name']}"
            words = "Function call is missing a thought_signature in functionCall parts. "
            words += f"Additional data, function call `{name}` , position {number}."
            return 400, {"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}
    return None


def _no_reasoning(body: dict[str, Any]) -> Refusal | None:
    for number, message in enumerate(body["messages"]):
        if found := {"reasoning", "reasoning_content"} & message.keys():
            return _error(
                f"'messages.{number}' : for 'role:assistant' the following must be satisfied"
                f"[('messages.{number}' : property '{found.pop()}' is unsupported)]"
            )
    return None


def _text_content(body: dict[str, Any]) -> Refusal | None:
    if all(isinstance(message.get("content"), str) for message in body["messages"]):
        return None
    return _error("messages.1.content: Input should be a valid string", 422)


_CHECKS: dict[Strictness, Callable[[dict[str, Any]], Refusal | None]] = {
    "nine_ids": _nine_ids,
    "alternating": _alternating,
    "alternating_after_system": _alternating_after_system,
    "no_system": _no_system,
    "user_last": _user_last,
    "plain_roles": _plain_roles,
    "no_tools": _no_tools,
    "no_strict": _no_strict,
    "reasoning_back": _reasoning_back,
    "signatures_back": _signatures_back,
    "no_reasoning": _no_reasoning,
    "text_content": _text_content,
}
assert set(_CHECKS) == set(get_args(Strictness))


def prompt_tokens(body: dict[str, Any]) -> int:
    """The tokens of a prompt, by a tokenizer that is not Locum's: three characters each."""
    told = [str(message.get(name, "")) for message in body["messages"] for name in ("content", "tool_calls")]
    return len("".join(told)) // 3


def refusal(body: dict[str, Any], strictness: frozenset[Strictness], window: int | None) -> Refusal | None:
    """What such a server answers to a request; None if it has nothing against it."""
    for kind in sorted(strictness):
        if found := _CHECKS[kind](body):
            return found
    if window is None or (asked := prompt_tokens(body)) + (body.get("max_tokens") or 0) <= window:
        return None
    limit = body.get("max_tokens") or 0
    return _error(
        f"This model's maximum context length is {window} tokens. However, you requested "
        f"{asked + limit} tokens ({asked} in the messages, {limit} in the completion). "
        "Please reduce the length of the messages or completion.",
        400,
        "BadRequestError",
    )
