"""A running Asterisk for a test process, or a skipped test where there can't be one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tools.asterisk_server import Asterisk, Unavailable


@contextmanager
def running_asterisk(agents: Sequence[str]) -> Iterator[Asterisk]:
    """A server of its own where these agents' phones may register; in CI there must be one."""
    # Not under pytest's own folder: its name is too long for Asterisk's control socket.
    with tempfile.TemporaryDirectory(prefix="ast-", ignore_cleanup_errors=True) as folder:
        try:
            server = Asterisk(Path(folder), agents=agents)
            server.start()
        except Unavailable as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no Asterisk here: {error}")
        try:
            yield server
        finally:
            server.stop()
