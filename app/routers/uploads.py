"""`/uploads`."""

from typing import Any, Final

from fastapi import APIRouter, Request

from app import ids
from app.db.session import transaction
from app.deps import KnownProjectDep, ProjectDep, SessionDep, SessionsDep, StorageDep, UploadId
from app.json_body import JsonRoute
from app.multipart import read_form
from app.schemas.uploads import MAX_PART_BYTES, Upload, UploadComplete, UploadCreate, UploadPart
from app.services import uploads
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
    upload_id: UploadId, request: Request, project: KnownProjectDep, sessions: SessionsDep, storage: StorageDep
) -> UploadPart:
    async with transaction(sessions) as session:
        await uploads.pending(session, project, upload_id, "add a part to")
    async with Incoming(storage, ids.UPLOAD_PART, MAX_PART_BYTES) as incoming:
        form = await read_form(request, "data", incoming.take)
        form.file.refuse_empty("data")
        async with transaction(sessions) as session:
            part = await uploads.add_part(session, project, upload_id, form.file)
    return UploadPart.model_validate(part)


@router.post("/{upload_id}/complete")
async def complete_upload(
    upload_id: UploadId, body: UploadComplete, project: KnownProjectDep, sessions: SessionsDep, storage: StorageDep
) -> Upload:
    upload, file = await uploads.complete(sessions, storage, project, upload_id, body)
    return Upload.completed(upload, file)


@router.post("/{upload_id}/cancel")
async def cancel_upload(upload_id: UploadId, project: ProjectDep, session: SessionDep, storage: StorageDep) -> Upload:
    return Upload.model_validate(await uploads.cancel(session, storage, project, upload_id))


router.include_router(parts)
