"""Ways to harm the host by what is said to it. Tried for real, for every launcher."""

from tests.sandbox.attacks import EVERY_LAUNCHER, is_responsive
from tests.sandbox.hosts import Host, run, running
from workers.sandbox import SandboxClient, SandboxSession

pytestmark = EVERY_LAUNCHER


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
    await is_responsive(client, host)


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
    await is_responsive(client, host)


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
        await is_responsive(client, host)
        ended = await task
    assert ended.status in {"interrupted", "timed_out", "died"}
    # What it has started does not go on writing.
    assert (await run(session, "print('next')")).stdout == "next\n"
