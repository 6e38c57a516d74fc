"""Requests as clients of other languages write them, but for ids and keys.

Go: sashabaranov/go-openai 1.43, as its sources write. PHP: openai-php/client on Guzzle 7, and Ruby: ruby-openai 8.3 on
Faraday 2.14, as they were seen to write. .NET (openai-dotnet on System.Net.Http, without quotes around the names in
forms) and Java (on OkHttp) are as their HTTP libraries write.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

V2: Final = "OpenAI-Beta: assistants=v2"
JSON: Final = "Content-Type: application/json"


@dataclass(frozen=True)
class Golden:
    """How one client writes: the lines of its heads, and its words for what differs from client to client."""

    name: str
    #: Of requests with JSON, and of those without a body.
    json_head: tuple[str, ...]
    bare_head: tuple[str, ...]
    #: The body of a request to cancel; None: none at all.
    cancel: bytes | None
    #: The query that asks for a list without saying anything.
    empty_query: str
    assistant: bytes
    thread: bytes
    run: bytes
    form_type: str
    form: bytes
    #: The name of the uploaded file, as it is meant.
    filename: str
    is_chunked: bool = False
    expects_continue: bool = False


_GO_HEAD: Final = ("User-Agent: Go-http-client/1.1", "Accept: application/json", JSON, V2, "Accept-Encoding: gzip")
_GO_FORM: Final = b"0f3b8d1f9c7a4e6ab5d2c8e1f0a9b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2"
_PHP_HEAD: Final = ("User-Agent: GuzzleHttp/7", JSON, V2)
_PHP_FORM: Final = b"65f1c2a3b4d5e6.12345678"
_RUBY_HEAD: Final = (
    "User-Agent: Ruby",
    JSON,
    "Openai-Beta: assistants=v2",
    "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
    "Accept: */*",
)
_RUBY_FORM: Final = b"-----------RubyMultipartPost-8f2c1d3e4b5a6978"
_NET_HEAD: Final = (
    "Accept: application/json",
    "User-Agent: OpenAI/2.13.0 (.NET 8.0.11; Debian GNU/Linux 12 (bookworm))",
    JSON,
    V2,
)
_NET_FORM: Final = b"5e2f9c0a-3d41-4c7b-9a52-6f0d8e1b7c34"
_JAVA_HEAD: Final = (
    "User-Agent: OpenAIOkHttpClientImpl/Java 4.8.0",
    "X-Stainless-Lang: java",
    "X-Stainless-Arch: x64",
    "X-Stainless-OS: Linux",
    "X-Stainless-OS-Version: 6.1.0",
    "X-Stainless-Package-Version: 4.8.0",
    "X-Stainless-Runtime: JRE",
    "X-Stainless-Runtime-Version: 17.0.15",
    "X-Stainless-Retry-Count: 0",
    "X-Stainless-Read-Timeout: 600",
    "X-Stainless-Timeout: 600",
    V2,
    "Content-Type: application/json; charset=utf-8",
    "Accept-Encoding: gzip",
)
_JAVA_FORM: Final = b"b1f0c5de-7a55-4f0e-8d7c-2f4a6b8c9d01"

_HELLO: Final = b'"messages":[{"role":"user","content":"Hi"}]'

GOLDEN: Final = (
    Golden(
        "Go",
        _GO_HEAD,
        _GO_HEAD,
        None,
        "",
        b'{"tools":[{"type":"function","function":{"name":"look","strict":false,"parameters":{"type":"object",'
        b'"properties":{}}}}],"model":"%(model)s","name":"A","temperature":0.5}',
        b"{" + _HELLO + b"}",
        b'{"assistant_id":"%(assistant)s","metadata":{"a":"b"}}',
        f"multipart/form-data; boundary={_GO_FORM.decode()}",
        b'--%(b)s\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--%(b)s\r\n'
        b"Content-Disposition: "
        b'form-data; name="file"; filename="a \\"b\\".txt"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nText.\r\n'
        b"--%(b)s--\r\n" % {b"b": _GO_FORM},
        'a "b".txt',
    ),
    Golden(
        "PHP",
        _PHP_HEAD,
        (*_PHP_HEAD, "Content-Length: 0"),
        b"[]",
        "",
        b'{"model":"%(model)s","name":"A","tools":[{"type":"function","function":{"name":"look","description":"d",'
        b'"parameters":{"type":"object","properties":{}}}}]}',
        b"[]",
        b'{"assistant_id":"%(assistant)s"}',
        f"multipart/form-data; boundary={_PHP_FORM.decode()}",
        b'--%(b)s\r\nContent-Disposition: form-data; name="purpose"\r\nContent-Length: 10\r\n\r\nassistants\r\n'
        b"--%(b)s\r\n"
        b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Length: 5\r\nContent-Type: '
        b"text/plain\r\n\r\nText.\r\n--%(b)s--\r\n" % {b"b": _PHP_FORM},
        "a.txt",
        expects_continue=True,
    ),
    Golden(
        "Ruby",
        _RUBY_HEAD,
        _RUBY_HEAD,
        b"",
        "?after&before=&limit=&order=",
        b'{"model":"%(model)s","name":"A","instructions":null,"tools":[{"type":"function","function":{"name":"look"}}],'
        b'"tool_resources":{"code_interpreter":null},"metadata":{"a":"b"}}',
        b"{" + _HELLO + b',"metadata":null}',
        b'{"assistant_id":"%(assistant)s","max_prompt_tokens":null,"additional_messages":[]}',
        f"multipart/form-data; boundary={_RUBY_FORM.decode()}",
        b'--%(b)s\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--%(b)s\r\n'
        b"Content-Disposition: "
        b'form-data; name="file"; filename="local.path"\r\nContent-Length: 5\r\nContent-Type: \r\n'
        b"Content-Transfer-Encoding: binary\r\n\r\nText.\r\n--%(b)s--\r\n" % {b"b": _RUBY_FORM},
        "local.path",
    ),
    Golden(
        ".NET",
        _NET_HEAD,
        _NET_HEAD,
        None,
        "?order=desc&limit=",
        b'{"model":"%(model)s","name":"A","tools":[{"type":"function","function":{"name":"look","strict":null,'
        b'"parameters":{"type":"object","properties":{}}}}]}',
        b"\xef\xbb\xbf{" + _HELLO + b"}",
        b'{"assistant_id":"%(assistant)s","instructions":null,"additional_messages":[]}',
        f'multipart/form-data; boundary="{_NET_FORM.decode()}"',
        b"--%(b)s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=purpose\r\n\r\n"
        b'assistants\r\n--%(b)s\r\nContent-Disposition: form-data; name=file; filename="=?utf-8?B?QsOlcmQudHh0?="; '
        b"filename*=utf-8''B%%C3%%A5rd.txt\r\n\r\nText.\r\n--%(b)s--\r\n" % {b"b": _NET_FORM},
        "Bård.txt",
        is_chunked=True,
    ),
    Golden(
        "Java",
        _JAVA_HEAD,
        _JAVA_HEAD,
        b"",
        "",
        b'{"model":"%(model)s","name":"A","description":null,"tools":[{"type":"function","function":{"name":"look"}}],'
        b'"temperature":1.0}',
        b"{" + _HELLO + b"}",
        b'{"assistant_id":"%(assistant)s","stream":false,"temperature":null,"tools":null}',
        f"multipart/form-data; boundary={_JAVA_FORM.decode()}",
        b'--%(b)s\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: '
        b'application/octet-stream\r\n\r\nText.\r\n--%(b)s\r\nContent-Disposition: form-data; name="purpose"\r\n'
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nassistants\r\n--%(b)s--\r\n"
        % {b"b": _JAVA_FORM},
        "a.txt",
        is_chunked=True,
    ),
)


def filled(body: bytes, **words: str) -> bytes:
    """The body with the words put into it."""
    return body % {name.encode(): word.encode() for name, word in words.items()}


class Wire:
    """Sends requests as they are written, each on a connection of its own."""

    def __init__(self, base_url: str, api_key: str, golden: Golden) -> None:
        self._url = urlsplit(base_url)
        self._api_key = api_key
        self._golden = golden

    def get(self, path: str) -> Any:
        """The JSON that is answered. Fails unless its status is 200."""
        return self._asked("GET", path, self._golden.bare_head, None)

    def post(self, path: str, body: bytes | None) -> Any:
        """As `get`, for a request with JSON."""
        return self._asked("POST", path, self._golden.json_head, body)

    def upload(self) -> Any:
        """As `get`, for a file in a form."""
        kept = [line for line in self._golden.json_head if not line.startswith("Content-Type")]
        head = (*kept, f"Content-Type: {self._golden.form_type}")
        return self._asked("POST", "/files", head, self._golden.form)

    def _asked(self, method: str, path: str, head: tuple[str, ...], body: bytes | None) -> Any:
        is_chunked = body is not None and self._golden.is_chunked
        lines = [f"{method} {self._url.path}{path} HTTP/1.1", f"Host: {self._url.netloc}", *head]
        lines.append(f"Authorization: Bearer {self._api_key}")
        if is_chunked:
            lines.append("Transfer-Encoding: chunked")
        elif body is not None:
            lines.append(f"Content-Length: {len(body)}")
        if body and self._golden.expects_continue:
            lines.append("Expect: 100-continue")
        with socket.create_connection((str(self._url.hostname), self._url.port or 80), timeout=20) as opened:
            opened.sendall("\r\n".join([*lines, "", ""]).encode())
            for piece in _pieces(body or b"", is_chunked=is_chunked):
                opened.sendall(piece)
            answer = http.client.HTTPResponse(opened, method=method)
            answer.begin()
            told = answer.read()
        assert answer.status == 200, (method, path, told)
        return json.loads(told)


def _pieces(body: bytes, *, is_chunked: bool) -> Iterator[bytes]:
    if not is_chunked:
        yield body
        return
    for start in range(0, len(body), 40):
        piece = body[start : start + 40]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
