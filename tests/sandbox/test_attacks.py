"""Ways out, each tried for real by code in a session, for every launcher. All are bounded, should they succeed."""

import asyncio
import contextlib
import http.server
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import wait_for
from tests.sandbox.hosts import REPOSITORY, Host, Ran, run, running
from workers.sandbox import SandboxClient, SandboxSession

pytestmark = pytest.mark.parametrize("host", ["bubblewrap", "unprivileged", "docker"], indirect=True, scope="session")

#: Calls a function of libc by number, which no library can refuse on the way.
_SYSCALL = """
import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
def syscall(x86, arm, *arguments):
    number = {"x86_64": x86, "aarch64": arm}[platform.machine()]
    result = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return result, errno.errorcode.get(ctypes.get_errno())
"""


async def _held(session: SandboxSession, code: str) -> str:
    """Runs code that prints what it got; nothing must have been raised that it does not handle."""
    ran = await run(session, code)
    assert (ran.status, ran.errors) == ("ok", [])
    return ran.stdout.strip()


@pytest.fixture
def listener() -> Iterator[int]:
    """A service of this machine, on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


async def test_no_address_can_be_reached(session: SandboxSession, host: Host, listener: int) -> None:
    name = f"locum-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as abstract:
        # A name without a file: only a network namespace keeps it apart.
        abstract.bind(f"\0{name}")
        abstract.listen()
        code = f"""
import os, socket
reached = []
targets = [("127.0.0.1", {listener}), ("127.0.0.1", {host.url.rsplit(":", 1)[1]}), ("192.0.2.1", 80), ("8.8.8.8", 53)]
for target in targets:
    try:
        socket.create_connection(target, timeout=1).close()
        reached.append(target)
    except OSError:
        pass
try:
    socket.socket(socket.AF_UNIX).connect("\\0{name}")
    reached.append("abstract")
except OSError:
    pass
for path in ("/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private"):
    if os.path.exists(path):
        reached.append(path)
try:
    socket.getaddrinfo("localhost.example", 80)
    reached.append("names")
except OSError:
    pass
print(reached, [interface for _, interface in socket.if_nameindex()])
"""
        assert await _held(session, code) == "[] ['lo']"


async def test_raw_and_foreign_sockets_are_refused(session: SandboxSession) -> None:
    code = """
import socket
for family, kind in ((2, socket.SOCK_RAW), (17, socket.SOCK_RAW), (40, socket.SOCK_STREAM), (38, socket.SOCK_SEQPACKET),
                     (16, socket.SOCK_RAW)):
    try:
        made = socket.socket(family, kind, 2 if family == 16 else 0)
        print("made", family, kind)
    except OSError:
        pass
"""
    assert await _held(session, code) == ""


async def test_the_files_of_the_host_are_out_of_sight(session: SandboxSession, host: Host) -> None:
    (host.folder / "secret.txt").write_text("hunter2")
    code = f"""
import os
seen = []
for path in ("/etc/shadow", "/etc/ssh", "/root/.ssh", "/root/.bashrc", "/boot", "/sys/kernel", "/proc/keys",
             {str(host.folder / "secret.txt")!r}, {str(host.folder)!r}, {str(REPOSITORY)!r}, "/proc/1/root/etc/shadow",
             "/dev/sda", "/dev/mem", "/dev/kmsg", "/dev/fuse", "/proc/kcore"):
    try:
        seen.append((path, len(os.listdir(path)) if os.path.isdir(path) else len(open(path, "rb").read(16))))
    except OSError:
        pass
print([one for one in seen if one[1]])
for module in ("app", "sandbox", "workers", "sqlalchemy", "openai"):
    try:
        __import__(module)
        print("imported", module)
    except ImportError:
        pass
"""
    assert await _held(session, code) == "[]"


async def test_no_environment_and_no_secret_is_seen(session: SandboxSession, host: Host) -> None:
    code = """
import glob, os
everything = [repr(dict(os.environ))]
for path in [found for pattern in ("/proc/*/environ", "/proc/*/cmdline", "/opt/locum/*", "/run/*/*")
             for found in glob.glob(pattern)]:
    try:
        everything.append(repr(open(path, "rb").read()))
    except OSError:
        pass
print("\\n".join(everything))
"""
    said = await _held(session, code)
    assert "hunter2" not in said
    assert "LOCUM" not in said
    assert host.token not in said


async def test_nothing_of_the_system_can_be_written(session: SandboxSession) -> None:
    code = """
import os
written = []
for folder in ("/", "/usr", "/usr/bin", "/usr/local", "/etc", "/opt/locum", "/opt/locum-sandbox", "/dev", "/opt",
               "/home", "/mnt", "/run", "/var", "/proc/sys/kernel", "/opt/locum-sandbox/lib"):
    try:
        open(folder + "/new", "w").close()
        written.append(folder)
    except OSError:
        pass
for path in ("/usr/bin/env", "/etc/passwd", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
             "/opt/locum/start.json"):
    try:
        open(path, "a").close()
        written.append(path)
    except OSError:
        pass
