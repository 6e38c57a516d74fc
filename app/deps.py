"""What routes ask for by name: `SessionDep`, `ProjectDep`, `PageDep` and the parts of the running process.

All of them are coroutines: FastAPI would run a plain function in a thread. What every request needs stands on few of
the others: FastAPI solves each place in the tree of dependencies anew, which costs more than what is in it.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import Depends, Header, Path, Query, Request
from pydantic import AfterValidator
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from app import auth, idempotency, ids
from app.backends.embeddings import Embedder
from app.backends.routing import Backends
from app.db.session import Sessions, autocommit, enter, transaction
from app.errors import InvalidRequest
from app.events import EventLog
from app.pagination import PageQuery
from app.rate_limits import RateLimits
from app.schemas.common import id_of
from app.schemas.run_steps import Include
from app.services import files
from app.settings import Settings
from app.storage import Storage
from app.supervision import Supervisor

_UNKNOWN_BETA = (
    "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
    "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
)


async def get_settings(request: Request) -> Settings:
    """The settings of this process."""
    settings: Settings = request.app.state.settings
    return settings


async def get_sessions(request: Request) -> Sessions:
    """The maker of sessions, of no project yet, for what outlives the request's transaction: streams."""
    sessions: Sessions = request.app.state.sessions
    return sessions


async def get_redis(request: Request) -> Redis:
    """The connection to Redis."""
    redis: Redis = request.app.state.redis
    return redis


async def get_events(request: Request) -> EventLog:
    """The event logs of runs."""
    events: EventLog = request.app.state.events
    return events


async def get_backends(request: Request) -> Backends:
    """The model servers."""
    backends: Backends = request.app.state.backends
    return backends


async def get_embedder(request: Request) -> Embedder:
    """What makes vectors of texts."""
    embedder: Embedder = request.app.state.embedder
    return embedder


async def get_supervisor(request: Request) -> Supervisor:
    """What keeps the background work of this process."""
    supervisor: Supervisor = request.app.state.supervisor
    return supervisor


async def get_storage(request: Request) -> Storage:
    """Where the bytes of files are."""
    storage: Storage = request.app.state.storage
    return storage


SettingsDep = Annotated[Settings, Depends(get_settings)]
SessionsDep = Annotated[Sessions, Depends(get_sessions)]
RedisDep = Annotated[Redis, Depends(get_redis)]
EventsDep = Annotated[EventLog, Depends(get_events)]
BackendsDep = Annotated[Backends, Depends(get_backends)]
EmbedderDep = Annotated[Embedder, Depends(get_embedder)]
SupervisorDep = Annotated[Supervisor, Depends(get_supervisor)]
StorageDep = Annotated[Storage, Depends(get_storage)]


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's transaction."""
    async with transaction(await get_sessions(request)) as session:
        yield session


#: Function scope: committed before the answer is sent, so that a client can read what it has just written.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_project(request: Request, session: SessionDep) -> str:
    """The id of the project whose key the request carries. Raises AuthenticationError, PermissionDenied, RateLimited.

    A request that has been answered under its `Idempotency-Key` goes no further: see app.idempotency.
    """
    if _limits(request).are_on:
        # Redis counts, and is not waited for with the transaction open.
        project_id = await get_known_project(request)
    else:
        project_id = (await auth.admit(session, request)).project
    await enter(session, project_id)
    await idempotency.claim(request, session, project_id)
    return project_id


def _limits(request: Request) -> RateLimits:
    limits: RateLimits = request.app.state.rate_limits
    return limits


async def _count(request: Request, project_id: str) -> None:
    limits = _limits(request)
    request.state.answer_headers.update(await limits.count(project_id, auth.key_of(request) or ""))


#: The project that everything a request touches belongs to.
ProjectDep = Annotated[str, Depends(get_project)]


async def refuse_strangers(request: Request) -> None:
    """Raises AuthenticationError or PermissionDenied for a request whose key does not let it in, before its body is
    read."""
    async with autocommit(await get_sessions(request)) as session:
        await auth.admit(session, request)


async def get_known_project(request: Request) -> str:
    """As `get_project`, but no transaction stays open, and an `Idempotency-Key` is not looked at."""
    async with autocommit(await get_sessions(request)) as session:
        project_id = (await auth.admit(session, request)).project
    await _count(request, project_id)
    return project_id


#: For routes that stream bytes or wait for other servers: their transactions are their own.
KnownProjectDep = Annotated[str, Depends(get_known_project)]


async def require_beta(
    _: ProjectDep, openai_beta: Annotated[list[str] | None, Header(include_in_schema=False)] = None
) -> None:
    """Lets only requests for v2 of the Assistants API through, after their key (contract, section 1.1).

    A request that names no version is for v2: Azure's clients send no such header. Those for v1 have been translated
    before they come here: app.v1. Raises InvalidRequest for any other version.
    """
    tokens = {token.strip() for line in openai_beta or () for token in line.split(",")} - {""}
    if tokens and "assistants=v2" not in tokens:
        raise InvalidRequest(_UNKNOWN_BETA, code="invalid_beta")


RequireBeta = Depends(require_beta)


async def get_page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    after: str | None = None,
    before: str | None = None,
) -> PageQuery:
    """The page of a list that the request asks for."""
    return PageQuery(limit, order, after, before)


PageDep = Annotated[PageQuery, Depends(get_page)]


async def get_file_page(
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    after: str | None = None,
) -> PageQuery:
    """The page of files that the request asks for: all of them, where it does not say (contract, section 3)."""
    return PageQuery(limit, order, after)


FilePageDep = Annotated[PageQuery, Depends(get_file_page)]


async def get_include(
    bracketed: Annotated[list[Include], Query(alias="include[]")] = [],  # noqa: B006 - FastAPI copies defaults
    plain: Annotated[list[Include], Query(alias="include", include_in_schema=False)] = [],  # noqa: B006
) -> list[Include]:
    """What the answer is to tell besides what it always does; OpenAI's clients put brackets behind the name."""
    return bracketed + plain


IncludeDep = Annotated[list[Include], Depends(get_include)]

AssistantId = Annotated[str, Path(), id_of(ids.ASSISTANT)]
ThreadId = Annotated[str, Path(), id_of(ids.THREAD)]
MessageId = Annotated[str, Path(), id_of(ids.MESSAGE)]
RunId = Annotated[str, Path(), id_of(ids.RUN)]
FileId = Annotated[str, Path(), id_of(ids.FILE, ids.AZURE_FILE)]
#: Below `/files` there is no id that is wrong in itself: whatever it looks like, there is no such file.
AnyFileId = Annotated[str, Path(), AfterValidator(files.refuse_unstorable_id)]
UploadId = Annotated[str, Path(), id_of(ids.UPLOAD)]
VectorStoreId = Annotated[str, Path(), id_of(ids.VECTOR_STORE)]
BatchId = Annotated[str, Path(), id_of(ids.FILE_BATCH)]
StepId = Annotated[str, Path(), id_of(ids.RUN_STEP)]
