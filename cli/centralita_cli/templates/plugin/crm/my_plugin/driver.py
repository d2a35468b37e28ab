"""For Centralita's checks. A CRM is asked for its history; there is nothing to add."""

from __future__ import annotations

from centralita.testing import Driver


class MyPluginDriver(Driver):
    """Nothing outside is needed: the file is in the component's own folder."""
