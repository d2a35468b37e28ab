"""For Centralita's checks. The defaults of the settings are enough; there is nothing to add."""

from __future__ import annotations

from centralita.testing import Driver


class MyPluginDriver(Driver):
    """Nothing outside is needed."""
