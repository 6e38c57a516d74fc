"""Messages of a thread. To add one to a thread as a client does: app.services.threads.add_message."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids, image_addresses
from app.db.base import now
from app.domain.statuses import MessageStatus
from app.errors import InvalidRequest, NotFound
from app.models import Message, Thread
from app.pagination import Page, PageQuery, paginate, scoped
from app.schemas import messages as schemas
from app.schemas.messages import image_files
from app.services import files, tool_resources

#: What one thread holds (contract, section 8).
MAX_IN_THREAD: Final = 100_000
#: In between, the process does what others ask of it.
_FLUSHED_AT_ONCE: Final = 500


async def add(session: AsyncSession, thread: Thread, bodies: Sequence[schemas.MessageCreate]) -> list[Message]:
    """Adds messages to `thread`, in their order; what is attached to them is put at the disposal of its tools.

    The caller holds the thread: it has just made it, or locked it. Raises InvalidRequest if the thread would hold too
    many, or for addresses of images that are not allowed; NotFound for files that are not there.
    """
    if not bodies:
        return []
    image_addresses.refuse(session.info.get("image_urls", "public"), _image_urls(bodies))
    await _refuse_too_many(session, thread, len(bodies))
    await files.require(
        session, thread.project_id, [file_id for body in bodies for file_id in image_files(body.content)]
    )
    await tool_resources.attach(session, thread, [item for body in bodies for item in body.attachments or ()])
    at = now()
    messages: list[Message] = []
    for start in range(0, len(bodies), _FLUSHED_AT_ONCE):
        made = [_message(thread, body, at) for body in bodies[start : start + _FLUSHED_AT_ONCE]]
        session.add_all(made)
        await session.flush()
        messages += made
    return messages


def _image_urls(bodies: Sequence[schemas.MessageCreate]) -> Iterator[tuple[str, str]]:
    """The addresses of images, each with its place in a request that has one message, or several."""
    for number, body in enumerate(bodies):
        prefix = f"messages[{number}]." if len(bodies) > 1 else ""
        for place, url in schemas.image_urls(body.content):
            yield f"{prefix}content[{place}].image_url.url", url


def _message(thread: Thread, body: schemas.MessageCreate, at: datetime) -> Message:
    return Message(
        id=ids.new(ids.MESSAGE),
        project_id=thread.project_id,
        thread_id=thread.id,
        created_at=at,
        role=body.role,
        status=MessageStatus.COMPLETED,
        completed_at=at,
        content=schemas.content_parts(body.content),
        attachments=[attachment.model_dump() for attachment in body.attachments or ()],
        metadata_=body.metadata or {},
    )


async def _refuse_too_many(session: AsyncSession, thread: Thread, added: int) -> None:
    """Looks for the message beyond which there is no room: steps in the index alone, 5 ms of them in a full thread."""
    last_place = max(0, MAX_IN_THREAD - added)
    held = select(Message.seq).where(Message.thread_id == thread.id).order_by(Message.seq).offset(last_place).limit(1)
    if added > MAX_IN_THREAD or await session.scalar(held) is not None:
        raise InvalidRequest(f"A thread holds at most {MAX_IN_THREAD:,} messages.", param="messages")


async def get(
    session: AsyncSession, project_id: str, thread_id: str, message_id: str, *, lock: bool = False
) -> Message:
    """One message. `lock` keeps others from changing it until the end of the transaction. Raises NotFound."""
    statement = scoped(Message, project_id).where(Message.thread_id == thread_id, Message.id == message_id)
    if lock:
        statement = statement.with_for_update()
    message = (await session.execute(statement)).scalar_one_or_none()
    if message is None:
        await _require_thread(session, project_id, thread_id)
        raise NotFound.of(Message.__tablename__, message_id)
    return message


async def list_page(
    session: AsyncSession, project_id: str, thread_id: str, page: PageQuery, run_id: str | None = None
) -> Page[Message]:
    """A page of the messages of a thread, of one run alone if `run_id` says so. Raises NotFound, InvalidRequest."""
    await _require_thread(session, project_id, thread_id)
    statement = scoped(Message, project_id).where(Message.thread_id == thread_id)
    if run_id is not None:
        statement = statement.where(Message.run_id == run_id)
    return await paginate(session, statement, Message, page)


async def modify(
    session: AsyncSession, project_id: str, thread_id: str, message_id: str, body: schemas.MessageModify
) -> Message:
    """Replaces the metadata of a message. Raises NotFound."""
    message = await get(session, project_id, thread_id, message_id, lock=True)
    if "metadata" in body.model_fields_set:
        message.metadata_ = body.metadata or {}
        await session.flush()
    return message


async def delete(session: AsyncSession, project_id: str, thread_id: str, message_id: str) -> None:
    """Deletes a message. Raises NotFound."""
    await session.delete(await get(session, project_id, thread_id, message_id, lock=True))
    await session.flush()


async def _require_thread(session: AsyncSession, project_id: str, thread_id: str) -> None:
    """Raises NotFound unless the project has the thread."""
    statement = scoped(Thread, project_id).with_only_columns(Thread.id).where(Thread.id == thread_id)
    if await session.scalar(statement) is None:
        raise NotFound.of(Thread.__tablename__, thread_id)
