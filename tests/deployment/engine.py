"""A Docker engine of the tests' own: its own data, socket and network; it leaves the machine as it was."""

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.running import wait_for

#: The Python of this machine's release, whatever else is on the PATH.
SYSTEM_PYTHON = "/usr/bin/python3"

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_TOOLS = ("dockerd", "docker", "docker-compose", "mmdebstrap", "setpriv", "unshare", SYSTEM_PYTHON)
_START_SECONDS = 60
_COMMAND_SECONDS = 300
#: The sandbox has more than a gigabyte of libraries.
_BUILD_SECONDS = 1200
_STOP_SECONDS = 60
_KILL_SECONDS = 10


def what_is_missing() -> str | None:
    """Why no engine can be run here; None if one can."""
    if os.geteuid() != 0:
        return "a Docker engine needs root"
    missing = [tool for tool in _TOOLS if shutil.which(tool, path=_PATH) is None]
    return f"not installed: {', '.join(missing)} (see scripts/install-test-tools)" if missing else None


class CannotRun(Exception):
    """No engine can be run here; the message says why."""


class CommandFailed(Exception):
    """A command of the engine failed; the message is what it printed."""


@dataclass(frozen=True)
class Engine:
    """A running engine. Its commands raise `CommandFailed`."""

    folder: Path
    #: The first three numbers of the addresses on its one network.
    network: str

    @property
    def gateway(self) -> str:
        """How containers reach this machine, once they have a network."""
        return f"{self.network}.1"

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": str(self.folder / "client"),
            # Every engine has the classic builder; the newer one is a package of its own.
            "DOCKER_BUILDKIT": "0",
            "PATH": _PATH,
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
        }

    def run(self, *command: str, seconds: float = _COMMAND_SECONDS) -> str:
        """Runs a command of the engine's; gives what it printed."""
        ran = subprocess.run(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if ran.returncode != 0:
            raise CommandFailed(f"{' '.join(command)}: status {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
        return ran.stdout.strip()

    def docker(self, *arguments: str) -> str:
        """`docker ...`"""
        return self.run("docker", *arguments)

    def build(self, context: Path, tag: str, arguments: Mapping[str, str]) -> None:
        """Builds `context` as the image `tag`. What it fetches, it fetches as this machine would."""
        given = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
        command = ("docker", "build", "--quiet", "--network=host", f"--tag={tag}", *given, str(context))
        self.run(*command, seconds=_BUILD_SECONDS)


@contextlib.contextmanager
def run_engine(folder: Path) -> Iterator[Engine]:
    """Runs an engine in the empty `folder` until the block is left; `folder` is gone then. Raises CannotRun."""
    for name in ("tmp", "client"):
        (folder / name).mkdir()
    # Of the addresses that are set apart for tests of networks (RFC 2544), some that no other engine is likely to have.
    engine = Engine(folder, f"198.{random.randint(18, 19)}.{random.randint(0, 255)}")
    try:
        with _dockerd(engine) as process:
            _wait_until_it_answers(engine, process)
            try:
                yield engine
            finally:
                _remove_containers(engine)
    finally:
        _remove_cgroups(folder.name)
        shutil.rmtree(folder)


@contextlib.contextmanager
def _dockerd(engine: Engine) -> Iterator[subprocess.Popen[bytes]]:
    folder = engine.folder
    dockerd = [
        "dockerd",
        *(f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/docker.pid"),
        f"--host=unix://{folder}/docker.sock",
        *("--exec-opt=native.cgroupdriver=cgroupfs", f"--cgroup-parent=/{folder.name}"),
        # No bridge, no rule of the firewall, no switch of the kernel: the one network that the tests make is reached
        # from this machine alone, and published ports are passed on by a process.
        *("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        *(f"--default-address-pool=base={engine.network}.0/24,size=24", f"--host-gateway-ip={engine.gateway}"),
    ]
    # Should these tests be killed, the engine ends too. Its mounts are seen by nobody else, and end with it.
    command = ["setpriv", "--pdeathsig=TERM", "unshare", "--mount", "sh", "-euc", _overlays(folder), "sh", *dockerd]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, "PATH": _PATH}, stdout=log, stderr=log)
    try:
        yield process
    finally:
        _end(process)


def _overlays(folder: Path) -> str:
    """Shell code that starts its arguments so that what they write to the system's folders goes to `folder`."""
    lines = []
    for place in ("/etc", "/opt", "/run"):
        upper, work = (folder / "system" / kind / place[1:] for kind in ("upper", "work"))
        upper.mkdir(parents=True)
        work.mkdir(parents=True)
        lines.append(f"mount -t overlay overlay -o 'lowerdir={place},upperdir={upper},workdir={work}' {place}")
    return "\n".join([*lines, 'exec "$@"'])


def _wait_until_it_answers(engine: Engine, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        if process.poll() is not None:
            raise CannotRun("the Docker engine does not start: " + _last_lines(engine.folder / "dockerd.log"))
        try:
            engine.docker("version")
        except CommandFailed:
            return False
        return True

    try:
        wait_for(answers, "the Docker engine to answer", _START_SECONDS)
    except TimeoutError as error:
        raise CannotRun(f"{error}: {_last_lines(engine.folder / 'dockerd.log')}") from None


def _last_lines(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-3:])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_KILL_SECONDS)


def _remove_containers(engine: Engine) -> None:
    if containers := engine.docker("ps", "--all", "--quiet").split():
        engine.docker("rm", "--force", "--volumes", *containers)
    engine.docker("network", "prune", "--force")


def _remove_cgroups(name: str) -> None:
    root = Path("/sys/fs/cgroup")
    # Version 2 has one tree, version 1 one for each controller.
    for top in (*root.glob(name), *root.glob(f"*/{name}")):
        for folder in sorted((top, *top.rglob("*/")), reverse=True):
            folder.rmdir()
