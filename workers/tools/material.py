"""What a run's tools have brought for its messages: passages to cite, files to link, images to show."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.db.base import Json

_QUOTE_CHARS: Final = 1000
#: What begins as a marker does (workers.engine.citations). Other text in such brackets is common in East Asian titles.
_MARKER: Final = re.compile(r"【(\s*\d{1,6}\s*[:\uff1a][^【】]*)】?")


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that can be cited."""

    file_id: str
    filename: str
    quote: str


@dataclass(frozen=True, slots=True)
class Material:
    """What the text of a message may point to."""

    #: By the turn in which they were found and their place among its passages: the numbers of their markers.
    sources: Mapping[tuple[int, int], Source] = field(default_factory=dict)
    #: The ids of files that code has written, by their paths in the sandbox.
    files: Mapping[str, str] = field(default_factory=dict)
    #: The ids of images that no message has shown yet.
    images: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.sources or self.files or self.images)


class Gathering:
    """Puts the material of a run together, step by step."""

    def __init__(self) -> None:
        self._sources: dict[tuple[int, int], Source] = {}
        self._files: dict[str, str] = {}
        self._images: list[str] = []

    def add_message(self) -> None:
        """A message was written: it has shown the images that there were."""
        self._images.clear()

    def add_calls(self, turn: int, calls: Iterable[Json]) -> None:
        """The stored calls of a turn."""
        position = 0
        for call in calls:
            if call["type"] == "file_search":
                for result in call["file_search"]["results"]:
                    self._sources[turn, position] = _source(result)
                    position += 1
            elif call["type"] == "code_interpreter":
                self._files |= {file["path"]: file["file_id"] for file in call.get("files", ())}
                outputs = call["code_interpreter"]["outputs"]
                self._images += [output["image"]["file_id"] for output in outputs if output["type"] == "image"]

    def material(self) -> Material:
        """What has been gathered."""
        return Material(self._sources, self._files, tuple(self._images))


def _source(result: Json) -> Source:
    text = "".join(part["text"] for part in result["content"])
    return Source(result["file_id"], result["file_name"], text[:_QUOTE_CHARS])


def marker(turn: int, position: int, filename: str) -> str:
    """What a passage is cited by (contract, section 8)."""
    return f"【{turn}:{position}†{_label(filename)}】"


def without_forged(text: str) -> str:
    """`text` of a file, of code or of a function as the model may be told it: a marker in it is one no more.

    Else a model that repeats what it has read would cite whatever that text wants cited.
    """
    return _MARKER.sub(r"[\1]", text)


def _label(filename: str) -> str:
    """A file name that cannot end its marker."""
    return filename.replace("】", ")").replace("【", "(").replace("\n", " ")
