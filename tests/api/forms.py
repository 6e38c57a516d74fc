"""`multipart/form-data` by hand, also such as no client would send, and what the storage holds after it."""

from pathlib import Path

from tests.running import Locum

BOUNDARY = "a-boundary"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def field(name: str, value: str) -> bytes:
    """A field of a form."""
    return part(f'form-data; name="{name}"', value.encode())


def file(data: bytes = b"some text", name: str = "notes.txt", field: str = "file") -> bytes:
    """A file of a form."""
    return part(f'form-data; name="{field}"; filename="{name}"', data)


def beginning_of_file(field: str = "file") -> bytes:
    """What goes before the bytes of a file, which the test sends itself."""
    return file(b"", field=field).removesuffix(b"\r\n")


def part(disposition: str | bytes, data: bytes) -> bytes:
    """Any part."""
    header = disposition.encode() if isinstance(disposition, str) else disposition
    return b"--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), header, data)


def form(*parts: bytes) -> bytes:
    """The body that is made of these parts."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def stored(locum: Locum) -> dict[str, Path]:
    """What the storage of files holds: also the files that are being written."""
    folder = Path(locum.environment["LOCUM_DATA_DIR"]) / "files"
    return {path.name: path for path in folder.rglob("*") if path.is_file()}
