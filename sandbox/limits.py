"""What a session may use. Named in one place, held back in several: inside/start.py, the launchers, the watch."""

from dataclasses import dataclass

from app.settings import SandboxSettings


@dataclass(frozen=True)
class Limits:
    """Of one session: all its processes together, where nothing else is said."""

    memory_bytes: int
    processes: int
    cpu_seconds: int
    """Of one process, over its whole life."""
    cpus: float
    file_bytes: int
    """Of one file."""
    disk_bytes: int
    files: int

    @classmethod
    def of(cls, settings: SandboxSettings) -> "Limits":
        """The limits that the settings name."""
        return cls(
            memory_bytes=settings.sandbox_memory_bytes,
            processes=settings.sandbox_processes,
            cpu_seconds=settings.sandbox_cpu_seconds,
            cpus=settings.sandbox_cpus,
            file_bytes=min(settings.sandbox_file_bytes, settings.sandbox_disk_bytes),
            disk_bytes=settings.sandbox_disk_bytes,
            files=settings.sandbox_files,
        )

    @property
    def tmpfs_bytes(self) -> int:
        """Of each of the folders that lie in memory: /tmp, /dev/shm and the home folder."""
        return self.memory_bytes // 4


def megabytes(number: int) -> str:
    """A number of bytes for people: '1024 MB'."""
    return f"{number / 2**20:.0f} MB"
