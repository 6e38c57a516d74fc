"""Bodies of requests: JSON whatever their content type says, and nothing in it that cannot be stored.

FastAPI would read a body only under a JSON content type, and would tell of a bad one before the key is looked at.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from app import deps, idempotency
from app.errors import InvalidRequest

#: Deeper than any JSON schema of a function, and far from what Python's own recursion can bear.
MAX_DEPTH: Final = 128
#: Members of all objects and arrays together, which a thread of 100,000 messages does not reach. More would keep the
#: process from everything else for seconds.
MAX_VALUES: Final = 300_000

#: A longer body is read only for those who have a key.
_SHORT_BYTES: Final = 64 * 2**10

#: Also one that is not closed: were that no match, another would be looked for from every quote in it.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_TO_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")

#: In the scope of a request, where its body is to be translated before it is validated: a function of the JSON value,
#: which may raise InvalidRequest.
TRANSLATION: Final = "locum.translation"

_Path = tuple[str | int, ...]


def parse(raw: bytes) -> Any:
    """The JSON value of `raw`. Raises InvalidRequest if it is none, or one that the database cannot keep.

    A byte order mark is passed over, as some libraries write one (RFC 8259, section 8.1).
    """
    raw = raw.removeprefix(BOM_UTF8)
    refuse_deep(raw)
    _refuse_long(raw)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        message = f"The body of the request could not be read as JSON: {error}."
        raise InvalidRequest(message, code="invalid_json") from None
    # In JSON, U+0000 can only be written in this way.
    if b"\\u0000" in raw:
        _refuse_unstorable(value)
    return value


def refuse_deep(raw: bytes) -> None:
    """Raises InvalidRequest for JSON that is nested too deeply, before anything is made of it.

    Most bodies are seen not to be by counting brackets; of others, what is in strings is left out first.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRING.sub(b"", raw).translate(_TO_SQUARE, _NO_BRACKETS)
    if len(brackets) > 2 * MAX_VALUES:
        raise _too_many_values()
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")  # the innermost level
    if brackets:
        message = f"The body of the request is nested too deeply: more than {MAX_DEPTH} levels."
        raise InvalidRequest(message, code="invalid_json")


def _refuse_long(raw: bytes) -> None:
    """Raises InvalidRequest for JSON with too many values, in the same way."""
    if raw.count(b",") > MAX_VALUES and _STRING.sub(b"", raw).count(b",") > MAX_VALUES:
        raise _too_many_values()


def _too_many_values() -> InvalidRequest:
    message = f"The body of the request holds too many values: more than {MAX_VALUES}."
    return InvalidRequest(message, code="invalid_json")


def _refuse_unstorable(value: Any) -> None:
    """Raises InvalidRequest for U+0000 in any string, which Postgres cannot store."""
    level: list[tuple[Any, _Path]] = [(value, ())]
    while level:
        inner: list[tuple[Any, _Path]] = []
        for item, path in level:
            if isinstance(item, str):
                _refuse_nul(item, path)
            elif isinstance(item, list):
                inner.extend((member, (*path, position)) for position, member in enumerate(item))
            elif isinstance(item, dict):
                for key, member in item.items():
                    _refuse_nul(key, path)
                    inner.append((member, (*path, key)))
        level = inner


def _refuse_nul(text: str, path: _Path) -> None:
    if "\0" in text:
        param = param_path(path)
        where = f"'{param}'" if param else "the body"
        message = f"Invalid {where}: the character U+0000 cannot be stored. Expected a string without it."
        raise InvalidRequest(message, param=param or None, code="invalid_value")


def param_path(path: _Path) -> str:
    """A place in a body as OpenAI names it: `messages[0].content`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


class Unreadable:
    """Stands for a body that is no JSON until the request is known to come with a key: see app.validation."""

    def __init__(self, error: InvalidRequest) -> None:
        self.error = error


class _JsonRequest(Request):
    """A request whose body is JSON. One that is empty or null is an empty object: null is what was left out.

    So is an empty array, which is how PHP writes an object without fields (openai-php does, to cancel a run).
    """

    def __init__(self, request: Request, body: bytes) -> None:
        headers = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
        headers.append((b"content-type", b"application/json"))
        super().__init__({**request.scope, "headers": headers}, request.receive)
        self._body = body if body.removeprefix(BOM_UTF8).strip() else b"{}"

    async def json(self) -> Any:
        try:
            parsed = parse(self._body)
            value = {} if parsed is None or parsed == [] else parsed
            translate: Callable[[Any], Any] | None = self.scope.get(TRANSLATION)
            return value if translate is None else translate(value)
        except InvalidRequest as error:
            return Unreadable(error)


def _is_long(request: Request) -> bool:
    """Whether a body may be long: by what is announced, or because nothing is."""
    announced = request.headers.get("content-length", "0")
    is_short = announced.isdecimal() and len(announced) < 10 and int(announced) <= _SHORT_BYTES
    return not is_short or "transfer-encoding" in request.headers


class JsonRoute(APIRoute):
    """A route whose body, if it takes one, is read as JSON, and whose answers are kept by `Idempotency-Key`.

    The body is read before anything else, also where the route takes none (an `Idempotency-Key` stands for it too): a
    client that is slow to send it must not hold a connection to the database meanwhile.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = idempotency.once(super().get_route_handler())
        takes_json = self.body_field is not None

        async def handle_json(request: Request) -> Response:
            if _is_long(request):
                await deps.refuse_strangers(request)
            body = await request.body()
            return await handle(_JsonRequest(request, body) if takes_json else request)

        return handle_json
