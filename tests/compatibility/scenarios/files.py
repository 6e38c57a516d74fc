"""Files and uploads."""

from typing import Any

from tests.compatibility.calling import Caller

_TEXT = b"The moons of Jupiter."


async def files(call: Caller) -> None:
    made = await call("files.create", file=("moons.txt", _TEXT), purpose="vision")
    assert (made.filename, made.bytes, made.purpose) == ("moons.txt", len(_TEXT), "vision")
    assert await call("files.retrieve", made.id) == made
    assert (await call("files.list", limit=1)).data == [made]
    assert await call("files.wait_for_processing", made.id) == made
    content = await call("files.content", made.id)
    assert await _read(content) == _TEXT
    assert await call("files.retrieve_content", made.id) == _TEXT.decode()
    gone = await call("files.delete", made.id)
    assert (gone.id, gone.deleted) == (made.id, True)


async def _read(content: Any) -> bytes:
    return bytes(content if isinstance(content, bytes) else content.content)


def _announced(**more: Any) -> Any:
    return {"bytes": len(_TEXT), "filename": "moons.txt", "mime_type": "text/plain", "purpose": "assistants", **more}


async def uploads(call: Caller) -> None:
    made = await call("uploads.create", **_announced())
    assert made.status == "pending"
    part = await call("uploads.parts.create", made.id, data=_TEXT)
    assert part.upload_id == made.id
    done = await call("uploads.complete", made.id, part_ids=[part.id])
    assert (done.status, done.file.filename, done.file.bytes) == ("completed", "moons.txt", len(_TEXT))
    other = await call("uploads.create", **_announced())
    assert (await call("uploads.cancel", other.id)).status == "cancelled"
    whole = await call("uploads.upload_file_chunked", file=_TEXT, part_size=8, **_announced())
    assert (whole.status, whole.file.bytes) == ("completed", len(_TEXT))


SCENARIOS = (files, uploads)
