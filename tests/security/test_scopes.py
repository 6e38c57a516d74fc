"""Scopes: each route wants one, and a key without it does nothing there. What is asked is made of the routes."""

import re
from typing import Any

import httpx2
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import scopes
from tests.api.test_errors import error_of
from tests.running import Locum
from tests.security.operations import OPERATIONS, Operation
from tests.security.test_tenancy import BODIES, filled

_OF_OPERATOR = [operation for operation in OPERATIONS if operation.path.startswith("/v1/organization/")]
_OF_PROJECTS = [operation for operation in OPERATIONS if operation not in _OF_OPERATOR]
#: What a read key may do besides GET. Each is shown below to change nothing.
_READING_POSTS = {"search_vector_store", "render_markdown"}
#: Tables in which what a project has is.
_OF_A_PROJECT = "SELECT table_name FROM information_schema.columns WHERE column_name = 'project_id' ORDER BY 1"


def _body(operation: Operation, ids: dict[str, str]) -> Any:
    return filled({**BODIES, "render_markdown": {"text": "x"}}.get(operation.name), ids)


def _wanted(operation: Operation) -> str:
    return scopes.needed(operation.method, operation.path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_each_route_wants_a_scope(operation: Operation) -> None:
    wanted = _wanted(operation)
    if operation in _OF_OPERATOR:
        assert wanted == "admin"
        return
    resource, access = wanted.split(":")
    assert resource in scopes.RESOURCES
    assert access == ("read" if operation.method == "GET" or operation.name in _READING_POSTS else "write")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/new", "/v1", "/", "/v1/threadsx", "/threads", "/v2/threads", "/playground"])
def test_nobody_is_let_in_where_no_rule_is(method: str, path: str) -> None:
    with pytest.raises(LookupError):
        scopes.needed(method, path)


@given(st.sets(st.sampled_from(scopes.OF_PROJECTS), min_size=1), st.sampled_from(scopes.RESOURCES))
def test_who_may_write_may_read(granted: set[str], resource: str) -> None:
    may_write = scopes.allow(granted, f"{resource}:write")
    assert may_write == bool({"write", f"{resource}:write"} & granted)
    assert scopes.allow(granted, f"{resource}:read") == (may_write or bool({"read", f"{resource}:read"} & granted))
    assert not scopes.allow(granted, "admin")
    assert set(scopes.checked(granted)) == granted


def test_scopes_that_there_are_not() -> None:
    for wrong in ([], ["admin", "read"], ["threads"], ["threads:admin"], ["Read"], [""], ["organization:read"], ["*"]):
        with pytest.raises(scopes.UnknownScope):
            scopes.checked(wrong)
    assert not any(scopes.allow(["admin"], scope) for scope in scopes.OF_PROJECTS if ":" in scope)


def _with(locum: Locum, project_id: str | None, *granted: str) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {locum.new_key(project_id, *granted)}"}
    return httpx2.Client(base_url=locum.origin, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def project_id(locum: Locum, owner: httpx2.Client) -> str:
    return locum.project_of(owner.headers["authorization"].removeprefix("Bearer "))


def _everything(database: psycopg.Connection, project_id: str) -> dict[str, list[Any]]:
    tables = [str(row[0]) for row in database.execute(_OF_A_PROJECT)]
    assert {"threads", "files", "api_keys", "audit_log"} <= set(tables)
    kept = {}
    for table in tables:
        rows = database.execute(f"SELECT to_jsonb(t) FROM {table} t WHERE project_id = %s", [project_id])
        kept[table] = sorted((_but_for_use(row[0]) for row in rows), key=str)
    return kept


def _but_for_use(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what tells when a store or a key was last used: reading is a use."""
    return {name: value for name, value in row.items() if name not in ("last_active_at", "last_used_at", "expires_at")}


@pytest.mark.parametrize("prefix", ["/v1", "/openai", "/openai/v1", "/api/projects/p"])
def test_a_read_key_changes_nothing(
    locum: Locum, ids: dict[str, str], project_id: str, database: psycopg.Connection, prefix: str
) -> None:
    with _with(locum, project_id, "read") as reader:
        before = _everything(database, project_id)
        for operation in _OF_PROJECTS:
            asked = operation._replace(path=re.sub("^/v1(?=/)", prefix, operation.path))
            answer = asked.call(reader, ids, _body(operation, ids))
            wanted = _wanted(operation)
            if wanted.endswith(":read"):
                assert answer.status_code == 200, (operation, answer.text)
            else:
                error = error_of(answer, 403)
                assert error["code"] == "missing_scope"
                assert f"Missing scopes: {wanted}." in error["message"]
        assert _everything(database, project_id) == before


def test_a_key_without_a_scope_is_refused_before_its_body_is_read(locum: Locum, project_id: str) -> None:
    body = b"[" + b"0," * 100_000
    with _with(locum, project_id, "read", "files:write") as reader:
        for path in ("/v1/threads", "/v1/assistants", "/v1/chat/completions"):
            assert error_of(reader.post(path, content=body), 403)["code"] == "missing_scope"
        for beta in ("assistants=v1", "assistants=v3"):
            error_of(reader.post("/v1/threads", json={}, headers={"OpenAI-Beta": beta}), 403)


@pytest.mark.parametrize("resource", scopes.RESOURCES)
def test_a_scope_of_one_resource_is_for_that_alone(
    locum: Locum, ids: dict[str, str], project_id: str, resource: str
) -> None:
    with _with(locum, project_id, f"{resource}:read") as reader:
        for operation in _OF_PROJECTS:
            wanted = _wanted(operation)
            status = operation.call(reader, ids, _body(operation, ids)).status_code
            assert status == (200 if wanted == f"{resource}:read" else 403), operation
    with _with(locum, project_id, f"{resource}:write") as writer:
        for operation in _OF_PROJECTS:
            if not _wanted(operation).startswith(f"{resource}:"):
                error_of(operation.call(writer, ids, _body(operation, ids)), 403)
            elif operation.method == "GET":
                assert operation.call(writer, ids).status_code == 200


def test_a_key_of_the_operator_opens_no_project(locum: Locum, ids: dict[str, str], project_id: str) -> None:
    with _with(locum, None) as operator:
        for operation in _OF_PROJECTS:
            error = error_of(operation.call(operator, ids, _body(operation, ids)), 403)
            assert f"Missing scopes: {_wanted(operation)}." in error["message"]
