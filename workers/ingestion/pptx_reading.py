"""From a presentation to the text of its slides: shapes, tables, charts and diagrams, notes and comments."""

from collections.abc import Iterable

from workers.ingestion import chart_texts, markdown_tables, pages
from workers.ingestion.office_xml import (
    Element,
    Link,
    Package,
    attribute,
    child,
    chosen,
    every,
    local,
    relationship,
)
from workers.ingestion.parsed import ParsedFile

#: Of the page that the notes are printed on: what is not the speaker's.
_NO_NOTES = frozenset({"sldImg", "hdr", "ftr", "dt", "sldNum"})


def read(data: bytes) -> ParsedFile:
    """The slides as pages. Raises what a broken archive or broken markup raises."""
    package = Package(data)
    main = package.main()
    root = package.xml(main)
    links = package.links(main)
    if root is None:
        raise KeyError(main)
    targets = [links[relationship(entry)].target for entry in child(root, "sldIdLst") or ()]
    return pages.together(_slide(package, target) for target in targets)


def _slide(package: Package, part: str) -> str:
    root = package.xml(part)
    if root is None:
        raise KeyError(part)
    texts = list(_shapes(package, package.links(part), child(root, "cSld", "spTree")))
    for name in package.linked(part, "notesSlide"):
        notes = child(package.xml(name), "cSld", "spTree")
        said = [
            _paragraphs(shape) for shape in notes or () if local(shape) == "sp" and _placeholder(shape) not in _NO_NOTES
        ]
        texts += [f"Notes: {text}" for text in said if text]
    for name in package.linked(part, "comments"):
        comments = package.xml(name)
        texts += [] if comments is None else [f"[Comment: {text}]" for text in _comments(comments)]
    return "\n\n".join(filter(None, texts))


def _shapes(package: Package, links: dict[str, Link], tree: Iterable[Element] | None) -> Iterable[str]:
    """The texts of shapes, also of those in groups, in the order in which they lie upon each other."""
    for shape in tree if tree is not None else ():
        name = local(shape)
        if name in {"sp", "cxnSp"}:
            yield _paragraphs(shape)
        elif name == "grpSp":
            yield from _shapes(package, links, shape)
        elif name == "AlternateContent":
            yield from _shapes(package, links, chosen(shape))
        elif name == "graphicFrame":
            yield from _graphic(package, links, shape)
        elif name == "pic":
            yield _description(shape)


def _graphic(package: Package, links: dict[str, Link], frame: Element) -> Iterable[str]:
    yield from (_table(table) for table in every(frame, "tbl"))
    for element in frame.iter():
        if local(element) not in {"chart", "relIds"}:
            continue
        link = links.get(relationship(element) or attribute(element, "dm") or "")
        root = package.xml(link.target) if link is not None else None
        yield "" if root is None else chart_texts.read(root)


def _table(table: Element) -> str:
    rows = [[" ".join(_paragraphs(cell).split()) for cell in row if local(cell) == "tc"] for row in every(table, "tr")]
    return markdown_tables.of(rows) if any(any(row) for row in rows) else ""


def _paragraphs(shape: Element) -> str:
    body = child(shape, "txBody")
    return "\n".join(map(_line, (found for found in body if local(found) == "p"))).strip() if body is not None else ""


def _line(paragraph: Element) -> str:
    out = []
    for found in paragraph.iter():
        name = local(found)
        if name == "t":
            out.append(found.text or "")
        elif name == "br":
            out.append("\n")
    return "".join(out)


def _placeholder(shape: Element) -> str:
    found = next(every(shape, "ph"), None)
    return "" if found is None else attribute(found, "type") or "body"


def _description(picture: Element) -> str:
    found = next(every(picture, "cNvPr"), None)
    text = "" if found is None else attribute(found, "descr") or ""
    return f"[{' '.join(text.split())}]" if text.strip() else ""


def _comments(root: Element) -> list[str]:
    """The texts of comments: of the older form in one element, of the newer in paragraphs."""
    older = [(found.text or "").strip() for found in every(root, "text")]
    newer = [_paragraphs(found) for found in root.iter() if child(found, "txBody") is not None]
    return [text for text in (*older, *newer) if text]
