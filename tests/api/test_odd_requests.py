"""What clients send beside the description: what is taken, and what is refused with which words. One rule for all."""

import gzip
import json
from typing import Any, Final

import httpx2
import pytest
from openai import OpenAI

_MESSAGE: Final = b'{"role":"user","content":"Hi"}'
_LISTS: Final = ("/assistants", "/files", "/vector_stores")


@pytest.fixture(scope="module")
def place(http: httpx2.Client) -> str:
    """The path of a thread."""
    return f"/threads/{http.post('/threads', json={}).json()['id']}"


def _refused(answer: httpx2.Response, message: str) -> None:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert message in error["message"]


@pytest.mark.parametrize("path", _LISTS)
@pytest.mark.parametrize(
    "query", ["limit=", "order=", "after=", "limit", "after&order=", "limit=20", "limit=020", "x=y"]
)
def test_queries_that_are_taken(http: httpx2.Client, path: str, query: str) -> None:
    answer = http.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("query", ["before=", "run_id=", "filter=", "include[]="])
def test_each_parameter_may_be_empty(http: httpx2.Client, client: OpenAI, place: str, query: str) -> None:
    store = client.vector_stores.create(name="S")
    paths = [f"{place}/messages", f"{place}/runs", f"/vector_stores/{store.id}/files", "/assistants"]
    assert [http.get(f"{path}?{query}").status_code for path in paths] == [200] * len(paths)


def test_an_empty_parameter_beside_others(http: httpx2.Client, client: OpenAI) -> None:
    made = [client.beta.assistants.create(model="m").id for _ in range(3)]
    found = http.get(f"/assistants?after={made[-1]}&before=&order=&limit=1").json()
    assert [one["id"] for one in found["data"]] == [made[1]]


@pytest.mark.parametrize("path", _LISTS)
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=abc", "expected an integer"),
        ("limit=1e1", "expected an integer"),
        ("limit=null", "expected an integer"),
        ("limit=0", "Expected a value >= 1"),
        ("limit=-1", "Expected a value >= 1"),
        ("limit=99999999999999999999", "Expected a value <= 10"),
        ("order=ASC", "Supported values are: 'asc' and 'desc'"),
        ("order=Desc", "Supported values are: 'asc' and 'desc'"),
        ("order=asc%20", "Supported values are: 'asc' and 'desc'"),
        ("after=null", "Expected an ID that begins with"),
        ("after=undefined", "Expected an ID that begins with"),
        ("after=%20", "Expected an ID that begins with"),
    ],
)
def test_queries_that_are_refused(http: httpx2.Client, path: str, query: str, message: str) -> None:
    _refused(http.get(f"{path}?{query}"), message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "string too short"),
        ([], "array too short"),
        (None, "got null instead"),
        ([""], "'content[0]': expected an object, but got a string"),
        ({"type": "text", "text": "Hi"}, "but got an object"),
        ([{"type": "text", "text": ""}], "'content[0].text': string too short"),
        ([{"type": "text", "text": {"value": "Hi", "annotations": []}}], "'content[0].text': expected a string"),
        ([{"type": "text"}], "Missing required parameter: 'content[0].text'"),
        ([{"text": "Hi"}], "Missing required parameter: 'content[0].type'"),
        ([{"type": "input_text", "text": "Hi"}], "Invalid value: 'input_text'"),
        (5, "but got an integer"),
        (True, "but got a boolean"),
    ],
)
def test_contents_that_are_refused(http: httpx2.Client, place: str, content: Any, message: str) -> None:
    _refused(http.post(f"{place}/messages", json={"role": "user", "content": content}), message)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("temperature", "0.5", "expected a decimal, but got a string"),
        ("temperature", True, "expected a decimal, but got a boolean"),
        ("top_p", "1", "expected a decimal, but got a string"),
        ("tools", {}, "expected an array of objects, but got an object"),
        ("tools", [None], "'tools[0]': expected an object, but got null"),
        ("tools", ["code_interpreter"], "'tools[0]': expected an object, but got a string"),
        ("tools", [{}], "Missing required parameter: 'tools[0].type'"),
        ("tools", [{"type": "retrieval"}], "Invalid value: 'retrieval'"),
        ("metadata", {"a": 1}, "'metadata.a': expected a string, but got an integer"),
        ("metadata", {"a": True}, "'metadata.a': expected a string, but got a boolean"),
        ("metadata", [], "expected an object, but got an array"),
        ("model", "", "string too short"),
        ("model", None, "got null instead"),
        ("response_format", "json_object", "Invalid value: 'json_object'"),
        ("reasoning_effort", "HIGH", "Invalid value: 'HIGH'"),
        ("tool_resources", {"foo": {}}, "Unknown parameter: 'tool_resources.foo'"),
        ("file_ids", [], "Unknown parameter: 'file_ids'"),
        ("toolResources", {}, "Did you mean 'tool_resources'?"),
    ],
)
def test_assistants_that_are_refused(http: httpx2.Client, field: str, value: Any, message: str) -> None:
    _refused(http.post("/assistants", json={"model": "m", field: value}), message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Missing required parameter: 'assistant_id'"),
        ({"assistant_id": ""}, "Expected an ID that begins with 'asst'"),
        ({"assistant_id": " asst_1"}, "Expected an ID that begins with 'asst'"),
        ({"assistant_id": "asst_1", "stream": "true"}, "expected a boolean, but got a string"),
        ({"assistant_id": "asst_1", "stream": 1}, "expected a boolean, but got an integer"),
        ({"assistant_id": "asst_1", "parallel_tool_calls": "false"}, "expected a boolean, but got a string"),
        ({"assistant_id": "asst_1", "tool_choice": "AUTO"}, "Invalid value: 'AUTO'"),
        ({"assistant_id": "asst_1", "tool_choice": {}}, "Missing required parameter: 'tool_choice.type'"),
        ({"assistant_id": "asst_1", "tool_choice": {"type": "function"}}, "'tool_choice.function'"),
        ({"assistant_id": "asst_1", "max_prompt_tokens": "1000"}, "expected an integer, but got a string"),
        ({"assistant_id": "asst_1", "truncation_strategy": "auto"}, "expected an object, but got a string"),
    ],
)
def test_runs_that_are_refused(http: httpx2.Client, place: str, body: dict[str, Any], message: str) -> None:
    _refused(http.post(f"{place}/runs", json=body), message)


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "text/plain", "application/octet-stream", "", None]
)
@pytest.mark.parametrize("body", [_MESSAGE, b"\xef\xbb\xbf" + _MESSAGE, b" \r\n" + _MESSAGE + b"\n"])
def test_json_is_read_whatever_it_is_called(http: httpx2.Client, place: str, kind: str | None, body: bytes) -> None:
    headers = {} if kind is None else {"content-type": kind}
    assert http.post(f"{place}/messages", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        _MESSAGE.decode().encode("utf-16"),
        '{"role":"user","content":"é"}'.encode("latin-1"),
        gzip.compress(_MESSAGE),
        b'{"role":"user","content":"Hi",}',
        b'{"role":"user","content":NaN}',
        b"\xef\xbb\xbf\xef\xbb\xbf" + _MESSAGE,
    ],
    ids=["utf-16", "latin-1", "gzip", "a comma", "NaN", "two marks"],
)
def test_bodies_that_are_no_json(http: httpx2.Client, place: str, body: bytes) -> None:
    _refused(http.post(f"{place}/messages", content=body), "could not be read as JSON")


