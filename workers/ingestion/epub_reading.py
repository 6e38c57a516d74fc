"""From an EPUB book to the text of its chapters, in the order in which they are read."""

import posixpath
from urllib.parse import unquote

from workers.ingestion import html_reading
from workers.ingestion.office_xml import Package, attribute, child, every
from workers.ingestion.parsed import ParsedFile


def read(data: bytes) -> ParsedFile:
    """The text of the book. Raises what a broken archive or broken markup raises."""
    package = Package(data)
    container = package.xml("META-INF/container.xml")
    roots = list(every(container, "rootfile")) if container is not None else []
    root = attribute(roots[0], "full-path") or "" if roots else ""
    book = package.xml(root)
    if book is None:
        raise KeyError("rootfile")
    items = {attribute(item, "id"): attribute(item, "href") or "" for item in child(book, "manifest") or ()}
    texts = []
    for entry in child(book, "spine") or ():
        href = unquote(items[attribute(entry, "idref")].split("#")[0])
        with package.open(posixpath.normpath(posixpath.join(posixpath.dirname(root), href))) as part:
            texts.append(html_reading.read_page(part.read()).text)
    return ParsedFile("\n\n".join(filter(None, texts)))
