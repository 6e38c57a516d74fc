"""Bodies that are made to hurt: each is refused, in OpenAI's envelope and soon, and nobody else waits for it."""

import socket
import time
from typing import Any, Final

import httpx2
import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.api.test_errors import error_of
from tests.running import Locum

_MANY: Final = 1_000_000
#: What a busy machine may take for an answer that is due at once.
_SOON: Final = 8.0
_EXPLORED: Final = examples(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def _list(name: bytes, item: bytes, count: int = _MANY) -> bytes:
    return b'{"model": "m", "role": "user", "%b": [%b]}' % (name, b",".join([item] * count))


def _object(name: bytes, count: int = _MANY) -> bytes:
    return b'{"model": "m", "%b": {%b}}' % (name, b",".join(b'"k%d": "v"' % number for number in range(count)))


def _nested(opening: bytes, closing: bytes, levels: int) -> bytes:
    return b'{"model": "echo", "messages": %b1%b}' % (opening * levels, closing * levels)


HEAVY: dict[str, tuple[str, bytes]] = {
    "numbers for messages": ("/threads", _list(b"messages", b"0")),
    "objects for messages": ("/threads", _list(b"messages", b"{}")),
    "wrong messages, as many as may be": ("/threads", _list(b"messages", b"{}", 299_000)),
    "more messages than a thread holds": ("/threads", _list(b"messages", b'{"role": "user", "content": "x"}', 110_000)),
    "wrong parts of a message": ("/threads/{thread_id}/messages", _list(b"content", b"{}", 299_000)),
    "attachments": ("/threads/{thread_id}/messages", _list(b"attachments", b"0", 299_000)),
    "tools": ("/assistants", _list(b"tools", b"{}")),
    "metadata": ("/assistants", _object(b"metadata")),
    "parameters of a function": (
        "/assistants",
        _list(b"tools", b'{"type": "function", "function": {"name": "f"}}', 400_000),
    ),
    "ids of files": ("/vector_stores", _list(b"file_ids", b"0")),
    "files of a batch": ("/vector_stores/{vector_store_id}/file_batches", _list(b"files", b"{}")),
    "queries": ("/vector_stores/{vector_store_id}/search", _list(b"query", b"0")),
    "a deep array": ("/assistants", _nested(b"[", b"]", 5_000_000)),
    "a deep object": ("/assistants", _nested(b'{"a":', b"}", 200)),
    "an array that is not closed": ("/assistants", b"[" * 30_000_000),
    "a string that is not closed": ("/assistants", b"[" * 200 + b'"' + b'\\"' * 15_000_000 + b"\\"),
    "a long integer": ("/assistants", b'{"model": "m", "temperature": %b}' % (b"9" * _MANY)),
    "a long name": ("/assistants", b'{"model": "m", "name": "%b"}' % (b"\\u0001" * _MANY)),
    "a long unknown name": ("/assistants", b'{"model": "m", "%b": 1}' % (b"x" * _MANY)),
    "deep messages for a model server": ("/chat/completions", _nested(b"[", b"]", 300)),
    "deep texts for a model server": ("/embeddings", _nested(b'{"a":', b"}", 300)),
}


def _editions(path: str) -> list[str]:
    return ["v1", "v2"] if path.startswith(("/assistants", "/threads")) else ["v2"]


@pytest.mark.parametrize(
    ("name", "edition"), [(name, edition) for name, (path, _) in HEAVY.items() for edition in _editions(path)]
)
def test_heavy_bodies(owner: httpx2.Client, ids: dict[str, str], name: str, edition: str) -> None:
    path, body = HEAVY[name]
    began = time.monotonic()
    headers = {"OpenAI-Beta": f"assistants={edition}"}
    answer = owner.post("/v1" + path.format(**ids), content=body, headers=headers)
    assert time.monotonic() - began < _SOON
    error_of(answer, 400)
    assert len(answer.content) < 5_000


def test_a_long_body_is_read_for_those_who_have_a_key(anybody: httpx2.Client, locum: Locum) -> None:
    body = b"[" + b"0," * 15_000_000 + b"0]"
    for headers in ({}, {"Authorization": "Bearer sk-locum-nobody"}):
        error_of(anybody.post("/v1/threads", content=body, headers=headers), 401)
    request = b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    assert _first_line(locum, request).startswith(b"HTTP/1.1 401 ")


def test_a_long_thread_keeps_nobody_waiting(owner: httpx2.Client) -> None:
    messages = [{"role": "user", "content": "x", "metadata": {"n": str(number)}} for number in range(5_000)]
    thread = owner.post("/v1/threads", json={"messages": messages}).json()["id"]
    path = f"/v1/threads/{thread}/messages"
    (last,) = owner.get(path, params={"limit": 1}).json()["data"]
    (first,) = owner.get(path, params={"limit": 1, "order": "asc"}).json()["data"]
    assert (first["metadata"], last["metadata"]) == ({"n": "0"}, {"n": "4999"})


def test_commas_and_brackets_in_texts_are_no_structure(owner: httpx2.Client, ids: dict[str, str]) -> None:
    text = '[{,"\\' * 50_000
    answer = owner.post(f"/v1/threads/{ids['thread_id']}/messages", json={"role": "user", "content": text})
    assert answer.status_code == 200, answer.text[:500]
    assert answer.json()["content"][0]["text"]["value"] == text


# Bodies that were good, with something put into them.

GOOD: dict[str, Any] = {
    "/assistants": {
        "model": "m",
        "name": "n",
        "metadata": {"a": "b"},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    },
    "/threads": {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
    "/threads/{thread_id}/messages": {"role": "user", "content": "x", "attachments": []},
    "/threads/{thread_id}/runs": {
        "assistant_id": "{assistant_id}",
        "truncation_strategy": {"type": "last_messages", "last_messages": 1},
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    },
    "/vector_stores": {
        "name": "n",
        "file_ids": ["{file_id}"],
        "expires_after": {"anchor": "last_active_at", "days": 1},
    },
    "/vector_stores/{vector_store_id}/search": {
        "query": "x",
        "filters": {"type": "and", "filters": [{"type": "eq", "key": "a", "value": 1}]},
    },
    "/uploads": {"filename": "a", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"},
    "/chat/completions": {"model": "echo", "messages": [{"role": "user", "content": "x"}]},
    "/embeddings": {"model": "echo", "input": "x"},
}
_BROKEN: Final = [
    *(b"\\u0000", b"\\ud800", b"\\udc00\\ud800", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf"),
    *(b"1e999", b"-0", b"NaN", b"Infinity", b"9" * 400, b"1e-400", b"0x10", b"null", b"true", b'""', b"[]", b"{}"),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b",",
        b":",
        b"\\",
        b"\r\n",
        b'"model": null,',
        b'"": {},',
        b"'; DROP TABLE runs; --",
    ),
]


@st.composite
def _mangled(draw: st.DrawFn) -> tuple[str, bytes]:
    """A path, and a good body for it with pieces put into it, taken out of it, or said twice."""
    path = draw(st.sampled_from(sorted(GOOD)))
    body = orjson.dumps(GOOD[path])
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 12)))
        piece = draw(st.sampled_from([*_BROKEN, body[start:end] * 2]) | st.binary(max_size=6))
        body = body[:start] + piece + body[end:]
    return path, body


