"""From an OpenDocument text or presentation to its text, and from files of one piece of XML of all kinds."""

from workers.ingestion import ods_reading, pages, text_decoding
from workers.ingestion.odf_blocks import blocks, body_of, margins
from workers.ingestion.office_xml import Element, Package, child, local, parse
from workers.ingestion.parsed import ParsedFile


def read(data: bytes) -> ParsedFile:
    """The text of a document of texts or of a presentation. Raises what a broken archive or broken markup raises."""
    package = Package(data)
    return read_parts(body_of(package), package.xml("styles.xml"))


def read_flat(data: bytes) -> ParsedFile:
    """The text of a document of any kind that is one file of XML. Raises what broken markup raises."""
    root = parse(data)
    body = child(root, "body")
    if body is None:
        raise KeyError("body")
    if child(body, "spreadsheet") is not None:
        return ods_reading.read_parts(body, root)
    return read_parts(body, root)


def read_parts(body: Element, styles: Element | None) -> ParsedFile:
    """The text of a body, with the headers and footers that its styles have; the pages of a presentation."""
    slides = child(body, "presentation")
    if slides is not None:
        return pages.together("\n\n".join(_slide(page)) for page in slides if local(page) == "page")
    header, footer = margins(styles)
    return ParsedFile(text_decoding.tidy("\n\n".join([*header, *blocks(body), *footer])))


def _slide(page: Element) -> list[str]:
    """What a slide shows, and what its speaker is to say."""
    found = blocks([part for part in page if local(part) != "notes"])
    for notes in (part for part in page if local(part) == "notes"):
        found += [f"Notes: {text}" for text in blocks(notes)]
    return found
