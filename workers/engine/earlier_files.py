"""What code has written for earlier runs of a thread: a message may link it as well as what its own run has written."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import File, Run, RunStep
from app.pagination import scoped
from app.services import files
from workers.engine.history import ThreadMessage
from workers.tools.code_interpreter import FOLDER
from workers.tools.toolbox import Toolbox

#: So far back, in runs, is looked for files.
_RUNS: Final = 100
_FILES: Final = cast(literal("$.tool_calls[*].files[*]"), JSONPATH)

_EARLIER: Final = (
    select(Run.id)
    .where(Run.thread_id == bindparam("thread_id"), Run.id != bindparam("run_id"))
    .order_by(Run.seq.desc())
    .limit(_RUNS)
    .subquery()
)
_WRITTEN: Final = (
    select(func.jsonb_path_query_array(RunStep.step_details, _FILES))
    .join(_EARLIER, _EARLIER.c.id == RunStep.run_id)
    .where(RunStep.type == "tool_calls", func.jsonb_path_exists(RunStep.step_details, _FILES))
    .order_by(RunStep.seq)
)


def may_be_linked(toolbox: Toolbox, messages: Sequence[ThreadMessage]) -> bool:
    """Whether the model of a run can know of files: it has the tool, or a message speaks of one."""
    if toolbox.hosted("code_interpreter") is not None:
        return True
    texts = (part["text"]["value"] for message in messages for part in message.content if part["type"] == "text")
    return any(FOLDER in text for text in texts)


async def read(session: AsyncSession, run: Run) -> dict[str, str]:
    """The ids of the files, by their paths in the sandbox: the newest of each path, unless it has been deleted."""
    steps = await session.scalars(_WRITTEN, {"thread_id": run.thread_id, "run_id": run.id})
    newest = {file["path"]: file["file_id"] for written in steps for file in written}
    if not newest:
        return {}
    wanted = scoped(File, run.project_id).with_only_columns(File.id)
    there = set(await session.scalars(wanted.where(File.id.in_(newest.values()), files.unexpired())))
    return {path: file_id for path, file_id in newest.items() if file_id in there}
