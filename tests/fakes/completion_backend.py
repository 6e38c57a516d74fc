"""A scripted model server that speaks OpenAI's API: for tests, benchmarks, and clients in other languages.

In process (it runs in a thread of its own):

    with CompletionBackend() as backend:
        backend.script("gpt-4o-test", Turn(tool_calls=[Call("get_weather", {"city": "Ulm"})]), Turn(text=["Su", "nny"]))
        ...                                     # point a client at backend.url
        assert backend.requests("gpt-4o-test")[1]["messages"][-1]["role"] == "tool"
        assert not backend.violations

Standing alone, `python -m tests.fakes.completion_backend --port 9000 [--tokens 100 --token-delay 0.02]`, it is scripted
over HTTP:

    PUT    /scripts/{model}[?repeat=1]   a JSON list of turns (the fields of `Turn`); drops the model's earlier script
    GET    /requests/{model}             the requests received: {path, headers, body, violation}
    GET    /violations                   what was wrong with requests, over all models
    POST   /release/{model}              lets turns go on that hang (hang_after)
    DELETE /scripts/{model}, /requests/{model}, /violations
    PUT    /models                       what GET /v1/models lists

Scripts belong to model names, so tests that use a name of their own run side by side. Each request takes the next turn
of its model's script; a request after the last turn is a violation, unless the script repeats (its last turn is given
again and again). A model that was never given a script echoes. Requests are checked as OpenAI checks them; a wrong one
is answered with 400, recorded as a violation, and takes no turn.

A model can be made as strict as some servers are: `be_strict("model", "nine_ids")`.

Requests for embeddings take turns too: a turn's `delay`, `status`, `headers` and `body` count, and one without a body
brings the vectors. A model that was never given a script always brings them (tests.fakes.embeddings).
"""

import argparse
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import orjson

from tests.fakes.checks import Violation, check_completion_request, parsed
from tests.fakes.embeddings import EMBEDDING_DIMENSIONS, check_embedding_request, embedding, embeddings
from tests.fakes.http_server import Exchange, HTTPServer, frame
from tests.fakes.strict import Strictness, refusal
from tests.fakes.turns import MALFORMED_EVENT, Call, Quirk, Turn, completion, echo, error_event, events

__all__ = [
    "EMBEDDING_DIMENSIONS",
    "MALFORMED_EVENT",
    "Call",
    "CompletionBackend",
    "Quirk",
    "ReceivedRequest",
    "Turn",
    "embedding",
    "embeddings",
    "error_event",
]

#: A turn, or what makes one of the request's body.
ScriptedTurn = Turn | Callable[[dict[str, Any]], Turn]

_JSON = {"content-type": "application/json"}
_SSE = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_NOT_FOUND = {"error": {"message": "Unknown request URL", "type": "invalid_request_error", "param": None, "code": None}}
_REMEMBERED_REQUESTS = 1000


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    path: str
    headers: dict[str, str]
    body: Any
    violation: str | None = None


@dataclass(slots=True)
class _Script:
    turns: deque[ScriptedTurn]
    repeat: bool


@dataclass(slots=True)
class _ModelState:
    script: _Script | None = None
    received: deque[ReceivedRequest] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_REQUESTS))
    hanging: list["_Stream"] = field(default_factory=list)
    open_streams: int = 0
    strictness: frozenset[Strictness] = frozenset()
    window: int | None = None


