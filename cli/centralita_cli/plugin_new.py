"""`centralita plugin new`: a small plugin that works and passes every check, to start one's own from.

What it writes are the packages below `templates/plugin`, real ones by the name of `my_plugin`, with that name
replaced. They use the public interface alone.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import click
from msgspec import Struct

from centralita import __version__
from centralita_cli.exits import Unusable

NAME: Final = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
NAME_LENGTH_MAX: Final = 60


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of plugin: its table in the file, what the template is, and an example of its table."""

    table: str
    what: str
    example: str


KINDS: Final = {
    "channel": Kind(
        table="channels",
        what="A chat by lines of text over TCP, as a channel",
        example='[channels.lines]\ntype = "my_plugin"\nqueue = "help"\nport = 8480',
    ),
    "desk": Kind(
        table="desks",
        what="A desk in a terminal, by lines of text over TCP,",
        example='[desks.hall]\ntype = "my_plugin"\nport = 8490\npins = {ana = "4711"}',
    ),
    "crm": Kind(
        table="crms",
        what="An address book that fills itself, as a CRM",
        example='[crms.book]\ntype = "my_plugin"',
    ),
    "classifier": Kind(
        table="classifiers",
        what="Queues and priorities by the words of customers",
        example='[classifiers.words]\ntype = "my_plugin"\n'
        'rules = [{words = ["invoice", "refund"], queue = "billing"}, {words = ["help"], priority = 5}]',
    ),
    "bot": Kind(
        table="bots",
        what="Ready answers to frequent questions, as a bot",
        example='[bots.first]\ntype = "my_plugin"\n\n[bots.first.answers]\nhours = "We are open from nine to two."',
    ),
    "kpi_sink": Kind(
        table="kpi_sinks",
        what="Counts of contacts by day, queue and outcome",
        example='[kpi_sinks.counts]\ntype = "my_plugin"\ntime_zone = "Europe/Madrid"',
    ),
    "journal": Kind(
        table="journal",
        what="A journal in one append-only file",
        example='[journal]\ntype = "my_plugin"',
    ),
}


@click.command("new")
@click.argument("name")
@click.option("--kind", required=True, type=click.Choice(list(KINDS)), help="What it is to be.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to; a folder of the plugin's name here when not given.",
)
def new_plugin(name: str, kind: str, directory: Path | None) -> None:
    """Write a small plugin with its tests, README and CI, which passes every check as it is.

    NAME is the distribution's, as in `pip install NAME`: small letters, digits and hyphens.
    """
    module = _module(name)
    folder = directory or Path(name)
    if folder.exists() and any(folder.iterdir()):
        raise Unusable(f"{folder}: not empty; nothing was written")
    chosen = KINDS[kind]
    words = {
        "my-plugin": name.replace("_", "-"),
        "my_plugin": module,
        "MyPlugin": "".join(part.capitalize() for part in module.split("_")),
        "{{table}}": chosen.table,
        "{{word}}": kind,
        "{{what}}": chosen.what,
        "{{example}}": chosen.example.replace("my_plugin", module),
        "{{centralita}}": __version__,
    }
    try:
        for path, text in _written(kind, words):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Unusable(f"{folder}: can't be written: {error.strerror}") from error
    click.echo(
        f"{folder}: {chosen.what.rstrip(',')}. Next:\n"
        f"  cd {folder}\n"
        f'  pip install -e ".[test]"\n'
        f"  pytest\n"
        f"  centralita plugin check {module}"
    )


def _module(name: str) -> str:
    """The module's name. Raises Unusable for a name that can't be a distribution's and a module's."""
    if not NAME.fullmatch(name) or len(name) > NAME_LENGTH_MAX:
        raise Unusable(
            f"the name was {name!r}; allowed: small letters, digits and single hyphens, a letter first, "
            f"at most {NAME_LENGTH_MAX}"
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module.startswith("centralita"):
        raise Unusable(f"the name was {name!r}; a module {module} would hide one that is needed")
    return module


def _written(kind: str, words: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """Every file, with its place in the plugin's folder."""
    templates = files("centralita_cli") / "templates" / "plugin"
    for part in ("common", kind):
        for path, file in _files(templates / part, Path()):
            text = file.read_text(encoding="utf-8")
            # Under their own names they would speak to the tools of this repository.
            place = path.as_posix().replace("dot-", ".").replace("project.toml", "pyproject.toml")
            for old, new in words.items():
                text, place = text.replace(old, new), place.replace(old, new)
            yield Path(place), text


def _files(folder: Traversable, path: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry, path / entry.name)
        else:
            yield path / entry.name, entry
