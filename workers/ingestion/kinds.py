"""Which parser a file asks for, by its name."""

from pathlib import PurePosixPath
from typing import Final

from workers.ingestion.parsed import Unparsable

#: Plain text, which is decoded and otherwise left as it is.
TEXT: Final = "text"

#: What the name does not tell: the content decides.
UNKNOWN: Final = "unknown"

#: Formats with a parser of their own; each is named as its extension is.
_DOCUMENTS: Final = frozenset(
    {"doc", "docx", "eml", "epub", "html", "odp", "ods", "odt", "pdf", "pptx", "rtf", "xls", "xlsx"}
)

_ALIASES: Final = {
    **dict.fromkeys(("htm", "mht", "mhtml", "xhtml"), "html"),
    "dot": "doc",
    "xlt": "xls",
    **dict.fromkeys(("docm", "dotx", "dotm"), "docx"),
    **dict.fromkeys(("pptm", "ppsx", "ppsm", "potx", "potm"), "pptx"),
    **dict.fromkeys(("xlsm", "xltx", "xltm"), "xlsx"),
    **dict.fromkeys(("ott", "fodt"), "odt"),
    **dict.fromkeys(("ots", "fods"), "ods"),
    **dict.fromkeys(("otp", "fodp"), "odp"),
}

# OpenAI's list (contract, section 9), and what is as surely text. A name that is missing here loses nothing by it: the
# content is then looked at, and only what is wrong with a file that is no text is told in other words.
_TEXTS: Final = """
    c cpp cs css go java js json md php py rb sh tex ts txt
    adoc asm bash bat bib cc cfg clj cmake conf csv cxx dart diff env erl ex fs gradle graphql groovy h hpp hs ini ipynb
    jl jsonl jsx kt less log lua m markdown mdx ndjson org patch pl properties proto ps1 r rs rst scala scss sol sql srt
    svelte swift tf toml tsv tsx vb vtt vue xml xsd xsl yaml yml zig zsh
"""

_REFUSED: Final = {
    "Images": "avif bmp gif heic heif ico jfif jpeg jpg png psd svgz tif tiff webp",
    "Sound recordings": "aac aiff amr flac m4a mid midi mp3 ogg opus wav wma",
    "Videos": "avi flv m4v mkv mov mp4 mpeg mpg webm wmv",
    "Archives": "7z bz2 gz iso jar lz4 rar tar tgz whl xz zip zst",
    "Programs": "a apk app bin class com dll dmg elf exe msi o obj pyc so wasm",
    "Databases and binary data": "accdb arrow avro db feather h5 hdf5 mdb npy npz parquet pickle pkl sqlite sqlite3",
    "Fonts": "eot otf ttf woff woff2",
}

_TEXT_EXTENSIONS: Final = frozenset(_TEXTS.split())
_REFUSED_EXTENSIONS: Final = {name: what for what, names in _REFUSED.items() for name in names.split()}


def kind_of(filename: str) -> str:
    """The parser that the name of a file asks for, to be handed to `parsing.parse`.

    A name that tells nothing (no extension, or an unknown one) gives `UNKNOWN`. Raises Unparsable `unsupported_file`
    for extensions of what has no text to search.
    """
    extension = PurePosixPath(filename.replace("\\", "/").strip()).suffix.removeprefix(".").lower()
    extension = _ALIASES.get(extension, extension)
    if extension in _REFUSED_EXTENSIONS:
        what = _REFUSED_EXTENSIONS[extension]
        raise Unparsable("unsupported_file", f"{what} (.{extension}) are not supported: they have no text to search.")
    if extension in _DOCUMENTS:
        return extension
    return TEXT if extension in _TEXT_EXTENSIONS else UNKNOWN