@pytest.mark.parametrize("body", [b"", b"  ", b"null", b"[]", b"{}", b"\xef\xbb\xbf", b"\xef\xbb\xbf[]"])
def test_bodies_that_say_nothing(http: httpx2.Client, place: str, body: bytes) -> None:
    assert http.post("/threads", content=body).status_code == 200
    assert http.post(place, content=body).status_code == 200
    _refused(http.post("/assistants", content=body), "Missing required parameter: 'model'.")


@pytest.mark.parametrize("body", [b"[{}]", b'"x"', b"1", b"true"])
def test_bodies_that_are_no_object(http: httpx2.Client, body: bytes) -> None:
    _refused(http.post("/threads", content=body), "expected an object")


def test_reads_with_a_body(http: httpx2.Client, place: str) -> None:
    assert http.request("GET", place, content=json.dumps({"a": 1})).status_code == 200


@pytest.mark.parametrize("accept", ["text/event-stream", "text/html", "application/xml", "*/*", ""])
def test_an_answer_is_json_whatever_is_accepted(http: httpx2.Client, place: str, accept: str) -> None:
    answer = http.get(place, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH"])
def test_methods_that_are_not_there(http: httpx2.Client, place: str, method: str) -> None:
    answer = http.request(method, place)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/json")


@pytest.mark.parametrize("path", ["{}/", "/{}", "{}//messages", "/threads//messages"])
def test_paths_with_a_slash_too_many(http: httpx2.Client, place: str, path: str) -> None:
    """As at OpenAI, which answered `Invalid URL (POST /v1//chat/completions)`."""
    answer = http.get(f"{http.base_url}".rstrip("/") + path.format(place))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_url"


def test_a_file_that_is_named_twice(http: httpx2.Client, client: OpenAI) -> None:
    file = client.files.create(file=("a.txt", b"Text."), purpose="assistants")
    twice = [file.id, file.id]
    resources = {"code_interpreter": {"file_ids": twice}}
    assistant = http.post("/assistants", json={"model": "m", "tool_resources": resources})
    assert assistant.status_code == 200, assistant.text
    store = http.post("/vector_stores", json={"file_ids": twice}).json()
    assert store["file_counts"]["total"] == 1
