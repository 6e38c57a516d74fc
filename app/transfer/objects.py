"""The objects of a dump, as the API answers them, and the rows that they become.

What a dump holds was accepted by the API that it came from, whose limits may be others: shapes are checked, lengths are
not. Fields that Locum has no place for are passed over. Where OpenAI's answers show a default, the row has null, as it
would if Locum had been asked for the same object.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from app.db.base import ApiObject, Json
from app.domain.statuses import ACTIVE
from app.models import Assistant, File, Message, Run, RunStep, Thread, VectorStore, VectorStoreFile
from app.schemas.chunking import StaticChunking, stored_chunking
from app.schemas.model_options import MODEL_OPTIONS
from app.transfer import shapes

Row = dict[str, Any]

_LINE_BITS: Final = 30
_SECONDS_BITS: Final = 32
#: Seconds, then lines, below all that Locum numbers itself.
_FIRST_SEQ: Final = -(2 ** (_LINE_BITS + _SECONDS_BITS))
MAX_LINES: Final = 2**_LINE_BITS
_LATEST: Final = datetime.fromtimestamp(2**_SECONDS_BITS - 1, UTC)
_EARLIEST: Final = datetime.fromtimestamp(0, UTC)


def _id(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^(?:{pattern})[A-Za-z0-9_-]{{1,64}}$")


def _in_range(value: datetime) -> datetime:
    if not _EARLIEST <= value <= _LATEST:
        raise PydanticCustomError("out_of_range", "Input should be a time between 1970 and 2106")
    return value


FileId = Annotated[str, StringConstraints(pattern=r"^(?:file|assistant)-[A-Za-z0-9_-]{3,64}$")]
ThreadId = Annotated[str, _id("thread_")]
RunId = Annotated[str, _id("run_")]
StoreId = Annotated[str, _id("vs_")]
Time = Annotated[AwareDatetime, AfterValidator(_in_range)]


def _or(default: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: default() if value is None else value)


Metadata = Annotated[dict[str, str], _or(dict)]


class Saved(BaseModel):
    """An object of a dump. `kind` is what its field `object` says, `table` where it goes."""

    model_config = ConfigDict(extra="ignore")

    kind: ClassVar[str]
    table: ClassVar[type[ApiObject]]

    id: str
    created_at: Time

    @property
    def parent(self) -> str:
        """The id of what it cannot be without; empty if there is nothing."""
        return ""

    @property
    def group(self) -> str:
        """The id of the object that it comes and goes with."""
        return self.parent or self.id

    def seq(self, line: int, *, newest_first: bool) -> int:
        """Its place in lists: by its time, and within a second by its line; before all that Locum makes itself."""
        place = MAX_LINES - 1 - line if newest_first else line
        return _FIRST_SEQ + (int(self.created_at.timestamp()) << _LINE_BITS) + place

    def row(self) -> Row:
        """The values of its row, but for the project and `seq`."""
        return {"id": self.id, "created_at": self.created_at, **self.values()}

    def values(self) -> Row:
        """Those of its own kind."""
        raise NotImplementedError


class SavedFile(Saved):
    kind = "file"
    table = File

    id: FileId
    filename: Annotated[str, StringConstraints(min_length=1)]
    purpose: str
    bytes: int = 0
    expires_at: Time | None = None

    def values(self) -> Row:
        return {"filename": self.filename, "purpose": self.purpose, "expires_at": self.expires_at}


class ExpiresAfter(BaseModel):
    anchor: Literal["last_active_at"]
    days: int


class SavedStore(Saved):
    kind = "vector_store"
    table = VectorStore

    id: StoreId
    name: str | None = None
    description: str | None = None
    metadata: Metadata = Field(default_factory=dict)
    expires_after: ExpiresAfter | None = None
    expires_at: Time | None = None
    last_active_at: Time | None = None
    status: str = "completed"

    def values(self) -> Row:
        return {
            "name": self.name,
            "description": self.description,
            "metadata_": self.metadata,
            "expires_after": None if self.expires_after is None else self.expires_after.model_dump(),
            "expires_at": self.expires_at,
            "last_active_at": self.last_active_at or self.created_at,
        }


class LastError(BaseModel):
    code: str
    message: str


class SavedStoreFile(Saved):
    kind = "vector_store.file"
    table = VectorStoreFile

    id: FileId
    vector_store_id: StoreId
    status: Literal["in_progress", "completed", "failed", "cancelled"] = "completed"
    last_error: LastError | None = None
    chunking_strategy: Json | None = None
    attributes: Annotated[dict[str, str | bool | int | float], _or(dict)] = Field(default_factory=dict)

    @property
    def parent(self) -> str:
        return self.vector_store_id

    def values(self) -> Row:
        given = self.chunking_strategy or {}
        # `other` is what OpenAI says of files that are older than the field.
        static = StaticChunking.model_validate(given) if given.get("type") == "static" else None
        return {
            "vector_store_id": self.vector_store_id,
            "status": self.status,
            "last_error": None if self.last_error is None else self.last_error.model_dump(),
            "chunking_strategy": stored_chunking(static),
            "attributes": self.attributes,
        }


Tools = Annotated[list[Json], BeforeValidator(shapes.tools), _or(list)]


class _CodeFiles(BaseModel):
    file_ids: Annotated[list[str], _or(list)] = Field(default_factory=list)


class _Stores(BaseModel):
    vector_store_ids: Annotated[list[str], _or(list)] = Field(default_factory=list)


class ToolResources(BaseModel):
    code_interpreter: _CodeFiles | None = None
    file_search: _Stores | None = None


Resources = Annotated[ToolResources, _or(ToolResources)]
#: A word, or an object.
Option = str | Json | None


def _unless(default: object, value: Any) -> Any:
    return None if value == default else value


class _Configured(Saved):
    """What has model options: an assistant, or a run."""

    model: str
    instructions: str | None = None
    tools: Tools = Field(default_factory=list)
    tool_resources: Resources = Field(default_factory=ToolResources)
    metadata: Metadata = Field(default_factory=dict)
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    response_format: Option = None

    def values(self) -> Row:
        return {
            **{name: getattr(self, name) for name in ("model", "tools", *MODEL_OPTIONS)},
            # As they are shown where nothing was asked for.
            **{name: _unless(1.0, getattr(self, name)) for name in ("temperature", "top_p")},
            "response_format": _unless("auto", self.response_format),
            "tool_resources": self.tool_resources.model_dump(exclude_none=True),
            "metadata_": self.metadata,
        }


class SavedAssistant(_Configured):
    kind = "assistant"
    table = Assistant

    id: Annotated[str, _id("asst_")]
    name: str | None = None
    description: str | None = None

    def values(self) -> Row:
        return {**super().values(), "name": self.name, "description": self.description}


class SavedThread(Saved):
    kind = "thread"
    table = Thread

    id: ThreadId
    tool_resources: Resources = Field(default_factory=ToolResources)
    metadata: Metadata = Field(default_factory=dict)

    def values(self) -> Row:
        return {
            "tool_resources": self.tool_resources.model_dump(exclude_none=True),
            "metadata_": self.metadata,
        }


class Attachment(BaseModel):
    file_id: str
    tools: Annotated[list[Json], _or(list)] = Field(default_factory=list)


class SavedMessage(Saved):
    kind = "thread.message"
    table = Message

    id: Annotated[str, _id("msg_")]
    thread_id: ThreadId
    role: Literal["user", "assistant"]
    content: Annotated[list[Json], BeforeValidator(shapes.content_parts)]
    attachments: Annotated[list[Attachment], _or(list)] = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)
    assistant_id: str | None = None
    run_id: str | None = None
    status: Literal["in_progress", "incomplete", "completed"] = "completed"
    incomplete_details: Json | None = None
    completed_at: Time | None = None
    incomplete_at: Time | None = None

    @property
    def parent(self) -> str:
        return self.thread_id

    def values(self) -> Row:
        values: Row = {
            "thread_id": self.thread_id,
            "role": self.role,
            "content": self.content,
            "attachments": [attachment.model_dump() for attachment in self.attachments],
            "metadata_": self.metadata,
            "assistant_id": self.assistant_id,
            "run_id": self.run_id,
            "status": self.status,
            "incomplete_details": self.incomplete_details,
            "completed_at": self.completed_at,
            "incomplete_at": self.incomplete_at,
        }
        if self.status == "completed" and self.completed_at is None:
            # Answers over REST left it out for years.
            values["completed_at"] = self.created_at
        if self.status == "in_progress":
            # Nobody is writing it any more.
            reason = {"reason": "run_expired"}
            values |= {"status": "incomplete", "incomplete_details": reason, "incomplete_at": self.created_at}
        return values


class SavedRun(_Configured):
    kind = "thread.run"
    table = Run

    id: RunId
    thread_id: ThreadId
    assistant_id: str
    status: Literal[
        "queued", "in_progress", "requires_action", "cancelling",
        "cancelled", "failed", "completed", "incomplete", "expired",
    ]  # fmt: skip
    started_at: Time | None = None
    cancelled_at: Time | None = None
    failed_at: Time | None = None
    completed_at: Time | None = None
    last_error: Json | None = None
    incomplete_details: Json | None = None
    usage: Json | None = None
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    truncation_strategy: Json | None = None
    tool_choice: Option = None
    parallel_tool_calls: bool | None = None

    @property
    def parent(self) -> str:
        return self.thread_id

    def values(self) -> Row:
        kept = (
            "thread_id", "assistant_id", "started_at", "cancelled_at", "failed_at", "completed_at", "last_error",
            "incomplete_details", "usage", "max_prompt_tokens", "max_completion_tokens",
        )  # fmt: skip
        return {
            **super().values(),
            **{name: getattr(self, name) for name in kept},
            # Whoever was executing it does so no more.
            "status": "expired" if self.status in ACTIVE else self.status,
            "attempt": 0,
            "queued_at": self.created_at,
            "truncation_strategy": {"type": "auto", "last_messages": None} | (self.truncation_strategy or {}),
            "tool_choice": _unless("auto", self.tool_choice),
            "parallel_tool_calls": self.parallel_tool_calls is not False,
        }


class SavedStep(Saved):
    kind = "thread.run.step"
    table = RunStep

    id: Annotated[str, _id("step_")]
    thread_id: ThreadId
    run_id: RunId
    assistant_id: str
    status: Literal["in_progress", "cancelled", "failed", "completed", "expired"]
    step_details: Annotated[Json, BeforeValidator(shapes.step_details)]
    last_error: Json | None = None
    expired_at: Time | None = None
    cancelled_at: Time | None = None
    failed_at: Time | None = None
    completed_at: Time | None = None
    usage: Json | None = None

    @property
    def parent(self) -> str:
        return self.run_id

    @property
    def group(self) -> str:
        return self.thread_id

    def values(self) -> Row:
        kept = (
            "thread_id", "run_id", "assistant_id", "status", "step_details", "last_error", "expired_at",
            "cancelled_at", "failed_at", "completed_at", "usage",
        )  # fmt: skip
        values = {name: getattr(self, name) for name in kept}
        if self.status == "in_progress":
            values |= {"status": "expired", "expired_at": self.created_at}
        # Turns are told apart while a run is executed, which this one is not.
        return {**values, "type": self.step_details["type"], "turn": 0}


#: In the order in which they are imported: what others need comes first.
KINDS: Final[tuple[type[Saved], ...]] = (
    SavedFile,
    SavedStore,
    SavedStoreFile,
    SavedAssistant,
    SavedThread,
    SavedMessage,
    SavedRun,
    SavedStep,
)
#: Answers of the API that a list of objects may hold, but that need not or cannot be kept.
NOT_KEPT: Final = {
    "vector_store.file_batch": "the files of a batch are imported, the batch is not",
    "vector_store.files_batch": "the files of a batch are imported, the batch is not",
    "upload": "the file of an upload is imported, the upload is not",
    "upload.part": "the file of an upload is imported, its parts are not",
    "model": "models are those of the model server",
}
