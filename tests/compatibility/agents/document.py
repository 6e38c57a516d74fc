"""The part of docs/compatibility.md about Azure's client for agents."""

from collections.abc import Iterator
from typing import Final

from app.schemas.foreign_tools import FOREIGN_TOOLS
from tests.compatibility.agents.operations import EFFECTS, NODE_NAMES, OPERATIONS, PYTHON_ONLY, REFUSED
from tests.compatibility.agents.surface import tool_types

_INTRODUCTION: Final = """\
## Azure's agents

The clients `azure-ai-agents` of PyPI (synchronous and asynchronous) and `@azure/ai-agents` of npm, as they are. How to
point them at Locum: [migrating.md](migrating.md#from-azure). All their methods are served. Names are those of Python;
in Node they are in camel case, or as it says. Node streams by `runs.create(...).stream()`.
"""
_BESIDES: Final = """\

Their parameters do what those of the same operation do [above](#parameters). Besides:

| parameter | what it does |
| --- | --- |"""
_REFUSED: Final = """\

Refused, with status 400 and an error that names the parameter or the tool:

| what | why |
| --- | --- |"""


def agents() -> Iterator[str]:
    """The lines of this part."""
    yield _INTRODUCTION
    yield "| method | operations |"
    yield "| --- | --- |"
    in_node = {python: f" (Node: `{node}`)" for node, python in NODE_NAMES.items()}
    for path, places in sorted(OPERATIONS.items()):
        note = " (Python)" if path in PYTHON_ONLY else in_node.get(path, "")
        yield f"| `{path}`{note} | {', '.join(f'`{place}`' for place in places)} |"
    yield _BESIDES
    for where, texts in EFFECTS.items():
        yield from (f"| `{name}` of `{where}` | {text} |" for name, text in texts.items())
    yield _REFUSED
    for kind in sorted(tool_types() & FOREIGN_TOOLS.keys()):
        yield f"| the tool `{kind}` | {FOREIGN_TOOLS[kind]}: not served |"
    yield from (f"| `{path}` | {reason} |" for path, reason in REFUSED.items())
    yield ""
