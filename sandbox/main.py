"""The sandbox host as a program: `locum sandbox`."""

import asyncio
import signal

import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from app.settings import SandboxSettings
from sandbox import routes
from sandbox.door import Door
from sandbox.errors import CannotLaunch, SandboxError
from sandbox.host import run_host

#: How long executions that are under way may take to end when the host is stopped.
_STOP_SECONDS = 2


def create_app(settings: SandboxSettings) -> FastAPI:
    """The HTTP side of the host that `state.host` is set to."""
    app = FastAPI(title="Locum sandbox host", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Door, settings=settings)
    app.add_exception_handler(SandboxError, routes.handle_sandbox_error)
    app.add_exception_handler(RequestValidationError, routes.invalid_request)
    app.include_router(routes.health)
    app.include_router(routes.sessions)
    return app


def serve(settings: SandboxSettings) -> None:
    """Runs the host until SIGTERM or SIGINT. Raises CannotLaunch where no code can be run here."""
    _ = settings.required_sandbox_token
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.sandbox_host,
        port=settings.sandbox_port,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    # From the start on, and not by uvicorn alone, which raises the signal that stopped it once more when all is done: a
    # host that is stopped while it comes up ends as one that serves, and to have been stopped is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    # Not uvloop: what a kernel's processes die with is the thread that started them, which here is the main one.
    asyncio.run(_serve(settings, app, server))


async def _serve(settings: SandboxSettings, app: FastAPI, server: uvicorn.Server) -> None:
    async with run_host(settings) as app.state.host:
        try:
            await server.serve()
        except SystemExit:
            where = f"{settings.sandbox_host}:{settings.sandbox_port}"
            raise CannotLaunch(f"The sandbox cannot listen on {where}.") from None
