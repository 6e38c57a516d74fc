"""The Python environment that code runs in: apart from Locum's own, made by `locum sandbox-setup`.

It lies beside Locum (`share/locum/sandbox` of its prefix) unless LOCUM_SANDBOX_ENVIRONMENT says otherwise, is seen
read-only inside, and is as good to use for many hosts at once.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from app.settings import SandboxSettings
from sandbox.errors import CannotLaunch

_HERE: Final = Path(__file__).parent
REQUIREMENTS: Final = _HERE / "requirements.txt"
_CONSTRAINTS: Final = _HERE / "constraints.txt"
_FONTS: Final = _HERE / "inside" / "fonts.py"


@dataclass(frozen=True)
class Environment:
    """A virtual environment at `root`."""

    root: Path

    @classmethod
    def of(cls, settings: SandboxSettings) -> "Environment":
        """The one that the settings name."""
        return cls((settings.sandbox_environment or Path(sys.prefix, "share", "locum", "sandbox")).absolute())

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.root / "bin" / "python"

    @property
    def _shared(self) -> Path:
        return self.root / "share" / "locum"

    @property
    def _stamp(self) -> Path:
        """Says what it was made from; there once it is whole."""
        return self._shared / "made-from"

    def problem(self) -> str | None:
        """Why code cannot run in it; None if it can."""
        if not self._stamp.exists():
            return f"There is no Python environment for the sandbox at {self.root}: run `locum sandbox-setup`."
        return None

    @property
    def is_current(self) -> bool:
        """Whether it is whole and made as this version makes it."""
        return self._stamp.exists() and self._stamp.read_text() == _digest()

    async def base(self) -> Path:
        """The installation of Python that it stands on. Raises CannotLaunch where the environment is not there."""
        if problem := self.problem():
            raise CannotLaunch(problem)
        asked = await asyncio.create_subprocess_exec(
            *(str(self.python), "-I", "-c", "import sys; print(sys.base_prefix)"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        answer, _ = await asked.communicate()
        if asked.returncode != 0:
            raise CannotLaunch(f"The Python of {self.root} does not start: run `locum sandbox-setup`.")
        return Path(os.fsdecode(answer.strip()))

    def make(self, say: Callable[[str], object]) -> None:
        """Makes it, or makes it anew where it is of other lists. Raises CannotLaunch with pip's words."""
        if self.is_current:
            say(f"The sandbox's environment is there: {self.root}")
            return
        say(f"Making the sandbox's environment in {self.root}; it takes some minutes.")
        # Whatever account the code runs as must be able to read it.
        before = os.umask(0o022)
        try:
            self._make()
        finally:
            os.umask(before)

    def _make(self) -> None:
        self._stamp.unlink(missing_ok=True)
        self.root.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(self.root)])
        pip = [str(self.python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run([*pip, "--no-deps", "--require-hashes", "--requirement", str(_CONSTRAINTS)])
        _run([str(self.python), "-I", str(_FONTS)])
        self._stamp.write_text(_digest())


def _digest() -> str:
    return sha256(b"".join(path.read_bytes() for path in (_CONSTRAINTS, _FONTS))).hexdigest()


def _run(command: list[str]) -> None:
    ran = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        said = (ran.stderr or ran.stdout).strip().splitlines()
        raise CannotLaunch(f"The sandbox's environment cannot be made: {said[-1] if said else 'no reason given'}")
