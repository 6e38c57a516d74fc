"""From the bytes of a text to its characters, whatever the encoding."""

import codecs
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from workers.ingestion import signatures, text_guessing

_MARKS: Final = (  # that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

#: Encodings by the names that files give them, where what is meant is a larger one (as in the WHATWG's standard).
_MEANT: Final = {
    **dict.fromkeys(("ascii", "iso8859-1"), "cp1252"),
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "big5": "big5hkscs",
}

#: How many bits another encoding must save, at least, before a file's own word is not believed.
_DISBELIEF: Final = 30.0

#: As much as encodings are guessed from; more takes longer and tells no more.
_SAMPLE_BYTES: Final = 4 * 2**10
_WIDE_SAMPLE_BYTES: Final = 64 * 2**10

_NON_ASCII_LINE: Final = re.compile(rb"[^\n]{0,1024}[\x80-\xff][^\n]{0,1024}\n?")
_NON_ASCII: Final = re.compile(rb"[\x80-\xff]")
_SEQUENCE: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
#: Characters of two bytes by their blocks of 128: those of Latin letters; and with Greek, Cyrillic, Hebrew, Arabic.
_LATIN: Final = frozenset({1, 2})
_USUAL: Final = _LATIN | {7, 8, 11, 12, 13}

#: A character, or the first bytes of a longer one.
_PART_OF_UTF8: Final = re.compile(_SEQUENCE.pattern + rb"|[\xe1-\xec\xee\xef\xf1-\xf3][\x80-\xbf]|\xf0[\x90-\xbf]")

_ISO_2022: Final = (
    (re.compile(rb"\x1b\$[@B]|\x1b\$\(D"), "iso2022_jp_2"),
    (re.compile(rb"\x1b\$\)C"), "iso2022_kr"),
)
#: In the other encoding of Chinese mails, GB 2312 stands between marks of ASCII.
_HZ: Final = re.compile(rb"~\{(?:[\x21-\x7e]{2})+~\}")

_LINE_ENDS: Final = re.compile("\r\n?")
_MANY_LINE_ENDS: Final = re.compile("\n{3,}")

# Neither Postgres nor a reader can use these. Tabs, line ends, form feeds and NEL are space.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_CONTROL_BYTES: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")
# A text has hardly any of these. ESC colours the lines of logs.
_SUSPECT: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PAIR: Final = re.compile("([\ud800-\udbff][\udc00-\udfff])")

#: Bits for a character beyond ASCII up to which a line reads like one of a language.
_ORDINARY_BITS: Final = 45.0


def decode(data: bytes, declared: str | None = None) -> str | None:
    """The text that `data` encodes, without a byte order mark and without control characters; None if it is binary.

    `declared` is the encoding that the file says it has; it is believed where the bytes are not UTF-8, unless the text
    reads far better in another.
    """
    if signatures.is_ebcdic(data):
        return None
    text = _decode_marked(data)
    if text is None:
        text = _decode_unmarked(data, declared)
    return None if _is_binary(text) else clean(text)


def clean(text: str) -> str:
    """`text` without its control characters and the byte order mark; halves of characters are joined, or U+FFFD."""
    text = _CONTROL.sub("", text.removeprefix("\ufeff"))
    if _SURROGATE.search(text):
        text = _PAIR.sub(lambda match: match[1].encode("utf-16-le", "surrogatepass").decode("utf-16-le"), text)
        text = _SURROGATE.sub("\ufffd", text)
    return text


def likeliest(data: bytes, among: Iterable[str]) -> str:
    """Which of several encodings a text is in, by its lines; the first of them where nothing tells."""
    encodings = list(among)
    guess = text_guessing.best(_sample(_CONTROL_BYTES.sub(b"", data)), encodings)
    return guess.encoding if guess is not None else encodings[0]


def tidy(text: str) -> str:
    """`text`, which a reader of documents has made, with one kind of line end and one empty line at a time."""
    return _MANY_LINE_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", clean(text))).strip()


def _decode_marked(data: bytes) -> str | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            rest = data[len(mark) :]
            return _decode_damaged(rest) if encoding == "utf-8" else rest.decode(encoding, "replace")
    return None


def _decode_unmarked(data: bytes, declared: str | None) -> str:
    text = _strictly(data, "utf-8")
    if text is None or _is_strange(text):
        wide = _decode_wide(data)
        if wide is not None:
            return wide
    if text is None:
        return _decode_legacy(data, declared)
    if "\x1b$" in text or "~{" in text:
        return _decode_shifting(data) or text
    return text


def _is_strange(text: str) -> bool:
    """Whether so much of a text is control characters that it is none: of UTF-16 in Latin letters it is the half."""
    sample = text[:_WIDE_SAMPLE_BYTES]
    return len(_SUSPECT.findall(sample)) > 0.05 * len(sample)


def _decode_shifting(data: bytes) -> str | None:
    """Encodings of seven bits, in which marks say what the next bytes mean."""
    for mark, encoding in _ISO_2022:
        if mark.search(data):
            return _strictly(data, encoding)
    if _HZ.search(data):
        text = _strictly(data, "hz")
        return text if text is not None and re.search("[\u4e00-\u9fff]", text) else None
    return None


def _decode_wide(data: bytes) -> str | None:
    """UTF-16 and UTF-32 without a mark: their zeros, or their control characters, are no text otherwise."""
    sample = data[: _WIDE_SAMPLE_BYTES - _WIDE_SAMPLE_BYTES % 4]
    texts = {}
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        if len(sample) < 2 * width:
            continue
        text = _strictly(sample[: len(sample) - len(sample) % width], encoding)
        if text is not None and _reads_like_text(text):
            texts[encoding] = len({ord(character) >> 7 for character in text})
    if not texts:
        return None
    return data.decode(min(texts, key=lambda encoding: texts[encoding]), "replace")


def _reads_like_text(text: str) -> bool:
    """Whether a text is of characters that there are, some of them ASCII: two letters of ASCII read as an ideograph."""
    strange = ascii_ = 0
    for character in text:
        if character in " \n\r\t\u3000\u3001\u3002":
            ascii_ += 1
        elif character.isascii():
            ascii_ += character.isprintable()
            strange += not character.isprintable()
        elif unicodedata.category(character) in {"Cn", "Co", "Cc", "Zs", "Zl"}:
            strange += 1
    return strange * 50 <= len(text) <= ascii_ * 100


def _decode_legacy(data: bytes, declared: str | None) -> str:
    if _mostly_utf8(data):
        return _decode_damaged(data)
    sample = _sample(data)
    guess = text_guessing.best(sample)
    said = _known(declared)
    if said is not None:
        believed = text_guessing.of(sample, said)
        if believed is not None and (guess is None or believed.cost < guess.cost * 1.2 + _DISBELIEF):
            return _decoded(data, said)
    return _decoded(data, guess.encoding if guess is not None else "cp1252")


def _decoded(data: bytes, encoding: str) -> str:
    text = data.decode(encoding, "replace")
    return unicodedata.normalize("NFC", text) if encoding == "cp1258" else text


def _known(declared: str | None) -> str | None:
    """The encoding of texts that is meant by a name; None where it is none of one or two bytes a character."""
    try:
        name = codecs.lookup((declared or "").strip()).name
    except (LookupError, ValueError):
        return None
    name = _MEANT.get(name, name)
    if name.startswith("utf"):
        return None
    return name if _strictly(b"a", name) == "a" else None


def _strictly(data: bytes, encoding: str) -> str | None:
    """None where the bytes are not of that encoding, or where there is no such encoding of texts."""
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError, ValueError):
        return None


