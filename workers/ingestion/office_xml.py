"""The parts of a newer Office document (a ZIP archive of XML, ISO/IEC 29500), and how they are linked.

Elements are told by their local names: the strict and the transitional form differ in their namespaces alone.
"""

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

Element = ET.Element

_ENTITY: Final = re.compile(rb"<!ENTITY\s+([^\s%]\S*)\s")


@dataclass(frozen=True)
class Link:
    """What one part says of another: the last word of the link's type, and a part's name or an address outside."""

    type: str
    target: str
    external: bool


class Package:
    """An opened document."""

    def __init__(self, data: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        # Writers are not strict about either.
        self._names = {info.filename.replace("\\", "/").lstrip("/").lower(): info for info in self._archive.infolist()}

    def names(self) -> list[str]:
        """The names of all parts, in lower case."""
        return list(self._names)

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return name.lower() in self._names

    def open(self, name: str) -> IO[bytes]:
        """The bytes of a part. Raises KeyError where there is none."""
        return self._archive.open(self._names[name.lower()])

    def xml(self, name: str) -> Element | None:
        """The root element of a part; None where there is no such part."""
        if not self.has(name):
            return None
        with self.open(name) as part:
            return parse(part.read())

    def links(self, name: str) -> dict[str, Link]:
        """What the part `name` links, by the ids of the links. That of the document itself is "" ."""
        folder, base = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
        return {} if root is None else {link.get("Id", ""): _link(link, folder) for link in root}

    def linked(self, name: str, type_: str) -> list[str]:
        """The names of the parts that `name` links by a type."""
        return [
            link.target
            for link in self.links(name).values()
            if link.type == type_ and not link.external and self.has(link.target)
        ]

    def main(self) -> str:
        """The name of the part that all else hangs on. Raises KeyError where there is none."""
        for name in self.linked("", "officeDocument"):
            return name
        raise KeyError("officeDocument")


def _link(element: Element, folder: str) -> Link:
    target = element.get("Target", "")
    external = element.get("TargetMode") == "External"
    if not external:
        target = posixpath.normpath(posixpath.join("/", folder, unquote(target.replace("\\", "/")))).lstrip("/")
    return Link(element.get("Type", "").rsplit("/", 1)[-1], target, external)


def parse(markup: bytes) -> Element:
    """The root element. What a document type declares outside itself is read as nothing."""
    parser = ET.XMLParser()  # noqa: S314 - expat follows no external entity, and bounds what others expand to
    if b"<!DOCTYPE" in markup[:65536]:
        parser.entity.update({name.decode("utf-8", "replace"): "" for name in _ENTITY.findall(markup[:65536])})
    parser.feed(markup)
    return parser.close()


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def attribute(element: Element, name: str) -> str | None:
    """The value of an attribute by its local name; None where it is absent."""
    found = element.get(name)
    if found is not None:
        return found
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), None)


def relationship(element: Element) -> str:
    """The id of the link that an element uses (`r:id`); "" where it uses none."""
    return next((value for key, value in element.items() if key.endswith("/relationships}id")), "")


def child(element: Element | None, *path: str) -> Element | None:
    """The first descendant along a path of local names."""
    for name in path:
        if element is None:
            return None
        element = next((found for found in element if local(found) == name), None)
    return element


def value(element: Element | None, *path: str) -> str | None:
    """The attribute `val` of the descendant along the path; None where either is absent."""
    found = child(element, *path)
    return None if found is None else attribute(found, "val")


def is_on(element: Element | None, *path: str) -> bool:
    """Whether a switch is there, and on: without a value it is."""
    found = child(element, *path)
    return found is not None and attribute(found, "val") not in {"0", "false", "off"}


def every(element: Element, name: str) -> Iterator[Element]:
    """All descendants of a local name, in the document's order."""
    return (found for found in element.iter() if local(found) == name)


def chosen(alternatives: Element) -> list[Element]:
    """Of `mc:AlternateContent`, which holds the same in several ways: the first that has any text, else the first."""
    for way in alternatives:
        if any(local(found) in {"t", "textpath", "chart", "relIds"} for found in way.iter()):
            return list(way)
    return list(alternatives[0]) if len(alternatives) else []
