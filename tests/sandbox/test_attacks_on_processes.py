"""Ways with processes: those of others, without number, without end. Tried for real, for every launcher."""

import asyncio
import contextlib
import secrets
from pathlib import Path

from tests.running import wait_for
from tests.sandbox.attacks import EVERY_LAUNCHER, held, is_responsive
from tests.sandbox.hosts import Host, run
from workers.sandbox import SandboxClient, SandboxSession

pytestmark = EVERY_LAUNCHER


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
    assert await held(session, code) == "True False"
    # Process 1 inside took no harm from it, nor did the host.
    assert await held(session, "print('alive')") == "alive"
    assert host.process.poll() is None


async def test_a_fork_bomb_isheld(session: SandboxSession, host: Host, client: SandboxClient) -> None:
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
    await is_responsive(client, host)


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
