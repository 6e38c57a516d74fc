"""The splitter of event streams, at arbitrary byte boundaries."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.sse import EventSplitter, EventTooLong


def _split(stream: bytes, cuts: list[int]) -> list[bytes]:
    splitter = EventSplitter()
    events = []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        events += splitter.feed(stream[start:end])
    return events + splitter.end()


_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
_EVENT = st.lists(_LINE, min_size=1, max_size=3)
_NOISE = st.sampled_from(["", ": keep-alive", ":", "event: message", "id: 7", "retry: 10", "databank: x", "nonsense"])
_CUTS = st.lists(st.integers(0, 10_000), max_size=30)


@given(
    events=st.lists(_EVENT, max_size=6),
    noise=_NOISE,
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    space=st.sampled_from(["", " "]),
    bom=st.sampled_from(["", "\ufeff"]),
    cuts=_CUTS,
)
def test_events_whatever_the_cuts(
    events: list[list[str]], noise: str, newline: str, space: str, bom: str, cuts: list[int]
) -> None:
    # Without a space of the stream's own, a line's first space would be taken for it.
    events = [[line.lstrip(" ") for line in lines] for lines in events]
    lines = [line for event in events for line in (noise, *(f"data:{space}{data}" for data in event), "")]
    stream = (bom + "".join(line + newline for line in lines)).encode()
    assert _split(stream, cuts) == ["\n".join(event).encode() for event in events]


@given(stream=st.binary(max_size=200), cuts=_CUTS)
def test_cuts_change_nothing(stream: bytes, cuts: list[int]) -> None:
    assert _split(stream, cuts) == _split(stream, [])


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b", [b"a", b"b"]),
        (b"data: a\n\ndata: b\n", [b"a", b"b"]),
        (b"data\n\n", [b""]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_ends(stream: bytes, events: list[bytes]) -> None:
    assert _split(stream, []) == events


@pytest.mark.parametrize("piece", [b"data: xxxxxxxx", b"x", b"data: xxxx\n"])
def test_no_end_of_an_event(piece: bytes) -> None:
    splitter = EventSplitter(max_event_bytes=1000)
    for _ in range(50):
        splitter.feed(piece)
    with pytest.raises(EventTooLong):
        splitter.feed(piece * 1000)


def test_a_long_stream_of_short_events() -> None:
    splitter = EventSplitter(max_event_bytes=100)
    assert sum(len(splitter.feed(b"data: x\n\n: comment\n")) for _ in range(1000)) == 1000
