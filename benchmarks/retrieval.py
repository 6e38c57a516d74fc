"""How well Locum's search finds, and what it costs: `python -m benchmarks.retrieval [--million] [--only PART...]`.

Everything on this machine: Postgres, Redis, one API, one worker of each kind, and the small local embedding model. The
parts are

    recall     what the index finds of what comparing one by one finds; in made-up collections of several sizes
    cost       a search through HTTP against the same SQL by hand, without the embedding of the query
    ingestion  files through the whole pipeline against the embedding model by itself
    quality    questions with known answers from the documentation of installed packages: by meaning and words together,
               by each alone
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import aiohttp
import psycopg

from app.backends.embeddings import Embedder
from app.backends.routing import Backends
from app.db.session import create_engine, create_sessions
from app.embedded import minilm
from app.settings import Settings
from benchmarks import ingestion, quality, questions, recall, search_cost
from benchmarks.surroundings import Surroundings
from tests.running import Locum, free_port, run_locum
from tests.stack import run_stack

_SIZES: Final = (10_000, 100_000)
_MILLION: Final = 1_000_000
_DOCUMENTATION: Final = 1_200_000
#: Seconds: a small model on a busy machine takes its time.
_PATIENCE: Final = 600
_PARTS: Final = ("recall", "cost", "ingestion", "quality")


@contextmanager
def local_embeddings() -> Iterator[str]:
    """The base URL of the local embedding model in a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "app.embedded.local_embeddings", str(port)])
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(10)


@asynccontextmanager
async def surroundings(locum: Locum, embeddings_url: str) -> AsyncIterator[Surroundings]:
    """Connections to everything."""
    settings = Settings(
        database_url=locum.database_url,
        embeddings_url=embeddings_url,
        embeddings_model=minilm.NAME,
        backend_idle_timeout=_PATIENCE,
    )
    engine = create_engine(settings)
    backends = Backends(settings)
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    timeout = aiohttp.ClientTimeout(600)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
            with psycopg.connect(locum.database_url, autocommit=True) as database:
                row = database.execute("SELECT id FROM projects").fetchone()
                assert row is not None
                yield Surroundings(
                    locum, http, database, create_sessions(engine).of_all(), Embedder(settings, backends), row[0]
                )
    finally:
        await backends.close()
        await engine.dispose()


async def measure(locum: Locum, embeddings_url: str, parts: Collection[str], sizes: tuple[int, ...]) -> None:
    """The figures of `parts`, one after the other."""
    async with surroundings(locum, embeddings_url) as around:
        if "recall" in parts:
            await recall.measure(around, sizes)
        if "cost" in parts:
            await search_cost.measure(around)
        if "ingestion" in parts or "quality" in parts:
            documents = questions.collect(_DOCUMENTATION)
            store = await ingestion.measure(around, documents)
            if "quality" in parts:
                await quality.measure(around, documents, store)


def main() -> None:
    """Starts everything, measures, stops everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="measure recall in a million chunks as well")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="only these parts")
    asked = parser.parse_args()
    sizes = (*_SIZES, _MILLION) if asked.million else _SIZES
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory(prefix="locum-bench-") as name, local_embeddings() as url:
        folder = Path(name)
        (folder / "stack").mkdir()
        (folder / "locum").mkdir()
        settings = {
            "LOCUM_LOG_LEVEL": "warning",
            "LOCUM_SWEEP_SECONDS": "2",
            "LOCUM_INGESTION_LEASE_SECONDS": "30",
            "LOCUM_BACKEND_IDLE_TIMEOUT": str(_PATIENCE),
            "LOCUM_EMBEDDINGS_URL": url,
            "LOCUM_EMBEDDINGS_MODEL": minilm.NAME,
        }
        with run_stack(folder / "stack") as stack, run_locum(stack, url, folder / "locum", **settings) as locum:
            asyncio.run(measure(locum, url, asked.only, sizes))


if __name__ == "__main__":
    main()
