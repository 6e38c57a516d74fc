"""One session: a key, files, and a kernel that is made anew when it has ended. Executions take their turns in order."""

import asyncio
import secrets
import time

import structlog

from sandbox.errors import SandboxError, SessionLost
from sandbox.execution import Allowance, Execution
from sandbox.files import Files
from sandbox.folder import SessionFolder
from sandbox.kernel import Kernel, Workshop
from sandbox.limits import Limits, megabytes

_log = structlog.get_logger()


class Session:
    """Made with a kernel that has not run anything. `close` ends it for good."""

    def __init__(self, key: str, folder: SessionFolder, kernel: Kernel, workshop: Workshop, limits: Limits) -> None:
        self.id = secrets.token_urlsafe(16)
        self.key = key
        self.files = Files(folder, limits)
        self._folder = folder
        self._kernel = kernel
        self._workshop = workshop
        self._limits = limits
        self._fresh = True
        self._turn = asyncio.Lock()
        #: Held while there is no kernel: as one is made, and as its folders are put in order.
        self._mending = asyncio.Lock()
        self._executions: dict[Execution, asyncio.Task[None]] = {}
        self._closing: asyncio.Task[None] | None = None
        self._using = 0
        self._used = time.monotonic()

    @property
    def kernel(self) -> Kernel:
        """The kernel of now, which may have ended."""
        return self._kernel

    @property
    def executions(self) -> int:
        """How many run or wait for their turn."""
        return len(self._executions)

    @property
    def is_busy(self) -> bool:
        """Whether code runs or waits for its turn, or a file is on its way."""
        return bool(self._executions) or self._using > 0

    @property
    def idle_seconds(self) -> float:
        """Since it was last used."""
        return 0.0 if self.is_busy else time.monotonic() - self._used

    def __enter__(self) -> Files:
        """Its files, while they are used: it is not idle then."""
        self._using += 1
        return self.files

    def __exit__(self, *_: object) -> None:
        self._using -= 1
        self.touch()

    def touch(self) -> None:
        """Says that it is used."""
        self._used = time.monotonic()

    def execute(self, code: str, allowance: Allowance) -> Execution:
        """Has code run when its turn comes. Who no longer reads its events must stop it. Raises SessionLost."""
        if self._closing is not None:
            raise SessionLost("The session has been closed.")
        execution = Execution(code, allowance)
        task = asyncio.create_task(self._carry_out(execution), name=f"execution in {self.id}")
        self._executions[execution] = task
        task.add_done_callback(lambda _: self._done(execution))
        return execution

    def interrupt(self) -> None:
        """Stops what runs and what waits."""
        for execution in self._executions:
            execution.stop("interrupted")

    async def enforce_disk(self) -> None:
        """Ends the kernel of code that has written too much, and removes what it has written last."""
        reason = f"was killed: there were more than {megabytes(self._limits.disk_bytes)} or {self._limits.files} files"
        async with self._mending:
            await self._kernel.kill(f"{reason} in /mnt/data, of which those written last were removed")
            await self._folder.clear_sockets()
            await self.files.trim()

    async def close(self) -> None:
        """Ends the kernel and removes the files. May be called again, and waits for the first call's end then."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        tasks = list(self._executions.values())
        for execution in self._executions:
            execution.stop("interrupted")
        await self._kernel.kill("was ended with its session")
        await asyncio.gather(*tasks, return_exceptions=True)
        # An execution may have had its turn in between.
        await self._kernel.kill("was ended with its session")
        await self._folder.remove()

    def _done(self, execution: Execution) -> None:
        del self._executions[execution]
        self.touch()

    async def _carry_out(self, execution: Execution) -> None:
        async with self._turn:
            if execution.is_stopped:
                await execution.fail("The code was interrupted before it began.")
                return
            try:
                kernel = await self._living_kernel()
                fresh, self._fresh = self._fresh, False
                await execution.run(kernel, fresh=fresh)
            except SandboxError as error:
                await execution.fail(str(error))
            except Exception:  # noqa: BLE001 - the session must go on
                _log.exception("execution failed", session=self.id)
                await execution.fail("The sandbox failed.")
            finally:
                self.touch()

    async def _living_kernel(self) -> Kernel:
        async with self._mending:
            if not self._kernel.is_alive:
                await self._kernel.kill("was lost")
                if self._closing is not None:
                    raise SessionLost("The session has been closed.")
                self._kernel = await Kernel.start(self._workshop, self._folder)
                self._fresh = True
            return self._kernel
