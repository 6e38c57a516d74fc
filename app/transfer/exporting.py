"""Export: the objects of a project as lines of JSON, as the API answers them, and the contents of its files beside."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from sqlalchemy import Select

from app.db.base import ApiObject
from app.db.session import Sessions, transaction
from app.models import Assistant, File, Message, Run, RunStep, Thread, VectorStore, VectorStoreFile
from app.pagination import scoped
from app.schemas import assistants, files, messages, run_steps, runs, threads, vector_store_files
from app.services import vector_stores
from app.services.files import unexpired
from app.services.stored_bytes import key_of
from app.storage import BytesMissing, Storage

Row = TypeVar("Row", bound=ApiObject)

_PAGE: Final = 500


class Exporter:
    """Exports the project `project_id`, page by page: what changes meanwhile is exported as it is when it is read."""

    def __init__(self, sessions: Sessions, storage: Storage, project_id: str) -> None:
        self._sessions = sessions
        self._storage = storage
        self._project_id = project_id
        #: How many objects of each kind were exported.
        self.counts: dict[str, int] = {}

    async def lines(self, contents: Path | None) -> AsyncIterator[bytes]:
        """The lines; the contents of files go into the folder `contents`, under their ids. Raises StorageAway."""
        async for found in self._pages(self._all(File).where(unexpired())):
            for file in found:
                if contents is not None:
                    await self._save(file, contents / file.id)
                yield self._line(files.File.model_validate(file))
        async for line in self._vector_stores():
            yield line
        async for page in self._pages(self._all(Assistant)):
            for assistant in page:
                yield self._line(assistants.Assistant.model_validate(assistant))
        async for line in self._threads():
            yield line

    async def _vector_stores(self) -> AsyncIterator[bytes]:
        async for stores in self._pages(self._all(VectorStore)):
            async with transaction(self._sessions) as session:
                shown = await vector_stores.all_shown(session, stores)
            for store in shown:
                yield self._line(store)
                members = self._all(VectorStoreFile).where(VectorStoreFile.vector_store_id == store.id)
                async for line in self._shown(members, vector_store_files.VectorStoreFile.model_validate):
                    yield line

    async def _threads(self) -> AsyncIterator[bytes]:
        async for found in self._pages(self._all(Thread)):
            for thread in found:
                yield self._line(threads.Thread.model_validate(thread))
                said = self._all(Message).where(Message.thread_id == thread.id)
                async for line in self._shown(said, messages.Message.model_validate):
                    yield line
                async for line in self._runs(thread.id):
                    yield line

    async def _runs(self, thread_id: str) -> AsyncIterator[bytes]:
        async for found in self._pages(self._all(Run).where(Run.thread_id == thread_id)):
            for run in found:
                yield self._line(runs.Run.model_validate(run))
            steps = self._all(RunStep).where(RunStep.run_id.in_([run.id for run in found]))
            async for line in self._shown(steps, run_steps.RunStepWithContent.model_validate):
                yield line

    def _all(self, model: type[Row]) -> Select[Row]:
        return scoped(model, self._project_id)

    async def _shown(self, statement: Select[Row], show: Callable[[Any], BaseModel]) -> AsyncIterator[bytes]:
        async for page in self._pages(statement):
            for row in page:
                yield self._line(show(row))

    async def _pages(self, statement: Select[Row]) -> AsyncIterator[Sequence[Row]]:
        """The rows of `statement` from the first to the last, some at once; each time in a transaction of its own."""
        model: type[Row] = statement.column_descriptions[0]["entity"]
        some = statement.order_by(model.seq).limit(_PAGE)
        last = None
        while True:
            async with transaction(self._sessions) as session:
                found = (await session.scalars(some if last is None else some.where(model.seq > last))).all()
            if found:
                yield found
            if len(found) < _PAGE:
                return
            last = found[-1].seq

    def _line(self, shown: BaseModel) -> bytes:
        kind: str = getattr(shown, "object")  # noqa: B009 - every answer has it
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return shown.model_dump_json().encode() + b"\n"

    async def _save(self, file: File, path: Path) -> None:
        """Writes the contents of a file, unless an earlier export has."""
        if _size(path) == file.bytes:
            return
        unfinished = path.with_name(f"{path.name}.unfinished")
        try:
            with await asyncio.to_thread(unfinished.open, "wb") as out:
                async for piece in self._storage.read(key_of(file.id)):
                    await asyncio.to_thread(out.write, piece)
            unfinished.replace(path)
        except BytesMissing:
            unfinished.unlink(missing_ok=True)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
