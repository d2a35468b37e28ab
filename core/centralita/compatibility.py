"""Which plugin API this engine speaks, which one a plugin was built for, and what will go with the next.

A plugin states its version in one line, `centralita_api = 1`, beside its hooks. The number goes up when a
plugin that follows docs/plugins.md could stop working; what is only added does not change it. Whatever is
to go is first deprecated: it works on, and says so when a plugin uses it, for one version of the API at
least. It refuses to know what a plugin registers; `plugins/` asks here at each step of loading one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from centralita.errors import PluginError
from centralita.structs import Frozen

API_VERSION: Final = 1
"""The version of hooks, protocols, messages and views that this engine speaks."""

API_OLDEST: Final = 1
"""The oldest version it still speaks; a plugin built for one in between is told what will go."""

ATTRIBUTE: Final = "centralita_api"
"""The name under which a plugin states the version it was built for."""


class PluginDeprecationWarning(DeprecationWarning):
    """A plugin uses what a later version of the API will not have."""


class Deprecated(Frozen):
    """Something that goes: what it is, from which API version it is gone, and what to use then."""

    what: str
    gone_in: int
    instead: str

    def __str__(self) -> str:
        return f"{self.what} is deprecated and gone in plugin API {self.gone_in}; {self.instead}"


UNSTATED: Final = Deprecated(
    what="a plugin that does not state its API version",
    gone_in=2,
    instead=f"write {ATTRIBUTE} = {API_VERSION} beside its hooks",
)

DEPRECATED_HOOKS: Final[dict[str, Deprecated]] = {}
"""Hooks that are still called, by name."""

DEPRECATED_MEMBERS: Final[dict[tuple[str, str], Deprecated]] = {}
"""Members of components that are still used, by (kind, name)."""


def warn(deprecated: Deprecated, *, stacklevel: int = 2) -> None:
    """Say that the caller uses what will go. While a plugin is loaded or built the loader takes it down."""
    warnings.warn(str(deprecated), PluginDeprecationWarning, stacklevel=stacklevel + 1)


def stated_version(plugin: object, where: str) -> int | None:
    """The API version that a plugin states; None when it states none.

    `where` names the plugin. Raises PluginError for a version that is none, and for one that this
    engine does not speak.
    """
    stated: Any = getattr(plugin, ATTRIBUTE, None)
    if stated is None:
        return None
    if type(stated) is not int or stated < 1:
        raise PluginError(
            f"{where}: {ATTRIBUTE} was {stated!r}; must be a whole number, as in {ATTRIBUTE} = {API_VERSION}"
        )
    if stated > API_VERSION:
        raise PluginError(
            f"{where} was built for plugin API {stated}; this engine speaks {_spoken()}: "
            "install a newer centralita, or an older release of the plugin"
        )
    if stated < API_OLDEST:
        raise PluginError(
            f"{where} was built for plugin API {stated}; this engine speaks {_spoken()}: "
            "install a newer release of the plugin, or an older centralita"
        )
    return stated


def deprecated_version(stated: int) -> Deprecated | None:
    """What there is to say of a plugin that states an older version, which is spoken still."""
    if stated >= API_VERSION:
        return None
    return Deprecated(
        what=f"plugin API {stated}",
        gone_in=API_VERSION + 1,
        instead=f"see docs/plugins.md for what API {API_VERSION} has instead",
    )


@contextmanager
def collecting(found: list[str]) -> Iterator[None]:
    """Take down, instead of showing, every deprecation said within; other warnings go where they go."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PluginDeprecationWarning)
        try:
            yield
        finally:
            others = [one for one in caught if not issubclass(one.category, PluginDeprecationWarning)]
            mine = [str(one.message) for one in caught if issubclass(one.category, PluginDeprecationWarning)]
            found += [words for words in dict.fromkeys(mine) if words not in found]
    for one in others:
        warnings.showwarning(one.message, one.category, one.filename, one.lineno, one.file, one.line)


def _spoken() -> str:
    return str(API_VERSION) if API_OLDEST == API_VERSION else f"{API_OLDEST} to {API_VERSION}"
