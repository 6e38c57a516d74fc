"""Options of TCP connections to servers, so that the kernel notices a peer that is gone without a word."""

import socket
from typing import Final

#: Seconds until the first probe, between two, and how many may stay unanswered; and milliseconds that what was sent may
#: stay unacknowledged. A peer that is gone is known to be so after 25 seconds, one that is asked something after 10.
_WANTED: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}

#: By number, those of them that this system has.
KEEPALIVE: Final[dict[int, int]] = {
    getattr(socket, name): value for name, value in _WANTED.items() if hasattr(socket, name)
}


def keep_alive(connection: socket.socket) -> None:
    """Sets the options on a connection; one that is not TCP has none."""
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
