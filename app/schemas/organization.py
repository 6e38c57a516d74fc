"""The operator's objects, as OpenAI's administration API has them: projects, their keys, admin keys, the audit log."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from app.schemas.common import RequestBody

#: As long as a name may be.
Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"\S")]
#: A century, so that it is a time still.
Lifetime = Annotated[int, Field(ge=1, le=3_155_760_000)]


class ProjectBody(RequestBody):
    name: Name


class Project(BaseModel):
    id: str
    object: Literal["organization.project"] = "organization.project"
    name: str
    created_at: int
    archived_at: int | None
    status: Literal["active", "archived"]


class AdminKeyCreate(RequestBody):
    name: Name
    expires_in_seconds: Lifetime | None = None


class KeyCreate(AdminKeyCreate):
    """Locum's own: OpenAI's keys of projects are made by their users."""

    scopes: list[str] | None = None


class KeyUpdate(RequestBody):
    scopes: list[str] | None = None
    expires_in_seconds: Lifetime | None = None


class KeyRotate(RequestBody):
    """Locum's own."""

    grace_seconds: Annotated[int, Field(ge=0, le=3_155_760_000)] = 86_400
    expires_in_seconds: Lifetime | None = None


class ServiceAccount(BaseModel):
    """Whose a key of a project is: Locum has no users, so it is the project's own."""

    id: str
    name: str
    created_at: int
    role: Literal["member"] = "member"


class KeyOwner(BaseModel):
    type: Literal["service_account"] = "service_account"
    service_account: ServiceAccount


class ProjectKey(BaseModel):
    id: str
    object: Literal["organization.project.api_key"] = "organization.project.api_key"
    name: str
    redacted_value: str
    created_at: int
    last_used_at: int | None
    expires_at: int | None
    scopes: list[str]
    owner: KeyOwner
    owner_project_access: Literal["active", "inactive"]


class NewProjectKey(ProjectKey):
    """With the key itself, which is shown this once."""

    value: str


class ProjectKeyDeleted(BaseModel):
    id: str
    object: Literal["organization.project.api_key.deleted"] = "organization.project.api_key.deleted"
    deleted: Literal[True] = True


class AdminKeyOwner(BaseModel):
    type: Literal["service_account"] = "service_account"
    object: Literal["organization.service_account"] = "organization.service_account"
    id: str
    name: str
    created_at: int
    role: Literal["owner"] = "owner"


class AdminKey(BaseModel):
    id: str
    object: Literal["organization.admin_api_key"] = "organization.admin_api_key"
    name: str
    redacted_value: str
    created_at: int
    last_used_at: int | None
    expires_at: int | None
    owner: AdminKeyOwner


class NewAdminKey(AdminKey):
    value: str


class AdminKeyDeleted(BaseModel):
    id: str
    object: Literal["organization.admin_api_key.deleted"] = "organization.admin_api_key.deleted"
    deleted: Literal[True] = True


class AuditPage(BaseModel):
    """A page of the audit log. What an entry tells stands under the name of its type."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool
