"""From a stored e-mail (RFC 5322) to its text: who wrote what to whom, and what is attached."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import Message
from typing import Final, cast

from workers.ingestion import html_reading, kinds, reading, text_decoding
from workers.ingestion.parsed import ParsedFile, Unparsable

_HEADERS: Final = ("From", "To", "Cc", "Date", "Subject")


def read(data: bytes) -> ParsedFile:
    """The text of the message. What is no message is read as a text; raises Unparsable where it is none either."""
    message = message_from_bytes(data, policy=policy.default)
    if not any(message[name] for name in (*_HEADERS, "Received", "Content-Type")):
        text = text_decoding.decode(data)
        if text is None:
            raise Unparsable("invalid_file", "By its name the file is an e-mail, but its content is something else.")
        return ParsedFile(text)
    return ParsedFile(text_decoding.tidy("\n\n".join(_message(message))))


def _message(message: Message) -> Iterator[str]:
    said = [f"{name}: {' '.join(str(message[name]).split())}" for name in _HEADERS if message[name]]
    yield "\n".join(said)
    yield from _parts(message)


def _parts(part: Message) -> Iterator[str]:
    """The texts of a part, and of those in it."""
    kind = part.get_content_type()
    if kind == "multipart/alternative":
        yield from _best(_inside(part))
    elif kind == "message/rfc822":
        for inner in _inside(part):
            yield from _message(inner)
    elif part.is_multipart():
        for inner in _inside(part):
            yield from _parts(inner)
    elif part.get_content_disposition() != "attachment" and kind in {"text/plain", "text/html"}:
        yield _body(part, kind)
    else:
        yield from _attachment(part)


def _inside(part: Message) -> list[Message]:
    return cast("list[Message]", part.get_payload())


def _best(ways: list[Message]) -> list[str]:
    """Of several ways to say the same the one in plain text; where it is empty or missing, the one that says most."""
    read = [(way.get_content_type(), [text for text in _parts(way) if text.strip()]) for way in ways]
    plain = [texts for kind, texts in read if kind == "text/plain" and texts]
    return plain[0] if plain else max((texts for _, texts in read), key=lambda texts: len("".join(texts)), default=[])


def _body(part: Message, kind: str) -> str:
    content, charset = _content(part), part.get_content_charset()
    if kind == "text/html":
        return html_reading.read_page(content, charset).text if content.strip() else ""
    return text_decoding.decode(content, charset) or ""


def _attachment(part: Message) -> Iterator[str]:
    """The name of what is attached, and its text where it is of a kind that is read."""
    name = part.get_filename() or ""
    content = _content(part)
    try:
        text = reading.read(content, kinds.kind_of(name)).text if content else ""
    except Unparsable:
        text = ""
    if text or (name and part.get_content_disposition() == "attachment"):
        yield f"[Attachment: {name or part.get_content_type()}]\n\n{text}"


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
