"""`/files`."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from app import ids
from app.db.session import transaction
from app.deps import (
    AnyFileId,
    FilePageDep,
    KnownProjectDep,
    ProjectDep,
    SessionDep,
    SessionsDep,
    SettingsDep,
    StorageDep,
)
from app.multipart import read_form
from app.ranges import requested
from app.schemas.common import ListPage
from app.schemas.files import FORM_FIELDS, File, FileCreate, FileDeleted, form_body
from app.services import files, storage_budget
from app.services.stored_bytes import Incoming
from app.validation import invalid_request

router = APIRouter(prefix="/files", tags=["Files"])

_FORM: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file", "purpose"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "purpose": {"type": "string"},
                    "filename": {"type": "string"},
                    "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                    "expires_after[seconds]": {"type": "integer", "minimum": 3600, "maximum": 2592000},
                },
            }
        }
    },
}
_CONTENT: Final[dict[int | str, Any]] = {
    200: {"content": {"application/octet-stream": {}}},
    206: {"description": "The range that was asked for", "content": {"application/octet-stream": {}}},
}


@router.post("", openapi_extra={"requestBody": _FORM})
async def create_file(
    request: Request, project: KnownProjectDep, sessions: SessionsDep, storage: StorageDep, settings: SettingsDep
) -> File:
    room = await storage_budget.room(sessions.of(project), project, settings.project_storage_bytes)
    async with Incoming(storage, ids.FILE, settings.max_file_bytes, room=room) as incoming:
        form = await read_form(request, "file", incoming.take, fields=FORM_FIELDS, check=_refuse_early)
        body = _body({**form.fields, "filename": form.filename})
        form.file.refuse_empty("file")
        async with transaction(sessions.of(project)) as session:
            seconds = body.expires_after.seconds if body.expires_after else None
            file = await files.add(
                session,
                project,
                form.file,
                filename=body.filename,
                purpose=body.purpose,
                storage_limit=settings.project_storage_bytes,
                expires_after=seconds,
            )
    return File.model_validate(file)


def _body(fields: dict[str, str]) -> FileCreate:
    try:
        return FileCreate.model_validate(form_body(fields))
    except ValidationError as error:
        raise invalid_request(error.errors(), from_fastapi=False) from None


def _refuse_early(fields: dict[str, str]) -> None:
    """Raises InvalidRequest for what is wrong before the file is read; what is missing may come behind it."""
    try:
        FileCreate.model_validate(form_body(fields))
    except ValidationError as error:
        wrong = [found for found in error.errors() if found["type"] != "missing"]
        if wrong:
            raise invalid_request(wrong, from_fastapi=False) from None


@router.get("")
async def list_files(
    page: FilePageDep,
    project: ProjectDep,
    session: SessionDep,
    purpose: Annotated[str | None, Query(pattern="^[a-z_-]*$")] = None,
) -> ListPage[File]:
    found = await files.list_page(session, project, page, purpose)
    return ListPage[File].of(found.rows, has_more=found.has_more)


@router.get("/{file_id}")
async def get_file(file_id: AnyFileId, project: ProjectDep, session: SessionDep) -> File:
    return File.model_validate(await files.get(session, project, file_id))


@router.get("/{file_id}/content", response_class=StreamingResponse, responses=_CONTENT)
async def get_file_content(
    file_id: AnyFileId,
    project: KnownProjectDep,
    sessions: SessionsDep,
    storage: StorageDep,
    settings: SettingsDep,
    wanted: Annotated[str | None, Header(alias="range")] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    async with transaction(sessions.of(project)) as session:
        file = await files.get(session, project, file_id)
    if not settings.download_all_files:
        files.refuse_kept(file)
    files.refuse_without_contents(file)
    etag = f'"{file.sha256.hex()}"'
    span = requested(wanted, file.bytes) if if_range in (None, etag) else None
    start, end = span or (0, file.bytes)
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(end - start),
        "content-disposition": f"attachment; filename*=utf-8''{quote(file.filename, safe='')}",
        "etag": etag,
        **({"content-range": f"bytes {start}-{end - 1}/{file.bytes}"} if span else {}),
    }
    data = await files.opened(storage, file, start, end)
    return StreamingResponse(data, 206 if span else 200, headers, media_type="application/octet-stream")


@router.delete("/{file_id}")
async def delete_file(file_id: AnyFileId, project: ProjectDep, session: SessionDep, storage: StorageDep) -> FileDeleted:
    await files.delete(session, storage, project, file_id)
    return FileDeleted(id=file_id)
