"""Agents consult, join and transfer: the customer's channel hears of it, the colleague's desk is asked."""

from pathlib import Path

import pytest
import trio
import trio.testing

from centralita.messages import AdmitContact, EndConsultation, EndContact, StartConsultation, Target
from tests.runner.house import House, sign_in


@pytest.mark.parametrize("then", ["transfer", "join", "cancel"])
async def test_consultation_brings_a_colleague_in_and_leaves_the_customer_connected(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, then: str
) -> None:
    house = House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    async with house.open(tmp_path) as switchboard:
        channel, desk = house["channels.shop"], house["desks.floor"]
        await sign_in(switchboard, "ana")
        contact = (await switchboard.submit(AdmitContact(channel="shop", provider_id="p1"))).contact
        await channel.wait_for("connect")
        await sign_in(switchboard, "bea")
        await trio.testing.wait_all_tasks_blocked()
        outcome = await switchboard.submit(
            StartConsultation(contact=contact, agent="ana", target=Target(agent="bea"))
        )
        assert outcome.refusal is None
        await desk.wait_for("offer", 2)
        await trio.sleep(1)
        view = switchboard.contact(contact)
        assert view is not None
        consultation = switchboard.contact(view.consultation)
        assert consultation is not None
        assert (view.phase, consultation.phase) == ("connected", "connected")
        assert len(channel.of("connect")) == 1
        outcome = await switchboard.submit(EndConsultation(contact=contact, agent="ana", then=then))  # type: ignore[arg-type]
        assert outcome.refusal is None
        await trio.sleep(1)
        view = switchboard.contact(contact)
        assert view is not None
        assert view.phase == "connected"
        with_customer = {
            "transfer": ({"bea"}, [(contact, "bea")], [(contact, "ana")]),
            "join": ({"ana", "bea"}, [(contact, "bea")], []),
            "cancel": ({"ana"}, [], []),
        }[then]
        connected = {work.agent for work in view.works if work.state == "connected"}
        assert (connected, channel.of("join"), channel.of("part")) == with_customer
        assert channel.of("disconnect") == []
        await switchboard.submit(EndContact(contact=contact, by=min(connected)))
        await channel.wait_for("disconnect")
        await trio.sleep(1)
        assert switchboard.contacts() == []
        assert {agent.state for agent in switchboard.agents()} == {"idle"}
