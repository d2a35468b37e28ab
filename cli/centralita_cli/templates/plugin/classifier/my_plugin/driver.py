"""For Centralita's checks: rules to try when no configuration gives any."""

from __future__ import annotations

from typing import ClassVar

from centralita.testing import Driver


class MyPluginDriver(Driver):
    """Help is urgent."""

    example: ClassVar = {"rules": [{"words": ["help"], "priority": 5}]}
