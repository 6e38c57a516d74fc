"""What the operator does through the API, with the official client; and what a key of a project is told there."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import AuthenticationError, NotFoundError, OpenAI

from tests.api.test_errors import error_of
from tests.running import Locum
from tests.security.operations import OPERATIONS

_OF_OPERATOR = [operation for operation in OPERATIONS if operation.path.startswith("/v1/organization/")]
_BODIES: dict[str, Any] = {
    "create_project": {"name": "mine"},
    "modify_project": {"name": "mine"},
    "create_project_api_key": {"name": "mine"},
    "modify_project_api_key": {"scopes": ["read"]},
    "rotate_project_api_key": {},
    "create_admin_api_key": {"name": "mine"},
}


@pytest.fixture(scope="module")
def admin(locum: Locum) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=locum.base_url,
        api_key="none",
        admin_api_key=locum.new_key(None),
        max_retries=0,
        _strict_response_validation=True,
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(locum: Locum) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {locum.new_key(None)}"}
    with httpx2.Client(base_url=f"{locum.base_url}/organization", headers=headers, timeout=30) as opened:
        yield opened


def test_projects(admin: OpenAI, locum: Locum) -> None:
    projects = admin.admin.organization.projects
    made = projects.create(name="shop")
    assert (made.name, made.status, made.archived_at) == ("shop", "active", None)
    assert projects.retrieve(made.id) == made
    assert projects.update(made.id, name="store").name == "store"
    key = locum.new_key(made.id)
    with locum.client(key) as client:
        client.beta.assistants.list()
        archived = projects.archive(made.id)
        assert archived.status == "archived"
        assert archived.archived_at is not None
        with pytest.raises(AuthenticationError, match="archived"):
            client.beta.assistants.list()
    assert made.id not in [project.id for project in projects.list(limit=2)]
    assert made.id in [project.id for project in projects.list(limit=2, include_archived=True)]
    with pytest.raises(NotFoundError):
        projects.retrieve("proj_nobodys")


def test_keys_of_a_project(admin: OpenAI, operator: httpx2.Client, locum: Locum) -> None:
    project = admin.admin.organization.projects.create(name="keys").id
    keys = admin.admin.organization.projects.api_keys
    body = {"name": "till", "scopes": ["threads:read"], "expires_in_seconds": 3600}
    made = operator.post(f"/projects/{project}/api_keys", json=body).json()
    assert made["value"].startswith("sk-locum-")
    (listed,) = keys.list(project)
    assert (listed.name, listed.id, listed.owner_project_access) == ("till", made["id"], "active")
    assert listed.redacted_value == f"sk-locum-...{made['value'][-4:]}"
    assert listed.expires_at == made["created_at"] + 3600
    with locum.client(made["value"]) as client:
        error_of(httpx2.get(f"{locum.base_url}/files", headers={"Authorization": f"Bearer {made['value']}"}), 403)
        assert keys.update(made["id"], project_id=project, scopes=[]).id == made["id"]
        client.files.list()
        new = operator.post(f"/projects/{project}/api_keys/{made['id']}/rotate", json={"grace_seconds": 60}).json()
        assert keys.delete(made["id"], project_id=project).deleted
        with pytest.raises(AuthenticationError):
            client.files.list()
    assert [key.id for key in keys.list(project)] == [new["id"]]
    with pytest.raises(NotFoundError):
        keys.retrieve(made["id"], project_id=project)
    other = admin.admin.organization.projects.create(name="other").id
    with pytest.raises(NotFoundError):
        keys.retrieve(new["id"], project_id=other)


def test_admin_keys(admin: OpenAI, locum: Locum) -> None:
    keys = admin.admin.organization.admin_api_keys
    made = keys.create(name="second", expires_in_seconds=600)
    assert made.value.startswith("sk-locum-admin-")
    assert keys.retrieve(made.id).name == "second"
    assert made.id in [key.id for key in keys.list(limit=100)]
    with OpenAI(base_url=locum.base_url, api_key="none", admin_api_key=made.value, max_retries=0) as second:
        second.admin.organization.projects.list()
        assert keys.delete(made.id).deleted
        with pytest.raises(AuthenticationError):
            second.admin.organization.projects.list()


def test_the_audit_log(admin: OpenAI) -> None:
    organization = admin.admin.organization
    project = organization.projects.create(name="logged")
    organization.projects.update(project.id, name="logged again")
    organization.projects.archive(project.id)
    logs = list(organization.audit_logs.list(project_ids=[project.id], limit=2))
    assert [log.type for log in logs] == ["project.archived", "project.updated", "project.created"]
    created = logs[-1]
    assert created.project_created is not None
    assert created.project_created.id == project.id
    assert created.actor is not None
    assert created.actor.api_key is not None
    assert str(created.actor.api_key.id).startswith("key_")
    assert created.actor.api_key.to_dict()["ip_address"] == "127.0.0.1"
    only = organization.audit_logs.list(resource_ids=[project.id], event_types=["project.archived"])
    assert [log.id for log in only] == [logs[0].id]
    later = organization.audit_logs.list(effective_at={"gt": created.effective_at + 3600})
    assert list(later) == []


@pytest.mark.parametrize(
    "path", ["/projects", "/admin_api_keys", "/audit_logs", "/projects/proj_%00", "/projects/x/api_keys"]
)
@pytest.mark.parametrize("query", ["limit=0", "limit=x", "after=nobodys", "after=%00", "limit=101"])
def test_wrong_requests_of_the_operator(operator: httpx2.Client, path: str, query: str) -> None:
    answer = operator.get(f"{path}?{query}")
    error_of(answer, answer.status_code)
    assert answer.status_code in (400, 404)


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": " "}, {"name": "x" * 257}, {"name": 1}, {"name": "a\n"}, {"name": "a", "x": 1}]
)
def test_wrong_names(operator: httpx2.Client, body: Any) -> None:
    error_of(operator.post("/projects", json=body), 400)


@pytest.mark.parametrize("wanted", [["admin"], ["nothing"], ["read", "admin"], [], ["threads:admin"]])
def test_wrong_scopes(operator: httpx2.Client, locum: Locum, wanted: list[str]) -> None:
    project = locum.project_of(locum.api_key)
    error_of(operator.post(f"/projects/{project}/api_keys", json={"name": "x", "scopes": wanted}), 400)


@pytest.mark.parametrize("granted", [(), ("read",), ("write",), ("threads:write",)])
def test_a_key_of_a_project_administers_nothing(locum: Locum, granted: tuple[str, ...]) -> None:
    key = locum.new_project(*granted)
    theirs = {"project_id": locum.project_of(key), "key_id": "key_000000000"}
    nobodys = {"project_id": "proj_000000000", "key_id": "key_000000000"}
    with httpx2.Client(base_url=locum.origin, headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        for operation in _OF_OPERATOR:
            told = {operation.call(http, ids, _BODIES.get(operation.name)).text for ids in (theirs, nobodys)}
            error = error_of(operation.call(http, theirs, _BODIES.get(operation.name)), 403)
            assert len(told) == 1
            assert "Missing scopes: admin." in error["message"]
