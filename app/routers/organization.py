"""`/organization`: what the operator does with projects and keys, in the shapes of OpenAI's administration API.

It wants a key with the scope `admin`. What is changed stands in the audit log, under the key and its address.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request

from app import auth, models, scopes
from app.db.base import now
from app.deps import SessionDep
from app.errors import InvalidRequest, NotFound
from app.json_body import JsonRoute
from app.schemas import organization as schemas
from app.schemas.common import ListPage
from app.services import api_keys, projects
from app.services.audit import Actor

Shown = TypeVar("Shown", schemas.Project, schemas.ProjectKey, schemas.AdminKey)

router = APIRouter(prefix="/organization", tags=["Organization"], route_class=JsonRoute)


async def get_operator(request: Request, session: SessionDep) -> Actor:
    """The operator. Raises AuthenticationError, PermissionDenied."""
    caller = await auth.admit(session, request)
    return Actor(caller.key_id, None if request.client is None else request.client.host)


OperatorDep = Annotated[Actor, Depends(get_operator)]
_Limit = Annotated[int, Query(ge=1, le=100)]
_After = Annotated[str | None, Query(max_length=256)]


@router.get("/projects")
async def list_projects(
    _: OperatorDep, session: SessionDep, limit: _Limit = 20, after: _After = None, include_archived: bool = False
) -> ListPage[schemas.Project]:
    every = [found for found in await projects.list_all(session) if include_archived or found.disabled_at is None]
    rows, has_more = _page([_project(found) for found in every], limit, after)
    return ListPage[schemas.Project].of(rows, has_more=has_more)


@router.post("/projects")
async def create_project(body: schemas.ProjectBody, by: OperatorDep, session: SessionDep) -> schemas.Project:
    try:
        return _project(await projects.create(session, by, body.name))
    except projects.UnusableName as error:
        raise InvalidRequest(f"Invalid 'name': {error}.", param="name", code="invalid_value") from None


@router.get("/projects/{project_id}")
async def get_project(project_id: str, _: OperatorDep, session: SessionDep) -> schemas.Project:
    return _project(await _found(session, project_id))


@router.post("/projects/{project_id}")
async def modify_project(
    project_id: str, body: schemas.ProjectBody, by: OperatorDep, session: SessionDep
) -> schemas.Project:
    project = await _found(session, project_id, lock=True)
    try:
        await projects.rename(session, by, project, body.name)
    except projects.UnusableName as error:
        raise InvalidRequest(f"Invalid 'name': {error}.", param="name", code="invalid_value") from None
    return _project(project)


@router.post("/projects/{project_id}/archive")
async def archive_project(project_id: str, by: OperatorDep, session: SessionDep) -> schemas.Project:
    """Disables a project. `locum projects enable` undoes it."""
    project = await _found(session, project_id, lock=True)
    await projects.disable(session, by, project)
    return _project(project)


@router.get("/projects/{project_id}/api_keys")
async def list_project_api_keys(
    project_id: str,
    _: OperatorDep,
    session: SessionDep,
    limit: _Limit = 20,
    after: _After = None,
    owner_project_access: Literal["active", "inactive", "any"] = "any",
) -> ListPage[schemas.ProjectKey]:
    project = await _found(session, project_id)
    found = [_key(key, project) for key, _ in await api_keys.list_all(session, project.id) if key.revoked_at is None]
    rows, has_more = _page(
        [key for key in found if owner_project_access in ("any", key.owner_project_access)], limit, after
    )
    return ListPage[schemas.ProjectKey].of(rows, has_more=has_more)


@router.post("/projects/{project_id}/api_keys")
async def create_project_api_key(
    project_id: str, body: schemas.KeyCreate, by: OperatorDep, session: SessionDep
) -> schemas.NewProjectKey:
    """Makes a key. Locum's own."""
    project = await _found(session, project_id)
    wanted = scopes.EVERYTHING if body.scopes is None else body.scopes
    ends = _ends(body.expires_in_seconds)
    try:
        row, key = await api_keys.create(session, by, project, body.name, scopes_of=wanted, expires_at=ends)
    except scopes.UnknownScope as error:
        raise _bad_scopes(error) from None
    return schemas.NewProjectKey(**_key(row, project).model_dump(), value=key)


@router.get("/projects/{project_id}/api_keys/{key_id}")
async def get_project_api_key(project_id: str, key_id: str, _: OperatorDep, session: SessionDep) -> schemas.ProjectKey:
    return _key(*await _found_key(session, project_id, key_id))


@router.post("/projects/{project_id}/api_keys/{key_id}")
async def modify_project_api_key(
    project_id: str, key_id: str, body: schemas.KeyUpdate, by: OperatorDep, session: SessionDep
) -> schemas.ProjectKey:
    """Changes the scopes or the end of a key. No scopes at all are, as OpenAI has it, all of them."""
    row, project = await _found_key(session, project_id, key_id)
    wanted = body.scopes if body.scopes is None else body.scopes or list(scopes.EVERYTHING)
    try:
        await api_keys.change(session, by, row, project, scopes_of=wanted, expires_at=_ends(body.expires_in_seconds))
    except scopes.UnknownScope as error:
        raise _bad_scopes(error) from None
    return _key(row, project)


