"""Documents that are known, and not read: what they are, and what their owner is to do with them."""

from typing import Final

from workers.ingestion.parsed import Unparsable

_AS_DOCX: Final = "Save it as a Word document (.docx) or as PDF"
_AS_XLSX: Final = "Save it as an Excel workbook (.xlsx)"
_AS_PPTX: Final = "Save it as a PowerPoint presentation (.pptx) or as PDF"
_AS_PDF: Final = "Save it as PDF"
_AS_TEXT: Final = "Save it as text (.txt) or as a web page (.html)"

#: By the format: what it is, in words for a sentence, and what to do.
_FORMATS: Final = {
    "hwp": ("a Hangul document (.hwp)", _AS_DOCX),
    "key": ("a Keynote presentation", _AS_PPTX),
    "msg": ("an Outlook message (.msg)", _AS_TEXT),
    "numbers": ("a Numbers spreadsheet", _AS_XLSX),
    "odg": ("an OpenDocument drawing", _AS_PDF),
    "one": ("a OneNote section", _AS_PDF),
    "pages": ("a Pages document", _AS_DOCX),
    "ppt": ("a PowerPoint presentation of the years before 2007 (.ppt)", _AS_PPTX),
    "pub": ("a Publisher document", _AS_PDF),
    "staroffice": ("a StarOffice document", _AS_DOCX),
    "visio": ("a Visio drawing", _AS_PDF),
    "word2": ("a Word document of the years before 1995", _AS_DOCX),
    "wordperfect": ("a WordPerfect document", _AS_DOCX),
    "works": ("a Works document", _AS_DOCX),
    "xlsb": ("a binary Excel workbook (.xlsb)", _AS_XLSX),
    "xps": ("an XPS document", _AS_PDF),
}

#: Streams of older documents, by their names in lower case.
STREAMS: Final = {
    "powerpoint document": "ppt",
    "pp40": "ppt",
    "pp97_dualstorage": "ppt",
    "visiodocument": "visio",
    "__properties_version1.0": "msg",
    "quill": "pub",
    "fileheader": "hwp",
    "matost": "works",
    "starwriterdocument": "staroffice",
    "starcalcdocument": "staroffice",
    "stardrawdocument3": "staroffice",
}

#: How files begin.
BEGINNINGS: Final = (
    (b"\xdb\xa5\x2d\0", "word2"),
    (b"\x9b\xa5\x21\0", "word2"),
    (b"\xffWPC", "wordperfect"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", "one"),
)

#: Parts of archives, or folders of theirs; the more special ones first.
PARTS: Final = (
    ("xl/workbook.bin", "xlsb"),
    ("visio/", "visio"),
    ("FixedDocSeq.fdseq", "xps"),
    ("FixedDocumentSequence.fdseq", "xps"),
    ("Index/Presentation.iwa", "key"),
    ("Index/Slide", "key"),
    ("Index/MasterSlide", "key"),
    ("Index/CalculationEngine", "numbers"),
    ("Index/Document.iwa", "pages"),
    ("index.apxl", "key"),
    ("index.xml", "pages"),
    ("Contents/content.hpf", "hwp"),
)

MIMETYPES: Final = {
    b"application/vnd.oasis.opendocument.graphics": "odg",
    b"application/vnd.oasis.opendocument.graphics-template": "odg",
    b"application/hwp+zip": "hwp",
}


def name_of(format_: str) -> str:
    """What a format is, in words for a sentence."""
    return _FORMATS[format_][0]


def refused(format_: str) -> Unparsable:
    """A document of a format that is not read."""
    name, advice = _FORMATS[format_]
    return Unparsable("unsupported_file", f"The file is {name}, which is not supported. {advice} and try again.")
