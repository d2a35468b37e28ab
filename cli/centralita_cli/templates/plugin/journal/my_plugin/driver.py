"""For Centralita's checks. A journal has no other side; there is nothing to add."""

from __future__ import annotations

from centralita.testing import Driver


class MyPluginDriver(Driver):
    """Nothing outside is needed: all files are in the journal's own folder."""