print(written)
"""
    assert await _held(session, code) == "[]"


async def test_there_is_nothing_to_gain(session: SandboxSession) -> None:
    code = """
import os, re, socket, subprocess
status = open("/proc/self/status").read()
print(re.findall(r"Cap(?:Inh|Prm|Eff|Amb):\\t(\\w+)", status))
print(re.findall(r"(?:NoNewPrivs|Seccomp):\\t(\\d)", status))
print(os.getuid() != 0, os.getgroups() in ([], [os.getgid()]))
failed = 0
for change in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.chroot("/mnt/data"),
               lambda: os.mknod("/mnt/data/disk", 0o60666, os.makedev(8, 0)), lambda: os.chown("/mnt/data", 0, 0),
               lambda: os.nice(-5), lambda: socket.sethostname("x"), lambda: os.chmod("/dev/null", 0o600)):
    try:
        change()
    except OSError:
        failed += 1
print(failed)
print(subprocess.run(["su", "-c", "id"], capture_output=True, stdin=subprocess.DEVNULL).returncode != 0)
"""
    none = "0" * 16
    lines = (await _held(session, code)).splitlines()
    assert lines == [str([none] * 4), "['1', '2']", "True True", "9", "True"]


async def test_dangerous_calls_are_refused(session: SandboxSession) -> None:
    calls = {
        "unshare": "syscall(272, 97, 0x10000000)",
        "clone": "syscall(56, 220, 0x10000000 | 17, 0, 0, 0, 0)",
        "clone3": "syscall(435, 435, ctypes.create_string_buffer(88), 88)",
        "setns": "syscall(308, 268, 0, 0)",
        "mount": "syscall(165, 40, b'none', b'/tmp', b'tmpfs', 0, 0)",
        "umount": "syscall(166, 39, b'/mnt/data', 2)",
        "pivot_root": "syscall(155, 41, b'/tmp', b'/tmp')",
        "ptrace": "syscall(101, 117, 16, os.getppid(), 0, 0)",
        "process_vm_readv": "syscall(310, 270, os.getppid(), 0, 0, 0, 0, 0)",
        "bpf": "syscall(321, 280, 0, 0, 0)",
        "perf_event_open": "syscall(298, 241, 0, 0, -1, -1, 0)",
        "keyctl": "syscall(250, 219, 0, -3, 0)",
        "io_uring_setup": "syscall(425, 425, 8, ctypes.create_string_buffer(120))",
        "userfaultfd": "syscall(323, 282, 0)",
        "init_module": "syscall(175, 105, 0, 0, b'')",
        "kexec_load": "syscall(246, 104, 0, 0, 0, 0)",
        "reboot": "syscall(169, 142, 0xfee1dead, 672274793, 0, 0)",
        "memfd_create": "syscall(319, 279, b'x', 0)",
        "shmget": "syscall(29, 194, 0, 4096, 0o1600)",
        "msgget": "syscall(68, 186, 0, 0o1600)",
        "semget": "syscall(64, 190, 0, 1, 0o1600)",
        "mq_open": "syscall(240, 180, b'/x', 0o102, 0o600, 0)",
        "io_setup": "syscall(206, 0, 1000, ctypes.create_string_buffer(8))",
        "inotify_init1": "syscall(294, 26, 0)",
        "personality": "syscall(135, 92, 0x0040000)",
        "quotactl": "syscall(179, 60, 0, 0, 0, 0)",
        "open_by_handle_at": "syscall(304, 265, -1, ctypes.create_string_buffer(16), 0)",
    }
    tried = "\n".join(f"print({name!r}, *{call})" for name, call in calls.items())
    lines = (await _held(session, _SYSCALL + tried)).splitlines()
    refused = {line.split()[0]: line.split()[1:] for line in lines}
    unknown = {"clone3", "io_uring_setup"}
    assert refused == {name: ["-1", "ENOSYS" if name in unknown else "EPERM"] for name in calls}


async def test_processes_outside_can_be_neither_seen_nor_signalled(session: SandboxSession, host: Host) -> None:
    code = f"""
import os, signal
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
print(len(pids) < 8, {host.process.pid} in pids)
for pid in (1, {host.process.pid}, -1):
    try:
        os.kill(pid, signal.SIGKILL if pid != -1 else 0)
    except OSError:
        pass
"""
    assert await _held(session, code) == "True False"
    # Process 1 inside took no harm from it, nor did the host.
    assert await _held(session, "print('alive')") == "alive"
    assert host.process.poll() is None


async def test_a_fork_bomb_is_held(session: SandboxSession, host: Host, client: SandboxClient) -> None:
    code = """
import os, time
made = 0
try:
    for _ in range(400):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
except OSError:
    print("held")
