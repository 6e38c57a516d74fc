"""One execution of a model's code in the sandbox: its files put there, its outputs and new files brought back."""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Final

import structlog

from app.db.base import Json
from app.errors import StorageFull
from app.models import File
from app.services import files
from app.storage.base import BytesMissing, StorageAway
from app.storage.patience import patiently
from app.text import storable
from sandbox.protocol import CodeError, Done, Event, Image, Started, Text
from workers.sandbox import SandboxClient, SandboxFailure, SandboxFile, SandboxSession
from workers.tools.base import MOST_STARTS, STARTS, ToolContext
from workers.tools.file_names import numbered, repaired

log = structlog.get_logger()

_FOLDER: Final = "/mnt/data"
#: What a single file may be refused for, by the host.
_ODD: Final = ("bad_path", "file_missing", "invalid_request", "no_space")
_PURPOSE: Final = "assistants_output"
#: Files that one execution may bring back, and images that it may show.
_MOST_FILES: Final = 50
#: Of those that it may not: how many are told by their names.
_NAMED_FILES: Final = 10
#: What the model is told of one execution, in characters; the middle of what is longer is left out.
_TOLD_CHARS: Final = 30_000
_NEW_SESSION: Final = "(A new Python session: no variables of earlier ones are left.)"
_AGAIN: Final = "(The server was interrupted while this code ran, so it has been run a second time.)\n"
_NOT_AGAIN: Final = "The server was interrupted each time this code ran. It has not been run again."
_MEDIA_ENDINGS: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "image/gif": "gif",
    "image/webp": "webp",
}


async def execute(call: Json, context: ToolContext, sandbox: SandboxClient, named: Mapping[str, File]) -> Json:
    """The stored call with the outputs of its code; `named` are the files to be there, by their names.

    A session that is lost on the way is opened once more: the code then begins without its variables, and is told so.
    """
    outcome = _Outcome(context)
    if call[STARTS] > MOST_STARTS:
        outcome.add_text(_NOT_AGAIN, for_client=True)
        return outcome.finished(call)
    if call[STARTS] > 1:
        outcome.add_text(_AGAIN, for_client=True)
    try:
        try:
            await _run(call, context, sandbox, named, outcome)
        except SandboxFailure as failure:
            if not failure.is_lost:
                raise
            outcome = _Outcome(context)
            await _run(call, context, sandbox, named, outcome)
    except SandboxFailure as failure:
        log.warning("sandbox_failed", run_id=context.run.id, code=failure.code, error=str(failure))
        outcome.add_text(f"The code could not be run to its end. {failure}", for_client=True)
    except StorageAway as away:
        outcome.add_text(f"The code could not be run: its files cannot be read. {away.message}", for_client=True)
    return outcome.finished(call)


async def _run(
    call: Json, context: ToolContext, sandbox: SandboxClient, named: Mapping[str, File], outcome: "_Outcome"
) -> None:
    session = await sandbox.open(context.run.thread_id)
    await _mount(session, context, named)
    listing = await session.listing()
    before = {file.path: file.version for file in listing.files}
    async for event in session.execute(call["code_interpreter"]["input"]):
        await outcome.take(event)
    after = await session.listing()
    await outcome.keep(session, [file for file in after.files if before.get(file.path) != file.version])
    outcome.tell_left_out(after.left_out - listing.left_out)


async def _mount(session: SandboxSession, context: ToolContext, named: Mapping[str, File]) -> None:
    """Puts the files where they are missing: under their ids, as OpenAI does, and linked by their names."""
    there = {file.path for file in await session.files()}
    missing = [(name, file) for name, file in named.items() if file.id not in there]
    for _, file in missing:
        try:
            await patiently(partial(_put, session, context, file))
        except BytesMissing:
            log.warning("bytes_missing", file_id=file.id)
    for name, file in missing:
        try:
            await session.link(file.id, name)
        except SandboxFailure as failure:
            # It can be read under its id.
            if failure.code not in _ODD:
                raise
            log.info("file_not_named", file_id=file.id, code=failure.code)


async def _put(session: SandboxSession, context: ToolContext, file: File) -> None:
    await session.put(file.id, files.read(context.storage, file), file.bytes)


