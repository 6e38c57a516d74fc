"""Images of files as data URLs, kept for the next turn: a run shows its model the same images again and again."""

import base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

#: Of all URLs that a process keeps, in characters. Those that were wanted longest ago go first.
_KEPT_CHARS: Final = 64 * 2**20
_TYPES: Final = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


class ImageUrls:
    """The data URLs of one process, by file id. The bytes of a file never change, so none is ever out of date."""

    def __init__(self, kept_chars: int = _KEPT_CHARS) -> None:
        self._most = kept_chars
        self._urls: OrderedDict[str, str] = OrderedDict()
        self._chars = 0

    async def get(self, file_id: str, read: Callable[[], Awaitable[bytes]]) -> str:
        """Returns the data URL of a file, of whose bytes `read` is asked if it is not kept. Raises what `read` does."""
        url = self._urls.get(file_id)
        if url is None:
            url = data_url(await read())
            self._keep(file_id, url)
        else:
            self._urls.move_to_end(file_id)
        return url

    def _keep(self, file_id: str, url: str) -> None:
        # Another run may have read the same file meanwhile.
        self._chars += len(url) - len(self._urls.pop(file_id, ""))
        self._urls[file_id] = url
        while self._chars > self._most:
            _, dropped = self._urls.popitem(last=False)
            self._chars -= len(dropped)


def data_url(data: bytes) -> str:
    """Returns an image as a data URL; its type goes by the first bytes, as browsers do it: names lie."""
    kind = next((kind for magic, kind in _TYPES.items() if data.startswith(magic)), "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
