"""`centralita fit`: which credit explains the order in which a recording's customers were served."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.text import Text

from centralita.simulate.fit import Fit
from centralita.simulate.fit import fit as search
from centralita.simulate.fit_replay import Tried, serve_with
from centralita_cli import tables
from centralita_cli.exits import Unusable
from centralita_cli.options import Number, json_option
from centralita_cli.replay import read_recording, recording_options


@click.command()
@recording_options
@click.option("--kind", "kinds", multiple=True, help="Look at this kind only; may be said several times.")
@click.option("--step", type=Number(1, 600), default=10.0, show_default=True, help="Seconds a line.")
@click.option(
    "--replay",
    "replayed",
    is_flag=True,
    help="Also put the recording through the engine under first come first served, the credit found and"
    " strict priority, and compare who the engine served first with who was.",
)
@json_option
def fit(
    file: Path,
    format_name: str,
    columns: Path | None,
    kinds: tuple[str, ...],
    step: float,
    replayed: bool,
    as_json: bool,
) -> None:
    """Search the head start that preferred customers had in a recording.

    Preferred are the contacts to which the recording gives any credit. Counted are pairs of one kind who waited at
    the same time: how many were served against the order that a credit makes.
    """
    recording = read_recording(file, format_name, columns)
    known = sorted({contact.kind for contact in recording.contacts})
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        raise Unusable(f"--kind was {', '.join(unknown)}; known: {', '.join(known)}")
    found = search(recording, kinds=kinds, step_s=step)
    if not found.mixed_pairs:
        raise Unusable(f"{file}: no preferred and regular customer of one kind waited at the same time")
    tried = serve_with(recording, found) if replayed else ()
    if as_json:
        tables.write_json(msgspec.to_builtins({"fit": found, "replayed": tried}))
    else:
        _print(found, tried)


def _print(found: Fit, tried: tuple[Tried, ...]) -> None:
    tables.put(
        Text(
            f"{found.source}: {found.pairs:,} pairs who waited at the same time ({', '.join(found.kinds)}),"
            f" {found.mixed_pairs:,} of them of a preferred and a regular customer."
        ),
        Text(
            f"Fewest are served against the order with a credit of {found.best_s:g} s:"
            f" {found.best.share:.1%}. Up to {found.until_s:g} s it is as good, but for one pair in a thousand."
        ),
        Text(),
        tables.table(
            ("order", ">against it", ">share"),
            [
                (
                    f"{rule.name}{' *' if rule == found.best else ''}",
                    f"{rule.violations:,}",
                    f"{rule.share:.1%}",
                )
                for rule in found.rules
            ],
        ),
        Text(),
        tables.table(
            ("a preferred customer who came later by", ">pairs", ">went first"),
            [
                (f"{step.from_s:g} to {step.until_s:g} s", f"{step.pairs:,}", f"{step.preferred_first:.0%}")
                for step in found.steps
                if step.from_s < 2 * found.best_s + 60
            ],
        ),
    )
    if tried:
        tables.put(
            Text(),
            Text(
                "Through the engine: of the recorded pairs that waited at the same time there too, who went first."
            ),
            tables.table(
                ("order", ">pairs", ">as recorded"),
                [(one.name, f"{one.pairs:,}", f"{one.agreement:.1%}") for one in tried],
            ),
        )
