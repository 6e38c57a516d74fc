"""Vector stores."""

from typing import Annotated, Literal

from pydantic import Field

from app.schemas.chunking import ChunkingStrategy
from app.schemas.common import Answer, Json, Metadata, RequestBody, StoredMetadata, Timestamp
from app.schemas.tools import FileIds

Name = Annotated[str, Field(max_length=1024)]
Description = Annotated[str, Field(max_length=4096)]


class ExpiresAfter(RequestBody):
    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class VectorStoreCreate(RequestBody):
    file_ids: Annotated[FileIds, Field(max_length=500)] | None = None
    name: Name | None = None
    description: Description | None = None
    expires_after: ExpiresAfter | None = None
    chunking_strategy: ChunkingStrategy | None = None
    metadata: Metadata | None = None


class VectorStoreModify(RequestBody):
    """What is left out stays as it is: read it with `model_fields_set`, not by the defaults."""

    name: Name | None = None
    description: Description | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class FileCounts(Answer):
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class VectorStore(Answer):
    id: str
    object: Literal["vector_store"] = "vector_store"
    created_at: Timestamp
    name: str | None
    description: str | None
    usage_bytes: int
    file_counts: FileCounts
    status: Literal["in_progress", "completed", "expired"]
    expires_after: Json | None
    expires_at: Timestamp | None
    last_active_at: Timestamp
    metadata: StoredMetadata


class VectorStoreDeleted(Answer):
    id: str
    object: Literal["vector_store.deleted"] = "vector_store.deleted"
    deleted: Literal[True] = True
