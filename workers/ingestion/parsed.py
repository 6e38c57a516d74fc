"""What becomes of a file that is parsed: its text, or the reason why there is none."""

from dataclasses import dataclass, field
from typing import Literal

#: The codes that a vector store file's `last_error` may have (contract, section 5).
ErrorCode = Literal["unsupported_file", "invalid_file", "server_error"]

#: Of the text of one file, in UTF-8.
MAX_TEXT_BYTES = 64 * 2**20

#: Of a file of text: no encoding takes more bytes for a character of one byte in UTF-8 than UTF-32 does.
MAX_ENCODED_BYTES = 4 * MAX_TEXT_BYTES

#: Of the text of one file: OpenAI's limit (contract, section 9).
MAX_TOKENS = 5_000_000


@dataclass(frozen=True)
class ParsedFile:
    """The text of a file, and the offset (in characters) at which each of its pages begins, where it has pages."""

    text: str
    page_starts: list[int] = field(default_factory=list)


class Unparsable(Exception):
    """The file's own fault: another try would end the same way. The message is a sentence for the client."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message


def too_long() -> Unparsable:
    """A file with more text than is taken."""
    return Unparsable("invalid_file", f"The file has too much text: at most {MAX_TOKENS:,} tokens can be searched.")
