"""What the kit can't know: who is known by what, in a running engine."""

from pathlib import Path

import my_plugin
import trio

import centralita
from centralita.messages import AdmitContact
from centralita.protocols import Switchboard

PATIENCE_S = 10


def settings(folder: Path) -> dict[str, object]:
    return {
        "domain": {"data": str(folder)},
        "journal": {"type": "memory"},
        "queues": {"help": {}},
        "channels": {"shop": {"type": "program", "queue": "help"}},
        "crms": {"book": {"type": "my_plugin"}},
    }


async def admit(switchboard: Switchboard, provider_id: str, name: str = "") -> int:
    command = AdmitContact(
        channel="shop", provider_id=provider_id, handle="eva@mail.example", customer_name=name
    )
    return (await switchboard.submit(command)).contact


async def identified(switchboard: Switchboard, contact: int) -> str:
    with trio.fail_after(PATIENCE_S):
        while True:
            view = switchboard.contact(contact)
            if view is not None and view.phase == "waiting":
                return view.customer.name if view.customer is not None else ""
            await trio.sleep(0.01)


def test_second_contact_from_an_address_is_known_by_the_name_of_the_first(tmp_path: Path) -> None:
    async def main() -> None:
        async with centralita.open_engine(
            settings(tmp_path), plugins=[my_plugin], entry_points=False
        ) as switchboard:
            first = await admit(switchboard, "1", name="Eva")
            await identified(switchboard, first)
            with trio.fail_after(PATIENCE_S):
                while not await switchboard.history(None, handle="eva@mail.example"):
                    await trio.sleep(0.01)
            assert await identified(switchboard, await admit(switchboard, "2")) == "Eva"

    trio.run(main)
