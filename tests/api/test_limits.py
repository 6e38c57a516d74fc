"""Limits at their edges: the smallest and the largest value are taken, one beyond them is refused in OpenAI's words.

The table is the contract's, sections 3, 4 and 9.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import httpx2
import pytest

#: Stand for an object that the test has made.
_ASSISTANT, _THREAD, _STORE, _FILE = "<assistant>", "<thread>", "<store>", "file-" + "x" * 24
_MESSAGE: Final = {"role": "user", "content": "Hi"}
_FUNCTION: Final = {"type": "function", "function": {"name": "f"}}


class Kind(NamedTuple):
    """What is counted: how a value of that size is made, and how OpenAI says that there is too much or too little."""

    value: Callable[[Any], Any]
    too_small: tuple[str, str]
    too_large: tuple[str, str]


def _counted(value: Callable[[int], Any], name: str) -> Kind:
    low = f"{name} too short. Expected {{a}} with minimum length {{limit}}, but got {{a}} with length {{size}} instead."
    high = f"{name} too long. Expected {{a}} with maximum length {{limit}}, but got {{a}} with length {{size}} instead."
    article = "an array" if name == "array" else "a string"
    return Kind(
        value,
        (low.replace("{a}", article), f"{name}_below_min_length"),
        (high.replace("{a}", article), f"{name}_above_max_length"),
    )


def _number(name: str) -> Kind:
    low = f"{name} below minimum value. Expected a value >= {{limit}}, but got {{size}} instead."
    high = f"{name} above maximum value. Expected a value <= {{limit}}, but got {{size}} instead."
    return Kind(lambda size: size, (low, f"{name}_below_min_value"), (high, f"{name}_above_max_value"))


def _array(item: Any) -> Kind:
    return _counted(lambda size: [item] * size, "array")


_TEXT: Final = _counted(lambda size: "x" * size, "string")
_INTEGER: Final = _number("integer")
_DECIMAL: Final = _number("decimal")
_PAIRS: Final = Kind(
    lambda size: {f"k{number}": "" for number in range(size)},
    ("", ""),
    (
        (
            "too many properties. Expected an object with maximum size {limit}, "
            "but got an object with size {size} instead."
        ),
        "object_above_max_properties",
    ),
)
_KEY: Final = Kind(
    lambda size: {"x" * size: ""},
    ("", ""),
    (
        "key too long. Expected keys with maximum length {limit}, but got a key with length {size} instead.",
        "string_above_max_length",
    ),
)


@dataclass(frozen=True)
class Limit:
    """The bounds of one parameter; None: there is none on that side that could be tried."""

    where: str
    param: str
    kind: Kind
    low: Any
    high: Any
    #: What the body has besides.
    body: Any = None


_RUNS: Final = f"/threads/{_THREAD}/runs"
_MESSAGES: Final = f"/threads/{_THREAD}/messages"
_STORES: Final = "/vector_stores"
_SEARCH: Final = f"{_STORES}/{_STORE}/search"
_BATCHES: Final = f"{_STORES}/{_STORE}/file_batches"
_NEW: Final = {"model": "echo"}
_RUN: Final = {"assistant_id": _ASSISTANT}
_UPLOAD: Final = {"filename": "a.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"}
_CHUNKS: Final = {"type": "static", "static": {"max_chunk_size_tokens": 400, "chunk_overlap_tokens": 50}}


def _metadata(where: str, body: Any) -> Iterator[Limit]:
    yield Limit(where, "metadata", _PAIRS, 0, 16, body)
    yield Limit(where, "metadata", _KEY, 0, 64, body)
    yield Limit(where, "metadata.k", _TEXT, 0, 512, body)


def _sampling(where: str, body: Any) -> Iterator[Limit]:
    yield Limit(where, "temperature", _DECIMAL, 0, 2, body)
    yield Limit(where, "top_p", _DECIMAL, 0, 1, body)


def _expiry(where: str, body: Any) -> Limit:
    body = {**body, "expires_after": {"anchor": "created_at", "seconds": 3600}}
    return Limit(where, "expires_after.seconds", _INTEGER, 3600, 2_592_000, body)


LIMITS: Final = [
    Limit("/assistants", "name", _TEXT, 0, 256, _NEW),
    Limit("/assistants", "description", _TEXT, 0, 512, _NEW),
    Limit("/assistants", "instructions", _TEXT, 0, 256_000, _NEW),
    Limit("/assistants", "model", _TEXT, 1, 256),
    Limit("/assistants", "tools", _array({"type": "code_interpreter"}), 0, 128, _NEW),
    Limit("/assistants", "tool_resources.code_interpreter.file_ids", _array(_FILE), 0, 20, _NEW),
    Limit("/assistants", "tool_resources.file_search.vector_store_ids", _array("vs_none"), 0, 1, _NEW),
    Limit("/assistants", "tool_resources.file_search.vector_stores", _array({}), 0, 1, _NEW),
    *_metadata("/assistants", _NEW),
    *_sampling("/assistants", _NEW),
    *_metadata("/threads", {}),
    Limit(_MESSAGES, "content", _TEXT, 1, 256_000, _MESSAGE),
    Limit(_MESSAGES, "content", _array({"type": "text", "text": "Hi"}), 1, None, _MESSAGE),
    Limit(_MESSAGES, "content[0].text", _TEXT, 1, 256_000, {**_MESSAGE, "content": [{"type": "text", "text": "x"}]}),
    *_metadata(_MESSAGES, _MESSAGE),
    Limit(_RUNS, "tools", _array({"type": "code_interpreter"}), 0, 20, _RUN),
    Limit(_RUNS, "instructions", _TEXT, 0, 256_000, _RUN),
    Limit(_RUNS, "max_prompt_tokens", _INTEGER, 256, 2**31 - 1, _RUN),
    Limit(_RUNS, "max_completion_tokens", _INTEGER, 256, 2**31 - 1, _RUN),
    Limit(
        _RUNS,
        "truncation_strategy.last_messages",
        _INTEGER,
        1,
        2**31 - 1,
        {**_RUN, "truncation_strategy": {"type": "last_messages"}},
    ),
    *_metadata(_RUNS, _RUN),
    *_sampling(_RUNS, _RUN),
    Limit("/uploads", "bytes", _INTEGER, 1, 8 * 2**30, _UPLOAD),
    _expiry("/uploads", _UPLOAD),
    Limit(_STORES, "file_ids", _array(_FILE), 0, 500),
    Limit(_STORES, "expires_after.days", _INTEGER, 1, 365, {"expires_after": {"anchor": "last_active_at"}}),
    Limit(
        f"{_STORES}/{_STORE}/files",
        "chunking_strategy.static.max_chunk_size_tokens",
        _INTEGER,
        100,
        4096,
        {"file_id": _FILE, "chunking_strategy": _CHUNKS},
    ),
    Limit(
        f"{_STORES}/{_STORE}/files",
        "chunking_strategy.static.chunk_overlap_tokens",
        _INTEGER,
        0,
        None,
        {"file_id": _FILE, "chunking_strategy": _CHUNKS},
    ),
    *_metadata(_STORES, {}),
    Limit(_SEARCH, "max_num_results", _INTEGER, 1, 50, {"query": "x"}),
    Limit(_SEARCH, "ranking_options.score_threshold", _DECIMAL, 0, 1, {"query": "x"}),
    Limit(_SEARCH, "query", _TEXT, 1, None),
    Limit(_BATCHES, "file_ids", _array(_FILE), 1, 2000),
    Limit(_BATCHES, "files", _array({"file_id": _FILE}), 1, 2000),
]
_QUERIES: Final = [
    Limit("/assistants", "limit", _INTEGER, 1, 100),
    Limit(_MESSAGES, "limit", _INTEGER, 1, 100),
    Limit(_RUNS, "limit", _INTEGER, 1, 100),
    Limit(_STORES, "limit", _INTEGER, 1, 100),
    Limit(f"{_STORES}/{_STORE}/files", "limit", _INTEGER, 1, 100),
    Limit("/files", "limit", _INTEGER, 1, 10_000),
]


class _Edge(NamedTuple):
    size: Any
    #: The message and the code of the refusal; None where the value is taken.
    refusal: tuple[str, str] | None


def _edges(limit: Limit) -> Iterator[_Edge]:
    beyond: Any = 0.01 if limit.kind is _DECIMAL else 1
    counted = limit.kind not in (_INTEGER, _DECIMAL)
    if limit.low > 0 or not counted:
        size = limit.low - beyond
        message, code = limit.kind.too_small
        yield _Edge(size, (message.format(limit=limit.low, size=size), code))
    yield _Edge(limit.low, None)
    if limit.high is not None:
        size = limit.high + beyond
        yield _Edge(limit.high, None)
        message, code = limit.kind.too_large
        yield _Edge(size, (message.format(limit=limit.high, size=size), code))


def _cases(limits: list[Limit]) -> list[Any]:
    return [
        pytest.param(limit, edge, id=f"{limit.where} {limit.param} {edge.size}")
        for limit in limits
        for edge in _edges(limit)
    ]


def _with(body: Any, param: str, value: Any) -> Any:
    """A copy of `body` with `value` at the place that `param` names."""
    name, _, rest = param.partition(".")
    name, at, index = name.partition("[")
    inner: Any = (body or {}).get(name)
    if at:
        items = list(inner)
        number = int(index.rstrip("]"))
        items[number] = _with(items[number], rest, value) if rest else value
        return {**body, name: items}
    return {**(body or {}), name: _with(inner, rest, value) if rest else value}


@pytest.fixture(scope="module")
def made(http: httpx2.Client) -> dict[str, str]:
    """The ids of the objects that requests are about."""
    return {
        _ASSISTANT: http.post("/assistants", json={"model": "echo"}).json()["id"],
        _THREAD: http.post("/threads").json()["id"],
        _STORE: http.post(_STORES, json={"name": "limits"}).json()["id"],
    }


def _filled(text: str, made: dict[str, str]) -> str:
    for name, found in made.items():
        text = text.replace(name, found)
    return text


def _check(answer: httpx2.Response, limit: Limit, edge: _Edge) -> None:
    error = answer.json().get("error") or {"message": None, "param": None, "code": None}
    if edge.refusal is None:
        # Files and stores that are missing are refused as such, behind the limits.
        assert not str(error["code"]).startswith(("string_", "array_", "integer_", "decimal_", "object_")), error
        assert answer.status_code == 200 or error["param"] != limit.param or "No " in error["message"], error
        return
    message, code = edge.refusal
    assert answer.status_code == 400, answer.text[:200]
    assert (error["message"], error["param"], error["code"]) == (
        f"Invalid '{limit.param}': {message}",
        limit.param,
        code,
    )
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(("limit", "edge"), _cases(LIMITS))
def test_bodies(http: httpx2.Client, made: dict[str, str], limit: Limit, edge: _Edge) -> None:
    body = _with(limit.body, limit.param, limit.kind.value(edge.size))
    if _RUN.items() <= body.items():
        body = {**body, "assistant_id": made[_ASSISTANT]}
    _check(http.post(_filled(limit.where, made), json=body), limit, edge)


@pytest.mark.parametrize(("limit", "edge"), _cases(_QUERIES))
def test_queries(http: httpx2.Client, made: dict[str, str], limit: Limit, edge: _Edge) -> None:
    _check(http.get(_filled(limit.where, made), params={limit.param: edge.size}), limit, edge)


@pytest.mark.parametrize(("seconds", "status"), [(3599, 400), (3600, 200), (2_592_000, 200), (2_592_001, 400)])
def test_forms(http: httpx2.Client, seconds: int, status: int) -> None:
    fields = {"purpose": "assistants", "expires_after[anchor]": "created_at", "expires_after[seconds]": str(seconds)}
    answer = http.post("/files", data=fields, files={"file": ("a.txt", b"a")})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"]["param"] == "expires_after.seconds"


@pytest.mark.parametrize("size", [100, 101, 400, 4096])
def test_overlap_is_at_most_half(http: httpx2.Client, made: dict[str, str], size: int) -> None:
    def put(overlap: int) -> Any:
        chunking = {"type": "static", "static": {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}}
        body = {"file_id": _FILE, "chunking_strategy": chunking}
        return http.post(f"{_STORES}/{made[_STORE]}/files", json=body).json()["error"]

    assert put(size // 2)["message"].startswith("No ")
    assert put(size // 2 + 1)["param"] == "chunking_strategy.static.chunk_overlap_tokens"
