"""Images are read once for all turns, and no more of them is kept than there is room for."""

import pytest

from app.storage import BytesMissing
from workers.engine.images import ImageUrls, data_url


class Read:
    """The bytes of a file, and how often they were asked for."""

    def __init__(self, data: bytes | None) -> None:
        self._data = data
        self.times = 0

    async def __call__(self) -> bytes:
        self.times += 1
        if self._data is None:
            raise BytesMissing
        return self._data


async def test_an_image_is_read_once() -> None:
    urls, read = ImageUrls(), Read(b"GIF89a")
    assert [await urls.get("file-a", read) for _turn in range(3)] == 3 * ["data:image/gif;base64,R0lGODlh"]
    assert read.times == 1


async def test_what_was_wanted_longest_ago_makes_room() -> None:
    url = data_url(bytes(100))
    urls = ImageUrls(kept_chars=2 * len(url))
    reads = {name: Read(bytes(100)) for name in "abc"}
    for name in ("a", "b", "a", "c", "a", "b"):
        await urls.get(name, reads[name])
    assert [reads[name].times for name in "abc"] == [1, 2, 1]


async def test_an_image_larger_than_all_room_is_shown_and_not_kept() -> None:
    urls, read = ImageUrls(kept_chars=10), Read(bytes(100))
    assert await urls.get("file-a", read) == await urls.get("file-a", read)
    assert read.times == 2


async def test_missing_bytes_are_told_each_time() -> None:
    urls, read = ImageUrls(), Read(None)
    for _turn in range(2):
        with pytest.raises(BytesMissing):
            await urls.get("file-a", read)
