"""Every operation that the API has, by those who may not: what is not theirs is not there.

What is asked is made of the routes and of the schemas of their bodies, so that none can be forgotten.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import psycopg
import pytest

from tests.api.test_errors import error_of
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum
from tests.security.ground import made_objects
from tests.security.operations import OPERATIONS, Edition, described_app

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
    "create_assistant_file": {"file_id": "{file_id}"},
}
#: Models are the server's, and the same for everybody; the operator's objects are in test_organization.
ON_OBJECTS = [
    operation
    for operation in OPERATIONS
    if operation.parameters not in ([], ["model"]) and not operation.path.startswith("/v1/organization/")
]


def filled(body: Any, ids: dict[str, str]) -> Any:
    """`body` with ids put in."""
    if isinstance(body, dict):
        return {name: filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, ids) for value in body]
    return body.format(**ids) if isinstance(body, str) else body


def nobodys(ids: dict[str, str]) -> dict[str, str]:
    """Ids of the same kinds that nobody has, and of the same length."""
    return {name: value[:-6] + "000000" for name, value in ids.items()}


def as_seen(answer: httpx2.Response, used: dict[str, str]) -> tuple[int, str, list[str]]:
    """An answer but for the ids that were asked for."""
    text = answer.text
    for name, value in used.items():
        text = text.replace(value, f"<{name}>")
    return answer.status_code, text, sorted(set(answer.headers) - {"date"})


def shown(owner: httpx2.Client, ids: dict[str, str]) -> dict[str, Any]:
    """All that the owner can read, by operation."""
    reading = [operation for operation in ON_OBJECTS if operation.method == "GET"]
    answers = {str(operation): operation.call(owner, ids) for operation in reading}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    return {name: answer.content for name, answer in answers.items()}


def test_the_description_has_every_route() -> None:
    described = {
        (method.upper(), path) for path, methods in described_app().openapi()["paths"].items() for method in methods
    }
    routed = {(operation.method, operation.path) for operation in OPERATIONS if operation.edition == "v2"}
    assert described - routed == {("GET", "/healthz"), ("GET", "/readyz")}
    # No part of the API: the page's own.
    assert routed - described == {("POST", "/playground/markdown")}
    assert {operation.name for operation in ON_OBJECTS if operation.wants_json} <= set(BODIES)


@pytest.fixture(scope="module")
def revoked(locum: Locum) -> str:
    """A key that was good."""
    key = locum.new_project()
    with psycopg.connect(locum.database_url) as connection:
        connection.execute("UPDATE api_keys SET revoked_at = now() WHERE sha256 = sha256(%s)", [key.encode()])
    return key


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Accept", "*/*", None),
        ("Authorization", "Bearer", None),
        ("Authorization", "Basic c2stbG9jdW0=", None),
        ("Authorization", "Bearer sk-locum-nobody", "invalid_api_key"),
        ("Authorization", "Bearer {revoked}", "invalid_api_key"),
        ("Authorization", "Bearer {good}x", "invalid_api_key"),
        ("Authorization", "Bearer {good}, Bearer {good}", "invalid_api_key"),
        ("Authorization", "Bearer ' OR 1=1 --", "invalid_api_key"),
        ("Authorization", "Bearer " + "\xff" * 5000, "invalid_api_key"),
        ("api-key", "{revoked}", "invalid_api_key"),
    ],
)
def test_nothing_without_a_key(
    anybody: httpx2.Client,
    locum: Locum,
    ids: dict[str, str],
    revoked: str,
    name: str,
    value: str,
    code: str | None,
) -> None:
    header = {name.encode(): value.format(revoked=revoked, good=locum.api_key).encode("latin-1")}
    told = set()
    for operation in OPERATIONS:
        body = filled(BODIES.get(operation.name), ids)
        answer = operation.call(anybody, ids, body, headers=header)
        assert error_of(answer, 401)["code"] == code, operation
        assert answer.text.count(locum.api_key) == answer.text.count(revoked) == 0
        told.add(answer.text)
    assert len(told) == 1


@pytest.mark.parametrize("prefix", ["/v1", "/openai", "/openai/v1"])
def test_what_is_anothers_is_not_there(
    owner: httpx2.Client, stranger: httpx2.Client, ids: dict[str, str], prefix: str
) -> None:
    before = shown(owner, ids)
    for operation in ON_OBJECTS:
        asked = operation._replace(path=operation.path.replace("/v1", prefix, 1))
        body = BODIES.get(operation.name)
        anothers, missing = (
            as_seen(asked.call(stranger, used, filled(body, used)), used) for used in (ids, nobodys(ids))
        )
        assert anothers == missing, operation
        assert missing[0] == 404, (operation, missing)
    assert shown(owner, ids) == before


# What bodies name.

#: What must stand beside an id for its body to be good, by where the object is: the operation, or the field.
_BESIDE: Final[dict[str, dict[str, Any]]] = {
    "create_assistant": {"model": "m"},
    "create_run": {"assistant_id": "{assistant_id}"},
    "create_thread_and_run": {"assistant_id": "{assistant_id}"},
    "create_message": {"role": "user", "content": "Hi"},
    "messages": {"role": "user", "content": "Hi"},
    "additional_messages": {"role": "user", "content": "Hi"},
    "attachments": {"tools": [{"type": "code_interpreter"}]},
    "content": {"type": "image_file"},
}
#: Ids that are no objects' of Locum.
_NO_OBJECTS: Final = {"tool_call_id"}
_KINDS: Final = {"file_ids": "file_id", "vector_store_ids": "vector_store_id", "part_ids": "part_id"}
#: What v1 has in the place of tool resources and attachments: its bodies are translated before they are looked at.
_PLACES_OF_V1: Final = [
    ("create_assistant", ("file_ids",)),
    ("modify_assistant_v1", ("file_ids",)),
    ("create_assistant_file", ("file_id",)),
    ("create_message", ("file_ids",)),
    ("create_thread", ("messages", "[]", "file_ids")),
    ("create_run", ("additional_messages", "[]", "file_ids")),
    ("create_thread_and_run", ("thread", "messages", "[]", "file_ids")),
]

Place = tuple[str, ...]


def _places() -> Iterator[tuple[Edition, str, Place]]:
    description = described_app().openapi()
    schemas = description["components"]["schemas"]
    for methods in description["paths"].values():
        for operation in methods.values():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for place in sorted(set(_below(body.get("schema", {}), schemas, (), ()))):
                yield "v2", operation["operationId"], place
    for name, place in _PLACES_OF_V1:
        yield "v1", name, place


def _below(schema: Any, schemas: Any, place: Place, within: Place) -> Iterator[Place]:
    """Where in what `schema` describes ids stand."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name not in within:
        yield from _below(schemas[name], schemas, place, (*within, name))
    for member in [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]:
        yield from _below(member, schemas, place, within)
    if "items" in schema:
        yield from _below(schema["items"], schemas, (*place, "[]"), within)
    for field, described in schema.get("properties", {}).items():
        if field in _NO_OBJECTS:
            continue
        if field.endswith(("_id", "_ids")):
            yield (*place, field)
        else:
            yield from _below(described, schemas, (*place, field), within)


