"""Which addresses of images a model server may be sent to: it would fetch them from within the operator's network.

Only what an address says is looked at. A name of the public DNS may still lead to a private address: against that the
model server needs a network of its own (docs/security.md).
"""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterable
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from app.errors import InvalidRequest

#: `any` address, those of the `public` internet alone, or `none`; images as data are always allowed.
ImageUrls = Literal["any", "public", "none"]

_PRIVATE_NAMES: Final = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "corp", "home")
#: IPv4 addresses inside IPv6 ones: NAT64 (RFC 6052), 6to4 (RFC 3056).
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_ODD: Final = re.compile(r"[\x00-\x20\x7f\\]")


def is_allowed(url: str, rule: ImageUrls) -> bool:
    """Whether a model server may be told to fetch `url` under `rule`."""
    if url.startswith("data:") or rule == "any":
        return True
    return rule == "public" and is_public(url)


def is_public(url: str) -> bool:
    """Whether `url` names a host of the public internet, in whatever spelling a client may understand."""
    if _ODD.search(url):
        return False
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    host = unicodedata.normalize("NFKC", unquote(host)).lower().rstrip(".")
    address = _address(host)
    if address is not None:
        return address.is_global and not address.is_multicast
    is_name = "." in host and not re.search(r"[^\w.-]", host)
    return is_name and not any(host == name or host.endswith(f".{name}") for name in _PRIVATE_NAMES)


def refuse(rule: ImageUrls, placed_urls: Iterable[tuple[str, str]]) -> None:
    """Raises InvalidRequest for the first of the `(param, url)` that is not allowed."""
    for param, url in placed_urls:
        if not is_allowed(url, rule):
            why = "images are taken as data or as files" if rule == "none" else "its host must be a public one"
            raise InvalidRequest(
                f"Invalid '{param}': this server does not allow this address of an image: {why}.",
                param=param,
                code="invalid_image_url",
            )


def in_chat(messages: Any) -> Iterable[tuple[str, str]]:
    """The addresses of images in the messages of a chat completion, as far as they have the shape of such."""
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        for place, part in enumerate(content if isinstance(content, list) else ()):
            image = part.get("image_url") if isinstance(part, dict) else None
            url = image.get("url") if isinstance(image, dict) else image
            if isinstance(url, str):
                yield f"messages[{number}].content[{place}].image_url", url


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that `host` is, also as one number, in octal or in hexadecimal (inet_aton(3)); None for a name."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeEncodeError):
            return None
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        return inner or found
    return found
