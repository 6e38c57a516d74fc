"""`locum up`: everything that Locum needs, as children of one process that keeps them going."""

import asyncio
import secrets
import signal

from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from app.backends.routing import Backends
from app.db.migrate import MigrationError, upgrade
from app.db.redis import create_redis
from app.embedded import first_key, local_model, minilm, ports, processes
from app.embedded.errors import CannotStart, reason
from app.embedded.folder import DataFolder
from app.embedded.logs import Say
from app.embedded.part import Program
from app.embedded.postgres import Postgres
from app.embedded.stack import Supervisor
from app.embedded.valkey import Valkey
from app.embedded.welcome import Welcome
from app.settings import DEFAULT_BACKEND, Settings, child_environment

#: After an end that was none: how long a port may still be held by what dies.
_PATIENCE_SECONDS = 5.0
#: Chunks of one request to the small embedding model, which takes a second for them.
_LOCAL_EMBEDDINGS_BATCH = 8


async def up(settings: Settings, api_key: str | None, say: Say, warn: Say, *, to_terminal: bool) -> None:
    """Runs Locum until SIGINT, SIGTERM or SIGHUP; a second one ends the children at once.

    `api_key` is the key to open the first project with; without one, a key is made and kept in the data folder.
    `to_terminal` says that what `say` is told is seen by a person, and kept nowhere. Raises
    `CannotStart` when something is in the way; nothing is left running then.
    """
    folder = DataFolder(settings.data_dir)
    with folder.locked() as was_clean:
        if settings.port == 0:
            settings = settings.model_copy(update={"port": ports.free()})
        ports.check(settings.host, settings.port, wait_seconds=0 if was_clean else _PATIENCE_SECONDS)
        supervisor = Supervisor(folder.logs, warn)
        stopping = _stop_on_signals(supervisor)
        start = _Start(settings, folder, supervisor, warn, to_terminal=to_terminal)
        starting = asyncio.create_task(start.everything(api_key))
        waiting = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                say(str(starting.result()))
                await waiting
        finally:
            starting.cancel()
            waiting.cancel()
            await asyncio.gather(starting, waiting, return_exceptions=True)
            await supervisor.stop()
            folder.model_url.unlink(missing_ok=True)
            folder.embeddings_url.unlink(missing_ok=True)


def _stop_on_signals(supervisor: Supervisor) -> asyncio.Event:
    """An event that the first signal sets; the next ones kill."""
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            supervisor.kill()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping


class _Start:
    """The steps of a start, in their order. Each leaves in `changed` what the children must be told."""

    def __init__(
        self, settings: Settings, folder: DataFolder, supervisor: Supervisor, warn: Say, *, to_terminal: bool
    ) -> None:
        self.settings = settings
        self.to_terminal = to_terminal
        self.folder = folder
        self.supervisor = supervisor
        self.warn = warn
        self.changed: dict[str, object] = {
            "host": settings.host,
            "port": settings.port,
            "data_dir": folder.root,
        }

    async def everything(self, api_key: str | None) -> Welcome:
        """Starts all; gives what to tell the user. Raises `CannotStart`."""
        await self.database()
        await self.redis()
        await self.migrations()
        key = await first_key.ensure(self.settings, self.folder.api_key, api_key)
        await self.own_processes()
        await self.look_at_backends()
        return Welcome(self.settings, key, self.to_terminal)

    async def database(self) -> None:
        if self.settings.database_url is None:
            postgres = Postgres(self.folder)
            await self.supervisor.start(postgres.program())
            self._change(database_url=postgres.url)

    async def redis(self) -> None:
        if self.settings.redis_url is None:
            valkey = Valkey(self.folder)
            await self.supervisor.start(valkey.program())
            self._change(redis_url=valkey.url)
            return
        async with create_redis(self.settings) as redis:
            try:
                await redis.ping()
            except (RedisError, OSError) as error:
                raise CannotStart(f"LOCUM_REDIS_URL: {reason(error)}") from None

    async def migrations(self) -> None:
        try:
            await upgrade(self.settings)
        except MigrationError as error:
            raise CannotStart(str(error)) from None
        except DBAPIError as error:
            raise CannotStart(f"LOCUM_DATABASE_URL: {reason(error)}") from None

    async def own_processes(self) -> None:
        """The models, where no others are named, workers and API: all at once, since none waits for another."""
        programs = []
        if self.settings.backend_url is None and not self.settings.backends:
            port = ports.free()
            programs.append(processes.model(port))
            self._use_local_model(f"http://127.0.0.1:{port}/v1")
        if self.settings.embeddings_url is None:
            programs += self.local_embeddings()
        sandbox = self.sandbox() if self.settings.sandbox_url is None else None
        environment = child_environment(**self.changed)
        programs.append(processes.worker(self.settings, environment, "runs"))
        programs.append(processes.worker(self.settings, environment, "ingestion"))
        programs.append(processes.api(self.settings, environment))
        try:
            async with asyncio.TaskGroup() as group:
                for program in programs:
                    group.create_task(self.supervisor.start(program))
                if sandbox is not None:
                    group.create_task(self._start_sandbox(sandbox))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _use_local_model(self, url: str) -> None:
        self._change(
            backend_url=url,
            tools="emulated",
            context_window=local_model.CONTEXT_TOKENS,
            default_model=local_model.NAME,
        )
        self.folder.model_url.write_text(url)

    def local_embeddings(self) -> list[Program]:
        """The small embedding model, also beside a model server of the user's: few of those have embeddings.

        Where it is not installed, that server is asked after all.
        """
        port = ports.free()
        try:
            program = processes.embeddings(port, child_environment(data_dir=self.folder.root))
        except CannotStart as error:
            self.warn(str(error))
            return []
        url = f"http://127.0.0.1:{port}/v1"
        self._change(embeddings_url=url, embeddings_model=minilm.NAME, embeddings_batch=_LOCAL_EMBEDDINGS_BATCH)
        self.folder.embeddings_url.write_text(url)
        return [program]

    def sandbox(self) -> Program:
        """The sandbox host, with a token of this start's own."""
        port, token = ports.free(), secrets.token_urlsafe(32)
        self._change(sandbox_url=f"http://127.0.0.1:{port}")
        self.changed["sandbox_token"] = token
        return processes.sandbox(port, token, self.folder.root)

    async def _start_sandbox(self, program: Program) -> None:
        """Locum does without code where none can be run: the rest of it works, and says so to models."""
        try:
            await self.supervisor.start(program)
        except CannotStart as error:
            self.warn(f"no code interpreter: {error}")

    async def look_at_backends(self) -> None:
        """Warns of those that do not answer: they may come later."""
        backends = Backends(self.settings)
        names = {*self.settings.backends, *([DEFAULT_BACKEND] if self.settings.backend_url else [])}
        try:
            for name in sorted(names):
                if problem := await backends.probe(name):
                    self.warn(f"the backend '{name}' does not answer: {problem}")
            if self.settings.embeddings_url and (problem := await backends.probe_embeddings()):
                self.warn(f"LOCUM_EMBEDDINGS_URL does not answer: {problem}")
        finally:
            await backends.close()

    def _change(self, **settings: object) -> None:
        self.changed.update(settings)
        self.settings = self.settings.model_copy(update=settings)
