"""Plugins, from an entry point to a component that is built.

Everything that can be wrong with a plugin or with its table is found here, before anything runs, and
said with its place. `loading.py` finds plugins and calls their hooks, `registry.py` keeps what they registered and
decodes the file's tables by it, `building.py` makes the components. It knows no channel, desk or journal by name, and
runs no component: that is `runner/`'s business.
"""

from centralita.plugins.building import build, data_folder, misfit, resolve_channels
from centralita.plugins.loading import load_plugins
from centralita.plugins.registry import HOOKS, Plugins, Prepared, Registration

__all__ = [
    "HOOKS",
    "Plugins",
    "Prepared",
    "Registration",
    "build",
    "data_folder",
    "load_plugins",
    "misfit",
    "resolve_channels",
]
