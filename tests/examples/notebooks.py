"""The notebooks of `examples/`, executed as Jupyter does it."""

import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
#: The cells that ask, counted from the last: three questions, and one after a restart.
ASKING = slice(-5, -1)
_CELL_SECONDS = 60


def read(name: str) -> Any:
    """A notebook."""
    return nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: Any) -> str:
    """What a cell has printed; what it has said beside that is a mistake."""
    assert all(output.output_type == "stream" and output.name == "stdout" for output in cell.outputs), cell.outputs
    return "".join(output.text for output in cell.outputs)


async def execute(name: str, **variables: str) -> list[str]:
    """What each code cell prints, with these variables set. Raises nbclient's CellExecutionError if one fails."""
    notebook = read(name)
    # In a short path: its sockets are there too. The kernel's history would stay in the user's home.
    with tempfile.TemporaryDirectory(prefix="nb-") as folder:
        manager = AsyncKernelManager(transport="ipc", connection_file=f"{folder}/kernel.json")
        runner = NotebookClient(
            notebook, km=manager, timeout=_CELL_SECONDS, resources={"metadata": {"path": str(EXAMPLES)}}
        )
        with pytest.MonkeyPatch.context() as patch:  # what looks for kernels makes the folder, too
            patch.setenv("IPYTHONDIR", folder)
            await runner.async_execute(cleanup_kc=True, env={**os.environ, **variables})
    return [printed(cell) for cell in code_cells(notebook)]


def lines_by_section(name: str) -> dict[str, int]:
    """How many lines of code stand below each heading."""
    lines: dict[str, int] = {}
    section = ""
    for cell in read(name).cells:
        if cell.cell_type == "markdown":
            section = next((line[3:] for line in reversed(cell.source.splitlines()) if line[:3] == "## "), section)
        else:
            lines[section] = lines.get(section, 0) + sum(bool(line.strip()) for line in cell.source.splitlines())
    return lines
