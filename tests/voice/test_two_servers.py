"""One centre on two Asterisk servers: one pool of agents, and either server may go while the other serves."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path

import pytest
import trio
from tools.asterisk_server import PASSWORD, USER, Asterisk

from centralita.messages import ContactAdmitted, ContactConnected, ContactEnded, OfferDeclined, SignIn
from centralita_asterisk.ari import Channel
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.server import Server
from tests.voice.house import HZ, WITHIN_S, House, open_house
from tests.voice.phone import Phone, Talk


class Rig:
    """Telephones at two servers."""

    def __init__(self, house: House, **servers: Asterisk) -> None:
        self.house = house
        self.servers = servers

    async def agent(self, name: str, server: str) -> Phone:
        """An agent's telephone at one of the servers, which answers whatever comes."""
        phone = Phone(self.house.nursery, name, hz=HZ[name])
        phone.then = Talk.answer
        await phone.open(self.servers[server].sip)
        await phone.register()
        return phone

    async def call(self, number: str, server: str) -> Talk:
        """A customer calls in on one of the servers."""
        phone = Phone(self.house.nursery, number, hz=700)
        await phone.open(self.servers[server].sip)
        return await phone.call("sales")

    async def served(self, number: str) -> str:
        """Wait until the customer talks with an agent; who it is."""

        def found() -> str:
            views = self.house.switchboard.contacts(phase="connected")
            return next((view.agent for view in views if view.handle == number), "")

        agent: str = await self.house.until(found)
        return agent

    async def here(self, agent: str) -> None:
        """Wait until the agent is here."""
        await self.house.until(lambda: getattr(self.house.switchboard.agent(agent), "state", "") == "idle")

    def handles(self) -> set[str]:
        """Who is on the line, as far as the engine knows."""
        return {view.handle for view in self.house.switchboard.contacts()}


async def test_one_pool_serves_two_servers_and_outlives_one_of_them(
    second_asterisk: Asterisk, own_asterisk: Asterisk
) -> None:
    other = {"url": own_asterisk.url, "user": USER, "password": PASSWORD}
    async with open_house(
        second_asterisk, phones={"sign_in": "registered"}, also={"channels.phone.servers.other": other}
    ) as house:
        rig = Rig(house, main=second_asterisk, other=own_asterisk)
        carl = await rig.agent("carl", "other")
        await rig.here("carl")
        at_main = await rig.call("600000001", "main")
        # Carl can't be rung from there, and is not lost for the server where he can.
        declined = await house.event(OfferDeclined, agent="carl")
        assert declined.reason == "unreachable"
        at_other = await rig.call("600000002", "other")
        assert await rig.served("600000002") == "carl"
        await at_other.hears(HZ["carl"])
        await rig.agent("ana", "main")
        assert await rig.served("600000001") == "ana"
        await at_main.hears(HZ["ana"])

        await trio.to_thread.run_sync(own_asterisk.kill)
        await rig.agent("bea", "main")
        meanwhile = await rig.call("600000003", "main")
        assert await rig.served("600000003") == "bea"
        await meanwhile.hears(HZ["bea"])
        await at_main.hears(HZ["ana"])

        await trio.to_thread.run_sync(own_asterisk.start)
        # What went on there is over, for the engine too, and nothing on the other server is.
        await house.until(lambda: "600000002" not in rig.handles())
        assert rig.handles() == {"600000001", "600000003"}
        await carl.register()
        again = await rig.call("600000004", "other")
        assert await rig.served("600000004") == "carl"
        await again.hears(HZ["carl"])
        # Bea, who has talked on one server, is rung from the other: one pool.
        await rig.agent("bea", "other")
        await meanwhile.hang_up()
        last = await rig.call("600000005", "other")
        assert await rig.served("600000005") == "bea"
        await last.hears(HZ["bea"])
        await at_main.hears(HZ["ana"])

        for talk in (at_main, again, last):
            await talk.hang_up()
        await house.quiet()
        with trio.fail_after(WITHIN_S):
            while await trio.to_thread.run_sync(own_asterisk.channels):
                await trio.sleep(0.05)
        admitted = Counter(event.contact for event in house.events(ContactAdmitted))
        assert Counter(event.contact for event in house.events(ContactEnded)) == admitted
        assert Counter(event.contact for event in house.events(ContactConnected)) == admitted
        assert house.outcomes() == ["served"] * 5


async def test_call_that_comes_while_another_server_is_looked_at_goes_on(
    second_asterisk: Asterisk, own_asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is back and slow to say what it has: meanwhile callers come at the other."""
    asked, answer = trio.Event(), trio.Event()
    look = Server.channels

    async def slow(self: Server) -> list[Channel]:
        found = await look(self)
        if self.name == "other":
            asked.set()
            await answer.wait()
        return found

    monkeypatch.setattr(Server, "channels", slow)
    await trio.to_thread.run_sync(own_asterisk.kill)
    other = {"url": own_asterisk.url, "user": USER, "password": PASSWORD}
    async with open_house(second_asterisk, also={"channels.phone.servers.other": other}) as house:
        rig = Rig(house, main=second_asterisk, other=own_asterisk)
        await trio.to_thread.run_sync(own_asterisk.start)
        with trio.fail_after(WITHIN_S):
            await asked.wait()
        calling = await rig.call("600000001", "main")
        await house.phase("waiting")
        answer.set()
        servers = exchange_of(house.switchboard, "phone").servers
        await house.until(lambda: servers["other"].ready)
        await rig.agent("ana", "main")
        await house.do(SignIn(agent="ana", desk="phones"))
        assert await rig.served("600000001") == "ana"
        await calling.hears(HZ["ana"])
        await calling.hang_up()
        await house.quiet()
        assert house.outcomes() == ["served"]


def test_no_two_servers_are_given_one_port(asterisk: Asterisk, tmp_path: Path) -> None:
    del asterisk  # where it can't be unpacked there is nothing to ask
    servers = [Asterisk(tmp_path) for _ in range(60)]
    ports = [port for one in servers for port in (one.http, one.sip, one.carrier)]
    assert len(set(ports)) == 180
    del servers
    gc.collect()
    again = [Asterisk(tmp_path) for _ in range(120)]
    assert len({one.carrier for one in again}) == 120
