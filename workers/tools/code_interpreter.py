"""code_interpreter: the model writes Python, a kernel in the sandbox runs it, its files become the project's."""

from collections.abc import Mapping
from typing import Final

from app.backends.base import BackendFailure
from app.db.base import Json
from app.db.session import transaction
from app.models import File
from app.services import tool_resources
from app.text import to_json
from workers.tools import code_execution
from workers.tools.base import ToolContext
from workers.tools.code_draft import CodeDraft
from workers.tools.file_names import fitting, numbered, repaired
from workers.tools.material import without_forged

FOLDER: Final = "/mnt/data"

_DESCRIPTION: Final = (
    "Runs Python code in a Jupyter kernel and returns what it prints and what its last line is worth. The kernel keeps "
    "its variables between calls. It has no internet; numpy, pandas, pyarrow, matplotlib, plotly, scipy, scikit-learn, "
    "statsmodels, sympy, pillow, opencv, openpyxl, python-docx, python-pptx, pypdf, pdfplumber, reportlab are there. "
    f"Files are in {FOLDER}. A figure that is shown (plt.show()) is shown to the user as well. "
    f"To give the user a file, write it to {FOLDER} and link it in your answer: [name](sandbox:{FOLDER}/name)."
)
_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {"code": {"type": "string", "description": "The Python code to run."}},
    "required": ["code"],
}


class CodeInterpreterTool:
    """The tool of a run."""

    type = "code_interpreter"
    in_order = True
    is_repeatable = False

    def __init__(self, name: str) -> None:
        self.name = name

    def definition(self) -> Json:
        function = {"name": self.name, "description": _DESCRIPTION, "parameters": _PARAMETERS}
        return {"type": "function", "function": function}

    def draft(self, call_id: str) -> CodeDraft:
        return CodeDraft(call_id)

    def complaint(self, call: Json) -> str | None:
        if call["code_interpreter"]["input"].strip():
            return None
        return f'The arguments of {self.name!r} must be {{"code": "..."}}, with some code.'

    def arguments(self, call: Json) -> str:
        return to_json({"code": call["code_interpreter"]["input"]}).decode()

    async def prepare(self, context: ToolContext) -> str | None:
        """Tells the model which files there are (contract, section 10)."""
        async with transaction(context.sessions) as session:
            files = await tool_resources.files_to_open(session, context.run)
        lines = [f"- {FOLDER}/{file.id}, also as {FOLDER}/{name}" for name, file in named(files).items()]
        return "Files for the code interpreter:\n" + "\n".join(lines) if lines else None

    async def execute(self, call: Json, context: ToolContext) -> Json:
        """The call with the outputs of its code. What goes wrong in the sandbox is an output too."""
        if context.sandbox is None:
            raise BackendFailure(
                "server_error", "The code interpreter is not set up here: there is no LOCUM_SANDBOX_URL."
            )
        async with transaction(context.sessions) as session:
            files = await tool_resources.files_to_open(session, context.run)
        return await code_execution.execute(call, context, context.sandbox, named(files))

    def result_delta(self, call: Json) -> Json | None:
        """The outputs, and code that could not be told before (contract, section 7)."""
        done = call["code_interpreter"]
        outputs = [{"index": index, **output} for index, output in enumerate(done["outputs"])]
        told: Json = {"input": done["input"]} if call.get("untold") else {}
        if outputs:
            told["outputs"] = outputs
        return {"type": "code_interpreter", "code_interpreter": told} if told else None

    def output(self, call: Json, number: int, first: int) -> str:  # noqa: ARG002 - the same for all tools
        return without_forged(str(call.get("output") or ""))


def named(files: list[File]) -> Mapping[str, File]:
    """Files by the names that they have in the sandbox beside their ids, each its own."""
    by_name: dict[str, File] = {}
    for file in files:
        plain = fitting(repaired(file.filename.replace("/", "_")).strip()) or file.id
        name, count = plain, 1
        while name in by_name or name in (".", ".."):
            count += 1
            name = numbered(plain, count)
        by_name[name] = file
    return by_name
