"""A company in a process of its own, to be killed: `python -m tests.webchat.serving FOLDER PORT`.

Ana takes every contact and repeats what the customer says, each message once, over any number of lives.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from centralita.messages import AnswerOffer, PostMessage, SignIn
from centralita.protocols import Switchboard
from tests.webchat.house import open_house


async def answer(switchboard: Switchboard, contact: int) -> None:
    view = switchboard.contact(contact)
    if view is None:
        return
    for work in view.works:
        if work.state == "offered":
            await switchboard.submit(
                AnswerOffer(contact=contact, agent=work.agent, offer=work.offer, accept=True)
            )
    if view.phase == "connected":
        answered = {message.message_id for message in view.messages if message.author == "agent"}
        for message in view.messages:
            if message.author == "customer" and f"echo-{message.number}" not in answered:
                await switchboard.submit(
                    PostMessage(
                        contact=contact,
                        author="agent",
                        author_id=view.agent,
                        text=f"echo {message.text}",
                        message_id=f"echo-{message.number}",
                    )
                )


async def main(folder: Path, port: int) -> None:
    async with open_house(folder, port=port, messages_per_minute_max=10_000) as house:
        await house.switchboard.submit(SignIn(agent="ana"))
        while True:
            for contact in house.switchboard.contacts():
                await answer(house.switchboard, contact.id)
            await trio.sleep(0.002)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
