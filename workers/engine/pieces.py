"""What text is cut into where parts of it are annotated."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from app.db.base import Json


@dataclass(frozen=True, slots=True)
class Annotated:
    """A piece of text with an annotation; `kind` and `details` are the annotation's (contract, section 8)."""

    text: str
    kind: str
    details: Json

    def annotation(self, start: int) -> Json:
        """The annotation of the piece that begins at `start`, in code points."""
        return {
            "type": self.kind,
            "text": self.text,
            "start_index": start,
            "end_index": start + len(self.text),
            self.kind: self.details,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """So much of the text is told as these pieces."""

    length: int
    pieces: Sequence[str | Annotated]


class More(Enum):
    """What stands here is not known before more text has come."""

    MORE = "more"


MORE: Final[Literal[More.MORE]] = More.MORE
