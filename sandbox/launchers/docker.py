"""Kernels in Docker containers, one each: made from our image, without a network, read-only, with nothing to gain.

The engine is spoken to over its HTTP API. It must see the sessions' folders under the same paths as the host.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import structlog

from app.settings import SandboxSettings
from sandbox import folder as inside
from sandbox.errors import CannotLaunch, KernelFailed
from sandbox.folder import SessionFolder
from sandbox.host_folder import HostFolder
from sandbox.launchers.base import COMMAND, ENVIRONMENT, Account, Accounts, describe, start_options
from sandbox.launchers.engine import Engine, EngineError, Lifeline
from sandbox.limits import Limits

_log = structlog.get_logger()

_LABEL: Final = "locum.sandbox"
_OWN: Final = "nosuid,nodev,mode=1777"
#: What Docker itself hides, and all of /sys, which tells of the machine.
_MASKED: Final = (
    *(f"/proc/{name}" for name in ("acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug")),
    *(f"/proc/{name}" for name in ("scsi", "timer_list", "timer_stats")),
    "/sys",
)


class DockerLauncher:
    """Starts kernels in containers of `sandbox_image`, by the runtime `sandbox_runtime`."""

    name = "docker"

    def __init__(self, settings: SandboxSettings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._engine = Engine(settings.sandbox_docker_host)
        self._accounts = Accounts()
        # What belongs to the host of this folder, also if it was another process.
        self._mark = sha256(os.fsencode(HostFolder(settings).root)).hexdigest()[:16]

    async def prepare(self) -> None:
        """Raises CannotLaunch where engine, image or runtime is not there; ends what an earlier host left."""
        try:
            await self._check()
            for container in await self._engine.containers(f"{_LABEL}={self._mark}"):
                await self._engine.remove(container)
        except EngineError as error:
            raise CannotLaunch(f"The Docker engine at {self._settings.sandbox_docker_host}: {error}") from None

    async def _check(self) -> None:
        image, runtime = self._settings.sandbox_image, self._settings.sandbox_runtime
        if not await self._engine.has_image(image):
            raise CannotLaunch(f"There is no image {image}: docker build -f docker/sandbox.Dockerfile -t {image} .")
        runtimes = await self._engine.runtimes()
        if runtime is not None and runtime not in runtimes:
            raise CannotLaunch(f"The Docker engine has no runtime {runtime}; it has {', '.join(sorted(runtimes))}.")

    @property
    def is_limited(self) -> bool:
        """Docker limits all of it."""
        return True

    def held(self) -> Mapping[str, str]:
        """What holds a session to its limits here."""
        group = "control group, by Docker"
        return {
            "memory": group,
            "processes": group,
            "cpu": group,
            "system calls": "seccomp, Docker's and ours",
            "namespaces": "Docker's",
            "disk and files": "rlimit for one file, and looks, twice a second",
        }

    def lacks(self) -> Mapping[str, str]:
        """Lines of defence that do not hold here, and why."""
        return {"removed files that are still open": "Docker's processes are not looked at: the disk is, as a whole"}

    def account(self) -> Account:
        """An account of its own for each session, if we are root; else ours, so that its files are ours to remove."""
        return self._accounts.take() if os.geteuid() == 0 else Account(os.geteuid(), is_ours=False)

    async def launch(self, folder: SessionFolder) -> "DockerKernel":
        """Starts a container on the folder. Raises KernelFailed, with the engine's words."""
        options = start_options(self._limits, become=None, guard=True, count_processes=False)
        await folder.prepare_kernel(options)
        try:
            container = await self._engine.create(self._container(folder))
        except EngineError as error:
            raise KernelFailed(f"The Docker engine made no container: {error}") from None
        try:
            lifeline = await self._engine.attach(container)
            await self._engine.start(container)
        except BaseException as error:
            await asyncio.shield(self._engine.remove(container))
            if isinstance(error, EngineError):
                raise KernelFailed(f"The Docker engine did not start the container: {error}") from None
            raise
        return DockerKernel(self._engine, container, lifeline)

    async def close(self) -> None:
        """Lets go of the engine."""
        await self._engine.close()

    def _container(self, folder: SessionFolder) -> dict[str, Any]:
        group = os.getegid() if not folder.is_ours else folder.uid
        return {
            "Image": self._settings.sandbox_image,
            "Entrypoint": [],
            "Cmd": list(COMMAND),
            "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
            "User": f"{folder.uid}:{group}",
            "WorkingDir": inside.DATA,
            "Hostname": "sandbox",
            "Labels": {_LABEL: self._mark},
            "NetworkDisabled": True,
            "Healthcheck": {"Test": ["NONE"]},
            # Its standard input is the lifeline: see inside/start.py.
            "OpenStdin": True,
            "StdinOnce": True,
            "AttachStdin": True,
            "AttachStdout": False,
            "AttachStderr": True,
            "HostConfig": self._host_config(folder),
        }

    def _host_config(self, folder: SessionFolder) -> dict[str, Any]:
        limits = self._limits
        in_memory = f"{_OWN},size={limits.tmpfs_bytes}"
        config: dict[str, Any] = {
            "Binds": [
                f"{folder.data}:{inside.DATA}:rw",
                f"{folder.sockets}:{inside.SOCKETS}:rw",
                f"{folder.system}:{inside.SYSTEM}:ro",
                f"{folder.system / 'passwd'}:/etc/passwd:ro",
                f"{folder.system / 'group'}:/etc/group:ro",
            ],
            "Tmpfs": {"/tmp": in_memory, inside.HOME: in_memory},
            "ShmSize": limits.tmpfs_bytes,
            "NetworkMode": "none",
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "ReadonlyRootfs": True,
            "MaskedPaths": list(_MASKED),
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Memory": limits.memory_bytes,
            "MemorySwap": limits.memory_bytes,
            # Process 1 is the guardian.
            "PidsLimit": limits.processes + 1,
            "NanoCpus": int(min(limits.cpus, os.cpu_count() or 1) * 1e9),
            "OomScoreAdj": 500,
            "LogConfig": {"Type": "none"},
        }
        if self._settings.sandbox_runtime is not None:
            config["Runtime"] = self._settings.sandbox_runtime
        return config


class DockerKernel:
    """A container, from its start to its removal."""

    #: The engine holds back what it uses.
    pid_namespace: int | None = None

    def __init__(self, engine: Engine, container: str, lifeline: Lifeline) -> None:
        self._engine = engine
        self._container = container
        self._lifeline = lifeline
        self._removing: asyncio.Task[None] | None = None

    async def wait(self) -> str:
        """Returns when the container has ended; it is removed then."""
        status = await self._engine.wait(self._container)
        with contextlib.suppress(EngineError):
            if await self._engine.was_out_of_memory(self._container):
                status = 128 + 9
        last = await self._lifeline.last_words()
        await self.kill()
        return f"{describe(status)}: {last}" if status and last else describe(status)

    async def kill(self) -> None:
        """Removes the container, running or not."""
        if self._removing is None:
            self._removing = asyncio.create_task(self._remove())
        await asyncio.shield(self._removing)

    async def _remove(self) -> None:
        self._lifeline.close()
        try:
            await self._engine.remove(self._container)
        except EngineError as error:
            # Its lifeline is cut; the next host removes it.
            _log.warning("a container could not be removed", container=self._container[:12], error=str(error))
