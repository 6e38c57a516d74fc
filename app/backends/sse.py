"""Server-sent events, as far as model servers use them: the `data` of each event, from bytes cut anywhere.

After https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation: lines end in LF, CRLF
or CR; a blank line ends an event; `data` lines of one event are joined by LF; comments and other fields mean nothing
here.
"""

#: No event of a model server comes near it; more is a server gone wrong, or no event stream at all.
MAX_EVENT_BYTES = 16 * 2**20

_BOM = b"\xef\xbb\xbf"


class EventTooLong(Exception):
    """An event, or a line, of more than MAX_EVENT_BYTES."""


class EventSplitter:
    """Takes a stream's bytes as they come and gives back the data of the events they complete."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._line: list[bytes] = []  # what has come of the line under way
        self._data: list[bytes] = []  # the data lines of the event under way
        self._size = 0  # of both
        self._ends_in_cr = False
        self._begun = False

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that end in `received`. Raises EventTooLong."""
        if not self._begun:
            received = self._without_bom(received)
        if self._ends_in_cr or b"\r" in received:
            received = self._with_plain_newlines(received)
        lines = received.split(b"\n")
        self._line.append(lines[0])
        self._size += len(received)
        if len(lines) == 1:
            self._check_size()
            return []
        lines[0] = b"".join(self._line)
        self._line = [lines.pop()]
        events = self._events(lines)
        self._size = len(self._line[0]) + sum(map(len, self._data))
        self._check_size()
        return events

    def end(self) -> list[bytes]:
        """The data of an event that the stream's end has cut short of its blank line.

        The standard drops it; servers that forget the last line break mean it.
        """
        return self._events([b"".join(self._line), b""])

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line == b"data":
                self._data.append(b"")
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
        return events

    def _without_bom(self, received: bytes) -> bytes:
        head = b"".join(self._line) + received
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._line = [head]
            return b""
        self._begun = True
        self._line = []
        return head.removeprefix(_BOM)

    def _with_plain_newlines(self, received: bytes) -> bytes:
        if not received:
            return received
        if self._ends_in_cr and received.startswith(b"\n"):
            received = received[1:]  # the other half of a CRLF that counted when its CR came
        self._ends_in_cr = received.endswith(b"\r") if received else False
        return received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _check_size(self) -> None:
        if self._size > self._max_event_bytes:
            raise EventTooLong
