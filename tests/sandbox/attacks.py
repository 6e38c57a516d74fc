"""What the tests of attacks share. All attacks are bounded, should they succeed."""

import asyncio
import secrets

import pytest

from tests.sandbox.hosts import Host, run
from workers.sandbox import SandboxClient, SandboxSession

EVERY_LAUNCHER = pytest.mark.parametrize(
    "host", ["bubblewrap", "unprivileged", "docker"], indirect=True, scope="session"
)

#: Calls a function of libc by number, which no library can refuse on the way.
SYSCALL = """
import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
def syscall(x86, arm, *arguments):
    number = {"x86_64": x86, "aarch64": arm}[platform.machine()]
    result = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return result, errno.errorcode.get(ctypes.get_errno())
"""


async def held(session: SandboxSession, code: str) -> str:
    """Runs code that prints what it got; nothing must have been raised that it does not handle."""
    ran = await run(session, code)
    assert (ran.status, ran.errors) == ("ok", [])
    return ran.stdout.strip()


async def is_responsive(client: SandboxClient, host: Host) -> None:
    """Another session gets its answer in time."""
    async with asyncio.timeout(6):
        other = await client.open(f"thread_{secrets.token_hex(8)}")
        assert (await run(other, "print('well')")).stdout == "well\n"
        await other.close()
    assert host.process.poll() is None
