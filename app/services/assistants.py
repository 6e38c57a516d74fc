"""Assistants."""

from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.errors import NotFound
from app.models import Assistant
from app.pagination import Page, PageQuery, paginate, scoped
from app.schemas import assistants as schemas
from app.schemas.model_options import stored_model_options
from app.schemas.tools import stored_tools
from app.services import tool_resources

#: Stored as they come; what is left out of a request is left alone.
_PLAIN_FIELDS = ("model", "name", "description")


async def create(session: AsyncSession, project_id: str, body: schemas.AssistantCreate) -> Assistant:
    """Makes an assistant. The model is looked for when it is run: model servers come and go.

    Raises NotFound for files and vector stores that are not there.
    """
    assistant = Assistant(
        id=ids.new(ids.ASSISTANT),
        project_id=project_id,
        tools=stored_tools(body.tools),
        tool_resources=await tool_resources.stored(session, project_id, body.tool_resources),
        metadata_=body.metadata or {},
        **{name: getattr(body, name) for name in _PLAIN_FIELDS},
        **stored_model_options(body),
    )
    session.add(assistant)
    await session.flush()
    return assistant


async def get(session: AsyncSession, project_id: str, assistant_id: str, *, lock: bool = False) -> Assistant:
    """One assistant. `lock` keeps others from changing it until the end of the transaction. Raises NotFound."""
    statement = scoped(Assistant, project_id).where(Assistant.id == assistant_id)
    if lock:
        statement = statement.with_for_update()
    assistant = (await session.execute(statement)).scalar_one_or_none()
    if assistant is None:
        raise NotFound.of(Assistant.__tablename__, assistant_id)
    return assistant


async def list_page(session: AsyncSession, project_id: str, page: PageQuery) -> Page[Assistant]:
    """A page of the project's assistants. Raises NotFound, InvalidRequest for the cursors."""
    return await paginate(session, scoped(Assistant, project_id), Assistant, page)


async def modify(session: AsyncSession, project_id: str, assistant_id: str, body: schemas.AssistantModify) -> Assistant:
    """Changes what the request names; null clears it. Metadata is replaced as a whole. Raises NotFound."""
    assistant = await get(session, project_id, assistant_id, lock=True)
    given = body.model_fields_set
    values = {name: getattr(body, name) for name in _PLAIN_FIELDS} | stored_model_options(body)
    for name in given & values.keys():
        setattr(assistant, name, values[name])
    if "tools" in given:
        assistant.tools = stored_tools(body.tools)
    if "tool_resources" in given:
        assistant.tool_resources = await tool_resources.stored(session, project_id, body.tool_resources)
    if "metadata" in given:
        assistant.metadata_ = body.metadata or {}
    await session.flush()
    return assistant


async def delete(session: AsyncSession, project_id: str, assistant_id: str) -> None:
    """Deletes an assistant. Its runs go on: they have all they need of it. Raises NotFound."""
    await session.delete(await get(session, project_id, assistant_id, lock=True))
    await session.flush()
