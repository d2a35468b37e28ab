"""A chat that is not up: what is asked of it then must not be taken for the customer's doing."""

from pathlib import Path

import pytest
import structlog

from centralita.config import Configuration
from centralita.protocols import Context
from centralita.runner.clock import RealClock
from centralita_webchat.channel import WebChat
from centralita_webchat.sessions import Turned
from centralita_webchat.settings import WebchatSettings
from tests.webchat.house import Page, open_house


async def test_connection_asked_of_a_stopping_chat_fails_and_ends_no_conversation(tmp_path: Path) -> None:
    async with open_house(tmp_path / "house") as house, Page(house.base).open() as page:
        await page.send("m1", "hello")
        (contact,) = await house.contact_in("waiting")
        view = house.switchboard.contact(contact)
        assert view is not None
        (tmp_path / "stopping").mkdir()
        context = Context(
            kind="channels",
            name="shop_chat",
            log=structlog.stdlib.get_logger(),
            clock=RealClock(not_before_ns=0),
            data=tmp_path / "stopping",
            configuration=Configuration(),
            switchboard=house.switchboard,
        )
        with pytest.raises(Turned, match="restarting"):
            await WebChat(WebchatSettings(), context).connect(view, agent="ana", callback_handle="")
