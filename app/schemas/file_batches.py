"""Batches of files for a vector store."""

from typing import Annotated, Literal

from pydantic import Field

from app.schemas.chunking import ChunkingStrategy
from app.schemas.common import Answer, Array, RequestBody, Timestamp, array_of
from app.schemas.tools import FileIds
from app.schemas.vector_store_files import Attributes, VectorStoreFileCreate
from app.schemas.vector_stores import FileCounts


class FileBatchCreate(RequestBody):
    """`file_ids` with options for all of them, or `files`, each with its own."""

    file_ids: Annotated[FileIds, Field(min_length=1, max_length=2000)] | None = None
    files: Annotated[Array[VectorStoreFileCreate], Field(min_length=1, max_length=2000), array_of("objects")] | None = (
        None
    )
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None


class FileBatch(Answer):
    id: str
    #: What OpenAI sends; its description says `vector_store.files_batch` (contract, section 5).
    object: Literal["vector_store.file_batch"] = "vector_store.file_batch"
    created_at: Timestamp
    vector_store_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    file_counts: FileCounts
