"""What code says, how it ends, and what is left after its end; for every launcher."""

import asyncio
import io
import secrets
import struct
import time

import pytest

from sandbox.protocol import Text
from tests.running import wait_for
from tests.sandbox.hosts import Host, run, running
from workers.sandbox import SandboxClient, SandboxFailure, SandboxSession


async def test_outputs_have_their_kinds_and_state_lives_on(session: SandboxSession) -> None:
    first = await run(session, "import sys\nprint('a')\nprint('b', file=sys.stderr)\nx = 20\nx + 1")
    assert (first.stdout, first.text("stderr"), first.text("result")) == ("a\n", "b\n", "21\n")
    assert (first.status, first.message, first.fresh) == ("ok", "", True)
    second = await run(session, "x += 1\nprint(x)")
    assert (second.stdout, second.fresh) == ("21\n", False)


async def test_outputs_come_as_they_are_made(session: SandboxSession) -> None:
    code = "import time\nprint('early', flush=True)\nwhile True: time.sleep(0.1)"
    async for event in session.execute(code):
        if isinstance(event, Text):
            assert event.text == "early\n"
            break
    # We have gone, so the code is ended.
    assert (await run(session, "print('next')")).stdout == "next\n"


async def test_an_error_has_a_traceback_without_colours(session: SandboxSession) -> None:
    ran = await run(session, "def broken():\n    return 1 / 0\nbroken()")
    assert ran.status == "error"
    (error,) = ran.errors
    assert (error.name, error.value) == ("ZeroDivisionError", "division by zero")
    assert "line 3" in error.traceback
    assert "\x1b" not in error.traceback


async def test_charts_are_images_that_open(session: SandboxSession) -> None:
    shown = await run(session, "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()")
    (image,) = shown.images
    assert image.media_type == "image/png"
    assert image.data.startswith(b"\x89PNG\r\n\x1a\n")
    assert image.data.endswith(b"IEND\xaeB\x60\x82")
    width, height = struct.unpack(">II", image.data[16:24])
    assert width > 200
    assert height > 200
    assert shown.texts == []
    # Shown at the end of a cell, as in Jupyter, and read by another library inside.
    unshown = await run(session, "plt.bar([1], [2]);")
    assert len(unshown.images) == 1
    await session.put("chart.png", unshown.images[0].data)
    opened = await run(session, "from PIL import Image\nprint(Image.open('/mnt/data/chart.png').format)")
    assert opened.stdout == "PNG\n"


async def test_the_data_stack_is_there(session: SandboxSession) -> None:
    await session.put("table.csv", b"name,value\na,1\nb,2\n")
    code = """
import numpy, openpyxl, pandas, scipy, sklearn.linear_model, sympy
table = pandas.read_csv("/mnt/data/table.csv")
table.to_excel("/mnt/data/table.xlsx", index=False)
slope = sklearn.linear_model.LinearRegression().fit([[0], [1]], [0, 2]).coef_[0]
print(table.value.sum(), sympy.sqrt(8), slope.round())
"""
    ran = await run(session, code)
    assert (ran.stdout, ran.errors) == ("3 2*sqrt(2) 2.0\n", [])
    content = b"".join([piece async for piece in session.get("table.xlsx")])
    assert io.BytesIO(content).read(2) == b"PK"


async def test_executions_take_their_turns(host: Host, session: SandboxSession) -> None:
    wait = "while not os.path.exists('go'): time.sleep(0.01)"
    first = f"import os, time\nprint('on', flush=True)\n{wait}\norder = [0]"
    async with running(session, first) as task:
        waiting = []
        for number in (1, 2):
            waiting.append(asyncio.create_task(run(session, f"order.append({number}); print(order)")))
            await asyncio.to_thread(
                wait_for, lambda: host.stats()["executions"] == len(waiting) + 1, "the next to wait"
            )
        await session.put("go", b"")
        await task
        assert [(await ran).stdout for ran in waiting] == ["[0, 1]\n", "[0, 1, 2]\n"]


async def test_an_interrupt_keeps_the_state(session: SandboxSession) -> None:
    await run(session, "kept = 7")
    async with running(session, "import time\nprint('on', flush=True)\ntime.sleep(60)") as task:
        asked = time.monotonic()
        await session.interrupt()
        ran = await task
    assert time.monotonic() - asked < 1
    assert (ran.status, ran.message) == ("interrupted", "The code was interrupted.")
    after = await run(session, "print(kept)")
    assert (after.stdout, after.fresh) == ("7\n", False)


async def test_time_is_limited_by_an_interrupt(session: SandboxSession) -> None:
    ran = await run(session, "while True: pass", seconds=0.5)
    assert ran.status == "timed_out"
    assert ran.message == "The code was interrupted after 0.5 seconds, the most it may take."
    assert (await run(session, "print(1)")).fresh is False


