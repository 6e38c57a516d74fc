"""Documents for tests, made by code: as small as their formats allow, and whole enough for strict readers."""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_OFFICE = "http://schemas.openxmlformats.org"
_WORD = f'xmlns:w="{_OFFICE}/wordprocessingml/2006/main"'
_DRAWING = f'xmlns:a="{_OFFICE}/drawingml/2006/main" xmlns:p="{_OFFICE}/presentationml/2006/main"'
_SHEET = f'xmlns="{_OFFICE}/spreadsheetml/2006/main"'
_OUTSIDE = ' TargetMode="External"'
_LINKS = f'xmlns:r="{_OFFICE}/officeDocument/2006/relationships"'

PDF_PAGE = "/MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0" + bytes(range(256))
PROGRAM = b"MZ\x90\0\3\0\0\0" + bytes(range(256)) * 4


def pdf(pages: Sequence[str], *, password: bool = False) -> bytes:
    """A PDF with these pages of ASCII lines; an empty one has a drawing and no text, as a scan has none."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, page in enumerate(pages):
        lines = " ".join(f"({line}) Tj T*" for line in page.split("\n"))
        stream = f"BT /F1 10 Tf 50 760 Td 12 TL {lines} ET" if page else "0 0 m 100 100 l S"
        objects += [
            f"<< /Type /Page /Parent 2 0 R {PDF_PAGE} /Contents {5 + 2 * number} 0 R >>",
            pdf_stream(stream),
        ]
    encryption = ""
    if password:  # of which no password opens it, the empty one included
        objects.append(f"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <{'41' * 32}> /U <{'42' * 32}> >>")
        encryption = f"/Encrypt {len(objects)} 0 R /ID [<61><61>]"
    return pdf_file(objects, encryption)


def pdf_stream(content: str, entries: str = "") -> str:
    """The body of an object that is a stream."""
    return f"<< {entries} /Length {len(content)} >>\nstream\n{content}\nendstream"


def pdf_file(objects: Sequence[str], trailer: str = "") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("ascii")
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive, packed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in parts.items():
            opened.writestr(name, data)
    return out.getvalue()


def parts_of(data: bytes) -> dict[str, bytes]:
    """What is in an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def with_part(data: bytes, name: str, part: str | bytes) -> bytes:
    """The archive with one more part."""
    return archive({**parts_of(data), name: part})


def renamed(data: bytes, old: str, new: str) -> bytes:
    """The archive with one word for another in all its parts."""
    return archive({name: part.replace(old.encode(), new.encode()) for name, part in parts_of(data).items()})


def _office(main: str, main_type: str, parts: Mapping[str, str], types: Mapping[str, str] | None = None) -> bytes:
    overrides = {main: main_type, **(types or {})}
    declared = "".join(
        f'<Override PartName="/{name}" ContentType="application/vnd.openxmlformats-officedocument.{type_}+xml"/>'
        for name, type_ in overrides.items()
    )
    content_types = (
        f'{_XML}<Types xmlns="{_OFFICE}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{declared}</Types>'
    )
    return archive(
        {"[Content_Types].xml": content_types, "_rels/.rels": links({"main": ("officeDocument", main)}), **parts}
    )


def links(targets: Mapping[str, tuple[str, str]]) -> str:
    """A part that links others: id to type and target; a target with a colon is outside."""
    items = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/officeDocument/2006/relationships/{type_}" Target="{target}"'
        f"{_OUTSIDE if ':' in target else ''}/>"
        for name, (type_, target) in targets.items()
    )
    return f'{_XML}<Relationships xmlns="{_OFFICE}/package/2006/relationships">{items}</Relationships>'


def docx(paragraphs: Sequence[str], table: Sequence[Sequence[str]] = (), *, doctype: str = "") -> bytes:
    """A Word document. `doctype` stands before its markup, which holds the paragraphs as they are."""
    body = "".join(_paragraph(text) for text in paragraphs)
    if table:
        rows = "".join(f"<w:tr>{''.join(f'<w:tc>{_paragraph(cell)}</w:tc>' for cell in row)}</w:tr>" for row in table)
        body += f"<w:tbl>{rows}</w:tbl>"
    return docx_file(body, doctype=doctype)


def docx_file(body: str, parts: Mapping[str, str] | None = None, *, links_: str = "", doctype: str = "") -> bytes:
    """A Word document with this body; `parts` are the others below word/, and `links_` what it says of them."""
    document = f"{_XML}{doctype}<w:document {_WORD} {_LINKS}><w:body>{body}</w:body></w:document>"
    others = {f"word/{name}": f"{_XML}{part}" for name, part in (parts or {}).items()}
    if links_:
        others["word/_rels/document.xml.rels"] = links_
    return _office("word/document.xml", "wordprocessingml.document.main", {"word/document.xml": document, **others})


