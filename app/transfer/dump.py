"""A dump: lines of JSON, an object of the API on each. It is read in full before anything is made of it."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from pydantic import ValidationError

from app.backends import lenient_json
from app.db.base import Json
from app.text import storable_value
from app.transfer.foreign import without_foreign
from app.transfer.objects import KINDS, MAX_LINES, NOT_KEPT, Saved, SavedAssistant

Item = TypeVar("Item")

_RANKS: Final = {kind.kind: rank for rank, kind in enumerate(KINDS)}
#: A transaction takes whole groups, until they have so many lines.
_PACK_LINES: Final = 1000

_TABLES: Final = """
CREATE TABLE line (
    number INTEGER PRIMARY KEY, place INTEGER NOT NULL, rank INTEGER NOT NULL,
    id TEXT NOT NULL, parent TEXT NOT NULL, in_group TEXT NOT NULL, pack INTEGER
);
CREATE UNIQUE INDEX line_id ON line (rank, id, parent);
CREATE INDEX line_pack ON line (pack, rank, number);
"""


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """`items` in lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


class BrokenLine(ValueError):
    """A line that cannot be imported; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line, or why it is left out."""

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the dump and the object that it holds."""

    number: int
    saved: Saved


class Dump:
    """The dump in the file `path`, with an index of it on the disk: neither is ever in memory as a whole."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        # With no name it is a file that is gone with the connection.
        self._index = sqlite3.connect("", isolation_level=None)
        #: What `read` has passed over (app.transfer.foreign): by assistant, and of how many other objects.
        self.poorer: list[Fault] = []
        self.foreign: Counter[str] = Counter()
        self._index.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._index.close()
        self._file.close()

    def read(self) -> Iterator[Fault]:
        """Reads all lines into the index; gives those that cannot be imported."""
        self._index.execute("BEGIN")
        place = 0
        for number, text in enumerate(self._file, start=1):
            try:
                self._note(number, place, text)
            except BrokenLine as error:
                yield Fault(number, str(error))
            place += len(text)
        self._index.execute("COMMIT")
        self._make_packs()

    def _note(self, number: int, place: int, text: bytes) -> None:
        if not text.strip():
            return
        if number >= MAX_LINES:
            raise BrokenLine(f"a dump has fewer than {MAX_LINES:,} lines")
        given = _object(text)
        if given is None:
            return
        kept, left_out = without_foreign(given)
        if kept is None:
            self.foreign.update(f"{given['object']}: left out, for {what}" for what in left_out)
            return
        saved = _saved(kept)
        row = (number, place, _RANKS[saved.kind], saved.id, saved.parent, saved.group)
        added = self._index.execute("INSERT OR IGNORE INTO line VALUES (?, ?, ?, ?, ?, ?, NULL)", row)
        if not added.rowcount:
            raise BrokenLine(f"{saved.kind} {saved.id} is there twice")
        if left_out and isinstance(saved, SavedAssistant):
            self.poorer.append(Fault(number, f"assistant {saved.id}: without {', '.join(left_out)}"))
        else:
            self.foreign.update(f"{saved.kind}: without {what}" for what in left_out)

    def _make_packs(self) -> None:
        """Numbers the packs: whole groups together, in the order of their first kinds and lines."""
        self._index.execute("CREATE TABLE grouping (in_group TEXT PRIMARY KEY, pack INTEGER NOT NULL) WITHOUT ROWID")
        groups = self._index.execute(
            "SELECT in_group, count(*) FROM line GROUP BY in_group ORDER BY min(rank), min(number)"
        )
        self._index.execute("BEGIN")
        pack = size = 0
        for group, lines in groups:
            if size and size + lines > _PACK_LINES:
                pack, size = pack + 1, 0
            size += lines
            self._index.execute("INSERT INTO grouping VALUES (?, ?)", (group, pack))
        self._index.execute(
            "UPDATE line SET pack = (SELECT pack FROM grouping WHERE grouping.in_group = line.in_group)"
        )
        self._index.execute("COMMIT")

    def ids(self, kind: type[Saved]) -> Iterator[tuple[int, str, str]]:
        """Of each object of a kind: its line, its id, its parent's id."""
        query = "SELECT number, id, parent FROM line WHERE rank = ? ORDER BY number"
        yield from self._index.execute(query, (_RANKS[kind.kind],))

    def lacking(self, kind: type[Saved], column: str, needed: type[Saved]) -> Iterator[tuple[int, str, str]]:
        """As `ids`, of those objects whose `column` (id or parent) names no object of the kind `needed` in the dump."""
        query = (
            f"SELECT number, id, parent FROM line WHERE rank = ? AND NOT EXISTS"  # noqa: S608 - not from outside
            f" (SELECT 1 FROM line AS other WHERE other.rank = ? AND other.id = line.{column}) ORDER BY number"
        )
        yield from self._index.execute(query, (_RANKS[kind.kind], _RANKS[needed.kind]))

    def leave_out(self, numbers: list[int]) -> None:
        """Forgets these lines."""
        self._index.executemany("DELETE FROM line WHERE number = ?", [(number,) for number in numbers])

    def packs(self) -> Iterator[int]:
        """The numbers of the packs, in the order in which they are to be imported."""
        last = self._index.execute("SELECT max(pack) FROM line").fetchone()[0]
        yield from range(0 if last is None else last + 1)

    def lines(self, pack: int, kind: type[Saved]) -> Iterator[Line]:
        """The objects of a kind in a pack, in the order of their lines."""
        query = "SELECT number, place FROM line WHERE pack = ? AND rank = ? ORDER BY number"
        for number, place in self._index.execute(query, (pack, _RANKS[kind.kind])):
            self._file.seek(place)
            yield Line(number, kind.model_validate(without_foreign(_read(self._file.readline()))[0]))


def _read(line: bytes) -> Any:
    """The JSON value of a line, its text storable (app.text). Raises BrokenLine."""
    try:
        return storable_value(lenient_json.loads(line))
    except (ValueError, RecursionError) as error:
        raise BrokenLine(f"no JSON: {error}") from None


def _object(text: bytes) -> Json | None:
    """The object on a line, of a kind that is imported; None for one that need not be. Raises BrokenLine."""
    given = _read(text)
    if not isinstance(given, dict):
        raise BrokenLine("no JSON object")
    kind = given.get("object")
    if isinstance(kind, str) and kind in NOT_KEPT:
        return None
    if not isinstance(kind, str) or kind not in _RANKS:
        raise BrokenLine(f"'object' is {_shown(kind)}; expected one of {', '.join(_RANKS)}")
    return given


def _saved(given: Json) -> Saved:
    """An object of a kind that is imported, checked. Raises BrokenLine."""
    kind = given["object"]
    try:
        return KINDS[_RANKS[kind]].model_validate(given)
    except ValidationError as error:
        raise BrokenLine(f"{kind}: {_first(error)}") from None


def _shown(kind: object) -> str:
    return "missing" if kind is None else repr(kind)[:60]


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
