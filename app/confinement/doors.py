"""The doors that a process closes behind itself, layer by layer, and which of them there are on this machine.

Each layer holds by itself; where one cannot be had the others are left:

- namespaces: no file, network or other process can be named;
- landlock: no file can be opened, made or removed, and no process outside be signalled or traced;
- system calls: none but those that compute (`computing`);
- account: one that owns nothing, for what root starts; no capabilities.
"""

import contextlib
import gc
import math
import os
import resource
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from app.confinement import computing, landlock, namespaces, rights

HELD: Final = "held"


@dataclass
class Layers:
    """For each layer `held`, or why it cannot be had here."""

    namespaces: str
    landlock: str
    system_calls: str
    account: str

    @property
    def lacking(self) -> dict[str, str]:
        """Returns the layers that are not held, with why."""
        return {name: state for name, state in asdict(self).items() if state != HELD}

    @property
    def are_none(self) -> bool:
        """Whether nothing keeps confined code from files: neither the system calls nor what they could reach."""
        return HELD not in {self.namespaces, self.landlock, self.system_calls}

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')}: {state}" for name, state in asdict(self).items())


def attempt(step: Callable[[], object]) -> str:
    """Takes a step that a machine may refuse; returns `held`, or in a few words why not."""
    try:
        step()
    except OSError as error:
        return f"not held ({error.strerror or error})"
    return HELD


def close_behind_imports(layers: Layers) -> None:
    """What the warm process gives up once everything is loaded; `layers` is told what it could."""
    if layers.namespaces == HELD:
        layers.namespaces = attempt(namespaces.complete)
    if os.geteuid() == 0:
        layers.account = attempt(rights.become_nobody)
    capabilities = attempt(rights.drop_capabilities)
    if layers.account == HELD:
        layers.account = capabilities
    layers.landlock = attempt(landlock.restrict)
    rights.hide()
    # What is there now is shared with the processes that are forked: nothing in it is worth looking at again.
    gc.collect()
    gc.freeze()


def limit(memory_bytes: int, cpu_seconds: float) -> None:
    """Limits what this process may take: memory, processor time; no file, process, thread or descriptor more."""
    cpu = math.ceil(cpu_seconds)
    for name, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_CPU, cpu, cpu + 1),  # at the first it is told why (SIGXCPU), at the second killed
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
    ):
        _lower(name, soft, hard)


def _lower(name: int, soft: int, hard: int) -> None:
    _, most = resource.getrlimit(name)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(name, (soft, hard))


def close_all(layers: Layers) -> None:
    """What a forked process gives up before it looks at what was sent. Raises OSError where it should, and cannot."""
    if layers.landlock == HELD:
        # Once more: a domain of its own, from which its neighbours cannot be reached.
        landlock.restrict()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if layers.system_calls == HELD:
        computing.install()


def try_system_calls() -> str:
    """Whether the filter can be put in force here: tried by a process that ends with it."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(OSError):
            computing.install()
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    return HELD if status == 0 else "not held (no seccomp here)"
