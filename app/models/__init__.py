"""Tables. Importing this package registers every one of them with `Base.metadata`."""

from app.models.assistant import Assistant
from app.models.audit_entry import AuditEntry
from app.models.chunk import Chunk, Document, EmbeddingModel, StoredChunk
from app.models.file import File
from app.models.idempotency_key import IdempotencyKey
from app.models.imported_place import ImportedPlace
from app.models.message import Message
from app.models.project import ApiKey, Project
from app.models.project_storage import ProjectStorage
from app.models.run import Run
from app.models.run_step import RunStep
from app.models.thread import Thread
from app.models.upload import Upload, UploadPart
from app.models.vector_store import FileBatch, FileBatchMember, VectorStore, VectorStoreFile

__all__ = [
    "ApiKey",
    "Assistant",
    "AuditEntry",
    "Chunk",
    "Document",
    "EmbeddingModel",
    "File",
    "FileBatch",
    "FileBatchMember",
    "IdempotencyKey",
    "ImportedPlace",
    "Message",
    "Project",
    "ProjectStorage",
    "Run",
    "RunStep",
    "StoredChunk",
    "Thread",
    "Upload",
    "UploadPart",
    "VectorStore",
    "VectorStoreFile",
]
