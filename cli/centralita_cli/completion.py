"""`centralita completion SHELL`: the script that makes a shell complete our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from centralita_cli.main import PROGRAM, cli


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  centralita completion bash > ~/.local/share/bash-completion/completions/centralita
    zsh:   centralita completion zsh > ~/.zfunc/_centralita
    fish:  centralita completion fish > ~/.config/fish/completions/centralita.fish
    """
    made = get_completion_class(shell)
    assert made is not None, "click knows these three shells"
    click.echo(made(cli, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())
