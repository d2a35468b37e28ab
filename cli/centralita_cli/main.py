"""The command `centralita`: finds each sub-command in its own module, and imports none before it is asked.

A plugin's sub-commands (`register_commands`) stand beside ours; loading plugins takes a moment, so it is
done only for a name we don't know and for the list of all.
"""

from __future__ import annotations

import codecs
import os
import sys
import traceback
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import click

from centralita import __version__
from centralita_cli.exits import BROKEN, INTERRUPTED, OUT_OF_REACH, UNREAD, Broken, Unusable

PROGRAM: Final = "centralita"
ASCII_SIGNS: Final = {"–": "-", "…": "~", "±": "+-"}
"""Signs of our tables where the terminal's encoding does not have them."""

SECTIONS: Final[dict[str, dict[str, str]]] = {
    "Set up and run": {
        "init": "Write a commented configuration to start from.",
        "check": "Check a configuration: can it be used, and does it make sense?",
        "serve": "Run the daemon until it is told to stop.",
        "demo": "Run a small company with simulated people, to look around in.",
    },
    "Ask a running daemon": {
        "status": "Show how the daemon is.",
        "top": "Watch queues and agents live in the terminal.",
        "why": "Explain why a contact waits, or why an agent gets nothing.",
        "queues": "Show the queues as they stand.",
        "agents": "Show the agents and what they do.",
        "contacts": "Show the live contacts, waiting ones in order.",
        "components": "Show the plugins' components and whether they run.",
        "customer": "Export or erase all that is kept about one customer.",
    },
    "Work in virtual time": {
        "simulate": "Run a scenario in virtual time, several times, and show its figures with 95 % intervals.",
        "staff": "Find the agents that a scenario needs, by crew and interval, and what each further one buys.",
        "replay": "Put a recording through the real engine in virtual time.",
        "whatif": "Put a recorded day's demand through another configuration, side by side.",
        "fit": "Search the head start that preferred customers had in a recording.",
        "torture": "Torture the engine in virtual time: crashes, torn writes, late answers, and everything at once.",
    },
    "Keep and look after": {
        "figures": "Count the figures again from a journal, for any period, with every service level by its name.",
        "token": "Make, list and revoke tokens, on this machine's files.",
        "journal": "Verify, export, back up and compact the journal, and make tables of it.",
        "plugin": "Show the installed plugins, hold them to their contract, begin another.",
        "completion": "Print the completion script for a shell.",
        "version": "Show the versions of everything installed.",
    },
}
"""Our sub-commands: each is the attribute of its own name in the module of its own name."""

BUILT_IN: Final = {name: words for section in SECTIONS.values() for name, words in section.items()}


class LazyGroup(click.Group):
    """A group that imports a sub-command when it is called or asked for its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our names, then the plugins'."""
        return [*BUILT_IN, *self._plugin_commands(ctx)[0]]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A sub-command by its name."""
        if cmd_name in BUILT_IN:
            command = getattr(import_module(f"centralita_cli.{cmd_name}"), cmd_name)
            assert isinstance(command, click.Command)
            return command
        commands, problem = self._plugin_commands(ctx)
        if cmd_name not in commands and problem and not ctx.resilient_parsing:
            raise Unusable(f"no command {cmd_name!r} of ours, and the plugins can't be asked: {problem}")
        return commands.get(cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, but with the codes of who was interrupted and of whose reader left: click's is 1 for both,
        which is here a finding's."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo("Aborted!", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left to write has nowhere to go
            ctx.exit(UNREAD)
        except OSError as error:
            if error.errno not in OUT_OF_REACH or error.filename is None:
                raise
            raise Broken(f"{error.filename}: {error.strerror}") from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with what was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of sub-commands, without importing ours."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(section.items()))
        commands, problem = self._plugin_commands(ctx)
        if commands or problem:
            with formatter.section("From plugins"):
                if problem:
                    formatter.write_text(f"They can't be loaded: {problem}")
                if commands:
                    formatter.write_dl([(name, c.get_short_help_str(100)) for name, c in commands.items()])

    def _plugin_commands(self, ctx: click.Context) -> tuple[dict[str, click.Command], str]:
        """The plugins' sub-commands by name, and why there are none when they can't be had."""
        known: tuple[dict[str, click.Command], str] | None = ctx.meta.get(__name__)
        if known is None:
            known = ctx.meta[__name__] = _ask_plugins()
        return known


def _ask_plugins() -> tuple[dict[str, click.Command], str]:
    from centralita.errors import PluginError
    from centralita.plugins import load_plugins

    try:
        offered: list[Any] = load_plugins().commands
    except PluginError as error:
        return {}, str(error)
    commands: dict[str, click.Command] = {}
    problems: list[str] = []
    for command in offered:
        if not isinstance(command, click.Command) or not command.name:
            problems.append(f"{command!r} is no click command with a name")
        elif command.name in BUILT_IN or command.name in commands:
            problems.append(f"the command {command.name!r} is given twice")
        else:
            commands[command.name] = command
    return commands, "; ".join(problems)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 all well; 1 a problem was found; 2 wrong usage or configuration; 3 no daemon answers;"
    " 4 refused; 5 something broke; 130 interrupted.",
)
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Centralita: every contact, on every channel, reaches the right person."""


def _in_other_signs(error: UnicodeError) -> tuple[str, int]:
    """What stdout's encoding can't say: our own signs in ASCII, all others as a question mark."""
    assert isinstance(error, UnicodeEncodeError)
    left = error.object[error.start : error.end]
    return "".join(ASCII_SIGNS.get(sign, "?") for sign in left), error.end


def main() -> None:
    """The entry point of the installed command."""
    # Started with one of them closed (`2>&-`): nobody answers questions, and nobody reads the log.
    sys.stdin = sys.stdin or Path(os.devnull).open()  # noqa: SIM115  # until the process ends
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115  # likewise
    codecs.register_error(PROGRAM, _in_other_signs)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors=PROGRAM)
    try:
        cli.main(prog_name=PROGRAM)
    except Exception:  # noqa: BLE001  # shown whole, and the process ends
        # A bug, or an engine that failed: its own exit code tells it from a problem that was looked for.
        traceback.print_exc()
        sys.exit(BROKEN)