class CompletionBackend:
    """The server. `default` is the turn of models without a script; None: they echo."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, default: Turn | None = None) -> None:
        self.default = default
        #: The entries of GET /v1/models, by id; what a server tells beyond the id is the value.
        self.models: dict[str, dict[str, Any]] = {"echo": {}}
        #: How often the list was asked for.
        self.list_requests = 0
        self.violations: list[str] = []
        self._states: defaultdict[str, _ModelState] = defaultdict(_ModelState)
        self._changed = threading.Condition(threading.RLock())
        self._server = HTTPServer(self._handle, host, port)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Returns when the server listens. Raises OSError if the port is taken."""
        self._server.start()

    def close(self) -> None:
        """Drops every connection and stops."""
        self._server.close()

    def wait(self) -> None:
        """Returns when the server has stopped."""
        self._server.wait()

    @property
    def url(self) -> str:
        """The OpenAI base URL, with its /v1."""
        return f"{self.origin}/v1"

    @property
    def origin(self) -> str:
        return f"http://{self._server.host}:{self._server.port}"

    @property
    def connections_accepted(self) -> int:
        """How many connections were made so far."""
        return self._server.accepted

    def script(self, model: str, *turns: ScriptedTurn, repeat: bool = False) -> None:
        """Says what `model` will answer, in place of what was said before."""
        with self._changed:
            self._states[model].script = _Script(deque(turns), repeat)

    def be_strict(self, model: str, *about: Strictness, window: int | None = None) -> None:
        """Has `model` refuse what some server refuses (tests.fakes.strict), or more than `window` tokens.

        What is refused so is no violation, and takes no turn.
        """
        with self._changed:
            self._states[model].strictness, self._states[model].window = frozenset(about), window

    def received(self, model: str) -> list[ReceivedRequest]:
        """The requests for `model` so far (the last thousand), the wrong ones too."""
        with self._changed:
            return list(self._states[model].received)

    def requests(self, model: str) -> list[dict[str, Any]]:
        """The bodies of the requests for `model` so far."""
        return [request.body for request in self.received(model)]

    def open_streams(self, model: str) -> int:
        """How many answers of `model` are under way."""
        with self._changed:
            return self._states[model].open_streams

    def wait_for_requests(self, model: str, count: int = 1, timeout: float = 10) -> list[dict[str, Any]]:
        """Waits until `model` has been asked `count` times, and gives the bodies. Raises TimeoutError."""
        self._wait(lambda: len(self._states[model].received) >= count, timeout, f"{count} requests for {model}")
        return self.requests(model)

    def wait_until_hanging(self, model: str, count: int = 1, timeout: float = 10) -> None:
        """Waits until `count` answers of `model` have come to their `hang_after`. Raises TimeoutError."""
        self._wait(lambda: len(self._states[model].hanging) >= count, timeout, f"{count} hanging answers of {model}")

    def wait_until_idle(self, model: str, timeout: float = 10) -> None:
        """Waits until no answer of `model` is under way (complete, or its connection closed). Raises TimeoutError."""
        self._wait(lambda: self._states[model].open_streams == 0, timeout, f"no open stream of {model}")

    def _wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"waited {timeout} s for {what}")

    def release(self, model: str) -> None:
        """Lets the answers of `model` that hang go on."""
        with self._changed:
            hanging, self._states[model].hanging = self._states[model].hanging, []
        for stream in hanging:
            self._server.call(stream.release)

    def forget(self, model: str) -> None:
        """Drops the script and the requests of `model`."""
        with self._changed:
            self._states[model].script = None
            self._states[model].strictness, self._states[model].window = frozenset(), None
            self._states[model].received.clear()

    # Everything below runs in the server's thread.

    def _handle(self, exchange: Exchange) -> None:
        request = exchange.request
        route = (request.method, request.path.removeprefix("/v1"))
        try:
            if route == ("POST", "/chat/completions"):
                self._complete(exchange)
            elif route == ("POST", "/embeddings"):
                self._embed(exchange)
            elif route == ("GET", "/models"):
                self.list_requests += 1
                listed = [{"id": name, "object": "model", **more} for name, more in self.models.items()]
                self._answer(exchange, {"object": "list", "data": listed})
            else:
                self._control(exchange)
        except Violation as e:
            exchange.respond(400, orjson.dumps(e.body()), _JSON)

    def _answer(self, exchange: Exchange, body: Any) -> None:
        exchange.respond(200, orjson.dumps(body), _JSON)

    def _control(self, exchange: Exchange) -> None:
        request = exchange.request
        kind, _, model = request.path.lstrip("/").partition("/")
        match request.method, kind:
            case "PUT", "scripts":
                try:
                    turns = [Turn.from_json(turn) for turn in parsed(request.body)]
                except (ValueError, TypeError) as e:
                    raise Violation(str(e)) from None
                self.script(model, *turns, repeat="repeat=1" in request.query)
            case "PUT", "models":
                self.models = parsed(request.body)
            case "GET", "requests":
                return self._answer(exchange, self.received(model))
            case "GET", "violations":
                return self._answer(exchange, self.violations)
            case "POST", "release":
                self.release(model)
            case "DELETE", "scripts" | "requests":
                self.forget(model)
            case "DELETE", "violations":
                self.violations.clear()
            case _:
                return exchange.respond(404, orjson.dumps(_NOT_FOUND), _JSON)
        return self._answer(exchange, {"ok": True})

    def _parse(self, exchange: Exchange, check: Callable[[Any], None] = lambda _: None) -> Any:
        """The request's body, recorded and checked."""
        request = exchange.request
        body: Any = None
        violation: Violation | None = None
        try:
            body = parsed(request.body)
            check(body)
        except Violation as e:
            violation = e
        model = body.get("model") if isinstance(body, dict) else None
        with self._changed:
            record = ReceivedRequest(request.path, request.headers, body, str(violation) if violation else None)
            self._states[str(model)].received.append(record)
            if violation:
                self.violations.append(f"{model}: {violation}")
            self._changed.notify_all()
        if violation:
            raise violation
        return body

    def _complete(self, exchange: Exchange) -> None:
        body = self._parse(exchange, check_completion_request)
        state = self._states[body["model"]]
        if refused := refusal(body, state.strictness, state.window):
            status, answer = refused
            return exchange.respond(status, orjson.dumps(answer), _JSON)
        turn = self._next_turn(body)
        return _Stream(self, self._states[body["model"]], exchange, turn).start(body)

    def _embed(self, exchange: Exchange) -> None:
        body = self._parse(exchange, check_embedding_request)
        turn = self._scripted_turn(body) or Turn()
        if turn.status == 200 and turn.body is None:
            turn = replace(turn, body=embeddings(body))
        _Stream(self, self._states[str(body.get("model"))], exchange, turn).start(body)

    def _next_turn(self, body: dict[str, Any]) -> Turn:
        return self._scripted_turn(body) or self.default or echo(body)

    def _scripted_turn(self, body: dict[str, Any]) -> Turn | None:
        with self._changed:
            script = self._states[str(body.get("model"))].script
            if script is None:
                return None
            if not script.turns:
                self.violations.append(f"{body['model']}: asked after the end of the script")
                raise Violation("This model's script has come to its end.")
            last = script.repeat and len(script.turns) == 1
            turn = script.turns[0] if last else script.turns.popleft()
        return turn if isinstance(turn, Turn) else turn(body)

    def stream_opened(self, state: _ModelState) -> None:
        """A stream of `state` begins."""
        with self._changed:
            state.open_streams += 1

    def stream_hangs(self, state: _ModelState, stream: "_Stream") -> None:
        """A stream has come to its `hang_after`."""
        with self._changed:
            state.hanging.append(stream)
            self._changed.notify_all()

    def stream_closed(self, state: _ModelState, stream: "_Stream") -> None:
        """A stream is complete, or its client has gone."""
        with self._changed:
            state.open_streams -= 1
            if stream in state.hanging:
                state.hanging.remove(stream)
            self._changed.notify_all()


