"""What is at the disposal of the tools: the files and vector stores of assistants, threads and messages."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Json
from app.errors import NotFound
from app.models import File, Run, Thread, VectorStore
from app.pagination import scoped
from app.schemas.chunking import stored_chunking
from app.schemas.messages import Attachment
from app.schemas.tools import NewToolResources, NewVectorStore, ToolResources, stored_resources
from app.schemas.vector_stores import VectorStoreCreate
from app.services import files, vector_store_files, vector_stores
from app.services.vector_store_files import NewFile

#: How long the stores that are made for threads live without being used (contract, section 8).
_THREAD_STORE_EXPIRY: Final[Json] = {"anchor": "last_active_at", "days": 7}
#: Files and runs are dated by the clocks of the processes that made them.
_CLOCKS_APART: Final = timedelta(seconds=1)


async def stored(
    session: AsyncSession, project_id: str, resources: ToolResources | NewToolResources | None, *, expires: bool = False
) -> Json:
    """Tool resources as they are stored and answered; the vector store that they describe is made.

    `expires` gives that store the expiry of threads' stores. Raises NotFound for files and stores that are not there.
    """
    if resources is None:
        return {}
    if resources.code_interpreter is not None:
        await files.require(session, project_id, resources.code_interpreter.file_ids)
    answer = stored_resources(resources)
    if resources.file_search is None:
        return answer
    for store_id in resources.file_search.vector_store_ids or ():
        await vector_stores.get(session, project_id, store_id)
    if isinstance(resources, NewToolResources) and resources.file_search.vector_stores:
        made = [
            (await _make(session, project_id, described, expires=expires)).id
            for described in resources.file_search.vector_stores
        ]
        answer["file_search"]["vector_store_ids"] = [*answer["file_search"].get("vector_store_ids", ()), *made]
    return answer


async def _make(session: AsyncSession, project_id: str, described: NewVectorStore, *, expires: bool) -> VectorStore:
    options: Json = {"metadata": described.metadata or {}}
    if expires:
        options["expires_after"] = _THREAD_STORE_EXPIRY
    store = await vector_stores.create(session, project_id, VectorStoreCreate.model_validate(options))
    if described.file_ids:
        chunking = stored_chunking(described.chunking_strategy)
        new_files = [NewFile(file_id, chunking_strategy=chunking) for file_id in described.file_ids]
        await vector_store_files.attach(session, store, new_files)
    return store


async def attach(session: AsyncSession, thread: Thread, attachments: Sequence[Attachment]) -> None:
    """Puts what is attached to a message at the disposal of the thread's tools (contract, section 8).

    The caller holds the thread. Raises NotFound for a file that is not there.
    """
    if not attachments:
        return
    await files.require(session, thread.project_id, [attachment.file_id for attachment in attachments])
    resources = dict(thread.tool_resources)
    if to_open := _attached(attachments, "code_interpreter"):
        known: list[str] = resources.get("code_interpreter", {}).get("file_ids", [])
        added = [file_id for file_id in to_open if file_id not in known]
        resources["code_interpreter"] = {"file_ids": known + added}
    if to_search := _attached(attachments, "file_search"):
        store = await _thread_store(session, thread)
        await vector_store_files.attach(session, store, [NewFile(file_id) for file_id in to_search])
        resources["file_search"] = {"vector_store_ids": [store.id]}
    thread.tool_resources = resources
    await session.flush()


def _attached(attachments: Iterable[Attachment], kind: str) -> list[str]:
    wanted = [item.file_id for item in attachments if any(tool.type == kind for tool in item.tools)]
    return list(dict.fromkeys(wanted))


async def _thread_store(session: AsyncSession, thread: Thread) -> VectorStore:
    """The thread's vector store, made if it has none that still is."""
    for store_id in _store_ids(thread.tool_resources):
        try:
            (store,) = await vector_stores.require_usable(session, thread.project_id, [store_id])
        except NotFound:
            continue
        return store
    options = {"expires_after": _THREAD_STORE_EXPIRY}
    return await vector_stores.create(session, thread.project_id, VectorStoreCreate.model_validate(options))


def _store_ids(resources: Json) -> list[str]:
    ids: list[str] = resources.get("file_search", {}).get("vector_store_ids") or []
    return ids


async def _of_thread(session: AsyncSession, run: Run) -> Json:
    return await session.scalar(select(Thread.tool_resources).where(Thread.id == run.thread_id)) or {}


async def files_to_open(session: AsyncSession, run: Run) -> list[File]:
    """The files that the code of a run finds: those of its assistant and its thread that still are, in that order."""
    of_both = [run.tool_resources, await _of_thread(session, run)]
    wanted = [file_id for given in of_both for file_id in given.get("code_interpreter", {}).get("file_ids", ())]
    statement = scoped(File, run.project_id).where(File.id.in_(set(wanted)), files.unexpired())
    found = {file.id: file for file in await session.scalars(statement)}
    return [found[file_id] for file_id in dict.fromkeys(wanted) if file_id in found]


async def stores_to_search(session: AsyncSession, run: Run) -> list[str]:
    """The vector stores that a run searches: those of its assistant and its thread that still are.

    They count as used. Raises InvalidRequest if one of them has expired.
    """
    wanted = await _stores_of(session, run)
    found = set(
        await session.scalars(
            scoped(VectorStore, run.project_id).with_only_columns(VectorStore.id).where(VectorStore.id.in_(wanted))
        )
    )
    usable = await vector_stores.require_usable(session, run.project_id, [id_ for id_ in wanted if id_ in found])
    await vector_stores.touch(session, usable)
    return [store.id for store in usable]


async def _stores_of(session: AsyncSession, run: Run) -> list[str]:
    """The ids of the vector stores of a run's assistant and of its thread, each once."""
    of_both = [*_store_ids(run.tool_resources), *_store_ids(await _of_thread(session, run))]
    return list(dict.fromkeys(of_both))


async def files_pending(session: AsyncSession, run: Run) -> bool:
    """Whether files that a run is to search are still being made searchable: those that came before the run did."""
    store_ids = await _stores_of(session, run)
    before = run.created_at + _CLOCKS_APART
    return bool(store_ids) and await vector_store_files.pending(session, store_ids, before) > 0