@router.post("/projects/{project_id}/api_keys/{key_id}/rotate")
async def rotate_project_api_key(
    project_id: str, key_id: str, body: schemas.KeyRotate, by: OperatorDep, session: SessionDep
) -> schemas.NewProjectKey:
    """Makes a key in the place of another, which works for a while still. Locum's own."""
    row, project = await _found_key(session, project_id, key_id)
    grace, ends = timedelta(seconds=body.grace_seconds), _ends(body.expires_in_seconds)
    new, key = await api_keys.rotate(session, by, row, project, grace=grace, expires_at=ends)
    return schemas.NewProjectKey(**_key(new, project).model_dump(), value=key)


@router.delete("/projects/{project_id}/api_keys/{key_id}")
async def delete_project_api_key(
    project_id: str, key_id: str, by: OperatorDep, session: SessionDep
) -> schemas.ProjectKeyDeleted:
    row, _ = await _found_key(session, project_id, key_id)
    await api_keys.revoke(session, by, row.id)
    return schemas.ProjectKeyDeleted(id=key_id)


@router.get("/admin_api_keys")
async def list_admin_api_keys(
    _: OperatorDep,
    session: SessionDep,
    limit: _Limit = 20,
    after: _After = None,
    order: Literal["asc", "desc"] = "asc",
) -> ListPage[schemas.AdminKey]:
    every = await api_keys.list_all(session)
    found = [_admin_key(key) for key, project in every if project is None and key.revoked_at is None]
    rows, has_more = _page(found if order == "asc" else found[::-1], limit, after)
    return ListPage[schemas.AdminKey].of(rows, has_more=has_more)


@router.post("/admin_api_keys")
async def create_admin_api_key(
    body: schemas.AdminKeyCreate, by: OperatorDep, session: SessionDep
) -> schemas.NewAdminKey:
    row, key = await api_keys.create(session, by, None, body.name, expires_at=_ends(body.expires_in_seconds))
    return schemas.NewAdminKey(**_admin_key(row).model_dump(), value=key)


@router.get("/admin_api_keys/{key_id}")
async def get_admin_api_key(key_id: str, _: OperatorDep, session: SessionDep) -> schemas.AdminKey:
    return _admin_key((await _found_key(session, None, key_id))[0])


@router.delete("/admin_api_keys/{key_id}")
async def delete_admin_api_key(key_id: str, by: OperatorDep, session: SessionDep) -> schemas.AdminKeyDeleted:
    row, _ = await _found_key(session, None, key_id)
    await api_keys.revoke(session, by, row.id)
    return schemas.AdminKeyDeleted(id=key_id)


async def _found(session: SessionDep, project_id: str, *, lock: bool = False) -> models.Project:
    project = None if "\0" in project_id else await projects.get(session, project_id, lock=lock)
    if project is None:
        raise NotFound(f"No project found with id '{project_id}'.")
    return project


async def _found_key(
    session: SessionDep, project_id: str | None, key_id: str
) -> tuple[models.ApiKey, models.Project | None]:
    """A key of a project, or of the operator, held until the end of the transaction. Raises NotFound."""
    if project_id is not None:
        await _found(session, project_id)
    found = None if "\0" in key_id else await api_keys.find(session, key_id, lock=True)
    if found is None or found[0].project_id != project_id:
        raise NotFound(f"No API key found with id '{key_id}'.")
    return found


def _page(every: list[Shown], limit: int, after: str | None) -> tuple[list[Shown], bool]:
    """A page of a list that is here as a whole. Raises NotFound for the cursor."""
    start = 0
    if after:
        places = [place for place, shown in enumerate(every) if shown.id == after]
        if not places:
            raise NotFound(f"No object found with id '{after}'.")
        start = places[0] + 1
    return every[start : start + limit], len(every) > start + limit


def _ends(seconds: int | None) -> datetime | None:
    return None if seconds is None else now() + timedelta(seconds=seconds)


def _bad_scopes(error: scopes.UnknownScope) -> InvalidRequest:
    return InvalidRequest(f"Invalid 'scopes': {error}.", param="scopes", code="invalid_value")


def _project(row: models.Project) -> schemas.Project:
    return schemas.Project(
        id=row.id,
        name=row.name,
        created_at=int(row.created_at.timestamp()),
        archived_at=_seconds(row.disabled_at),
        status="active" if row.disabled_at is None else "archived",
    )


def _key(row: models.ApiKey, project: models.Project | None) -> schemas.ProjectKey:
    if project is None:
        raise LookupError("a key of the operator has no project")
    made = int(project.created_at.timestamp())
    account = schemas.ServiceAccount(id=project.id, name=project.name, created_at=made)
    return schemas.ProjectKey(
        id=row.id,
        name=row.name,
        redacted_value=row.hint,
        created_at=int(row.created_at.timestamp()),
        last_used_at=_seconds(row.last_used_at),
        expires_at=_seconds(row.expires_at),
        scopes=list(row.scopes),
        owner=schemas.KeyOwner(service_account=account),
        owner_project_access="active" if project.disabled_at is None else "inactive",
    )


def _admin_key(row: models.ApiKey) -> schemas.AdminKey:
    made = int(row.created_at.timestamp())
    return schemas.AdminKey(
        id=row.id,
        name=row.name,
        redacted_value=row.hint,
        created_at=made,
        last_used_at=_seconds(row.last_used_at),
        expires_at=_seconds(row.expires_at),
        owner=schemas.AdminKeyOwner(id=row.id, name=row.name, created_at=made),
    )


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
