"""The API: `create_app` puts it together, and opens and closes what it stands on. Importing this does nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware

from app import collector, cors, handlers, openapi, reference
from app.auth import local_actor
from app.azure import AzurePaths
from app.backends.embeddings import Embedder
from app.backends.routing import Backends
from app.db.session import Sessions, transaction
from app.errors import in_brief
from app.key_uses import KeyUses
from app.middleware import BodyLimit, RequestContext
from app.open_answers import EndWithKey, OpenAnswers
from app.playground import routes as playground
from app.playground.rendering import Renderer
from app.queries import EmptyParameters
from app.rate_limits import RateLimits
from app.resources import open_resources
from app.routers import (
    assistants,
    chat_completions,
    embeddings,
    file_batches,
    files,
    health,
    messages,
    models,
    organization,
    organization_logs,
    project_lists,
    run_steps,
    runs,
    threads,
    uploads,
    vector_search,
    vector_store_files,
    vector_stores,
)
from app.schemas.common import ErrorResponse
from app.services import settings_record
from app.services.file_sweep import FileSweep
from app.services.project_removal import ProjectSweep
from app.services.prune_sweep import PruneSweep
from app.settings import Settings
from app.sweeper import sweep_for_ever
from app.v1 import routes as v1
from app.v1.middleware import V1Edge

log = structlog.get_logger()

_RETRY_SECONDS: Final = 5.0

#: Those of v1 before those of v2 at the same paths: they see only what was asked of v1.
#: `runs` before `threads`: `/threads/runs` is no thread.
_ROUTERS = (
    v1,
    assistants,
    runs,
    run_steps,
    messages,
    threads,
    project_lists,
    files,
    uploads,
    vector_stores,
    vector_search,
    vector_store_files,
    file_batches,
    models,
    chat_completions,
    embeddings,
    organization,
    organization_logs,
)

#: How every operation may fail.
ERRORS: Final[dict[int | str, Any]] = {status: {"model": ErrorResponse} for status in ("4XX", "5XX")}


def create_app(settings: Settings) -> FastAPI:
    """The application by `settings`; it opens its connections when it is started."""
    app = FastAPI(
        title="Locum",
        description="A self-hosted server that speaks OpenAI's Assistants API.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
        middleware=[
            Middleware(RequestContext),
            Middleware(EndWithKey),
            *cors.middleware(settings),
            Middleware(AzurePaths),
            Middleware(EmptyParameters),
            Middleware(BodyLimit, settings=settings),
            Middleware(V1Edge),
        ],
    )
    app.state.settings = settings
    handlers.install(app)
    openapi.install(app)
    reference.install(app)
    app.include_router(health.router)
    playground.install(app)
    for module in _ROUTERS:
        app.include_router(module.router, prefix="/v1", responses=ERRORS)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _note_settings(sessions: Sessions, settings: Settings) -> None:
    """Has the audit log know of changed settings, once the database is there; then there is nothing more to do."""
    while True:
        try:
            async with transaction(sessions) as session:
                await settings_record.note(session, local_actor(), settings)
            break
        except (SQLAlchemyError, OSError) as error:
            log.warning("settings_not_recorded", error=in_brief(error))
            await asyncio.sleep(_RETRY_SECONDS)
    await asyncio.Event().wait()


async def _write_uses(uses: KeyUses) -> None:
    try:
        await uses.write(everything=True)
    except (SQLAlchemyError, OSError) as error:
        log.warning("key_uses_lost", error=in_brief(error))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Opens what the routes find in `app.state`, and closes it in the reverse order."""
    settings: Settings = app.state.settings
    async with AsyncExitStack() as closing:
        opened = await closing.enter_async_context(open_resources(settings))
        sessions, storage, supervisor = opened.sessions, opened.storage, opened.supervisor
        backends = Backends(settings)
        closing.push_async_callback(backends.close)
        app.state.sessions = sessions
        app.state.redis = opened.redis
        app.state.rate_limits = RateLimits(opened.redis, settings)
        app.state.events = opened.events
        app.state.backends = backends
        app.state.embedder = Embedder(settings, backends)
        app.state.storage = storage
        app.state.renderer = Renderer()
        closing.callback(app.state.renderer.close)
        swept = sessions.of_all()
        pruning = PruneSweep(swept, storage, opened.redis, settings)
        files = FileSweep(swept, storage, opened.redis)
        app.state.supervisor = supervisor
        app.state.open_answers = OpenAnswers()
        app.state.key_uses = KeyUses(sessions)
        supervisor.keep("answers of ended keys", partial(app.state.open_answers.watch_for_ever, swept))
        supervisor.keep("uses of keys", app.state.key_uses.write_for_ever)
        closing.push_async_callback(_write_uses, app.state.key_uses)
        supervisor.keep("record of settings", partial(_note_settings, sessions, settings))
        removal = ProjectSweep(swept, storage)
        supervisor.keep("sweep", partial(sweep_for_ever, swept, opened.queue, files, pruning, removal, settings))
        closing.push_async_callback(supervisor.end, "sweep")
        collector.settle()
        yield
