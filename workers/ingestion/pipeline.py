"""The ingestion of one file: the story from its claim to its ending.

    claim ─▶ text ─▶ chunks, embedded and written in batches ─▶ completed
             │        └─ or copied, where the same text is in another store already
             └─ interrupted ─▶ handed back | nothing, if the file was cancelled, detached or taken over
                the storage is away ─▶ tried again, for as long as it is
                broken ─▶ tried again, a few times | failed

What is done stays done: a text that was parsed, and each batch of chunks. Whoever claims the file next goes on there.
"""

import asyncio
import contextlib
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import structlog

from app.backends.base import BackendFailure
from app.backends.embeddings import Vector
from app.db.session import DATABASE_AWAY, transaction
from app.domain.statuses import FileStatus
from app.errors import NotFound, in_brief
from app.models import File
from app.models.file import WITHOUT_CONTENTS
from app.scratch import scratch_file
from app.services import chunk_rows, documents, embedding_models, files, ingestion_claims
from app.services.ingestion_claims import Claim, FileLost
from app.storage import BytesMissing, StorageAway
from workers.ingestion.chunking import Piece, chunk
from workers.ingestion.control import parse_with_control
from workers.ingestion.kinds import kind_of
from workers.ingestion.leases import FileLease, lease_on
from workers.ingestion.parsed import ParsedFile, Unparsable
from workers.ingestion.parsing import ParserLost
from workers.ingestion.process import IngestionProcess
from workers.leasing.leases import Interrupted

log = structlog.get_logger()

#: Requests for embeddings that are under way while the next chunks are cut and the last ones written.
_AHEAD: Final = 4
_COPIED_AT_ONCE: Final = 500
#: Between two tries, each time so many times longer.
_FIRST_PAUSE: Final = 1.0
_LONGER: Final = 4.0
_LONGEST_PAUSE: Final = 300.0
#: Before a storage that was away is asked again.
_STORAGE_PAUSE: Final = 3.0


async def ingest(process: IngestionProcess, claim: Claim) -> None:
    """Ingests a file that has been claimed, until it is completed or failed, or no longer ours. Never raises."""
    structlog.contextvars.bind_contextvars(file_id=claim.file_id, vector_store_id=claim.vector_store_id)
    try:
        with process.leases.holding(lease_on(claim)) as lease:
            await _to_its_end(process, lease, claim)
    except FileLost:
        log.info("file_lost")
    except DATABASE_AWAY as error:
        # Nothing can be written, so the lease lapses and the file is taken over.
        log.warning("ingestion_abandoned", error=in_brief(error))
    finally:
        structlog.contextvars.unbind_contextvars("file_id", "vector_store_id")


async def _to_its_end(process: IngestionProcess, lease: FileLease, claim: Claim) -> None:
    ingestion = Ingestion(process, claim)
    try:
        async with lease.interruptible():
            await ingestion.run()
    except Interrupted as interruption:
        await ingestion.interrupt(interruption)
    except Unparsable as fault:
        await ingestion.fail(fault.code, fault.message)
    except BackendFailure as failure:
        await ingestion.try_again(f"The embeddings of the file could not be made. {failure.message}")
    except StorageAway:
        await ingestion.wait_for_storage()
    except (FileLost, *DATABASE_AWAY):
        raise
    except ParserLost as lost:
        log.error("parser_lost", error=str(lost))  # noqa: TRY400 - it says all that is known
        await ingestion.try_again("The file could not be read because of an error in the server.")
    except Exception:
        log.exception("ingestion_broke")
        await ingestion.try_again("The file could not be processed because of an error in the server.")


@contextlib.contextmanager
def _on_own_disk() -> Iterator[None]:
    """What this machine's disk refuses is told as ParserLost: an OSError would tell of the storage, or of Postgres."""
    try:
        yield
    except OSError as error:
        raise ParserLost(f"the file cannot be laid before the parser: {error}") from error


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as out:
        out.write(data)


def _about(seconds: float) -> float:
    """So many seconds, more or less: files that broke together are not tried again together."""
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311


