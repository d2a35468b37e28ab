"""`centralita demo`: the real daemon with a small company, and simulated people on the real interfaces."""

from __future__ import annotations

import signal
import socket
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import click
import trio

from centralita.config import Configuration, load
from centralita.plugins import data_folder
from centralita.runner.service import open_engine
from centralita.structs import Frozen
from centralita_cli import logs
from centralita_cli.client import DEFAULT_PORT, front_door
from centralita_cli.demo.customers import stream_of_customers
from centralita_cli.demo.desk import SimulatedAgent
from centralita_cli.demo.temper import Temper
from centralita_cli.exits import Broken
from centralita_cli.options import CONFIG_NAME, Number
from centralita_cli.serve import listening_on, starting
from centralita_http.tokens import open_store

HOST: Final = "127.0.0.1"
PORTS_TRIED: Final = 100
HUMAN: Final = "ana"
"""The agent whose desk is for whoever runs the demo."""


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65_535), help=f"Listen here; else {DEFAULT_PORT} or the next free one."
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="What the simulated people's chance begins with."
)
@click.option("--every", "every_s", type=Number(0.2, 3600), default=12.0, show_default=True,
              help="A simulated customer comes every so many seconds, in the mean.")  # fmt: skip
@click.option(
    "--speed",
    type=Number(0.1, 100),
    default=1.0,
    show_default=True,
    help="Simulated people do things so many times as fast.",
)
@click.option("--quiet", is_flag=True, help="No simulated customers.")
@click.option("--no-simulated-agents", is_flag=True, help="Nobody is at work but you.")
@click.option("--log-level", type=click.Choice(logs.LEVELS), default="warning", show_default=True)
def demo(
    port: int | None,
    seed: int,
    every_s: float,
    speed: float,
    quiet: bool,
    no_simulated_agents: bool,
    log_level: logs.Level,
) -> None:
    """Run a small company with simulated people, to look around in.

    Ctrl-C ends it and leaves nothing behind.
    """
    logs.set_up(as_json=False, level=log_level)
    cast = Cast(seed=seed, every_s=None if quiet else every_s, speed=speed, agents=not no_simulated_agents)
    with (
        tempfile.TemporaryDirectory(prefix="centralita-demo-") as folder,
        starting("the demo's configuration"),
    ):
        trio.run(_run, _company(Path(folder), port or _free_port()), cast)
    click.echo("The demo has ended.")


class Cast(Frozen):
    """Who is simulated. `every_s` None: no customers."""

    seed: int
    every_s: float | None
    speed: float
    agents: bool


async def _run(configuration: Configuration, cast: Cast) -> None:
    tokens = _make_tokens(configuration)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_engine(configuration), trio.open_nursery() as people:
            _say_what_to_open(configuration, tokens, cast)
            _bring_on(people, configuration, tokens, cast)
            await anext(signals)
            people.cancel_scope.cancel()


def _bring_on(people: trio.Nursery, configuration: Configuration, tokens: dict[str, str], cast: Cast) -> None:
    url = f"ws://{HOST}:{front_door(configuration).settings['port']}"
    for name in configuration.engine.agents:
        if cast.agents and name != HUMAN:
            temper = Temper(f"{name} {cast.seed}", speed=cast.speed)
            agent = SimulatedAgent(name, url=f"{url}/ws/desk", token=tokens[name], temper=temper)
            people.start_soon(agent.run)
    if cast.every_s is not None:
        coming = partial(stream_of_customers, seed=cast.seed, every_s=cast.every_s, speed=cast.speed)
        people.start_soon(coming, url)


def _company(folder: Path, port: int) -> Configuration:
    """Put the company's file into the folder, so that other commands can use it, and read it."""
    text = Path(__file__).with_name("company.toml").read_text(encoding="utf-8")
    path = folder / CONFIG_NAME
    path.write_text(
        text.replace("[front_doors.http]\n", f"[front_doors.http]\nport = {port}\n"), encoding="utf-8"
    )
    return listening_on(load(path), host=HOST, port=port)


def _make_tokens(configuration: Configuration) -> dict[str, str]:
    """A token for each agent by name, and one under "" for the wall board."""
    store = open_store(data_folder(configuration, front_door(configuration)))
    with closing(store):
        tokens = {
            name: store.create(name=f"demo: {agent.title}", role="agent", agent=name, days=1)[1]
            for name, agent in configuration.engine.agents.items()
        }
        tokens[""] = store.create(name="demo: wall board", role="supervisor", days=1)[1]
    return tokens


def _free_port() -> int:
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        with closing(socket.socket()) as probe:
            # As the daemon will: a port that is only just closed is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise Broken(
        f"no port from {DEFAULT_PORT} to {DEFAULT_PORT + PORTS_TRIED - 1} is free; name one with --port"
    )


def _say_what_to_open(configuration: Configuration, tokens: dict[str, str], cast: Cast) -> None:
    port = front_door(configuration).settings["port"]
    base = f"http://{HOST}:{port}"
    human = configuration.engine.agents[HUMAN]
    colleagues = [one.title for name, one in configuration.engine.agents.items() if name != HUMAN]
    lines = [
        f"{configuration.domain.name} is open. Three pages to look at:",
        "",
        f"  the customer's page   {base}/chat/shop   (in Spanish: {base}/chat/tienda)",
        f"  {human.title}'s desk            {base}/console/#token={tokens[HUMAN]}",
        f"  the wall board        {base}/board/#token={tokens['']}",
        "",
        f"Write as a customer, take the offer at {human.title}'s desk, and watch it counted on the board.",
        f"{', '.join(colleagues)} are simulated."
        if cast.agents
        else f"Nobody else is at work: {HUMAN} is you.",
        "Simulated customers come and go." if cast.every_s is not None else "No customers are simulated.",
        "",
        "In another terminal:",
        f"  centralita top -c {configuration.folder / CONFIG_NAME}",
        "",
        "Ctrl-C ends the demo.",
    ]
    click.echo("\n".join(lines))
