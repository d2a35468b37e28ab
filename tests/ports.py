"""A port for a server that is started, stopped and started again, kept from everybody else in between."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody else on this machine is given until the block ends.

    It is bound and never listened on: a server that names it may (with SO_REUSEADDR, as ours have), but
    neither who asks for any free port nor an outgoing connection gets it. One that was claimed and given
    back could be anybody's by the time it is used.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