class _Outcome:
    """What an execution comes to: outputs for the client, words for the model, files for the project."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self._outputs: list[Json] = []
        self._told: list[str] = []
        self._files: list[Json] = []
        self._bytes_left = context.settings.code_files_bytes
        self._images = 0
        self._images_dropped = 0
        #: With a storage that is away, once for all files.
        self._is_patient = True

    async def take(self, event: Event) -> None:
        """Takes an event of the execution."""
        match event:
            case Started(fresh=True):
                self._told.append(_NEW_SESSION + "\n")
            case Text(stream, text):
                # The value of the last line is the model's alone (contract, section 7).
                self.add_text(text, for_client=stream != "result")
            case CodeError(traceback=traceback):
                self.add_text(traceback, for_client=True)
            case Image(media_type, data):
                await self._add_image(media_type, data)
            case Done(message=message) if message:
                self.add_text(message, for_client=True)

    def add_text(self, text: str, *, for_client: bool) -> None:
        """Adds text to what the model is told, and to the logs if the client is to see it."""
        text = storable(text)
        self._told.append(text)
        if not for_client:
            return
        if self._outputs and self._outputs[-1]["type"] == "logs":
            self._outputs[-1]["logs"] += text
        else:
            self._outputs.append({"type": "logs", "logs": text})

    async def _add_image(self, media_type: str, data: bytes) -> None:
        if self._images >= _MOST_FILES or len(data) > self._bytes_left:
            self._images_dropped += 1
            return
        self._images += 1
        self._bytes_left -= len(data)
        ending = _MEDIA_ENDINGS.get(media_type, "bin")
        file = await self._store(f"image.{ending}", lambda: _pieces(data))
        if file is None:
            return
        self._outputs.append({"type": "image", "image": {"file_id": file.id}})
        self._told.append("\n(An image, which the user sees with your answer.)\n")

    async def keep(self, session: SandboxSession, written: list[SandboxFile]) -> None:
        """Makes files of what the code has written."""
        for file in self._chosen(written):
            path = self._path_of(file)
            try:
                stored = await self._store(path.rpartition("/")[2], partial(session.get, file.path))
            except SandboxFailure as failure:
                if failure.is_lost:
                    raise
                self.add_text(f"\n{path} could not be kept. {failure}\n", for_client=True)
                continue
            if stored is not None:
                self._files.append({"path": path, "file_id": stored.id})
        if self._files:
            links = "\n".join(f"- sandbox:{file['path']}" for file in self._files)
            self._told.append(f"\nFiles written, to be linked in the answer if the user is to have them:\n{links}\n")

    def tell_left_out(self, count: int) -> None:
        """Tells of files that the sandbox has and cannot name."""
        if count > 0:
            self.add_text(f"\nFiles that were not kept, because their paths are too long: {count}\n", for_client=True)

    def _chosen(self, written: list[SandboxFile]) -> list[SandboxFile]:
        """Those that become files, the oldest first; tells of the others. What counts is the size that a file says,
        also where it has next to nothing on the disk."""
        settings = self._context.settings
        limit = settings.max_file_bytes
        fitting, too_much = [], []
        in_order = sorted((file for file in written if 0 < file.size <= limit), key=lambda file: file.modified)
        for file in in_order[:_MOST_FILES]:
            if file.size > self._bytes_left:
                too_much.append(file)
            else:
                self._bytes_left -= file.size
                fitting.append(file)
        self._tell_dropped([file for file in written if file.size > limit], f"a file may have {limit:,} bytes at most")
        self._tell_dropped(in_order[_MOST_FILES:], f"one execution may bring back {_MOST_FILES} files at most")
        together = f"all that one execution brings back may have {settings.code_files_bytes:,} bytes"
        self._tell_dropped(too_much, together)
        if self._images_dropped:
            words = f"\nImages that were not kept: {self._images_dropped}. One execution may show {_MOST_FILES}, and"
            self.add_text(f"{words} {together}.\n", for_client=True)
        return fitting

    def _path_of(self, file: SandboxFile) -> str:
        """The path to link a written file by: its own, or one that can be written where its own cannot."""
        path = f"{_FOLDER}/{repaired(file.path)}"
        taken = {kept["path"] for kept in self._files}
        folder, _, name = path.rpartition("/")
        count = 1
        while path in taken:
            count += 1
            path = f"{folder}/{numbered(name, count)}"
        if path != f"{_FOLDER}/{file.path}":
            self.add_text(f"\nThe file {file.path!r} is kept under the name {path!r}.\n", for_client=True)
        return path

    def _tell_dropped(self, files: list[SandboxFile], why: str) -> None:
        """Tells client and model of files that stay in the sandbox and become no files of the project."""
        if not files:
            return
        names = ", ".join(repaired(file.path) for file in files[:_NAMED_FILES]) + (
            ", ..." if len(files) > _NAMED_FILES else ""
        )
        self.add_text(f"\nFiles that were not kept ({len(files)}), because {why}: {names}\n", for_client=True)

    async def _store(self, filename: str, data: Callable[[], AsyncIterator[bytes]]) -> File | None:
        """The new file; None, and words for all, if there is no room for it or the storage is away."""
        context = self._context
        project_id = context.run.project_id

        async def store() -> File:
            return await files.store(
                context.sessions,
                context.storage,
                project_id,
                filename=filename,
                purpose=_PURPOSE,
                data=data(),
                storage_limit=context.settings.project_storage_bytes,
            )

        try:
            return await (patiently(store) if self._is_patient else store())
        except StorageAway as away:
            self._is_patient = False
            self.add_text(f"\n{filename} could not be kept. {away.message}\n", for_client=True)
        except StorageFull as full:
            self.add_text(f"\n{filename} could not be kept. {full.message}\n", for_client=True)
        return None

    def finished(self, call: Json) -> Json:
        """The stored call with all of it."""
        code = {**call["code_interpreter"], "outputs": self._outputs}
        told = _shortened("".join(self._told).strip()) or "(The code has run and printed nothing.)"
        return {**call, "code_interpreter": code, "output": told, "files": self._files}


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _shortened(text: str) -> str:
    if len(text) <= _TOLD_CHARS:
        return text
    half = _TOLD_CHARS // 2
    return f"{text[:half]}\n... ({len(text) - 2 * half:,} characters are left out) ...\n{text[-half:]}"
