"""Each check of the kit as a test of pytest's, which is all that is needed beside this package.

    @pytest.mark.centralita(kind="channels", type="line_chat", settings={"port": 0})
    def test_line_chat_keeps_the_contract(plugin_check):
        plugin_check()

The test runs once for each check of the kind, under the check's number. `plugins` may name modules or
objects with hooks beside the installed ones, `driver` is the driver to use instead of the entry point's,
`limits` and `name` are those of `centralita.testing.Subject`. A plugin that uses something deprecated gets a
`PluginDeprecationWarning`.

This module is loaded by every run of pytest where the package is installed, so it imports the engine only
when a test asks for it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from centralita.testing import Subject

MARK: Final = "centralita"
FIXTURE: Final = "plugin_check"
SUBJECTS: Final = pytest.StashKey[dict[str, "Subject"]]()
FAILED: Final = pytest.StashKey[dict[str, set[int]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(kind, type, settings=None, driver=None, plugins=(), limits=None, name=None): "
        f"the plugin's type that the fixture {FIXTURE} is about",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each check of the kind."""
    if FIXTURE not in metafunc.fixturenames:
        return
    from centralita.testing import checks_of

    marked = _marked(metafunc.definition)
    metafunc.parametrize(
        FIXTURE,
        [pytest.param(check.number, id=str(check.number)) for check in checks_of(marked["kind"])],
        indirect=True,
    )


@pytest.fixture
def plugin_check(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Call it to try the check: it fails or skips the test with what was seen."""
    import trio

    from centralita.compatibility import PluginDeprecationWarning
    from centralita.testing import CHECKS, run_check

    subject = _subject(request)
    key = request.node.nodeid.partition("[")[0]
    failed = request.session.stash.setdefault(FAILED, {}).setdefault(key, set())
    number: int = request.param

    def attempt() -> None:
        check = CHECKS[number]
        result = trio.run(run_check, check, subject, failed)
        for name, words in subject.plugins.deprecations():
            if name == subject.registration.plugin:
                warnings.warn(words, PluginDeprecationWarning, stacklevel=2)
        if result.outcome == "failed":
            failed.add(number)
            pytest.fail(f"{number}: {check.claim}\n{result.message}", pytrace=False)
        if result.outcome != "passed":
            pytest.skip(f"{number} {result.outcome}: {result.message}")

    return attempt


def _subject(request: pytest.FixtureRequest) -> Subject:
    from centralita.plugins import load_plugins
    from centralita.testing import Subject, load_driver

    marked = _marked(request.node)
    kind, type_name = marked.pop("kind"), marked.pop("type")
    subjects = request.session.stash.setdefault(SUBJECTS, {})
    key = request.node.nodeid.partition("[")[0]
    if key not in subjects:
        plugins = load_plugins(marked.pop("plugins", ()))
        driver = marked.pop("driver", None)
        if isinstance(driver, str):
            driver = load_driver(driver)
        subjects[key] = Subject(plugins, kind, type_name, driver=driver, **marked)
    return subjects[key]


def _marked(node: Any) -> dict[str, Any]:
    mark = node.get_closest_marker(MARK)
    if mark is None or mark.args or not {"kind", "type"} <= mark.kwargs.keys():
        raise pytest.UsageError(
            f"{node.nodeid}: {FIXTURE} needs @pytest.mark.{MARK}(kind=…, type=…), by name"
        )
    return dict(mark.kwargs)
