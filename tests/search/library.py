"""Chunks put into vector stores by hand, as the ingestion would put them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import now
from app.db.session import Sessions, transaction
from app.models import ApiKey, Chunk, EmbeddingModel, File, VectorStore, VectorStoreFile
from app.services import embedding_models, text_search
from tests.fakes.embeddings import embedding

#: What LOCUM_EMBEDDINGS_MODEL is where nothing is set.
MODEL: Final = "text-embedding-3-small"
CONFIG: Final = "english"

_STATIC: Final = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}


@dataclass(frozen=True)
class Library:
    """A project's vector stores. The vectors of texts are those of the scripted model server, if none are given."""

    sessions: Sessions
    project_id: str

    @classmethod
    async def of_key(cls, sessions: Sessions, api_key: str) -> "Library":
        """The library of the project that `api_key` opens."""
        digest = hashlib.sha256(api_key.encode()).digest()
        async with transaction(sessions) as session:
            found = await session.scalar(select(ApiKey.project_id).where(ApiKey.sha256 == digest))
        assert found is not None
        return cls(sessions.of(found), found)

    async def store(self, *texts: str, **columns: Any) -> str:
        """The id of a new store, with a file that has a chunk for each of `texts`, if there are any."""
        store_id = ids.new(ids.VECTOR_STORE)
        async with transaction(self.sessions) as session:
            session.add(
                VectorStore(
                    id=store_id, project_id=self.project_id, metadata_={}, **({"last_active_at": now()} | columns)
                )
            )
        if texts:
            await self.file(store_id, *texts)
        return store_id

    async def file(
        self,
        store_id: str,
        *texts: str,
        filename: str = "notes.txt",
        attributes: dict[str, Any] | None = None,
        status: str = "completed",
        model: str = MODEL,
        vectors: Sequence[Sequence[float]] | None = None,
    ) -> str:
        """The id of a new file in a store, with a chunk for each of `texts`."""
        vectors = vectors or [embedding(text) for text in texts]
        file_id = ids.new(ids.FILE)
        async with transaction(self.sessions) as session:
            made_by = await embedding_models.ensure_model(session, model, len(vectors[0]))
        async with transaction(self.sessions) as session:
            await self._add_file(session, file_id, filename)
            await self._attach(session, file_id, store_id, made_by, attributes or {}, status)
            await _add_chunks(session, self.project_id, file_id, store_id, made_by, texts, vectors)
        return file_id

    async def also_in(self, store_id: str, file_id: str, *texts: str) -> None:
        """Puts a file that is in one store into another as well."""
        async with transaction(self.sessions) as session:
            made_by = await embedding_models.ensure_model(session, MODEL, len(embedding("")))
            await self._attach(session, file_id, store_id, made_by, {}, "completed")
            await _add_chunks(
                session, self.project_id, file_id, store_id, made_by, texts, [embedding(text) for text in texts]
            )

    async def set_status(self, file_id: str, status: str) -> None:
        """Changes the status of a file in its stores."""
        async with transaction(self.sessions) as session:
            await session.execute(update(VectorStoreFile).where(VectorStoreFile.id == file_id).values(status=status))

    async def _add_file(self, session: AsyncSession, file_id: str, filename: str) -> None:
        made = File(
            id=file_id, project_id=self.project_id, filename=filename, purpose="assistants", sha256=b"", bytes=1
        )
        session.add(made)
        await session.flush()

    async def _attach(
        self,
        session: AsyncSession,
        file_id: str,
        store_id: str,
        made_by: EmbeddingModel,
        attributes: dict[str, Any],
        status: str,
    ) -> None:
        session.add(
            VectorStoreFile(
                id=file_id,
                vector_store_id=store_id,
                project_id=self.project_id,
                status=status,
                chunking_strategy=_STATIC,
                attributes=attributes,
                embedding_model_id=made_by.id,
                ready_at=now(),
                # Or the worker of the tests' Locum would ingest it, and it has no bytes.
                lease_expires_at=now() + timedelta(hours=1) if status == "in_progress" else None,
            )
        )
        await session.flush()


async def _add_chunks(
    session: AsyncSession,
    project_id: str,
    file_id: str,
    store_id: str,
    made_by: EmbeddingModel,
    texts: Sequence[str],
    vectors: Sequence[Sequence[float]],
) -> None:
    for position, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
        await session.execute(
            insert(Chunk).values(
                project_id=project_id,
                vector_store_id=store_id,
                file_id=file_id,
                position=position,
                text=text,
                embedding_model_id=made_by.id,
                embedding=vector,
                words=text_search.words_of(text, CONFIG),
            )
        )