async def test_code_that_takes_no_interrupt_is_killed_and_its_files_stay(session: SandboxSession) -> None:
    code = """
import signal, pathlib
signal.signal(signal.SIGINT, signal.SIG_IGN)
pathlib.Path("kept.txt").write_text("kept")
while True:
    pass
"""
    ran = await run(session, code, seconds=0.5)
    assert ran.status == "timed_out"
    assert "was killed" in ran.message
    assert "variables and imports are gone" in ran.message
    after = await run(session, "print(open('/mnt/data/kept.txt').read(), 'signal' in globals())")
    assert (after.stdout, after.fresh) == ("kept False\n", True)


@pytest.mark.parametrize("code", ["exit()", "import os; os._exit(0)", "import os; os.kill(os.getpid(), 11)"])
async def test_the_death_of_a_kernel_is_told_and_the_next_is_fresh(session: SandboxSession, code: str) -> None:
    await run(session, "open('kept.txt', 'w').write('kept'); lost = 1")
    ran = await run(session, code)
    assert ran.status == "died"
    assert "The Python process" in ran.message
    after = await run(session, "print(open('kept.txt').read(), 'lost' in globals())")
    assert (after.stdout, after.fresh) == ("kept False\n", True)


async def test_long_output_is_cut_with_a_note(session: SandboxSession) -> None:
    ran = await run(session, "print('x' * 300_000)\nprint('never seen')")
    assert ran.status == "ok"
    assert ran.stdout == "x" * 100_000
    assert ran.text("note") == "\n[The output was cut after 100000 bytes.]\n"


async def test_output_without_end_is_ended(session: SandboxSession) -> None:
    ran = await run(session, "while True: print('x' * 10_000)")
    # On a machine that is busy its process may take longer to end than it is given.
    assert ran.status in {"interrupted", "died"}
    assert len(ran.stdout) == 100_000
    assert ran.message.startswith("The code was interrupted because it wrote without end.")


async def test_one_text_larger_than_memory_allows_harms_nobody(host: Host, session: SandboxSession) -> None:
    ran = await run(session, "print('x' * 120_000_000)")
    assert ran.text("note").startswith("\n[The output was cut")
    assert host.process.poll() is None
    assert (await run(session, "print(1)")).stdout == "1\n"


async def test_input_is_refused(session: SandboxSession) -> None:
    ran = await run(session, "input('name?')")
    assert [error.name for error in ran.errors] == ["StdinNotImplementedError"]


async def test_a_session_belongs_to_its_key(client: SandboxClient) -> None:
    key = f"thread_{secrets.token_hex(8)}"
    first, again = await asyncio.gather(client.open(key), client.open(key))
    assert first.id == again.id
    assert sorted((first.created, again.created)) == [False, True]
    await first.close()
    with pytest.raises(SandboxFailure) as lost:
        await again.files()
    assert lost.value.is_lost
    anew = await client.open(key)
    assert anew.created
    await anew.close()


async def test_a_client_that_dies_leaves_the_kernel_free(session: SandboxSession) -> None:
    async with running(session, "import time\nprint('on', flush=True)\ntime.sleep(60)"):
        pass
    began = time.monotonic()
    assert (await run(session, "print('free')")).stdout == "free\n"
    assert time.monotonic() - began < 2


async def test_the_token_is_wanted(host: Host) -> None:
    stranger = SandboxClient(host.url, "guessed")
    with pytest.raises(SandboxFailure) as refused:
        await stranger.open("thread_1")
    await stranger.close()
    assert refused.value.code == "unauthorized"


async def test_what_a_kernel_does_without_at_its_start_is_there_for_the_code(session: SandboxSession) -> None:
    code = """
import sys
early = {"ssl", "debugpy", "dateutil", "jupyter_client", "pdb", "sqlite3"} & sys.modules.keys()
import asyncio, dateutil.parser, dateutil.tz, jupyter_client, pdb, ssl
print(early, dateutil.parser.parse("3 May 2026 10:00").hour, dateutil.tz.gettz("Europe/Berlin") is not None)
print(jupyter_client.KernelClient.__name__, pdb.Pdb.__module__, asyncio.sslproto.ssl is ssl)

async def answered():
    async def greet(reader, writer):
        writer.write(await reader.readexactly(2))
        writer.close()
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hi")
    return await reader.read()

await answered()
"""
    ran = await run(session, code)
    assert (ran.errors, ran.stdout) == ([], "set() 10 True\nKernelClient IPython.core.debugger True\n")
    assert ran.text("result") == "b'hi'\n"
    assert "import debugpy" in (await run(session, "import debugpy\n%history")).stdout
    assert "await answered()" in (await run(session, "print(In[1])")).stdout


async def test_times_are_shown_and_garbage_is_collected(session: SandboxSession) -> None:
    code = """
import datetime, gc
from IPython.display import display, JSON
display(JSON({"at": datetime.datetime(2026, 5, 3, 10, 0)}))
print(gc.isenabled(), gc.get_freeze_count() > 10_000)
"""
    ran = await run(session, code)
    assert (ran.errors, ran.stdout) == ([], "True True\n")
