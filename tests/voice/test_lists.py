"""Lists of numbers over a real Asterisk: the agent's phone rings, then the customer's; results told apart by the line."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from tools.asterisk_server import Asterisk

from centralita import hookimpl
from centralita.messages import ContactEnded
from centralita.protocols import Context, Register
from centralita_dialler import Settings
from centralita_dialler.dialler import Dialler
from centralita_dialler.store import Entry
from tests.voice.house import CUSTOMER_HZ, HZ, WITHIN_S, House, open_house

NUMBER = "+34911234567"
LISTS: dict[str, dict[str, Any]] = {
    "routes.lists": {"type": "dialler"},
    "routes.lists.campaigns.renewals": {
        "channel": "phone",
        "queue": "sales",
        "title": "Renewals",
        "attempts_max": 1,
    },
}


class Plugin:
    """The dialler, remembered when it is built."""

    dialler: Dialler

    @hookimpl
    def register_routes(self, register: Register) -> None:
        def build(settings: Settings, context: Context) -> Dialler:
            self.dialler = Dialler(settings, context)
            return self.dialler

        register("dialler", Settings, build)


async def called(house: House, plugin: Plugin) -> None:
    """A number is put on the list, and the list is called."""
    await plugin.dialler.add("renewals", [Entry(number=NUMBER, name="Eva", attributes={"contract": "A-17"})])
    await plugin.dialler.set_running("renewals", running=True)


async def result(house: House, plugin: Plugin) -> dict[str, int]:
    await house.event(ContactEnded)
    with trio.fail_after(WITHIN_S):
        while not (standing := await plugin.dialler.standing("renewals"))["records"]["done"]:
            await trio.sleep(0.02)
    found: dict[str, int] = standing["results"]
    return found


async def test_number_of_a_list_is_called_when_an_agent_is_free_and_both_hear_each_other(
    asterisk: Asterisk,
) -> None:
    plugin = Plugin()
    async with open_house(asterisk, plugins=[plugin], also=LISTS) as house:
        carrier = await house.carrier()
        await called(house, plugin)
        agent = await house.phone("ana")
        ringing = await agent.rings()
        await ringing.answer()
        customer = await carrier.rings()
        await customer.answer()
        view = await house.phase("connected")
        assert (view.direction, view.handle, view.attributes["contract"]) == ("outbound", NUMBER, "A-17")
        await ringing.hears(CUSTOMER_HZ)
        await customer.hears(HZ["ana"])
        await customer.hang_up()
        assert await result(house, plugin) == {"answered": 1}


@pytest.mark.parametrize(("status", "told"), [(486, "busy"), (404, "failed"), (603, "rejected")])
async def test_customer_who_is_not_reached_is_told_apart_by_what_the_line_says(
    asterisk: Asterisk, status: int, told: str
) -> None:
    plugin = Plugin()
    async with open_house(asterisk, plugins=[plugin], also=LISTS) as house:
        carrier, agent = await house.carrier(), await house.phone("ana")
        await called(house, plugin)
        await (await agent.rings()).answer()
        await (await carrier.rings()).refuse(status)
        assert await result(house, plugin) == {told: 1}


async def test_customer_who_does_not_pick_up_is_no_answer(asterisk: Asterisk) -> None:
    plugin = Plugin()
    async with open_house(asterisk, plugins=[plugin], also=LISTS, phone={"dial_s": 1}) as house:
        carrier, agent = await house.carrier(), await house.phone("ana")
        await called(house, plugin)
        await (await agent.rings()).answer()
        await carrier.rings()
        assert await result(house, plugin) == {"no_answer": 1}
