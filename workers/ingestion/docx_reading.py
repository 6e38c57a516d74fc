"""From a Word document to its text in Markdown: everything that Word shows, comments included.

What hangs on a paragraph (notes, comments, text boxes, charts) comes after it, so that it is found together with it.
"""

from typing import Final

from workers.ingestion import chart_texts, markdown_tables, office_archives, reading, text_decoding
from workers.ingestion.docx_numbering import Numbering
from workers.ingestion.docx_runs import Attached, Runs
from workers.ingestion.office_xml import Element, Package, attribute, child, every, is_on, local, parse, relationship
from workers.ingestion.parsed import ParsedFile

#: A table whose cells hold more paragraphs than this places text on a page; it has no rows to be kept as lines.
_MAX_IN_CELL: Final = 4

_NOTES: Final = {"footnoteReference": "footnotes", "endnoteReference": "endnotes", "commentReference": "comments"}

#: What only wraps other blocks.
_WRAPPERS: Final = frozenset(
    {"sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag", "body", "hdr", "ftr", "sect", "sub-section"}
)


def read(data: bytes) -> ParsedFile:
    """The text of the document. Raises what a broken archive or broken markup raises."""
    package = Package(data)
    main = package.main()
    document = package.xml(main)
    body = child(document, "body")
    if body is None:
        raise KeyError("body")
    story = _Story(package, main)
    headers, footers = _margins(package, main, body, "header"), _margins(package, main, body, "footer")
    return ParsedFile(text_decoding.tidy("\n\n".join([*headers, *story.blocks(body), *footers])))


def read_xml(data: bytes) -> ParsedFile:
    """The text of a document that Word 2003 has written as one file of XML, of the same elements."""
    body = child(parse(data), "body")
    if body is None:
        raise KeyError("body")
    return ParsedFile(text_decoding.tidy("\n\n".join(_Story(Package(office_archives.EMPTY), "").blocks(body))))


def _margins(package: Package, main: str, body: Element, name: str) -> list[str]:
    """The texts at the top or the foot of the pages, each once."""
    links = package.links(main)
    texts: dict[str, None] = {}
    for reference in every(body, f"{name}Reference"):
        link = links.get(relationship(reference))
        root = package.xml(link.target) if link is not None else None
        if link is not None and root is not None:
            text = "\n\n".join(_Story(package, link.target).blocks(root)).strip()
            texts |= {text: None} if text else {}
    return list(texts)


class _Story:
    """A part with paragraphs and tables, in blocks."""

    def __init__(self, package: Package, part: str, numbering: Numbering | None = None) -> None:
        self._package = package
        self._links = package.links(part)
        self._runs = Runs(self._links)
        self._numbering = numbering or Numbering(self._linked_xml("numbering"), self._linked_xml("styles"))
        self._notes: dict[str, dict[str, Element]] = {}

    def _linked_xml(self, type_: str) -> Element | None:
        target = next((link.target for link in self._links.values() if link.type == type_), None)
        return None if target is None else self._package.xml(target)

    def blocks(self, element: Element) -> list[str]:
        """The paragraphs and tables below `element`, each followed by what hangs on it."""
        found: list[str] = []
        for block in element:
            name = local(block)
            if name == "p":
                found += self._paragraph(block)
            elif name == "tbl":
                found += self._table(block)
            elif name == "altChunk":
                found += self._chunk(block)
            elif name in _WRAPPERS:
                found += self.blocks(block)
        return found

    def _paragraph(self, paragraph: Element) -> list[str]:
        text, attached = self._runs.read(paragraph)
        properties = child(paragraph, "pPr")
        label = self._numbering.label(properties) if text.strip() else ""
        level = self._numbering.heading(properties)
        prefix = "#" * min(level, 6) + " " + label.strip() if level else label.rstrip()
        if prefix and not prefix.endswith(" "):
            prefix += " "
        return [*([prefix + text] if text.strip() else []), *self._attached(attached)]

    def _attached(self, attached: Attached) -> list[str]:
        found = [text for kind, number in attached.notes if (text := self._note(kind, number))]
        for box in attached.boxes:
            found += self.blocks(box)
        for drawing in attached.drawings:
            link = self._links.get(drawing)
            root = self._package.xml(link.target) if link is not None else None
            found += [] if root is None else [chart_texts.read(root)]
        return found

    def _note(self, kind: str, number: str) -> str:
        type_ = _NOTES[kind]
        if type_ not in self._notes:
            root = self._linked_xml(type_)
            self._notes[type_] = {} if root is None else {attribute(note, "id") or "": note for note in root}
        note = self._notes[type_].pop(number, None)  # once, even if it is referred to by itself
        if note is None:
            return ""
        part = next(link.target for link in self._links.values() if link.type == type_)
        text = "\n".join(_Story(self._package, part, self._numbering).blocks(note)).strip()
        if not text:
            return ""
        if kind == "commentReference":
            author = attribute(note, "author")
            return f"[Comment by {author}: {text}]" if author else f"[Comment: {text}]"
        return f"[^{'e' if kind == 'endnoteReference' else ''}{number}]: {text}"

    def _table(self, table: Element) -> list[str]:
        rows = [self._row(row) for row in _inside(table, "tr") if not is_on(row, "trPr", "del")]
        rows = [row for row in rows if row]
        if any(len(cell) > _MAX_IN_CELL for row in rows for cell in row) or max(map(len, rows), default=0) < 2:
            return [block for row in rows for cell in row for block in cell]
        lines = [[" ".join(" ".join(cell).split()) for cell in row] for row in rows]
        return [markdown_tables.of(lines)] if any(any(line) for line in lines) else []

    def _row(self, row: Element) -> list[list[str]]:
        """The cells, each in blocks. Of cells that are joined from above there is an empty rest."""
        return [self.blocks(cell) for cell in _inside(row, "tc")]

    def _chunk(self, block: Element) -> list[str]:
        """A file of another kind that Word would put in here."""
        link = self._links.get(relationship(block))
        if link is None or link.external:
            return []
        with self._package.open(link.target) as part:
            return [reading.read(part.read(), "unknown").text]


def _inside(element: Element, name: str) -> list[Element]:
    """The rows of a table, or the cells of a row, also those that something wraps."""
    found = []
    for part in element:
        if local(part) == name:
            found.append(part)
        elif local(part) in _WRAPPERS:
            found += _inside(part, name)
    return found