def _with_id(name: str, place: Place, value: str) -> Any:
    """A body of the operation `name` that is good but for the id at `place`."""
    field, *rest = place
    if field == "[]":
        return [_with_id(name, tuple(rest), value)]
    beside = _BESIDE.get(name, {})
    if not rest:
        return {**beside, field: [value] if field.endswith("s") else value}
    return {**beside, field: _with_id(field, tuple(rest), value)}


@pytest.fixture(scope="module")
def strangers_ids(stranger: httpx2.Client, backend: CompletionBackend) -> dict[str, str]:
    return made_objects(stranger, backend)


@pytest.mark.parametrize(
    ("edition", "name", "place"),
    [pytest.param(*found, id=f"{found[0]}-{found[1]}-{'.'.join(found[2])}") for found in _places()],
)
def test_what_bodies_name(
    stranger: httpx2.Client,
    ids: dict[str, str],
    strangers_ids: dict[str, str],
    edition: Edition,
    name: str,
    place: Place,
) -> None:
    (operation,) = (known for known in OPERATIONS if (known.name, known.edition) == (name, edition))
    kind = _KINDS.get(place[-1], place[-1])
    # A thread of its own: the others' may have an active run, which is told before anything else.
    mine = {**strangers_ids, "thread_id": stranger.post("/v1/threads").json()["id"]}

    def answered(used: str) -> httpx2.Response:
        return operation.call(stranger, mine, filled(_with_id(name, place, used), mine))

    anothers, missing = (as_seen(answered(used[kind]), {kind: used[kind]}) for used in (ids, nobodys(ids)))
    assert anothers == missing
    assert missing[0] in (400, 404)
    assert f"<{kind}>" in missing[1]
    own = answered(strangers_ids[kind])
    assert own.status_code == 200, own.text


@pytest.mark.parametrize("parameter", ["after", "before", "run_id"])
def test_what_queries_name(
    stranger: httpx2.Client, ids: dict[str, str], strangers_ids: dict[str, str], parameter: str
) -> None:
    for operation in OPERATIONS:
        if operation.name.startswith("list_"):
            for kind in ids.keys() - {"model"}:
                anothers, missing = (
                    as_seen(operation.call(stranger, strangers_ids, params={parameter: used[kind]}), {kind: used[kind]})
                    for used in (ids, nobodys(ids))
                )
                assert anothers == missing, (operation, kind)


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