def _mostly_utf8(data: bytes) -> bool:
    """Whether few bytes beyond ASCII are wrong, or the text is cut within its last character.

    In Chinese encodings a pair of bytes may look like a character of UTF-8: of some rare script, each of another.
    """
    if _cut_at_its_end(data):
        return True
    found = _SEQUENCE.findall(data)
    right = sum(map(len, found))
    wrong = len(_NON_ASCII.findall(data)) - right
    if right < 2 * wrong:
        return False
    pairs = {ord(sequence.decode()) >> 7 for sequence in found if len(sequence) == 2}
    return len(pairs - _LATIN) <= 2 and (not pairs - _USUAL or right > 20 * wrong)


def _cut_at_its_end(data: bytes) -> bool:
    """Whether all is UTF-8 but for the last character, of which there are two bytes or more, or others before."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data"
        return cut and (len(data) - error.start > 1 or not data[: error.start].isascii())
    return False


def _decode_damaged(data: bytes) -> str:
    """UTF-8 in which each wrong byte is U+FFFD; lines in another encoding, without any UTF-8, are read in theirs."""
    text = _strictly(data, "utf-8")
    if text is not None:
        return text
    lines = data.splitlines(keepends=True)
    others = [line for line in lines if _strictly(line, "utf-8") is None and not _PART_OF_UTF8.search(line)]
    encoding = _of_other_lines(b"".join(others))
    if encoding is None:
        return data.decode("utf-8", "replace")
    foreign = set(others)
    return "".join(line.decode(encoding if line in foreign else "utf-8", "replace") for line in lines)


def _of_other_lines(lines: bytes) -> str | None:
    """The encoding of lines that are no UTF-8; None where a single byte is wrong, or they read like nothing."""
    if len(_NON_ASCII.findall(lines)) < 2:
        return None
    sample = _sample(lines)
    guess = text_guessing.best(sample)
    if guess is None:
        return None
    ascii_alone = sample.decode("ascii", "ignore")
    floor = text_guessing.of(ascii_alone.encode(), guess.encoding)
    count = len(_NON_ASCII.findall(sample))
    more = guess.cost - (floor.cost if floor is not None else 0)
    return guess.encoding if more < _ORDINARY_BITS * count and "\ufffd" not in guess.text else None


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


def _is_binary(text: str) -> bool:
    sample = text[: 2**20]
    return len(_SUSPECT.findall(sample)) > 0.005 * len(sample) + 2