class _Stream:
    """An answer under way. Events are due at start + n * delay, so that a late timer does not slow the stream down."""

    def __init__(self, backend: CompletionBackend, state: _ModelState, exchange: Exchange, turn: Turn) -> None:
        self._backend = backend
        self._state = state
        self._exchange = exchange
        self._turn = turn
        self._loop = backend._server.loop
        self._position = 0
        self._released = turn.hang_after is None
        self._events: list[bytes] = []
        self._whole: bytes | None = None
        self._due = 0.0

    def start(self, request: dict[str, Any]) -> None:
        """Answers `request`, now or over time."""
        turn = self._turn
        self._backend.stream_opened(self._state)
        self._exchange.on_disconnect = self._closed
        self._due = self._loop.time()
        if turn.status == 0:
            self._no_answer()
        elif turn.body is not None or turn.status != 200:
            body = _error(turn.status) if turn.body is None else turn.body
            self._whole = _written(body)
            self._loop.call_later(turn.delay, self._send_whole)
        elif not request.get("stream") or "ignore_stream" in turn.quirks:
            self._whole = completion(turn, request["model"])
            self._loop.call_later(turn.delay * max(1, len(turn.text)), self._send_whole)
        else:
            include_usage = bool((request.get("stream_options") or {}).get("include_usage"))
            self._events = _framed(turn, request["model"], include_usage)
            self._exchange.begin(200, {**_SSE, **turn.headers})
            self._wait_or_send()

    def release(self) -> None:
        """Goes on after having hung."""
        self._released = True
        self._due = self._loop.time()
        if self._turn.status == 0:
            self._hang_up()
        else:
            self._send()

    def _no_answer(self) -> None:
        if self._released:
            self._hang_up()
        else:
            self._backend.stream_hangs(self._state, self)

    def _send_whole(self) -> None:
        if not self._exchange.closed:
            assert self._whole is not None
            self._exchange.respond(self._turn.status, self._whole, {**_JSON, **self._turn.headers})
            self._closed()

    def _wait_or_send(self) -> None:
        self._due += self._turn.delay
        if self._turn.delay:
            self._loop.call_at(self._due, self._send)
        else:
            self._send()

    def _send(self) -> None:
        while not self._exchange.closed:
            if self._position == self._turn.drop_after:
                return self._hang_up()
            if self._position == self._turn.hang_after and not self._released:
                return self._backend.stream_hangs(self._state, self)
            if self._position == len(self._events):
                self._exchange.end()
                return self._closed()
            self._exchange.write(self._events[self._position])
            self._position += 1
            if self._turn.delay:
                self._due += self._turn.delay
                self._loop.call_at(self._due, self._send)
                return None
        return None

    def _hang_up(self) -> None:
        self._exchange.hang_up()
        self._closed()

    def _closed(self) -> None:
        self._backend.stream_closed(self._state, self)


def _written(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else orjson.dumps(body)


@lru_cache(maxsize=64)
def _framed(turn: Turn, model: str, include_usage: bool) -> list[bytes]:
    """The framed events of a turn, encoded once for turns that are given again and again."""
    return [frame(event) for event in events(turn, model, include_usage)]


def _error(status: int) -> dict[str, Any]:
    return {"error": {"message": f"scripted status {status}", "type": "server_error", "param": None, "code": None}}


def main() -> None:
    """Runs the server until it is interrupted."""
    parser = argparse.ArgumentParser(description="A scripted model server that speaks OpenAI's API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, help="models without a script answer so many tokens (else they echo)")
    parser.add_argument("--token-delay", type=float, default=0, help="seconds before each")
    arguments = parser.parse_args()
    default = None
    if arguments.tokens is not None:
        text = [f"t{number} " for number in range(arguments.tokens)]
        default = Turn(text=text, delay=arguments.token_delay, usage=(10, arguments.tokens))
    backend = CompletionBackend(host=arguments.host, port=arguments.port, default=default)
    backend.start()
    print(backend.url, flush=True)  # noqa: T201
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        backend.close()


if __name__ == "__main__":
    main()
