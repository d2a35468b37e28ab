"""A component that fails, seen from everywhere an operator looks: `centralita status`, the wall's feed, the metrics."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trio

from centralita import hookimpl, open_engine
from centralita.messages import AdmitContact, EndContact
from centralita.protocols import Context, Inbox, Register
from centralita.runner.switchboard import LiveSwitchboard
from tests.cli.daemon import run
from tests.runner.house import ScriptedChannel

PATIENCE_S = 180.0
HOUSE = """
default_queue = "help"
[queues.help]
[agents.ana]
[channels.shop]
type = "webchat"
[kpi_sinks.metrics]
type = "prometheus"
[front_doors.http]
type = "http"
port = 0
"""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[channels.NAME] type = "bad"`."""


class BadChannel(ScriptedChannel):
    """A channel that does what its `fault` says, in every life."""

    fault = "crash"

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        if self.fault == "crash":
            raise RuntimeError("a customer's words")
        if self.fault == "flood":
            async with trio.open_nursery() as nursery:
                for number in range(5_000):
                    nursery.start_soon(inbox.submit, EndContact(contact=10**6 + number, by=""))
            raise RuntimeError("flooded enough")
        if self.fault == "nonsense":
            await inbox.submit("hello")  # type: ignore[arg-type]
        await trio.sleep_forever()


class BadPlugin:
    """What an entry point would name."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    @hookimpl
    def register_channels(self, register: Register) -> None:
        register("bad", Settings, self._build)

    def _build(self, settings: Settings, context: Context) -> BadChannel:
        channel = BadChannel(context)
        channel.fault = self.fault
        return channel


@asynccontextmanager
async def house(folder: Path, plugin: BadPlugin) -> AsyncIterator[tuple[LiveSwitchboard, httpx.AsyncClient]]:
    config = folder / "centralita.toml"
    config.write_text(f'{HOUSE}[channels.bad]\ntype = "bad"\n', encoding="utf-8")
    async with open_engine(config, plugins=[plugin]) as switchboard:
        # What the command line reads: the same house, without the plugin that is not installed there.
        config.write_text(HOUSE, encoding="utf-8")
        await until(lambda: bool(list(folder.rglob("http.port"))))
        (port,) = [path.read_text(encoding="ascii").strip() for path in folder.rglob("http.port")]
        (token,) = [path.read_text(encoding="ascii").strip() for path in folder.rglob("cli.token")]
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=PATIENCE_S,
        ) as client:
            yield switchboard, client


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not holds():
            await trio.sleep(0.02)


async def board(folder: Path) -> dict[str, Any]:
    """What the wall board shows, by the command that reads the same stream."""
    told = await trio.to_thread.run_sync(lambda: run("top", "--once", "--json", cwd=folder))
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("fault", ["crash", "flood", "nonsense"])
async def test_component_that_fails_is_seen_everywhere_and_its_neighbours_work(
    tmp_path: Path, fault: str
) -> None:
    plugin = BadPlugin(fault)
    async with house(tmp_path, plugin) as (switchboard, client):

        def view() -> Any:
            return next(one for one in switchboard.components() if one.name == "bad")

        await until(lambda: view().restarts >= 2 and view().state == "down")
        for _ in range(3):
            came = await switchboard.submit(
                AdmitContact(channel="shop", provider_id=f"{fault} {view().restarts}")
            )
            assert came.refusal is None
        others = [one for one in switchboard.components() if one.name != "bad"]
        assert {(one.state, one.restarts) for one in others} == {("up", 0)}

        async def down_on_the_board() -> dict[str, Any]:
            """It comes up for a moment again and again, and the command takes a moment to begin."""
            with trio.fail_after(PATIENCE_S):
                while True:
                    seen: dict[str, Any]
                    (seen,) = [one for one in (await board(tmp_path))["components"] if one["name"] == "bad"]
                    if seen["state"] == "down":
                        return seen

        seen = await down_on_the_board()
        assert "a customer's words" not in json.dumps(seen)
        assert seen["error"]
        assert seen["restarts"] >= 2

        async def metrics() -> str:
            return (await client.get("/metrics")).text

        with trio.fail_after(PATIENCE_S):
            while 'centralita_component_down{component="channels.bad"} 1' not in await metrics():
                await trio.sleep(0.05)
        await until(lambda: view().state == "down" and view().restarts >= 3)
        with trio.fail_after(PATIENCE_S):
            # Down for longer each time, but not always while the command looks.
            while (
                "channels.bad"
                not in (await trio.to_thread.run_sync(lambda: run("status", cwd=tmp_path))).stdout
            ):
                pass
