"""Ways to fill the disk. Tried for real, for every launcher."""

import subprocess
from pathlib import Path

import pytest

from tests.sandbox.attacks import EVERY_LAUNCHER, held
from tests.sandbox.hosts import Host, run
from workers.sandbox import SandboxSession

pytestmark = EVERY_LAUNCHER


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
    assert await held(session, code) == "27"


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


#: Ways to fill the disk at places where one might not look, each to 200 MB where 64 are allowed.
_HIDDEN = {
    "beside the sockets": "folder = '/run/kernel/'",
    "below many folders": """
for _ in range(200):
    os.mkdir('d')
    os.chdir('d')
folder = ''
""",
    "below more folders than a path can name": """
for _ in range(4000):
    os.mkdir('d')
    os.chdir('d')
folder = ''
""",
    "in a closed folder": "os.mkdir('closed'); folder = 'closed/'",
    "in names of one file each": "folder = ''",
}


@pytest.mark.parametrize("way", _HIDDEN)
async def test_there_is_no_place_to_fill_unseen(session: SandboxSession, host: Host, way: str) -> None:
    code = f"""
import os, time
{_HIDDEN[way]}
for number in range(10):
    with open(f"{{folder}}part-{{number}}", "wb") as file:
        for _ in range(20):
            file.write(bytes(2**20))
    if folder == "closed/":
        os.chmod("closed", 0)
        time.sleep(0.7)
        os.chmod("closed", 0o700)
time.sleep(15)
"""
    ran = await run(session, code)
    assert ran.status == "died"
    assert "more than 64 MB" in ran.message
    # What was written last is gone, wherever it lay, and the next code finds room.
    assert (await run(session, "open('small', 'wb').write(bytes(2**20))")).status == "ok"
    assert _bytes_below(host.folder / "sandbox" / "sessions") < 1.2 * 64 * 2**20


def _bytes_below(folder: Path) -> int:
    said = subprocess.run(["du", "-s", "--block-size=1", str(folder)], capture_output=True, text=True, check=False)
    return int(said.stdout.split()[0])


async def test_names_beside_the_sockets_count(session: SandboxSession) -> None:
    code = """
import os, time
for number in range(16_000):
    os.symlink("x", f"/run/kernel/{number}")
time.sleep(15)
"""
    ran = await run(session, code)
    assert ran.status == "died"
    assert "12000 files" in ran.message
    assert (await run(session, "import os; print(len(os.listdir('/run/kernel')) < 10)")).stdout == "True\n"
