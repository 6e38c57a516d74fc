"""Every operation that the API describes, by those who may not: what is not theirs is not there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from app.main import create_app
from app.settings import Settings
from tests.api.test_errors import error_of
from tests.conftest import BETA
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, wait_for

_OPEN = {"/healthz", "/readyz"}

#: A good body for each operation that wants one and has an object in its path.
BODIES: dict[str, Any] = {
    "create_message": {"role": "user", "content": "Hi"},
    "create_run": {"assistant_id": "{assistant_id}"},
    "submit_tool_outputs": {"tool_outputs": [{"tool_call_id": "call_1", "output": "x"}]},
    "complete_upload": {"part_ids": ["{part_id}"]},
    "create_vector_store_file": {"file_id": "{file_id}"},
    "modify_vector_store_file": {"attributes": {"a": "b"}},
    "create_file_batch": {"file_ids": ["{file_id}"]},
    "search_vector_store": {"query": "x"},
}


class Operation(NamedTuple):
    """One method at one path."""

    name: str
    method: str
    path: str
    wants_json: bool
    wants_form: bool

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)


def _operations() -> Iterator[Operation]:
    settings = Settings(database_url="postgresql://nowhere/x", redis_url="redis://nowhere/0")
    for path, methods in create_app(settings).openapi()["paths"].items():
        for method, described in methods.items():
            body = described.get("requestBody", {})
            content = body.get("content", {})
            wants_json = body.get("required", False) and "application/json" in content
            wants_form = "multipart/form-data" in content
            yield Operation(described["operationId"], method.upper(), path, wants_json, wants_form)


OPERATIONS = list(_operations())
BELOW_A_KEY = [operation for operation in OPERATIONS if operation.path not in _OPEN]
#: Models are the server's, and the same for everybody.
ON_OBJECTS = [operation for operation in BELOW_A_KEY if operation.parameters not in ([], ["model"])]


def named(operation: Operation) -> str:
    return operation.name


def call(
    http: httpx2.Client, operation: Operation, ids: dict[str, str], body: Any = None, **options: Any
) -> httpx2.Response:
    """Sends a request for an operation on the objects with `ids`."""
    path = operation.path
    for name in operation.parameters:
        path = path.replace(f"{{{name}}}", ids[name])
    if operation.wants_form:
        options["files"] = {"data": ("a.txt", b"x"), "file": ("a.txt", b"x")}
        options["data"] = {"purpose": "assistants"}
    elif body is not None:
        options["json"] = body
    return http.request(operation.method, path, **options)


def filled(body: Any, ids: dict[str, str]) -> Any:
    """`body` with ids put in."""
    if isinstance(body, dict):
        return {name: filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, ids) for value in body]
    return body.format(**ids) if isinstance(body, str) else body


@pytest.fixture(scope="module")
def anybody(locum: Locum) -> Iterator[httpx2.Client]:
    """Plain HTTP without a key."""
    with httpx2.Client(base_url=locum.origin, headers=BETA, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="module")
def owner(locum: Locum) -> Iterator[httpx2.Client]:
    with _opened(locum) as opened:
        yield opened


@pytest.fixture(scope="module")
def stranger(locum: Locum) -> Iterator[httpx2.Client]:
    with _opened(locum) as opened:
        yield opened


def _opened(locum: Locum) -> httpx2.Client:
    headers = {**BETA, "Authorization": f"Bearer {locum.new_project()}"}
    return httpx2.Client(base_url=locum.origin, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def ids(owner: httpx2.Client, backend: CompletionBackend) -> dict[str, str]:
    """An object of the owner's for every name of a path parameter."""

    def made(path: str, body: Any = None, **options: Any) -> str:
        answer = (
            owner.post(f"/v1{path}", json=body, **options) if body is not None else owner.post(f"/v1{path}", **options)
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    backend.script("scripted-tenancy", Turn(text="Hello."), repeat=True)
    assistant = made("/assistants", {"model": "scripted-tenancy"})
    thread = made("/threads", {})
    message = made(f"/threads/{thread}/messages", {"role": "user", "content": "Hi"})
    run = made(f"/threads/{thread}/runs", {"assistant_id": assistant})
    path = f"/v1/threads/{thread}/runs/{run}"
    wait_for(lambda: owner.get(path).json()["status"] == "completed", "the run", 30)
    (step,) = owner.get(f"{path}/steps").json()["data"]
    file = made("/files", files={"file": ("a.txt", b"Hello")}, data={"purpose": "assistants"})
    announced = {"filename": "b.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"}
    upload = made("/uploads", announced)
    part = made(f"/uploads/{upload}/parts", files={"data": ("b", b"x")})
    store = made("/vector_stores", {})
    batch = made(f"/vector_stores/{store}/file_batches", {"file_ids": [file]})
    batch_path = f"/v1/vector_stores/{store}/file_batches/{batch}"
    wait_for(lambda: owner.get(batch_path).json()["status"] != "in_progress", "the file", 30)
    return {
        "assistant_id": assistant,
        "thread_id": thread,
        "message_id": message,
        "run_id": run,
        "step_id": step["id"],
        "file_id": file,
        "upload_id": upload,
        "part_id": part,
        "vector_store_id": store,
        "batch_id": batch,
        "model": "scripted-tenancy",
    }


def nobodys(ids: dict[str, str]) -> dict[str, str]:
    """Ids of the same kinds that nobody has, and of the same length."""
    return {name: value[:-6] + "000000" for name, value in ids.items()}


def shown(owner: httpx2.Client, ids: dict[str, str]) -> dict[str, Any]:
    """All that the owner can read, by operation."""
    reading = [operation for operation in ON_OBJECTS if operation.method == "GET"]
    answers = {operation.name: call(owner, operation, ids) for operation in reading}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    return {name: answer.content for name, answer in answers.items()}


def test_the_description_has_everything() -> None:
    assert len(ON_OBJECTS) >= 25
    assert {operation.name for operation in ON_OBJECTS if operation.wants_json} <= set(BODIES)


@pytest.mark.parametrize("operation", BELOW_A_KEY, ids=named)
@pytest.mark.parametrize("header", [None, "Bearer sk-locum-nobody", "Basic c2stbG9jdW0=", "Bearer"])
def test_nothing_without_a_key(
    anybody: httpx2.Client, ids: dict[str, str], operation: Operation, header: str | None
) -> None:
    body = filled(BODIES.get(operation.name), ids)
    answer = call(anybody, operation, ids, body, headers={} if header is None else {"Authorization": header})
    assert error_of(answer, 401)["code"] == (None if "nobody" not in str(header) else "invalid_api_key")


def test_what_is_anothers_is_not_there(owner: httpx2.Client, stranger: httpx2.Client, ids: dict[str, str]) -> None:
    before = shown(owner, ids)
    for operation in ON_OBJECTS:
        body = BODIES.get(operation.name)
        answers = []
        for used in (ids, nobodys(ids)):
            answer = call(stranger, operation, used, filled(body, used))
            assert answer.status_code == 404, (operation.name, answer.text)
            text = answer.text
            for name, value in used.items():
                text = text.replace(value, f"<{name}>")
            answers.append((text, sorted(set(answer.headers) - {"date"})))
        assert answers[0] == answers[1], operation.name
    assert shown(owner, ids) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/threads/runs", {"assistant_id": "{assistant_id}"}),
        ("/vector_stores", {"file_ids": ["{file_id}"]}),
    ],
)
def test_what_a_body_names(stranger: httpx2.Client, ids: dict[str, str], path: str, body: Any) -> None:
    answers = [stranger.post(f"/v1{path}", json=filled(body, used)) for used in (ids, nobodys(ids))]
    assert [answer.status_code for answer in answers] == [404, 404]
    texts = [
        answer.text.replace(used["assistant_id"], "<a>").replace(used["file_id"], "<f>")
        for answer, used in zip(answers, (ids, nobodys(ids)), strict=True)
    ]
    assert texts[0] == texts[1]


NAMES = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "a/../../b.txt",
    "..\\..\\x.txt",
    "files/file-x",
    "%2e%2e%2fx",
    "~root",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_is_no_path(locum: Locum, owner: httpx2.Client, name: str) -> None:
    boundary = "b" * 20
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n',
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nHello\r\n',
        f"--{boundary}--\r\n",
    ]
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    before = _files(locum)
    made = owner.post("/v1/files", content="".join(parts).encode(), headers=headers)
    assert made.status_code == 200, made.text
    file = made.json()
    (new,) = _files(locum) - before
    assert new.parts[-1] == file["id"]
    answer = owner.get(f"/v1/files/{file['id']}/content")
    assert answer.content == b"Hello"
    assert "/" not in answer.headers["content-disposition"]
    assert owner.delete(f"/v1/files/{file['id']}").status_code == 200


def _files(locum: Locum) -> set[Path]:
    """All files at or below the folder of Locum's own."""
    root = locum.logs
    return {path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.suffix != ".log"}
