"""Whatever runs: 201 to 206."""

from __future__ import annotations

import socket
import time

import trio

from centralita.protocols import Classification, Inbox
from centralita.views import ContactView
from tests.kit.broken.registry import breaks
from tests.kit.good import GoodClassifier


@breaks(201, "classifiers")
class Silent(GoodClassifier):
    """Never says that it has started."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()


@breaks(202, "classifiers")
class Brief(GoodClassifier):
    """Has better things to do."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(0.01)


@breaks(203, "classifiers")
class Swallowing(GoodClassifier):
    """Takes a cancellation for an error of its own."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            pass


@breaks(204, "classifiers")
class OnlyOnce(GoodClassifier):
    """Lives once."""

    lived = False

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        if self.lived:
            raise RuntimeError("has lived")
        self.lived = True
        await super().run(inbox, task_status=task_status)


LEAKED: list[socket.socket] = []
"""For whoever has to close what the next one leaves open."""


@breaks(205, "classifiers")
class Leaking(GoodClassifier):
    """Opens a socket for each life."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        LEAKED.append(socket.socket())
        await super().run(inbox, task_status=task_status)


@breaks(206, "classifiers")
class Blocking(GoodClassifier):
    """Thinks the whole thread to a halt, the first time it is asked."""

    asked = False

    async def classify(self, contact: ContactView) -> Classification | None:
        if not self.asked:
            self.asked = True
            time.sleep(0.4)
        return await super().classify(contact)
