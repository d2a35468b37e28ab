"""The plugin keeps what Centralita's docs/plugins.md asks: one test for each check of the kit."""

from collections.abc import Callable

import pytest


@pytest.mark.centralita(kind="{{table}}", type="my_plugin")
def test_contract(plugin_check: Callable[[], None]) -> None:
    plugin_check()
