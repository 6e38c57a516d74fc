"""From an OpenDocument text to its text: paragraphs, lists, tables, notes, comments, boxes, headers and footers."""

from typing import Final

from workers.ingestion import markdown_tables, text_decoding
from workers.ingestion.office_xml import Element, Package, attribute, child, every, local
from workers.ingestion.parsed import ParsedFile

#: What is not shown: deletions, the numbers of notes, who wrote a comment and when.
_SKIPPED: Final = frozenset(
    {
        *("tracked-changes", "note-citation", "creator", "date", "forms", "sequence-decls", "user-field-decls"),
        *("variable-decls", "desc", "title", "ruby-text", "bookmark-start", "annotation-end", "event-listeners"),
    }
)

_MAX_BLANKS: Final = 1000


def read(data: bytes) -> ParsedFile:
    """The text of the document. Raises what a broken archive or broken markup raises."""
    package = Package(data)
    content = package.xml("content.xml")
    body = child(content, "body")
    if body is None:
        raise KeyError("body")
    styles = package.xml("styles.xml")
    margins: dict[str, list[str]] = {"header": [], "footer": []}
    for element in styles.iter() if styles is not None else ():
        if local(element) in margins:
            margins[local(element)] += _blocks(element)
    # Pages of several kinds may say the same.
    parts = [*dict.fromkeys(margins["header"]), *_blocks(body), *dict.fromkeys(margins["footer"])]
    return ParsedFile(text_decoding.tidy("\n\n".join(parts)))


def _blocks(element: Element, depth: int = 0) -> list[str]:
    """The paragraphs, lists and tables below `element`."""
    found: list[str] = []
    for block in element:
        name = local(block)
        if name in {"p", "h"}:
            found += _paragraph(block)
        elif name in {"list-item", "list-header"}:
            first, *rest = _blocks(block, depth) or [""]
            found += [f"{'  ' * (depth - 1)}- {first}" if first else "", *rest]
        elif name == "table":
            found.append(_table(block))
        elif name not in _SKIPPED:
            found += _blocks(block, depth + (name == "list"))
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
            after.append(f"{mark}: {' '.join(_blocks(part))}")
        elif name == "annotation":
            after.append(f"[Comment: {' '.join(_blocks(part))}]")
        elif name in {"text-box", "table", "frame", "custom-shape"}:
            after += [_table(part)] if name == "table" else _blocks(part)
        elif name == "a":
            out.append(_link(part, _inline(part, after)))
        elif name not in _SKIPPED:
            out.append(_inline(part, after))
        out.append(part.tail or "")
    return "".join(out)


def _link(element: Element, text: str) -> str:
    address = attribute(element, "href") or ""
    if not text.strip() or ":" not in address or address.removeprefix("mailto:") in text:
        return text
    return f"{text} ({address})"


def _table(table: Element) -> str:
    rows = []
    for row in every(table, "table-row"):
        cells = [cell for cell in row if local(cell) in {"table-cell", "covered-table-cell"}]
        rows.append([" ".join(" ".join(_blocks(cell)).split()) for cell in cells])
    rows = [row for row in rows if any(row)]
    return markdown_tables.of(rows) if rows else ""
