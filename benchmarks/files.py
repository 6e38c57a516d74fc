"""Files of 512 MB, and what the API's memory does meanwhile: `python -m benchmarks.files [--s3]`.

Everything on this machine. Prints the rates of upload, upload in parts and download, and how much the API process had
grown at the most.
"""

import argparse
import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import psutil

from benchmarks.client import post
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.s3 import run_s3
from tests.running import Locum, run_locum
from tests.stack import run_stack

MEBIBYTE = 2**20
SIZE = 512 * MEBIBYTE
PART = 64 * MEBIBYTE
ALLOWED_GROWTH = 50 * MEBIBYTE


class Bytes:
    """Bytes as a client sends them, different in every mebibyte, and their digest."""

    def __init__(self) -> None:
        self._noise = os.urandom(2 * MEBIBYTE)
        self.sha256 = hashlib.sha256()

    async def stream(self, size: int) -> AsyncIterator[bytes]:
        for number in range(size // MEBIBYTE):
            start = number * 4099 % MEBIBYTE
            piece = self._noise[start : start + MEBIBYTE]
            self.sha256.update(piece)
            yield piece


async def measure(locum: Locum, what: str, work: Awaitable[None]) -> bool:
    """Prints the rate of `work`, which moves SIZE bytes, and the API's growth; gives whether that is allowed."""
    process = psutil.Process(locum.processes["api"].pid)
    before = highest = process.memory_info().rss
    began = time.perf_counter()
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait([task], timeout=0.02)
        highest = max(highest, process.memory_info().rss)
    task.result()
    rate = SIZE / MEBIBYTE / (time.perf_counter() - began)
    grown = highest - before
    print(
        f"{what:18} {rate:7.0f} MB/s    API memory {before / MEBIBYTE:6.1f} MB before, {highest / MEBIBYTE:6.1f} MB at"
        f" most: grown by {grown / MEBIBYTE:5.1f} MB"
    )
    return grown < ALLOWED_GROWTH


async def run(locum: Locum) -> bool:
    """All measurements; whether all are within what is allowed."""
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    file_id = ""

    async def upload() -> None:
        nonlocal file_id
        form = aiohttp.FormData({"purpose": "user_data"})
        form.add_field("file", sent.stream(SIZE), filename="large.bin")
        async with session.post(f"{locum.base_url}/files", data=form) as answer:
            file_id = (await answer.json())["id"]

    async def upload_in_parts() -> None:
        described = {"filename": "p.bin", "purpose": "user_data", "bytes": SIZE, "mime_type": "text/plain"}
        begun = await post(session, f"{locum.base_url}/uploads", described)
        path = f"{locum.base_url}/uploads/{begun['id']}"

        async def part() -> str:
            form = aiohttp.FormData()
            form.add_field("data", Bytes().stream(PART), filename="part")
            async with session.post(f"{path}/parts", data=form) as answer:
                return str((await answer.json())["id"])

        part_ids = [await part() for _ in range(SIZE // PART)]
        assert (await post(session, f"{path}/complete", {"part_ids": part_ids}))["status"] == "completed"

    async def download() -> None:
        got = hashlib.sha256()
        async with session.get(f"{locum.base_url}/files/{file_id}/content") as answer:
            async for data in answer.content.iter_chunked(MEBIBYTE):
                got.update(data)
        assert got.digest() == sent.sha256.digest(), "not the bytes that were sent"

    sent = Bytes()
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=None)) as session:
        await post(
            session, f"{locum.base_url}/uploads", {"filename": "w", "purpose": "batch", "bytes": 1, "mime_type": "x"}
        )
        return all(
            [
                await measure(locum, "upload", upload()),
                await measure(locum, "download", download()),
                await measure(locum, "upload in 8 parts", upload_in_parts()),
            ]
        )


def main() -> None:
    """Runs it. Ends with status 1 if the API grows by more than is allowed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--s3", action="store_true", help="keep the files on an S3 server")
    on_s3 = arguments.parse_args().s3
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("stack", "locum", "s3"):
            (folder / name).mkdir()
        settings = {}
        if on_s3:
            server = stack.enter_context(run_s3(folder / "s3"))
            settings = {f"LOCUM_{name.upper()}": value for name, value in server.settings("bench").items()}
        urls = stack.enter_context(run_stack(folder / "stack"))
        backend = stack.enter_context(CompletionBackend())
        locum = stack.enter_context(run_locum(urls, backend.url, folder / "locum", **settings))
        print(f"{SIZE // MEBIBYTE} MB each, files {'in S3' if on_s3 else 'in a folder'}; allowed growth 50 MB")
        within = asyncio.run(run(locum))
    raise SystemExit(0 if within else 1)


if __name__ == "__main__":
    main()
