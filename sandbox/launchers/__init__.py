"""How a kernel is shut in: by bubblewrap, or by a Docker engine. One Protocol (base), one suite of tests."""

from app.settings import SandboxSettings
from sandbox.launchers.base import Launcher
from sandbox.launchers.bubblewrap import BubblewrapLauncher
from sandbox.launchers.docker import DockerLauncher
from sandbox.limits import Limits


def create_launcher(settings: SandboxSettings) -> Launcher:
    """The launcher that the settings name, unprepared."""
    limits = Limits.of(settings)
    if settings.sandbox_launcher == "docker":
        return DockerLauncher(settings, limits)
    return BubblewrapLauncher(settings, limits)
