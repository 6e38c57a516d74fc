"""Ways to hold more memory than a session may. Tried for real, for every launcher."""

import pytest

from tests.sandbox.attacks import EVERY_LAUNCHER, held, is_responsive
from tests.sandbox.costs import measured
from tests.sandbox.hosts import Host, Ran, run
from workers.sandbox import SandboxClient, SandboxSession

pytestmark = EVERY_LAUNCHER


async def test_too_much_memory_is_an_error_or_the_end_of_the_kernel(
    session: SandboxSession, host: Host, client: SandboxClient
) -> None:
    ran = await run(session, "import numpy\nhog = [numpy.ones(2**24) for _ in range(12)]")
    _memory_was_held(ran)
    # Many that together use too much, none of them alone.
    code = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        hog = bytearray(os.urandom(1)) * 150_000_000
        time.sleep(10)
        os._exit(0)
time.sleep(6)
print("free")
"""
    many = await run(session, code)
    assert many.status == "died" or "free" in many.stdout
    if many.status == "died":
        assert "memory" in many.message
    await is_responsive(client, host)


def _memory_was_held(ran: Ran) -> None:
    names = [error.name for error in ran.errors]
    assert ran.status in {"died", "error"}
    if ran.status == "died":
        assert "memory" in ran.message
    else:
        assert any("Memory" in name for name in names)


#: Ways to hold memory that is no process's own, each to 700 MB, which is more than a session may have.
_HOLDERS = {
    "memfd": """
libc.memfd_create.argtypes = [ctypes.c_char_p, ctypes.c_uint]
for _ in range(70):
    fd = libc.memfd_create(b"x", 0)
    if fd < 0: break
    os.write(fd, bytes(10_000_000))
    tell(10)
""",
    "shmget": """
libc.shmat.restype = ctypes.c_void_p
libc.shmdt.argtypes = [ctypes.c_void_p]
for _ in range(70):
    id = libc.shmget(0, ctypes.c_size_t(10_000_000), 0o1600)
    if id < 0: break
    at = libc.shmat(id, None, 0)
    ctypes.memset(at, 1, 10_000_000)
    libc.shmdt(at)
    tell(10)
""",
    "sockets": """
import socket
for _ in range(6):
    if os.fork() == 0:
        held = []
        try:
            for number in range(250):
                pair = socket.socketpair()
                held.append(pair)
                for one in pair:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
                    one.setblocking(False)
                    try:
                        while True: one.send(bytes(100_000))
                    except BlockingIOError:
                        pass
        finally:
            time.sleep(25)
            os._exit(0)
time.sleep(25)
""",
    "inodes": """
for part in range(3):
    if os.fork() == 0:
        try:
            for number in range(135_000):
                os.symlink("x" * 100, f"/tmp/{part}{number:0200}")
        finally:
            time.sleep(25)
            os._exit(0)
time.sleep(25)
""",
    "page-tables": """
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
size = 350 * 2**30
at = libc.mmap(None, size, 1, 0x4022, -1, 0)
for offset in range(0, size, 2**21):
    ctypes.string_at(at + offset, 1)
    if offset % 2**31 == 0: tell(4)
    if offset % 2**33 == 0: time.sleep(0.02)
""",
    "shared": """
import mmap
held = []
for _ in range(70):
    held.append(mmap.mmap(-1, 10_000_000))
    held[-1].write(bytes(10_000_000))
    tell(10)
""",
}


@pytest.mark.parametrize("way", _HOLDERS)
async def test_memory_of_no_process_counts_too(
    session: SandboxSession, host: Host, client: SandboxClient, way: str
) -> None:
    code = f"""
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
told = 0
def tell(megabytes):
    global told
    told += megabytes
    print(told, flush=True)
{_HOLDERS[way]}
time.sleep(3)
"""
    async with measured(host, session) as costs:
        ran = await run(session, code)
    told = [float(line) for line in ran.stdout.split()]
    if way in {"memfd", "shmget"}:
        assert (ran.status, told) == ("ok", [])
    elif "memory" not in ran.message:
        # What the control group ended were processes that the kernel had started.
        assert (ran.status, way) == ("ok", "inodes"), ran
        assert 0.8 * 512 * 2**20 < costs.memory_bytes <= 1.2 * 512 * 2**20
    # Without a control group, what it gets hold of between two looks is its own.
    is_limited = host.stats()["held"]["memory"].startswith("control group")
    assert max(told, default=0) <= (1.2 * 512 if is_limited else 700)
    await is_responsive(client, host)


async def test_memory_in_files_is_limited(session: SandboxSession) -> None:
    code = """
import os
for folder in ("/tmp", "/dev/shm", "/home/sandbox"):
    try:
        for part in range(8):
            with open(f"{folder}/{part}", "wb") as file:
                for _ in range(31):
                    file.write(bytes(2**20))
        print("filled", folder)
    except OSError as error:
        for part in range(8):
            if os.path.exists(f"{folder}/{part}"):
                os.unlink(f"{folder}/{part}")
"""
    assert await held(session, code) == ""
