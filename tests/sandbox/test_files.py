"""Files below /mnt/data, from both sides; for every launcher."""

import hashlib
import os
import secrets
import time

import httpx2
import pytest

from tests.sandbox.hosts import Host, run
from workers.sandbox import SandboxClient, SandboxFailure, SandboxSession


async def _content(session: SandboxSession, path: str) -> bytes:
    return b"".join([piece async for piece in session.get(path)])


@pytest.mark.parametrize("host", ["bubblewrap", "unprivileged", "docker"], indirect=True, scope="session")
async def test_files_go_in_and_come_out(session: SandboxSession) -> None:
    put = await session.put("in/deep/a b ü 漢.txt", "grüße".encode())
    assert (put.path, put.size) == ("in/deep/a b ü 漢.txt", 7)
    code = (
        "text = open('/mnt/data/in/deep/a b ü 漢.txt').read()\nopen('out-漢.txt', 'w').write(text.upper())\nprint(text)"
    )
    assert (await run(session, code)).stdout == "grüße\n"
    assert [file.path for file in await session.files()] == ["in/deep/a b ü 漢.txt", "out-漢.txt"]
    assert (await _content(session, "out-漢.txt")).decode() == "GRÜSSE"
    await session.delete("out-漢.txt")
    await session.delete("out-漢.txt")
    assert [file.path for file in await session.files()] == ["in/deep/a b ü 漢.txt"]


async def test_a_version_tells_what_has_changed(session: SandboxSession) -> None:
    await session.put("same.txt", b"same")
    await session.put("changed.txt", b"old!")
    before = {file.path: file.version for file in await session.files()}
    # As long as before, and its time set back.
    await run(session, "import os\nopen('changed.txt', 'r+').write('new!')\nos.utime('changed.txt', (1, 1))")
    after = {file.path: file.version for file in await session.files()}
    assert after["same.txt"] == before["same.txt"]
    assert after["changed.txt"] != before["changed.txt"]


async def test_a_file_is_replaced_as_a_whole(session: SandboxSession) -> None:
    await session.put("a.txt", b"first and long")
    await run(session, "held = open('a.txt')")
    await session.put("a.txt", b"second")
    assert (await run(session, "print(held.read(), open('a.txt').read())")).stdout == "first and long second\n"


async def test_a_large_file_is_streamed(session: SandboxSession) -> None:
    data = secrets.token_bytes(24 * 2**20)
    await session.put("large.bin", data)
    digest = hashlib.sha256(data).hexdigest()
    ran = await run(session, "import hashlib; print(hashlib.sha256(open('large.bin', 'rb').read()).hexdigest())")
    assert ran.stdout.strip() == digest
    assert hashlib.sha256(await _content(session, "large.bin")).hexdigest() == digest


async def test_a_file_that_is_too_large_is_refused_and_not_there(session: SandboxSession) -> None:
    with pytest.raises(SandboxFailure) as refused:
        await session.put("huge.bin", bytes(33 * 2**20))
    assert refused.value.code == "no_space"
    assert await session.files() == []


async def test_ten_thousand_files_are_listed_soon(session: SandboxSession) -> None:
    ran = await run(session, "for n in range(10_000): open(f'{n:05}', 'w').close()")
    assert ran.status == "ok"
    began = time.monotonic()
    files = await session.files()
    assert time.monotonic() - began < 3
    assert [file.path for file in files] == [f"{number:05}" for number in range(10_000)]


