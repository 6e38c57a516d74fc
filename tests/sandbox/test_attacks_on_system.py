"""Ways to the files, the secrets and the rights of the machine. Tried for real, for every launcher."""

from tests.sandbox.attacks import EVERY_LAUNCHER, SYSCALL, held
from tests.sandbox.hosts import REPOSITORY, Host
from workers.sandbox import SandboxSession

pytestmark = EVERY_LAUNCHER


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
    assert await held(session, code) == "[]"


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
    said = await held(session, code)
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
    assert await held(session, code) == "[]"


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
    lines = (await held(session, code)).splitlines()
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
    lines = (await held(session, SYSCALL + tried)).splitlines()
    refused = {line.split()[0]: line.split()[1:] for line in lines}
    unknown = {"clone3", "io_uring_setup"}
    assert refused == {name: ["-1", "ENOSYS" if name in unknown else "EPERM"] for name in calls}
