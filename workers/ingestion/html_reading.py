"""From an HTML page to text that keeps its headings, lists, tables and preformatted lines as Markdown has them.

Written here because the library for documents leaves out, without a word, what is nested deeply; and paragraphs whose
ends are not marked, of which older pages are full, nest for it.
"""

import re
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import Final

from workers.ingestion import signatures, text_decoding
from workers.ingestion.parsed import MAX_ENCODED_BYTES, ParsedFile, too_long

_DECLARED: Final = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9_.:-]{2,40})""", re.I
)

_SPACE: Final = re.compile(r"\s+")

#: Not for readers.
_SKIPPED: Final = frozenset({"noscript", "script", "style", "svg", "template"})

_HEADINGS: Final = {f"h{level}": "#" * level + " " for level in range(1, 7)} | {"title": "# "}
_LISTS: Final = frozenset({"ol", "ul"})
_CELLS: Final = frozenset({"td", "th"})

#: What stands alone, with an empty line before and after it.
_BLOCKS: Final = (
    frozenset(_HEADINGS)
    | _LISTS
    | {
        *("address", "article", "aside", "blockquote", "body", "details", "div", "dl", "fieldset", "figure", "footer"),
        *("form", "head", "header", "hr", "main", "nav", "p", "pre", "section", "table"),
    }
)

#: What has lines of its own.
_LINES: Final = frozenset({"br", "caption", "dd", "dt", "figcaption", "legend", "li", "option", "summary", "tr"})

_MAX_INDENT: Final = 8


def read_page(data: bytes, declared: str | None = None) -> ParsedFile:
    """The text of a page, its title first. `declared` is its encoding, where something else tells it.

    Raises Unparsable if `data` is no text.
    """
    if len(data) > MAX_ENCODED_BYTES:
        raise too_long()
    page = text_decoding.decode(data, declared or declared_encoding(data))
    if page is None:
        raise signatures.mismatch(data, "html")
    return ParsedFile(_text(page))


def read_archive(data: bytes) -> ParsedFile:
    """The texts of the pages in a web archive (RFC 2557), of which Excel writes one for each sheet."""
    texts = []
    for part in message_from_bytes(data, policy=policy.compat32).walk():
        content = part.get_payload(decode=True)
        if part.get_content_type() == "text/html" and isinstance(content, bytes):
            page = text_decoding.decode(content, part.get_content_charset() or declared_encoding(content))
            texts.append(_text(page or ""))
    return ParsedFile("\n\n".join(filter(None, texts)))


def declared_encoding(data: bytes) -> str | None:
    """The encoding that a page says it has, or that its XML declaration says."""
    declared = _DECLARED.search(data[:4096])
    return declared.group(1).decode("ascii") if declared else None


def _text(page: str) -> str:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return text_decoding.tidy(reader.text)


class _Reader(HTMLParser):
    """Collects the text of a page. What is wrong in the markup costs layout, never text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._skipped = 0  # elements not for readers that are open
        self._lists = 0
        self._preformatted = 0
        self._in_row = False
        self._cells = 0  # of the row so far
        self._line_ends = 0  # that stand before what comes next
        self._prefix = ""  # of the line that comes next
        self._space = False

    @property
    def text(self) -> str:
        """What has been read so far."""
        return "".join(self._out)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipped += 1
            return
        self._break_at(tag)
        if tag in _LISTS:
            self._lists += 1
        elif tag == "li":
            self._prefix = "  " * min(self._lists - 1, _MAX_INDENT) + "- "
        elif tag in _HEADINGS:
            self._prefix = _HEADINGS[tag]
        elif tag == "tr":
            self._in_row, self._cells = True, 0
        elif tag in _CELLS:
            self._begin_cell()
        elif tag == "pre":
            self._write("```\n")
            self._preformatted += 1
        elif tag == "img":
            self.handle_data(f" {dict(attrs).get('alt') or ''} ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Only of void elements does HTML let the end stand in the start; elsewhere the slash means nothing.
        self.handle_starttag(tag, attrs)
        if tag in _SKIPPED:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self._skipped = max(0, self._skipped - 1)
        elif tag in _LISTS:
            self._lists = max(0, self._lists - 1)
        elif tag == "pre" and self._preformatted:
            self._preformatted -= 1
            self._out.append("\n```")
        if tag in {"tr", "table"}:
            self._in_row = False
        self._break_at(tag)

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        if self._preformatted:
            self._write(data)
            return
        words = _SPACE.sub(" ", data)
        self._space |= words.startswith(" ")
        if words.strip():
            self._write(words.strip())
            self._space = words.endswith(" ")

    def parse_marked_section(self, i: int, report: int = 1) -> int:  # noqa: ARG002
        """`<![...]>`, of which HTML knows nothing: passed over. The library's own way is to fail at unknown ones."""
        end = self.rawdata.find(">", i)
        return end + 1 if end >= 0 else -1

    def _begin_cell(self) -> None:
        self._cells += 1
        if self._in_row and self._cells > 1:
            self._out.append(" |")
            self._space = True

    def _break_at(self, tag: str) -> None:
        wanted = 2 if tag in _BLOCKS else 1 if tag in _LINES else 0
        if self._in_row and wanted and tag != "tr":  # a row is one line
            self._space = True
        elif not self._preformatted or tag == "br":
            self._line_ends = max(self._line_ends, wanted)

    def _write(self, text: str) -> None:
        if self._out and self._line_ends:
            self._out.append("\n" * self._line_ends)
        elif self._out and self._space and not self._prefix and not self._preformatted:
            self._out.append(" ")
        self._out += (self._prefix, text)
        self._prefix, self._line_ends, self._space = "", 0, False