@_EXPLORED
@given(
    _mangled(),
    st.sampled_from(["/v1", "/openai", "/openai/v1"]),
    st.sampled_from(["v1", "v2"]),
    st.sampled_from(
        ["application/json", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "\xe4"]
    ),
)
def test_mangled_bodies(
    owner: httpx2.Client, ids: dict[str, str], made: tuple[str, bytes], prefix: str, edition: str, content_type: str
) -> None:
    path, body = made
    for name, value in ids.items():
        path, body = path.replace(f"{{{name}}}", value), body.replace(f"{{{name}}}".encode(), value.encode())
    headers = {b"OpenAI-Beta": f"assistants={edition}".encode(), b"Content-Type": content_type.encode("latin-1")}
    answer = owner.post(prefix + path, content=body, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        error_of(answer, answer.status_code)


# Forms.

_PIECES: Final = [
    *(b"--b\r\n", b"--b--\r\n", b"\r\n", b"\n", b"--b", b"--", b"\x00", b"x" * 100, b"\xff\xfe"),
    *(b'Content-Disposition: form-data; name="purpose"\r\n\r\n', b"assistants\r\n", b"user_data\r\n"),
    *(b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n', b"Content-Disposition: attachment\r\n"),
    *(b'Content-Disposition: form-data; name="file"; filename="\r\n', b"Content-Type: multipart/mixed; boundary=b\r\n"),
    *(
        b"Content-Disposition: form-data; name=file; filename*=utf-8''%00%ff\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
    ),
    *(b'Content-Disposition: form-data; name="data"; filename="a"; filename="b"\r\n\r\n', b"X" * 5000 + b": y\r\n"),
    *(b"Content-Disposition: form-data; name\r\n\r\n", b'Content-Disposition: form-data; name=""\r\n\r\n', b": \r\n"),
]


@_EXPLORED
@given(
    st.sampled_from(["/files", "/uploads/{upload_id}/parts"]),
    st.lists(st.sampled_from(_PIECES), max_size=12).map(b"".join),
    st.sampled_from(
        ['boundary="b"', "boundary=b", "boundary=", "charset=b", "boundary=" + "b" * 300, "boundary=b; charset=utf-16"]
    ),
)
def test_mangled_forms(owner: httpx2.Client, ids: dict[str, str], path: str, body: bytes, options: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; {options}"}
    answer = owner.post("/v1" + path.format(**ids), content=body, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        error_of(answer, answer.status_code)


# What an HTTP client would not send.


def _first_line(locum: Locum, request: bytes) -> bytes:
    """What the server says to `request` before it has its end, or b"" if it just closes."""
    with socket.create_connection(("127.0.0.1", locum.port), timeout=_SOON) as connection:
        connection.sendall(request)
        return connection.recv(65536).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: -1",
        b"Content-Length: 1e3",
        b"Content-Length: \xb2",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Content-Length: 99999999999999999999999999",
        b"X: a\x00b",
        b"X : y\r\n folded",
        b"Authorization: Bearer \r\n\tsk",
    ],
)
def test_requests_that_are_no_http(locum: Locum, headers: bytes) -> None:
    request = b"POST /v1/threads HTTP/1.1\r\nHost: x\r\n%b\r\nConnection: close\r\n\r\n{}   \r\n" % headers
    assert _first_line(locum, request)[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 413"}
    assert httpx2.get(f"{locum.origin}/healthz").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/threads/thread_%0d%0aX-Evil:%20yes",
        "/v1/threads/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/v1/models/%0d%0aX-Evil:%20yes",
        "/v1/models/../../etc/passwd",
        "/openai/deployments/%0d%0aX-Evil:%20yes/embeddings",
        "/openai/%2e%2e/%00",
        "/v1/files/file-..%2f..%2fx/content",
        "/v1/threads/thread_%ff%fe",
        "/v1//threads",
    ],
)
def test_paths_do_not_lead_elsewhere(owner: httpx2.Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = owner.request(method, path)
        assert answer.status_code in {400, 404, 405}
        error_of(answer, answer.status_code)
        assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", "a\x80b"),
        ("Idempotency-Key", "k" * 10_000),
        ("OpenAI-Beta", ",".join(["assistants=v3"] * 500)),
        ("Last-Event-ID", "1-" + "9" * 5_000),
        ("Last-Event-ID", "\xb2-\xb3"),
        ("Range", "bytes=" + "0-0," * 1_000),
        ("If-Range", "\xff"),
        ("Accept-Encoding", "\xff"),
        ("X-Request-Id", "req_mine"),
    ],
)
def test_headers_are_no_way_in(owner: httpx2.Client, ids: dict[str, str], name: str, value: str) -> None:
    headers = {name.encode(): value.encode("latin-1")}
    run = f"/v1/threads/{ids['thread_id']}/runs/{ids['run_id']}"
    asked = [("POST", "/v1/threads"), ("GET", f"{run}/events"), ("GET", f"/v1/files/{ids['file_id']}/content")]
    for method, path in asked:
        answer = owner.request(method, path, headers=headers)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            error_of(answer, answer.status_code)
        assert value not in answer.headers.values()
