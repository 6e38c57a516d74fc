"""Files through the whole pipeline against the embedding model by itself."""

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from benchmarks.client import post
from benchmarks.questions import SourceDocument
from benchmarks.surroundings import Surroundings

_POLL_SECONDS = 0.1


async def measure(around: Surroundings, documents: Sequence[SourceDocument]) -> str:
    """Ingests `documents`, then embeds the same chunks once more with nothing else to do; gives the vector store."""
    files = [await _upload(around, document) for document in documents]
    await around.embedder.embed(["The model is loaded before it is measured."])
    begun = time.perf_counter()
    store = (await post(around.http, f"{around.locum.base_url}/vector_stores", {"file_ids": files}))["id"]
    await _until_done(around, store)
    whole = time.perf_counter() - begun
    rows = around.database.execute("SELECT text FROM chunks WHERE vector_store_id = %s ORDER BY id", [store]).fetchall()
    begun = time.perf_counter()
    await around.embedder.embed([text for (text,) in rows])
    alone = time.perf_counter() - begun
    print(f"ingestion of {len(files)} files, {len(rows):,} chunks of 800 tokens at most")
    print(
        f"  pipeline {len(rows) / whole:.2f} chunks a second   model alone {len(rows) / alone:.2f}"
        f"   ratio {alone / whole:.2f}"
    )
    return str(store)


async def _upload(around: Surroundings, document: SourceDocument) -> str:
    form = aiohttp.FormData({"purpose": "assistants"})
    form.add_field("file", document.text.encode(), filename=document.name)
    async with around.http.post(f"{around.locum.base_url}/files", data=form) as response:
        response.raise_for_status()
        return str((await response.json())["id"])


async def _until_done(around: Surroundings, store: str) -> None:
    while True:
        async with around.http.get(f"{around.locum.base_url}/vector_stores/{store}") as response:
            response.raise_for_status()
            counts = (await response.json())["file_counts"]
        if counts["failed"]:
            raise RuntimeError(f"{counts['failed']} files could not be ingested")
        if not counts["in_progress"]:
            return
        await asyncio.sleep(_POLL_SECONDS)
