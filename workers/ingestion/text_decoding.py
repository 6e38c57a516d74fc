"""From the bytes of a text to its characters, whatever the encoding."""

import codecs
import re
from typing import Final

from workers.ingestion import signatures

_MARKS: Final = (  # that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# What is guessed among where the bytes are no UTF-8. With every encoding that Python knows, short texts are taken for
# those of old mainframes.
_GUESSED: Final = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("iso8859_2", "iso8859_15", "koi8_r", "cp437", "mac_roman"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_LIKE_EUC_JP: Final = frozenset({"cp949", "euc_kr", "gb18030", "gbk", "gb2312", "big5"})

#: As much as encodings are guessed from; more takes longer and tells no more.
_SAMPLE_BYTES: Final = 32 * 2**10

_NON_ASCII_LINE: Final = re.compile(rb"[^\n]{0,4096}[\x80-\xff][^\n]{0,4096}\n?")
_KANA: Final = re.compile("[\u3041-\u30ff]")
_NON_ASCII: Final = re.compile("[^\x00-\x7f]")
_ISO_2022_JP: Final = re.compile(rb"\x1b\$[@B]")

_LINE_ENDS: Final = re.compile("\r\n?")
_MANY_LINE_ENDS: Final = re.compile("\n{3,}")

# Neither Postgres nor a reader can use these. Tabs, line ends, form feeds and NEL are space.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
# A text has hardly any of these. ESC colours the lines of logs.
_SUSPECT: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")


def decode(data: bytes, declared: str | None = None) -> str | None:
    """The text that `data` encodes, without a byte order mark and without control characters; None if it is binary.

    `declared` is the encoding that the file says it has; it is believed where the bytes are not UTF-8 and fit it.
    """
    if signatures.is_ebcdic(data):
        return None
    text = _decode_marked(data) or _decode_wide(data) or _decode_bytes(data, declared)
    return None if _is_binary(text) else clean(text)


def clean(text: str) -> str:
    """`text` without its control characters and the byte order mark."""
    return _CONTROL.sub("", text.removeprefix("\ufeff"))


def tidy(text: str) -> str:
    """`text`, which a reader of documents has made, with one kind of line end and one empty line at a time."""
    return _MANY_LINE_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", clean(text))).strip()


def _decode_marked(data: bytes) -> str | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return None


def _decode_wide(data: bytes) -> str | None:
    """UTF-16 and UTF-32 without a mark, which show by the zeros in their ASCII characters."""
    sample = data[:4096]
    zeros = [sample[offset::4].count(0) / max(1, len(sample) // 4) for offset in range(4)]
    for encoding, full in (
        ("utf-32-le", (1, 2, 3)),
        ("utf-32-be", (0, 1, 2)),
        ("utf-16-le", (1, 3)),
        ("utf-16-be", (0, 2)),
    ):
        if all(zeros[offset] > 0.4 if offset in full else zeros[offset] < 0.1 for offset in range(4)):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                continue
    return None


def _decode_bytes(data: bytes, declared: str | None) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_legacy(data, declared)
    return _strictly(data, "iso2022_jp") or text if _ISO_2022_JP.search(data) else text


def _decode_legacy(data: bytes, declared: str | None) -> str:
    if declared:
        text = _strictly(data, declared)
        if text is not None:
            return text
    if _mostly_utf8(data):
        return data.decode("utf-8", "replace")
    encoding = _guess(data)
    return data.decode(encoding, "replace")


def _strictly(data: bytes, encoding: str) -> str | None:
    """None where the bytes are not of that encoding, or where there is no such encoding of texts."""
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError, ValueError):
        return None


def _mostly_utf8(data: bytes) -> bool:
    """Whether a few wrong bytes are all that keeps `data` from being UTF-8: logs are cut anywhere."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return wrong * 20 < len(_NON_ASCII.findall(text)) - wrong


def _guess(data: bytes) -> str:
    """The likeliest encoding; that of Western Windows, in which nearly all bytes mean something, if none is likely."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - it takes a while to load, and most texts are UTF-8

    sample = _sample(data)
    best = from_bytes(sample, cp_isolation=_GUESSED).best()
    encoding = best.encoding if best is not None else "cp1252"
    if encoding in _LIKE_EUC_JP and _is_euc_jp(sample):
        return "euc_jp"
    return encoding


def _sample(data: bytes) -> bytes:
    """Of the lines that tell something. No encoding that is guessed has a line end within a character."""
    lines: list[bytes] = []
    size = 0
    for match in _NON_ASCII_LINE.finditer(data):
        lines.append(match.group())
        size += len(lines[-1])
        if size >= _SAMPLE_BYTES:
            break
    return b"".join(lines)


def _is_euc_jp(sample: bytes) -> bool:
    """Japanese has kana, whose bytes are hardly used in the Chinese and Korean encodings of the same shape."""
    text = _strictly(sample, "euc_jp")
    if text is None:
        return False
    return len(_KANA.findall(text)) > 0.2 * len(_NON_ASCII.findall(text))


def _is_binary(text: str) -> bool:
    sample = text[: 2**20]
    return len(_SUSPECT.findall(sample)) > 0.005 * len(sample) + 2
