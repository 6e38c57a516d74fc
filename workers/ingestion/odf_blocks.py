"""The paragraphs, lists, tables, notes, comments, boxes and charts of OpenDocument files."""

from collections.abc import Iterable
from typing import Final

from workers.ingestion import markdown_tables
from workers.ingestion.office_xml import Element, Package, attribute, child, every, local

#: What is not shown: deletions, the numbers of notes, who wrote a comment and when.
_SKIPPED: Final = frozenset(
    {
        *("tracked-changes", "note-citation", "creator", "date", "forms", "sequence-decls", "user-field-decls"),
        *("variable-decls", "desc", "ruby-text", "bookmark-start", "annotation-end", "event-listeners"),
        *("sender-initials", "date-string", "settings", "page-thumbnail"),
    }
)

_TITLE_OF_A_PICTURE: Final = "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}title"

_MAX_BLANKS: Final = 1000


def body_of(package: Package) -> Element:
    """What a document says, with its charts and other objects where they are shown."""
    body = child(package.xml("content.xml"), "body")
    if body is None:
        raise KeyError("body")
    for shown in [element for element in body.iter() if local(element) == "object"]:
        name = (attribute(shown, "href") or "").removeprefix("./").strip("/")
        inner = child(package.xml(f"{name}/content.xml"), "body") if name else None
        if inner is not None:
            shown.append(inner)
    return body


def margins(styles: Element | None) -> tuple[list[str], list[str]]:
    """The headers and the footers, each text once: pages of several kinds may say the same."""
    found: dict[str, list[str]] = {"header": [], "footer": []}
    for element in styles.iter() if styles is not None else ():
        if local(element) in found:
            found[local(element)] += blocks(element)
    return list(dict.fromkeys(found["header"])), list(dict.fromkeys(found["footer"]))


def blocks(element: Iterable[Element], depth: int = 0) -> list[str]:
    """The paragraphs, lists and tables below `element`."""
    found: list[str] = []
    for block in element:
        name = local(block)
        if name in {"p", "h"}:
            found += _paragraph(block)
        elif name in {"list-item", "list-header"}:
            first, *rest = blocks(block, depth) or [""]
            found += [f"{'  ' * (depth - 1)}- {first}" if first else "", *rest]
        elif name == "table":
            found.append(_table(block))
        elif name == "annotation":
            found.append(comment(block))
        elif name not in _SKIPPED and block.tag != _TITLE_OF_A_PICTURE:
            found += blocks(block, depth + (name == "list"))
    return [block for block in found if block]


def _paragraph(element: Element) -> list[str]:
    after: list[str] = []
    text = _inline(element, after).strip(" \n")
    if local(element) == "h" and text:
        level = attribute(element, "outline-level") or "1"
        text = f"{'#' * min(int(level) if level.isdigit() else 1, 6)} {text}"
    return [text, *after]


def _inline(element: Element, after: list[str]) -> str:
    """The text of a paragraph; what hangs on it (notes, comments, boxes) is put into `after`."""
    out = [element.text or ""]
    for part in element:
        name = local(part)
        if name == "tab":
            out.append("\t")
        elif name == "line-break":
            out.append("\n")
        elif name == "s":
            count = attribute(part, "c") or "1"
            out.append(" " * min(int(count) if count.isdigit() else 1, _MAX_BLANKS))
        elif name == "note":
            number = child(part, "note-citation")
            mark = f"[^{''.join(number.itertext()) if number is not None else ''}]"
            out.append(mark)
            after.append(f"{mark}: {' '.join(blocks(part))}")
        elif name == "annotation":
            after.append(comment(part))
        elif name in {"text-box", "table", "frame", "custom-shape"}:
            after += [_table(part)] if name == "table" else blocks(part)
        elif name == "a":
            out.append(_link(part, _inline(part, after)))
        elif name not in _SKIPPED and part.tag != _TITLE_OF_A_PICTURE:
            out.append(_inline(part, after))
        out.append(part.tail or "")
    return "".join(out)


def comment(element: Element) -> str:
    """What somebody noted."""
    return f"[Comment: {' '.join(blocks(element))}]"


def _link(element: Element, text: str) -> str:
    address = attribute(element, "href") or ""
    if not text.strip() or ":" not in address or address.removeprefix("mailto:") in text:
        return text
    return f"{text} ({address})"


def _table(table: Element) -> str:
    rows = []
    for row in every(table, "table-row"):
        cells = [cell for cell in row if local(cell) in {"table-cell", "covered-table-cell"}]
        rows.append([" ".join(" ".join(blocks(cell)).split()) for cell in cells])
    rows = [row for row in rows if any(row)]
    return markdown_tables.of(rows) if rows else ""