@pytest.mark.parametrize(
    "path",
    ["../outside", "a/../../outside", "/etc/passwd", "a//b", "./a", "a/", "x" * 300, "a\0b", "/".join("a" * 2001)],
)
async def test_a_path_that_leads_elsewhere_is_refused(host: Host, session: SandboxSession, path: str) -> None:
    from urllib.parse import quote  # noqa: PLC0415

    url = f"{host.url}/sessions/{session.id}/files/{quote(path, safe='')}"
    headers = {"Authorization": f"Bearer {host.token}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        for answer in (await http.put(url, content=b"x"), await http.get(url), await http.delete(url)):
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_path")


async def test_links_pipes_and_devices_are_no_files(session: SandboxSession, host: Host) -> None:
    secret = host.folder / "secret.txt"
    secret.write_text("of the host")
    code = f"""
import os, socket
os.symlink("/etc/passwd", "passwd")
os.symlink({str(secret)!r}, "secret")
os.symlink({str(host.folder)!r}, "folder")
os.symlink("../system", "sibling")
os.symlink(".", "loop")
os.mkfifo("pipe")
socket.socket(socket.AF_UNIX).bind("socket")
"""
    assert (await run(session, code)).status == "ok"
    assert await session.files() == []
    for path in ("passwd", "secret", "folder/secret.txt", "sibling/start.json", "loop/loop/x", "pipe", "socket"):
        with pytest.raises(SandboxFailure) as missing:
            await _content(session, path)
        assert missing.value.code == "file_missing", path
    # Written over, a link is replaced and what it led to is not touched; through one nothing is written.
    await session.put("secret", b"of the session")
    with pytest.raises(SandboxFailure):
        await session.put("folder/new.txt", b"x")
    await session.delete("passwd")
    assert secret.read_text() == "of the host"
    assert not (host.folder / "new.txt").exists()
    assert await _content(session, "secret") == b"of the session"


async def test_a_name_that_is_no_text_and_a_tree_without_end_do_not_matter(session: SandboxSession) -> None:
    code = """
import os
open(b"bad-\\xff", "w").close()
open("good", "w").close()
for depth in range(500):
    os.mkdir("d"); os.chdir("d")
os.chdir("/mnt/data")
os.mkdir("closed"); open("closed/inner", "w").close(); os.chmod("closed", 0)
"""
    assert (await run(session, code)).status == "ok"
    assert {file.path for file in await session.files()} >= {"good"}


async def test_sessions_do_not_see_each_other(client: SandboxClient, session: SandboxSession) -> None:
    await run(session, "open('/mnt/data/mine', 'w').write('mine'); open('/tmp/mine', 'w').write('mine')")
    other = await client.open(f"thread_{secrets.token_hex(8)}")
    try:
        ran = await run(other, "import os, glob; print(os.listdir('/mnt/data'), glob.glob('/tmp/mine'))")
        assert ran.stdout == "[] []\n"
        assert await other.files() == []
    finally:
        await other.close()


@pytest.mark.parametrize("host", ["bubblewrap", "unprivileged", "docker"], indirect=True, scope="session")
async def test_nothing_is_left_of_a_session(host: Host, client: SandboxClient) -> None:
    session = await client.open(f"thread_{secrets.token_hex(8)}")
    await session.put("token-of-this-test", b"x")
    await run(session, "import os\nos.mkdir('closed'); open('closed/inner', 'w').close(); os.chmod('closed', 0)")
    await session.close()
    names = [name for _, folders, files in os.walk(host.folder) for name in (*folders, *files)]
    assert "token-of-this-test" not in names
    assert "closed" not in names


async def test_a_file_has_a_second_name(session: SandboxSession) -> None:
    await session.put("file-1", b"one")
    assert await session.link("file-1", "a.txt")
    assert (await run(session, "print(open('a.txt').read())")).stdout == "one\n"
    # What was linked goes with what it was of; what code has written stays.
    await session.put("file-2", b"two")
    assert await session.link("file-2", "a.txt")
    assert await session.link("file-2", "a.txt")
    await run(session, "import os\nprint(open('a.txt').read())\nos.unlink('a.txt')\nopen('a.txt', 'w').write('mine')")
    assert not await session.link("file-2", "a.txt")
    assert (await run(session, "print(open('a.txt').read(), open('file-2').read())")).stdout == "mine two\n"
    # Nothing else is linked.
    await run(session, "os.symlink('/etc/passwd', 'link')")
    for source in ("link", "missing", "../x"):
        with pytest.raises(SandboxFailure):
            await session.link(source, "b.txt")
    with pytest.raises(SandboxFailure):
        await session.link("file-1", "n" * 300)


async def test_uploads_are_not_taken_for_modules_of_the_kernel(session: SandboxSession) -> None:
    names = ("code", "pdb", "http", "random", "numpy", "matplotlib", "zmq", "typing")
    for name in names:
        await session.put(f"{name}.py", b"raise SystemExit('imported')")
    # Names of ours are free there.
    for name in ("mine", "kernel", "showing", "imports"):
        await session.put(f"{name}.py", b"value = 7")
    # The next kernel starts among them.
    assert (await run(session, "import os\nos._exit(1)")).status == "died"
    ran = await run(
        session,
        "import code, pdb, http.client, random, numpy, matplotlib.pyplot\nimport mine, kernel, showing, imports\n"
        "print({one.value for one in (mine, kernel, showing, imports)})",
    )
    assert (ran.stdout, ran.errors) == ("{7}\n", [])
    failed = await run(session, "1 / 0")
    assert [error.name for error in failed.errors] == ["ZeroDivisionError"]