class Ingestion:
    """One attempt at a file, in the hands of this process."""

    def __init__(self, process: IngestionProcess, claim: Claim) -> None:
        self._process = process
        self._claim = claim
        self._sessions = process.sessions.of(claim.project_id)
        self._settings = process.settings
        self._embedder = process.embedder
        cut = claim.chunking_strategy["static"]
        self._max_tokens: int = cut["max_chunk_size_tokens"]
        self._overlap_tokens: int = cut["chunk_overlap_tokens"]
        # As many chunks as make one request for embeddings, windows counted.
        windows = math.ceil(self._max_tokens / self._settings.embeddings_window)
        self._batch = max(1, self._settings.embeddings_batch // windows)
        self._model_ids: dict[int, int] = {}

    async def run(self) -> None:
        """From the file's bytes to its completion. Raises Unparsable, BackendFailure, FileLost."""
        if self._claim.tries > self._settings.ingestion_tries:
            raise Unparsable(
                "server_error", "The file could not be processed: the server broke down whenever it tried."
            )
        document_id, parsed = await self._text()
        async with transaction(self._sessions) as session:
            start = await chunk_rows.resume(session, self._claim, self._embedder.model)
        start = await self._copy(document_id, start)
        await self._embed(parsed, start)
        async with transaction(self._sessions) as session:
            if not await chunk_rows.complete(session, self._claim):
                raise Unparsable("invalid_file", "The file has no text.")
        log.info("file_ingested")

    async def _text(self) -> tuple[int, ParsedFile]:
        """The text of the file, with the id of its document; parsed if no file of the same bytes has been."""
        claim = self._claim
        kind = kind_of(claim.filename)
        async with transaction(self._sessions) as session:
            found = await documents.find(session, claim.project_id, claim.sha256, kind)
            if found is not None:
                await ingestion_claims.note(session, claim, document_id=found.id)
                return found.id, ParsedFile(found.text, found.page_starts)
        parsed = await self._parse(kind)
        async with transaction(self._sessions) as session:
            document_id = await documents.keep(
                session, claim.project_id, claim.sha256, kind, parsed.text, parsed.page_starts
            )
            await ingestion_claims.note(session, claim, document_id=document_id)
        return document_id, parsed

    async def _parse(self, kind: str) -> ParsedFile:
        async with transaction(self._sessions) as session:
            try:
                file = await files.get(session, self._claim.project_id, self._claim.file_id)
            except NotFound:
                raise FileLost from None
        if file.status == WITHOUT_CONTENTS:
            raise Unparsable("invalid_file", str(file.status_details))
        with contextlib.ExitStack() as stack:
            with _on_own_disk():
                path = stack.enter_context(scratch_file())
            await self._fetch(file, path)
            return await parse_with_control(self._process.parser, path, kind)

    async def _fetch(self, file: File, path: Path) -> None:
        try:
            async for data in files.read(self._process.storage, file):
                with _on_own_disk():
                    await asyncio.to_thread(_append, path, data)
        except BytesMissing:
            # As a rule the file has been deleted since its row was read.
            async with transaction(self._sessions) as session:
                await ingestion_claims.hold(session, self._claim)
            raise

    async def _copy(self, document_id: int, start: int) -> int:
        """Copies the chunks from position `start` on from where the same are; gives the position it came to."""
        async with transaction(self._sessions) as session:
            twin = await chunk_rows.find_twin(session, self._claim, document_id, self._embedder.model)
        copied = _COPIED_AT_ONCE if twin is not None else 0
        while twin is not None and copied == _COPIED_AT_ONCE:
            async with transaction(self._sessions) as session:
                copied = await chunk_rows.copy(session, self._claim, twin, start, _COPIED_AT_ONCE)
            start += copied
        return start

    async def _embed(self, parsed: ParsedFile, start: int) -> None:
        """Makes the chunks from position `start` on."""
        pieces = islice(chunk(parsed, self._max_tokens, self._overlap_tokens), start, None)
        async with contextlib.aclosing(self._embedded(pieces)) as batches:
            async for batch, vectors in batches:
                await self._write(start, batch, vectors)
                start += len(batch)

    async def _embedded(self, pieces: Iterator[Piece]) -> AsyncGenerator[tuple[list[Piece], list[Vector]], None]:
        """Batches of pieces with their vectors, in their order. While one is made use of, the next are under way."""
        under_way: deque[tuple[list[Piece], asyncio.Task[list[Vector]]]] = deque()
        try:
            # In a thread: to count the tokens of a long text takes its time.
            while batch := await asyncio.to_thread(list, islice(pieces, self._batch)):
                embedding = asyncio.create_task(self._embedder.embed([piece.text for piece in batch]))
                under_way.append((batch, embedding))
                if len(under_way) == _AHEAD:
                    yield under_way[0][0], await under_way[0][1]
                    under_way.popleft()
            while under_way:
                yield under_way[0][0], await under_way[0][1]
                under_way.popleft()
        finally:
            for _, embedding in under_way:
                embedding.cancel()
            await asyncio.gather(*(embedding for _, embedding in under_way), return_exceptions=True)

    async def _write(self, start: int, batch: Sequence[Piece], vectors: Sequence[Vector]) -> None:
        model_id = await self._model_id(len(vectors[0]))
        chunks = [(piece.text, piece.page) for piece in batch]
        config = self._settings.text_search_config
        async with transaction(self._sessions) as session:
            await chunk_rows.add(session, self._claim, start, chunks, vectors, model_id, config)

    async def _model_id(self, dimensions: int) -> int:
        if dimensions not in self._model_ids:
            async with transaction(self._sessions) as session:
                model = await embedding_models.ensure_model(session, self._embedder.model, dimensions)
                self._model_ids[dimensions] = model.id
        return self._model_ids[dimensions]

    async def interrupt(self, interruption: Interrupted) -> None:
        """Gives the file up for another worker to go on with, at once, if this process is to stop. Raises FileLost."""
        if interruption.reason != "stopping":
            raise FileLost
        async with transaction(self._sessions) as session:
            await ingestion_claims.hand_back(session, self._claim)

    async def try_again(self, complaint: str) -> None:
        """Has the file tried again after a while; fails it if it has been tried often enough. Raises FileLost."""
        tries = self._claim.tries
        log.warning("ingestion_failed", complaint=complaint, tries=tries)
        if tries >= self._settings.ingestion_tries:
            await self.fail("server_error", complaint)
            return
        pause = _about(min(_LONGEST_PAUSE, _FIRST_PAUSE * _LONGER ** (tries - 1)))
        async with transaction(self._sessions) as session:
            await ingestion_claims.try_later(session, self._claim, pause)

    async def wait_for_storage(self) -> None:
        """Has the file tried again after a while; that is no fault of its own, so it is no try. Raises FileLost."""
        log.warning("ingestion_waits_for_storage")
        async with transaction(self._sessions) as session:
            await ingestion_claims.try_later(session, self._claim, _about(_STORAGE_PAUSE), was_try=False)

    async def fail(self, code: str, message: str) -> None:
        """Ends the ingestion without success. Raises FileLost."""
        async with transaction(self._sessions) as session:
            error = {"code": code, "message": message}
            await ingestion_claims.note(
                session, self._claim, status=FileStatus.FAILED, last_error=error, usage_bytes=0, lease_expires_at=None
            )
            await chunk_rows.drop(session, self._claim)
        log.info("file_failed", code=code, message=message)