time.sleep(3)
"""
    ran = await run(session, code)
    # By the limit of the kernel, or by the watch.
    assert "held" in ran.stdout or "processes" in ran.message
    await _is_responsive(client, host)


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
    await _is_responsive(client, host)


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
    ran = await run(session, code)
    told = [float(line) for line in ran.stdout.split()]
    if way in {"memfd", "shmget"}:
        assert (ran.status, told) == ("ok", [])
    else:
        assert "memory" in ran.message, ran
    # Without a control group, what it gets hold of between two looks is its own.
    is_limited = host.stats()["held"]["memory"].startswith("control group")
    assert max(told, default=0) <= (1.2 * 512 if is_limited else 700)
    await _is_responsive(client, host)


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
    assert await _held(session, code) == ""


async def test_a_large_file_is_refused_to_the_code(session: SandboxSession) -> None:
    code = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("large", "wb") as file:
        for _ in range(40):
            file.write(bytes(2**20))
except OSError as error:
    print(error.errno)
"""
    assert await _held(session, code) == "27"


@pytest.mark.parametrize("unlinked", [False, True])
async def test_a_full_disk_is_the_end_of_the_kernel(session: SandboxSession, unlinked: bool) -> None:
    await session.put("first.txt", b"kept")
    code = f"""
import os, time
held = []
for number in range(6):
    held.append(open(f"part-{{number}}", "wb"))
    for _ in range(20):
        held[-1].write(bytes(2**20))
        held[-1].flush()
    if {unlinked}:
        os.unlink(f"part-{{number}}")
print("filled", flush=True)
time.sleep(15)
"""
    ran = await run(session, code)
    if unlinked and ran.status == "ok":
        pytest.skip("this launcher's processes are not seen from here: docs/sandbox.md")
    assert ran.status == "died"
    assert "more than 64 MB" in ran.message
    after = await run(session, "print(open('first.txt').read())")
    assert (after.stdout, after.fresh) == ("kept\n", True)
    assert sum(file.size for file in await session.files()) <= 64 * 2**20


async def test_files_without_end_are_the_end_of_the_kernel(session: SandboxSession) -> None:
    code = """
import os, time
for number in range(16_000):
    os.close(os.open(f"{number}", os.O_CREAT))
time.sleep(15)
"""
    ran = await run(session, code)
    assert ran.status == "died"
    assert "12000 files" in ran.message
    assert (await run(session, "print(1)")).stdout == "1\n"


async def test_forged_messages_do_no_harm(session: SandboxSession, host: Host, client: SandboxClient) -> None:
    code = """
import glob, os
from ipykernel.kernelapp import IPKernelApp
app = IPKernelApp.instance()
for junk in ([b"x"], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"", b"{", b"[", b"1", b"nan"], [b"a" * 1000] * 1000):
    app.iopub_thread.send_multipart(junk)
session = app.session
parent = app.kernel.get_parent()
for content in ({}, {"name": 1, "text": 2}, {"data": []}, {"data": {"image/png": "%%%"}}, {"traceback": 5}):
    for kind in ("stream", "display_data", "execute_result", "error", "status"):
        session.send(app.iopub_thread, kind, content, parent=parent)
for path in glob.glob("/run/kernel/*"):
    os.unlink(path)
    os.symlink("/dev/zero", path)
print("sent")
"""
    ran = await run(session, code)
    assert "sent" in ran.stdout
    assert (await run(session, "print('next')")).stdout == "next\n"
    await _is_responsive(client, host)


async def test_a_message_beyond_all_measure_ends_its_kernel_alone(
    session: SandboxSession, host: Host, client: SandboxClient
) -> None:
    code = """
from ipykernel.kernelapp import IPKernelApp
IPKernelApp.instance().iopub_thread.send_multipart([bytes(80_000_000)])
import time
time.sleep(10)
"""
    ran = await run(session, code)
    assert ran.status == "died"
    assert (await run(session, "print('next')")).stdout == "next\n"
    await _is_responsive(client, host)


async def test_the_host_answers_while_code_does_its_worst(
    session: SandboxSession, host: Host, client: SandboxClient
) -> None:
    code = """
import os
print("on", flush=True)
for _ in range(12):
    if os.fork() == 0:
        while True:
            os.write(1, b"x" * 10_000)
while True:
    print("y" * 100_000)
"""
    async with running(session, code) as task:
        await _is_responsive(client, host)
        ended = await task
    assert ended.status in {"interrupted", "timed_out", "died"}
    # What it has started does not go on writing.
    assert (await run(session, "print('next')")).stdout == "next\n"


async def test_nothing_runs_on_after_its_session(client: SandboxClient) -> None:
    session = await client.open(f"thread_{secrets.token_hex(8)}")
    mark = f"sleep-{secrets.token_hex(8)}"
    code = f"""
import os, subprocess
subprocess.Popen(["/bin/bash", "-c", "exec -a {mark} sleep 300"], start_new_session=True)
"""
    assert (await run(session, code)).status == "ok"
    await asyncio.to_thread(wait_for, lambda: _processes_named(mark), "the process")
    await session.close()
    assert not _processes_named(mark)


def _processes_named(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(mark.encode()):
                found.append(process.name)
    return found


async def _is_responsive(client: SandboxClient, host: Host) -> None:
    """Another session gets its answer in time."""
    async with asyncio.timeout(6):
        other = await client.open(f"thread_{secrets.token_hex(8)}")
        assert (await run(other, "print('well')")).stdout == "well\n"
        await other.close()
    assert host.process.poll() is None
