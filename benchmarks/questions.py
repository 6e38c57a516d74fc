"""Questions with known answers, made of the documentation of installed packages.

A document is a module's docstrings, one after the other. A question is the first sentence of a docstring, which is
taken out of the document; the answer is what is left of that docstring. So the question does not stand in the text, and
whoever finds the answer has to know what it is about. A second kind of question is a mere name of a function or class,
where what is left of its docstring holds the name.
"""

import ast
import importlib.util
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    *(
        "sqlalchemy",
        "numpy",
        "asyncio",
        "email",
        "logging",
        "http",
        "concurrent",
        "unittest",
        "xml",
        "aiohttp",
        "celery",
    ),
    *("redis", "pydantic", "openpyxl", "docx", "jinja2", "alembic", "starlette", "fastapi", "jsonschema", "hypothesis"),
)
_MODULES: Final = (
    *("argparse", "collections", "csv", "datetime", "decimal", "difflib", "functools", "heapq", "inspect", "itertools"),
    *("os", "pathlib", "pickle", "random", "shutil", "socket", "sqlite3", "ssl", "statistics", "string", "subprocess"),
    *("tarfile", "tempfile", "textwrap", "threading", "typing", "zipfile", "selectors", "smtplib", "urllib.parse"),
)
_SHORTEST_SENTENCE: Final = 25
_LONGEST_SENTENCE: Final = 200
_SHORTEST_ANSWER: Final = 250


@dataclass(frozen=True, slots=True)
class Answer:
    """Where in a document questions are answered: from `start` to `end`, in characters. There may be no `name`."""

    sentence: str
    name: str | None
    start: int
    end: int


@dataclass(slots=True)
class SourceDocument:
    """The docstrings of a module, without the sentences that questions are made of."""

    name: str
    text: str = ""
    answers: list[Answer] = field(default_factory=list)

    def add(self, sentence: str, name: str, answer: str) -> None:
        """Appends what is left of a docstring."""
        start = len(self.text)
        self.text += answer
        named = name if re.search(rf"\b{name}\b", answer) else None
        self.answers.append(Answer(sentence, named, start, len(self.text)))
        self.text += "\n\n"


def collect(most_characters: int, seed: int = 1) -> list[SourceDocument]:
    """Documents of at most so many characters together, from all packages alike; the same ones every time."""
    paths = [path for name in (*_PACKAGES, *_MODULES) for path in _files(name)]
    random.Random(seed).shuffle(paths)
    seen: set[str] = set()
    documents: list[SourceDocument] = []
    total = 0
    for path in paths:
        document = _document(path, seen)
        if document.answers:
            documents.append(document)
            total += len(document.text)
        if total > most_characters:
            break
    return documents


def _files(name: str) -> list[Path]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    if origin.suffix != ".py":
        return []
    found = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
    return [path for path in found if not {"tests", "testing", "test"} & set(path.parts)]


def _document(path: Path, seen: set[str]) -> SourceDocument:
    document = SourceDocument(f"{path.parent.name}.{path.stem}.txt")
    for sentence, name, answer in _docstrings(path):
        if not {sentence, name, answer} & seen:
            seen |= {sentence, name, answer}
            document.add(sentence, name, answer)
    return document


def _docstrings(path: Path) -> Iterator[tuple[str, str, str]]:
    """First sentence, name, and rest of each docstring that is long enough."""
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
            sentence, answer = _plain(first), rest.strip()
            if _SHORTEST_SENTENCE <= len(sentence) <= _LONGEST_SENTENCE and len(answer) >= _SHORTEST_ANSWER:
                yield sentence, node.name, answer


def _plain(text: str) -> str:
    """Without the marks of reStructuredText, which nobody asks with."""
    text = re.sub(r":[\w:]+:`[~.!]*([^`<]+?)(?:\s*<[^`]*)?`", r"\1", text)
    return re.sub(r"\s+", " ", text.replace("`", "").replace("*", "")).strip()
