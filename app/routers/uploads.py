"""`/uploads`."""

from typing import Any, Final

from fastapi import APIRouter, Request

from app import ids
from app.db.session import transaction
from app.deps import KnownProjectDep, ProjectDep, SessionDep, SessionsDep, SettingsDep, StorageDep, UploadId
from app.json_body import JsonRoute
from app.multipart import read_form
from app.schemas.uploads import MAX_PART_BYTES, Upload, UploadComplete, UploadCreate, UploadPart
from app.services import storage_budget, uploads
from app.services.stored_bytes import Incoming

router = APIRouter(prefix="/uploads", tags=["Uploads"], route_class=JsonRoute)
#: Parts are read while they arrive, so that none is in memory as a whole.
parts = APIRouter()

_FORM: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["data"],
                "properties": {"data": {"type": "string", "format": "binary"}},
            }
        }
    },
}


@router.post("")
async def create_upload(body: UploadCreate, project: ProjectDep, session: SessionDep) -> Upload:
    return Upload.model_validate(await uploads.create(session, project, body))


@parts.post("/{upload_id}/parts", openapi_extra={"requestBody": _FORM})
async def add_upload_part(
    upload_id: UploadId,
    request: Request,
    project: KnownProjectDep,
    sessions: SessionsDep,
    storage: StorageDep,
    settings: SettingsDep,
) -> UploadPart:
    async with transaction(sessions.of(project)) as session:
        await uploads.pending(session, project, upload_id, "add a part to")
    room = await storage_budget.room(sessions.of(project), project, settings.project_storage_bytes)
    async with Incoming(storage, ids.UPLOAD_PART, MAX_PART_BYTES, room=room) as incoming:
        form = await read_form(request, "data", incoming.take)
        form.file.refuse_empty("data")
        async with transaction(sessions.of(project)) as session:
            part = await uploads.add_part(session, project, upload_id, form.file, settings.project_storage_bytes)
    return UploadPart.model_validate(part)


@router.post("/{upload_id}/complete")
async def complete_upload(
    upload_id: UploadId,
    body: UploadComplete,
    project: KnownProjectDep,
    sessions: SessionsDep,
    storage: StorageDep,
    settings: SettingsDep,
) -> Upload:
    limit = settings.project_storage_bytes
    upload, file = await uploads.complete(sessions.of(project), storage, project, upload_id, body, limit)
    return Upload.completed(upload, file)


@router.post("/{upload_id}/cancel")
async def cancel_upload(upload_id: UploadId, project: ProjectDep, session: SessionDep, storage: StorageDep) -> Upload:
    return Upload.model_validate(await uploads.cancel(session, storage, project, upload_id))


router.include_router(parts)
