"""`centralita plugin check`: the kit's checks on types that are installed, with an operator's settings or none.

Nothing of the operator's is touched: each check has a folder, a journal and an engine of its own, and a type's
driver takes care of what reaches further (ports, export folders).
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec
import trio
from rich.text import Text

from centralita.config import COMPONENT_KINDS, Configuration, load
from centralita.errors import ConfigurationError
from centralita.plugins import HOOKS, Plugins, load_plugins
from centralita_cli import logs, tables
from centralita_cli.exits import OK, PROBLEM, Unusable, failing_as, unusable
from centralita_cli.options import existing_config, json_option

if TYPE_CHECKING:
    from centralita.testing import Check, Report, Subject

STYLES: Final = {"passed": "green", "failed": "bold red", "skipped": "yellow"}
_NOT_RULES: Final = ("journal", "domain", *(kind for kind in COMPONENT_KINDS))


@click.command("check")
@click.argument("name")
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Check each table of this configuration that has the type, with its settings and among its queues.",
)
@click.option(
    "--set", "given", multiple=True, metavar="KEY=VALUE", help="A setting, as in TOML: --set port=0."
)
@click.option(
    "--driver", metavar="MODULE:NAME", help="Who plays the other side; else the type's own, if it has one."
)
@click.option("--only", multiple=True, type=int, metavar="NUMBER", help="Only this check; may be repeated.")
@click.option("--strict", is_flag=True, help="What is skipped or deprecated also ends with exit code 1.")
@json_option
@click.pass_context
def check_plugin(
    ctx: click.Context,
    name: str,
    config_path: Path | None,
    given: tuple[str, ...],
    driver: str | None,
    only: tuple[int, ...],
    strict: bool,
    as_json: bool,
) -> None:
    """Hold an installed plugin to its contract.

    NAME is a type (webchat), kind.type when several kinds have it (channels.webchat), or a plugin, which
    means all its types. `centralita plugin checks` lists what is checked. Ends with 1 when a check failed.
    """
    from centralita.testing import CHECKS

    if unknown := [number for number in only if number not in CHECKS]:
        raise Unusable(f"--only {unknown[0]}: no such check; `centralita plugin checks` lists them")
    logs.set_up(as_json=False, level="error")
    with failing_as(Unusable):
        plugins = load_plugins()
        subjects = list(_subjects(plugins, _types(plugins, name), config_path, _settings(given), driver))
    reports = [_run(subject, only, quiet=as_json) for subject in subjects]
    if as_json:
        found = [{**msgspec.to_builtins(one), "passed": one.passed} for one in reports]
        tables.write_json({"reports": found})
    bad = any(not one.passed or (strict and (one.of("skipped") or one.deprecations)) for one in reports)
    ctx.exit(PROBLEM if bad else OK)


@click.command("checks")
@click.argument("kind", required=False, type=click.Choice(list(HOOKS)))
@json_option
def list_checks(kind: str | None, as_json: bool) -> None:
    """List the checks that plugins are held to, all or those for one kind."""
    from centralita.testing import CHECKS

    found = [one for _, one in sorted(CHECKS.items()) if kind is None or kind in one.kinds]
    if as_json:
        tables.write_json(
            {"checks": [{"number": one.number, "claim": one.claim, "kinds": one.kinds} for one in found]}
        )
        return
    rows = [(one.number, one.claim, _kinds(one)) for one in found]
    tables.show(("NUMBER", "CLAIM", "KINDS"), rows, nothing="no check")


def _kinds(check: Check) -> str:
    if set(check.kinds) == set(HOOKS):
        return "all"
    missing = sorted(set(HOOKS) - set(check.kinds))
    return f"all but {', '.join(missing)}" if len(missing) < 3 else ", ".join(check.kinds)


def _types(plugins: Plugins, name: str) -> list[tuple[str, str]]:
    """The (kind, type)s that a name means. Raises Unusable when there are none."""
    everything = [(kind, type_name) for kind in HOOKS for type_name in plugins.types(kind)]
    found = [one for one in everything if name in (one[1], f"{one[0]}.{one[1]}")]
    if not found and name in plugins.loaded:
        found = [one for one in everything if plugins.types(one[0])[one[1]].plugin == name]
        if not found:
            raise Unusable(f"plugin {name!r} registers no type; there is nothing to check")
    if not found:
        known = ", ".join(sorted({type_name for _, type_name in everything}))
        raise Unusable(f"no type and no plugin {name!r} is installed; types: {known}")
    return found


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for one in given:
        key, equals, _ = one.partition("=")
        try:
            value = tomllib.loads(one)
        except tomllib.TOMLDecodeError as error:
            hint = f"; words stand in quotes, --set '{key}=\"…\"'" if equals else ""
            raise Unusable(f"--set {one}: not KEY=VALUE as in TOML: {error}{hint}") from error
        settings |= value
    return settings


def _subjects(
    plugins: Plugins,
    types: list[tuple[str, str]],
    config_path: Path | None,
    settings: dict[str, Any],
    driver: str | None,
) -> Iterator[Subject]:
    from centralita.testing import Subject, load_driver

    make = partial(Subject, plugins, driver=load_driver(driver) if driver else None)
    if config_path is None:
        for kind, type_name in types:
            yield make(kind, type_name, settings=settings)
        return
    path = existing_config(config_path)
    try:
        configuration = load(path)
    except ConfigurationError as error:
        raise unusable(error, str(path)) from error
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    base = {key: value for key, value in raw.items() if key not in _NOT_RULES}
    tables_of = [one for one in _tables(configuration) if (one.kind, one.type) in types]
    if not tables_of:
        names = " or ".join(f"{kind}.{type_name}" for kind, type_name in types)
        raise Unusable(f"{path}: no table has the type {names}")
    for table in tables_of:
        yield make(
            table.kind,
            table.type,
            name=table.name,
            settings={**table.settings, **settings},
            base=base,
            folder=path.parent.resolve(),
        )


def _tables(configuration: Configuration) -> list[Any]:
    return [*configuration.components, *filter(None, [configuration.journal])]


def _run(subject: Subject, only: tuple[int, ...], *, quiet: bool) -> Report:
    from centralita.testing import check_subject

    watched = sys.stderr.isatty()

    def before(check: Check) -> None:
        # What hangs is the one shown last.
        if watched:
            click.echo(f"\r\x1b[K{check.number} {check.claim}", err=True, nl=False)

    try:
        report = trio.run(partial(check_subject, subject, only=only, before=before))
    except ConfigurationError as error:
        raise unusable(error, "the settings given") from error
    finally:
        if watched:
            click.echo("\r\x1b[K", err=True, nl=False)
    if not quiet:
        _print(report, subject)
    return report


def _print(report: Report, subject: Subject) -> None:
    plugin = subject.plugins.loaded[subject.registration.plugin]
    origin = " ".join(filter(None, [plugin.distribution, plugin.version])) or plugin.name
    lines: list[Text] = [Text(f"{subject.path}, type {report.type} of {origin}", style="bold")]
    for result in report.results:
        outcome = Text(f"{result.outcome:<12}", style=STYLES.get(result.outcome, "dim"))
        lines.append(Text.assemble(f"{result.number:>5}  ", outcome, f"  {result.claim}"))
        if result.message:
            lines.append(Text(f"{'':>21}{result.message}"))
    lines += [Text(f"deprecated: {words}", style="yellow") for words in report.deprecations]
    counted = {
        outcome: len(report.of(outcome))
        for outcome in ("passed", "failed", "skipped", "exempt", "inapplicable")
    }
    lines.append(Text(", ".join(f"{number} {outcome}" for outcome, number in counted.items() if number)))
    tables.put(*lines)
