"""What OpenAI's server finds wrong with a chat completion request, as far as it catches mistakes of Locum's."""

import re
from typing import Any

import orjson

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
# fmt: off
_PARAMETERS = {
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
    "max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n", "parallel_tool_calls",
    "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_retention", "reasoning_effort",
    "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options",
    "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
}
# fmt: on


class Violation(Exception):
    """A request that OpenAI answers with 400."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code

    def body(self) -> dict[str, Any]:
        error = {"message": str(self), "type": "invalid_request_error", "param": self.param, "code": self.code}
        return {"error": error}


def check_completion_request(body: Any) -> None:
    """Raises `Violation` for the first thing that is wrong."""
    if not isinstance(body, dict):
        raise Violation("We could not parse the JSON body of your request.")
    if unknown := sorted(body.keys() - _PARAMETERS):
        raise Violation(f"Unrecognized request argument supplied: {unknown[0]}", unknown[0], "unknown_parameter")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Violation("you must provide a model parameter", "model")
    _check_messages(body.get("messages"))
    _check_tools(body)
    _check_numbers(body)
    _check_response_format(body.get("response_format"))
    if body.get("stream_options") is not None and not body.get("stream"):
        raise Violation("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")


def _check_numbers(body: dict[str, Any]) -> None:
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1)):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Violation(f"Invalid '{name}': expected a number from {low} to {high}.", name)
    for name in ("max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise Violation(f"Invalid '{name}': expected an integer of 1 or more.", name)
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise Violation("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise Violation("Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages")
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise Violation(f"Invalid value for '{where}.role'. Supported values are: {_ROLES}.", f"{where}.role")
        if message["role"] == "tool":
            _close_call(message, open_calls, where)
        else:
            _check_all_answered(open_calls, where)
            open_calls = _calls_of(message, where)
        _check_content(message, where)
    _check_all_answered(open_calls, "messages")


def _close_call(message: dict[str, Any], open_calls: set[str], where: str) -> None:
    if message.get("tool_call_id") not in open_calls:
        raise Violation(
            "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
            f"{where}.role",
        )
    open_calls.discard(message["tool_call_id"])


def _check_all_answered(open_calls: set[str], where: str) -> None:
    if open_calls:
        raise Violation(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_calls)}",
            where,
        )


def _calls_of(message: dict[str, Any], where: str) -> set[str]:
    calls = message.get("tool_calls")
    if calls is None:
        return set()
    if message["role"] != "assistant" or not isinstance(calls, list) or not calls:
        raise Violation(f"Invalid '{where}.tool_calls': expected calls of an assistant.", f"{where}.tool_calls")
    ids = set()
    for number, call in enumerate(calls):
        path = f"{where}.tool_calls[{number}]"
        function = call.get("function") if isinstance(call, dict) and call.get("type") == "function" else None
        if not isinstance(function, dict) or not _is_name(function.get("name")):
            raise Violation(f"Invalid '{path}': expected a function call.", path)
        if not isinstance(function.get("arguments"), str):
            raise Violation(f"Invalid type for '{path}.function.arguments': expected a string.", path)
        if not isinstance(call.get("id"), str) or call["id"] in ids:
            raise Violation(f"Invalid '{path}.id': expected an id of its own.", f"{path}.id")
        ids.add(call["id"])
    return ids


def _check_content(message: dict[str, Any], where: str) -> None:
    content = message.get("content")
    if content is None:
        if message["role"] == "assistant" and (message.get("tool_calls") or message.get("refusal")):
            return
        raise Violation(f"Invalid value for '{where}.content': expected a string, got null.", f"{where}.content")
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        raise Violation(f"Invalid type for '{where}.content': expected a string or parts.", f"{where}.content")
    for number, part in enumerate(content):
        _check_part(part, message["role"], f"{where}.content[{number}]")


def _check_part(part: Any, role: str, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    allowed = ("text", "image_url", "input_audio", "file") if role == "user" else ("text", "refusal")
    if kind not in allowed:
        raise Violation(f"Invalid value: '{kind}'. Supported values are: {allowed}.", where, "invalid_value")
    if kind == "text" and not isinstance(part.get("text"), str):
        raise Violation(f"Missing required parameter: '{where}.text'.", where)
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else None
        if not isinstance(url, str) or not url.startswith(("https://", "http://", "data:image/")):
            raise Violation(f"Invalid '{where}.image_url.url'.", where, "invalid_value")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools")
    if tools is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None:
                raise Violation(
                    f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", name
                )
        return
    if not isinstance(tools, list) or not tools:
        raise Violation("Invalid 'tools': empty array. Expected an array with minimum length 1.", "tools")
    names = [_tool_name(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    _check_tool_choice(body.get("tool_choice"), names)


def _tool_name(tool: Any, where: str) -> str:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    if not isinstance(function, dict):
        raise Violation(f"Missing required parameter: '{where}.function'.", where, "missing_required_parameter")
    if not _is_name(function.get("name")):
        raise Violation(f"Invalid '{where}.function.name': string does not match pattern.", where, "invalid_value")
    parameters = function.get("parameters")
    if parameters is not None and (not isinstance(parameters, dict) or parameters.get("type") != "object"):
        raise Violation(f"Invalid schema for function '{function['name']}': not of type object.", where)
    if unknown := function.keys() - {"name", "description", "parameters", "strict"}:
        raise Violation(f"Unknown parameter: '{where}.function.{unknown.pop()}'.", where, "unknown_parameter")
    return str(function["name"])


def _check_tool_choice(choice: Any, names: list[str]) -> None:
    if choice is None or choice in ("auto", "none", "required"):
        return
    if not isinstance(choice, dict) or choice.get("type") != "function" or not isinstance(choice.get("function"), dict):
        raise Violation("Invalid value for 'tool_choice'.", "tool_choice", "invalid_value")
    if choice["function"].get("name") not in names:
        raise Violation("Tool choice names a function that is not among 'tools'.", "tool_choice")


def _check_response_format(value: Any) -> None:
    if value is None:
        return
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise Violation(f"Invalid value: '{kind}'.", "response_format.type", "invalid_value")
    if kind == "json_schema":
        schema = value.get("json_schema")
        if not isinstance(schema, dict) or not _is_name(schema.get("name")):
            raise Violation("Missing required parameter: 'response_format.json_schema'.", "response_format.json_schema")


def parsed(body: bytes) -> Any:
    """The JSON of a request. Raises `Violation`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Violation("We could not parse the JSON body of your request.") from None
