"""`centralita init`: a configuration to start from, with every choice explained beside it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from centralita_cli.exits import Refused, Unusable
from centralita_cli.options import CONFIG_NAME


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=CONFIG_NAME)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init(file: Path, force: bool) -> None:
    """Write a commented configuration to start from.

    FILE is centralita.toml when not given; it is ready for `centralita serve`.
    """
    text = resources.files("centralita_cli").joinpath("templates", CONFIG_NAME).read_text(encoding="utf-8")
    try:
        with file.open("w" if force else "x", encoding="utf-8") as output:
            output.write(text)
    except FileExistsError as error:
        raise Refused(f"{file} is there already; --force writes over it") from error
    except OSError as error:
        raise Unusable(f"{file}: can't be written: {error.strerror}") from error
    option = "" if file == Path(CONFIG_NAME) else f" -c {file}"
    click.echo(f"{file} is written. Next:")
    click.echo(f"  centralita check{option.removeprefix(' -c') and ' ' + str(file)}")
    click.echo(f"  centralita serve{option}")
    click.echo(f"  centralita token create{option} --role agent --agent ana 'Ana at her desk'")
    click.echo("and in a browser:")
    click.echo("  http://127.0.0.1:8470/chat/help   a customer's page")
    click.echo("  http://127.0.0.1:8470/console/    the desk, with that token")
    click.echo("  http://127.0.0.1:8470/board/      the wall board, with a token of --role supervisor")