def _paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def pptx(slides: Sequence[str]) -> bytes:
    """A presentation with one text on each slide."""
    parts, types = {}, {}
    for number, text in enumerate(slides, 1):
        parts[f"ppt/slides/slide{number}.xml"] = (
            f"{_XML}<p:sld {_DRAWING}><p:cSld><p:spTree><p:nvGrpSpPr/><p:grpSpPr/><p:sp>"
            f'<p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>'
            f"<p:txBody><a:bodyPr/><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
        )
        types[f"ppt/slides/slide{number}.xml"] = "presentationml.slide"
    numbers = range(1, len(slides) + 1)
    ids = "".join(f'<p:sldId id="{255 + number}" r:id="s{number}"/>' for number in numbers)
    parts["ppt/presentation.xml"] = (
        f"{_XML}<p:presentation {_DRAWING} {_LINKS}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"
    )
    parts["ppt/_rels/presentation.xml.rels"] = links({f"s{n}": ("slide", f"slides/slide{n}.xml") for n in numbers})
    return _office("ppt/presentation.xml", "presentationml.presentation.main", parts, types)


def xlsx(rows: Sequence[Sequence[str | float]], name: str = "Sheet") -> bytes:
    """A workbook with one sheet."""
    cells = "".join(f"<row>{''.join(_cell(value) for value in row)}</row>" for row in rows)
    parts = {
        "xl/workbook.xml": (
            f"{_XML}<workbook {_SHEET} {_LINKS}><sheets>"
            f'<sheet name="{name}" sheetId="1" r:id="s1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": links({"s1": ("worksheet", "worksheets/sheet1.xml")}),
        "xl/worksheets/sheet1.xml": f"{_XML}<worksheet {_SHEET}><sheetData>{cells}</sheetData></worksheet>",
    }
    types = {"xl/worksheets/sheet1.xml": "spreadsheetml.worksheet"}
    return _office("xl/workbook.xml", "spreadsheetml.sheet.main", parts, types)


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def odt(paragraphs: Sequence[str], *, encrypted: bool = False) -> bytes:
    """An OpenDocument text."""
    return odf("text", "".join(f"<text:p>{text}</text:p>" for text in paragraphs), encrypted=encrypted)


_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_ODF_NAMES = " ".join(
    f'xmlns:{prefix}="{_ODF}:{name}:1.0"'
    for prefix, name in (
        *(("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("chart", "chart")),
        *(("presentation", "presentation"), ("style", "style"), ("svg", "svg-compatible")),
    )
)


def odf(kind: str, body: str, *, encrypted: bool = False, template: bool = False) -> bytes:
    """An OpenDocument file: a text, a spreadsheet, a presentation, or one of a chart alone."""
    encryption = "<manifest:encryption-data/>" if encrypted else ""
    return archive(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}{'-template' if template else ''}",
            "content.xml": odf_content(kind, body),
            "META-INF/manifest.xml": (
                f'{_XML}<manifest:manifest xmlns:manifest="{_ODF}:manifest:1.0"><manifest:file-entry '
                f'manifest:full-path="content.xml" manifest:media-type="text/xml">{encryption}</manifest:file-entry>'
                "</manifest:manifest>"
            ),
        }
    )


def odf_content(kind: str, body: str) -> str:
    """The part of an OpenDocument file that has its content."""
    return (
        f'{_XML}<office:document-content {_ODF_NAMES} xmlns:xlink="http://www.w3.org/1999/xlink"><office:body>'
        f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )


def flat_odf(kind: str, body: str) -> bytes:
    """An OpenDocument file that is one piece of XML."""
    return (
        f'{_XML}\n<office:document {_ODF_NAMES} office:mimetype="application/vnd.oasis.opendocument.{kind}">'
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>"
    ).encode()


def epub(chapters: Sequence[str]) -> bytes:
    """An EPUB book."""
    numbers = range(len(chapters))
    manifest = "".join(f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in numbers)
    spine = "".join(f'<itemref idref="c{n}"/>' for n in numbers)
    texts = {
        f"c{n}.xhtml": f'{_XML}<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{text}</p></body></html>'
        for n, text in enumerate(chapters)
    }
    container = (
        f'{_XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    book = (
        f'{_XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/>'
        f"<manifest>{manifest}</manifest><spine>{spine}</spine></package>"
    )
    mimetype = "application/epub+zip"
    return archive({"mimetype": mimetype, "META-INF/container.xml": container, "book.opf": book, **texts})


def rtf(paragraphs: Sequence[str]) -> bytes:
    """An RTF document of ASCII text."""
    return ("{\\rtf1\\ansi\\deff0 {\\fonttbl{\\f0 Arial;}}\\f0 " + "\\par ".join(paragraphs) + "}").encode("ascii")


def doc(text: str, *, notes: str = "", comments: str = "", wide: bool = False) -> bytes:
    """A Word document as Word 97 wrote them: a compound file with the text, and a table of its one piece.

    Footnotes and comments follow the text. `wide`: in UTF-16, as Word does where it has more than Latin letters.
    """
    start = 0x800
    encoded = (text + notes + comments).encode("utf-16-le" if wide else "cp1252")
    word = bytearray(start + len(encoded))
    struct.pack_into("<HHHHHH", word, 0, 0xA5EC, 0x00C1, 0, 0x0409, 0, 0x0200)  # magic, version, ..., "1Table"
    struct.pack_into("<H", word, 32, 14)
    struct.pack_into("<H", word, 62, 22)
    lengths = [len(part.encode("utf-16-le")) // 2 for part in (text, notes, comments)]
    struct.pack_into("<III", word, 76, *lengths[:2], 0)
    struct.pack_into("<I", word, 92, lengths[2])
    struct.pack_into("<H", word, 152, 0x5D)
    count = sum(lengths)
    piece = struct.pack("<IIHIH", 0, count, 0, start if wide else start * 2 | 0x40000000, 0)
    struct.pack_into("<II", word, 0x1A2, 0, 5 + len(piece))
    word[start:] = encoded
    return compound_file({"1Table": b"\x02" + struct.pack("<I", len(piece)) + piece, "WordDocument": bytes(word)})


def doc_of_word_6(
    text: str, *, notes: str = "", comments: str = "", encoding: str = "cp1252", mac: bool = False, pieces: bool = False
) -> bytes:
    """A Word document as Word 6 and 95 wrote them. `pieces`: saved fast, its second half first."""
    start, encoded = 0x300, (text + notes + comments).encode(encoding)
    width = 2 if encoding == "utf-16-le" else 1
    count = len(encoded) // width
    half = count // 2
    stored = encoded[half * width :] + encoded[: half * width] if pieces else encoded
    table = struct.pack("<BI3I", 2, 28, 0, half, count)
    table += struct.pack("<HIH", 0, start + (count - half) * width, 0) + struct.pack("<HIH", 0, start, 0)
    flags = 0x0004 * pieces + 0x1000 * (width == 2)
    word = bytearray(start + len(stored))
    struct.pack_into("<HHHHHH", word, 0, 0xA5DC, 0x68, 0, 0x0409, 0, flags)
    struct.pack_into("<H", word, 0x14, 0x100 * mac)
    struct.pack_into("<II", word, 0x18, start, start + len(stored))
    lengths = [len(part.encode(encoding)) // width for part in (text, notes, "", "", comments, "", "", "")]
    struct.pack_into("<8I", word, 0x34, *lengths)
    struct.pack_into("<II", word, 0x160, len(word), len(table))
    word[start:] = stored
    return compound_file({"WordDocument": bytes(word) + table})


def xls(cells: Sequence[Sequence[str]], more: bytes = b"", of_sheet: bytes = b"") -> bytes:
    """A workbook as Excel 97 wrote them, with one sheet of Latin-1 texts; `more` are records that are of no sheet."""
    labels = b"".join(
        xls_record(0x0204, struct.pack("<HHHHB", row, column, 0, len(text), 0) + text.encode("latin-1"))
        for row, texts in enumerate(cells)
        for column, text in enumerate(texts)
    )
    end = xls_record(0x000A, b"")
    sheet = xls_record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0)) + labels + of_sheet + end
    start = xls_record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    name = struct.pack("<BBBB", 0, 0, 5, 0) + b"Sheet"
    offset = len(start) + 4 + 4 + len(name) + len(more) + len(end)
    return compound_file(
        {"Workbook": start + xls_record(0x0085, struct.pack("<I", offset) + name) + more + end + sheet}
    )


def xls_record(number: int, body: bytes) -> bytes:
    return struct.pack("<HH", number, len(body)) + body


def compound_file(streams: Mapping[str, bytes]) -> bytes:
    """A file system in a file, as older Office documents are. Streams are filled up to the size of
    large ones, and come in the order of their lengths."""
    sector, end, free = 512, 0xFFFFFFFE, 0xFFFFFFFF
    table = [0xFFFFFFFD, end]  # sector 0 is the table of sectors itself, sector 1 the directory
    data = b""
    entries = [_entry("Root Entry", 5, child=1, start=end, size=0)]
    for number, (name, stream) in enumerate(streams.items(), 1):
        filled = stream.ljust(-(-max(len(stream), 4096) // sector) * sector, b"\0")
        first, count = len(table), len(filled) // sector
        table += [*range(first + 1, first + count), end]
        data += filled
        right = number + 1 if number < len(streams) else free
        entries.append(_entry(name, 2, child=free, start=first, size=len(filled), right=right))
    directory = b"".join(entries).ljust(sector, b"\0")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += (
        struct.pack("<9I", 0, 1, 1, 0, 4096, end, 0, end, 0) + struct.pack("<I", 0) + struct.pack("<I", free) * 108
    )
    sectors = struct.pack("<128I", *table, *[free] * (128 - len(table)))
    return header + sectors + directory + data


def _entry(name: str, kind: int, *, child: int, start: int, size: int, right: int = 0xFFFFFFFF) -> bytes:
    title = name.encode("utf-16-le")
    return (
        title.ljust(64, b"\0")
        + struct.pack("<HBB3I", len(title) + 2, kind, 1, 0xFFFFFFFF, right, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )
