"""The files of an assistant, as v1 has them: one list, which its tools see."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import InvalidRequest, NotFound
from app.models import Assistant, VectorStore
from app.pagination import scoped
from app.schemas.assistants import AssistantModify
from app.schemas.common import Json
from app.schemas.tools import NewToolResources, NewVectorStore, ToolResources
from app.schemas.vector_stores import VectorStoreCreate
from app.services import assistants, vector_store_files, vector_stores
from app.services.vector_store_files import NewFile
from app.v1 import answers
from app.v1.requests import ASSISTANT_FILES, STORE_MARK, tool_resources
from app.v1.schemas import AssistantChange
from app.v1.store_files import first_files

_TOO_MANY: Final = f"An assistant can have at most {ASSISTANT_FILES} files."


async def of(session: AsyncSession, assistant: Assistant) -> list[str]:
    """The ids of the files that an assistant has, in their order."""
    stores = answers.stores_of({"tool_resources": assistant.tool_resources})
    files = await first_files(session, assistant.project_id, stores)
    return answers.file_ids(assistant.tool_resources, files)


async def modify(session: AsyncSession, project_id: str, assistant_id: str, change: AssistantChange) -> Assistant:
    """Changes an assistant, and puts its files where its tools see them. Raises NotFound."""
    assistant = await assistants.get(session, project_id, assistant_id, lock=True)
    given = change.model_fields_set - {"file_ids"}
    body: Json = {name: getattr(change, name) for name in given}
    store = await _own_store(session, assistant)
    if change.model_fields_set & {"file_ids", "tools"}:
        before = await of(session, assistant)
        wanted = change.file_ids if "file_ids" in change.model_fields_set else before
        tools = [tool.type for tool in change.tools] if "tools" in given else [tool["type"] for tool in assistant.tools]
        resources = NewToolResources.model_validate(tool_resources(tools, wanted))
        kept = _store_ids(assistant) if wanted == before else []
        body["tool_resources"] = await _at_hand(session, assistant, resources, store, kept)
    changed = await assistants.modify(session, project_id, assistant_id, AssistantModify.model_construct(**body))
    if store is not None and store.id not in _store_ids(changed):
        await vector_stores.delete(session, project_id, store.id)
    return changed


async def add(session: AsyncSession, project_id: str, assistant_id: str, file_id: str) -> None:
    """Gives an assistant a file, which it may have already. Raises NotFound, InvalidRequest for one too many."""
    assistant = await assistants.get(session, project_id, assistant_id, lock=True)
    present = await of(session, assistant)
    if file_id in present:
        return
    if len(present) >= ASSISTANT_FILES:
        raise InvalidRequest(_TOO_MANY, param="file_id")
    await modify(session, project_id, assistant_id, AssistantChange(file_ids=[*present, file_id]))


async def remove(session: AsyncSession, project_id: str, assistant_id: str, file_id: str) -> None:
    """Takes a file from an assistant; the file itself stays. Raises NotFound."""
    assistant = await assistants.get(session, project_id, assistant_id, lock=True)
    present = await of(session, assistant)
    require_among(file_id, present)
    rest = [other for other in present if other != file_id]
    await modify(session, project_id, assistant_id, AssistantChange(file_ids=rest))


async def delete_assistant(session: AsyncSession, project_id: str, assistant_id: str) -> None:
    """Deletes an assistant, and the store that v1 made for it and has no name for. Raises NotFound."""
    store = await _own_store(session, await assistants.get(session, project_id, assistant_id, lock=True))
    await assistants.delete(session, project_id, assistant_id)
    if store is not None:
        await vector_stores.delete(session, project_id, store.id)


def require_among(file_id: str, file_ids: Collection[str]) -> None:
    """Raises NotFound unless the file is one of these."""
    if file_id not in file_ids:
        raise NotFound.of("vector_store_files", file_id)


async def _at_hand(
    session: AsyncSession, assistant: Assistant, wanted: NewToolResources, own: VectorStore | None, kept: Sequence[str]
) -> ToolResources:
    """Tool resources that come to `wanted`. Only a store that v1 has made is changed; another is kept, or left."""
    resources: Json = wanted.model_dump(exclude={"file_search"}, exclude_none=True)
    described = wanted.file_search.vector_stores if wanted.file_search is not None else None
    if described and kept:
        resources["file_search"] = {"vector_store_ids": list(kept)}
    elif described:
        (one,) = described
        store = await _filled(session, assistant.project_id, own, one)
        resources["file_search"] = {"vector_store_ids": [store.id]}
    return ToolResources.model_validate(resources)


async def _filled(
    session: AsyncSession, project_id: str, store: VectorStore | None, wanted: NewVectorStore
) -> VectorStore:
    """The store, or a new one, with exactly the files that are wanted."""
    if store is None:
        store = await vector_stores.create(session, project_id, VectorStoreCreate(metadata=wanted.metadata))
    present = (await first_files(session, project_id, [store.id])).get(store.id, [])
    for file_id in present:
        if file_id not in wanted.file_ids:
            await vector_store_files.detach(session, store, file_id)
    added = [NewFile(file_id) for file_id in wanted.file_ids if file_id not in present]
    if added:
        await vector_store_files.attach(session, store, added)
    return store


async def _own_store(session: AsyncSession, assistant: Assistant) -> VectorStore | None:
    """The vector store that v1 has made for the assistant, as long as it holds no more than v1 can say."""
    store_ids = _store_ids(assistant)
    if not store_ids:
        return None
    statement = scoped(VectorStore, assistant.project_id).where(VectorStore.id.in_(store_ids))
    for store in await session.scalars(statement):
        files = await first_files(session, assistant.project_id, [store.id])
        if store.metadata_ == STORE_MARK and len(files.get(store.id, ())) <= ASSISTANT_FILES:
            return store
    return None


def _store_ids(assistant: Assistant) -> list[str]:
    return list(answers.stores_of({"tool_resources": assistant.tool_resources}))
