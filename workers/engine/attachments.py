"""What a model is told of the files in a thread: images as data, other files by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app import image_addresses
from app.db.base import Json
from app.db.session import transaction
from app.image_addresses import ImageUrls
from app.models import File, Run
from app.pagination import scoped
from app.services import files
from app.storage.base import BytesMissing
from app.storage.patience import patiently
from workers.engine.context import StoredMessage
from workers.engine.history import ThreadMessage
from workers.engine.process import WorkerProcess

#: Of all images of one model call; those beyond it, the oldest, are told by their names alone.
_IMAGE_BYTES: Final = 20 * 2**20


async def tell(
    process: WorkerProcess, run: Run, messages: Sequence[ThreadMessage], *, vision: bool
) -> list[StoredMessage]:
    """`messages` with their files: images as data URLs where the model sees, attachments in words."""
    messages = [_with_allowed_images(message, process.settings.image_urls) for message in messages]
    wanted = {file_id for message in messages for file_id in _file_ids(message)}
    if not wanted:
        return [StoredMessage(message.role, message.content) for message in messages]
    async with transaction(process.sessions.of(run.project_id)) as session:
        known = await _files(session, run.project_id, wanted)
    urls = await _images(process, messages, known) if vision else {}
    return [
        StoredMessage(
            message.role,
            [_part(part, known, urls) for part in message.content],
            _attached(message.attachments, known),
        )
        for message in messages
    ]


def _with_allowed_images(message: ThreadMessage, rule: ImageUrls) -> ThreadMessage:
    """`message` with images in words whose addresses are not allowed: they came in by an import, or before the setting.

    Messages of runs are refused with such an address (app.services.messages).
    """
    refused = [part for part in message.content if part["type"] == "image_url" and not _is_allowed(part, rule)]
    if not refused:
        return message
    content = [_in_words("an address that is not allowed") if part in refused else part for part in message.content]
    return replace(message, content=content)


def _is_allowed(part: Json, rule: ImageUrls) -> bool:
    return image_addresses.is_allowed(part["image_url"]["url"], rule)


def _in_words(name: str) -> Json:
    return {"type": "text", "text": {"value": f"[image: {name}]", "annotations": []}}


def _file_ids(message: ThreadMessage) -> list[str]:
    images = [part["image_file"]["file_id"] for part in message.content if part["type"] == "image_file"]
    return images + [attachment["file_id"] for attachment in message.attachments]


async def _files(session: AsyncSession, project_id: str, wanted: set[str]) -> dict[str, File]:
    found = await session.scalars(scoped(File, project_id).where(File.id.in_(wanted)))
    return {file.id: file for file in found}


async def _images(
    process: WorkerProcess, messages: Sequence[ThreadMessage], known: Mapping[str, File]
) -> dict[str, str]:
    """The data URLs of the images, by file id, the newest first as far as they may go."""
    urls: dict[str, str] = {}
    left = _IMAGE_BYTES
    for message in reversed(messages):
        for part in message.content:
            file = known.get(part["image_file"]["file_id"]) if part["type"] == "image_file" else None
            if file is None or file.id in urls or file.bytes > left:
                continue
            try:
                urls[file.id] = await process.images.get(file.id, partial(patiently, partial(_bytes, process, file)))
            except BytesMissing:
                continue
            left -= file.bytes
    return urls


async def _bytes(process: WorkerProcess, file: File) -> bytes:
    return b"".join([piece async for piece in files.read(process.storage, file)])


def _part(part: Json, known: Mapping[str, File], urls: Mapping[str, str]) -> Json:
    if part["type"] != "image_file":
        return part
    file_id, detail = part["image_file"]["file_id"], part["image_file"].get("detail", "auto")
    if file_id in urls:
        return {"type": "image_url", "image_url": {"url": urls[file_id], "detail": detail}}
    name = known[file_id].filename if file_id in known else file_id
    return _in_words(name)


def _attached(attachments: Sequence[Json], known: Mapping[str, File]) -> str | None:
    """The attachments in words; None if there are none."""
    lines = []
    for attachment in attachments:
        file = known.get(attachment["file_id"])
        if file is not None:
            tools = " and ".join(tool["type"] for tool in attachment["tools"])
            lines.append(f"- {file.filename} ({file.id}), for {tools}")
    return "Attached files:\n" + "\n".join(lines) if lines else None
