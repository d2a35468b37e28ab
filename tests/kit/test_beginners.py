"""The mistakes that somebody makes who writes a plugin for the first time: the kit names each in words that say what to do."""

from __future__ import annotations

import asyncio
import time
import types
from collections.abc import Callable, Generator
from typing import Any

import pytest
import trio

from centralita.messages import AdmitContact
from centralita.protocols import BotTurn, Inbox
from centralita.views import ContactView
from tests.kit.broken import plugin
from tests.kit.good import GoodBot, GoodChannel, GoodClassifier
from tests.kit.test_broken import quiet_and_closed, report_on

__all__ = ["quiet_and_closed"]


class ForgetsAwait(GoodBot):
    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        trio.sleep(0.1)  # type: ignore[unused-coroutine]
        return await super().turn(contact, message)


class Plain(GoodBot):
    def turn(self, contact: ContactView, message: str | None) -> BotTurn:  # type: ignore[override]
        return BotTurn(texts=("Hello.",))


class PlainRun(GoodBot):
    def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:  # type: ignore[override]
        task_status.started()


class ByGenerator(GoodBot):
    @types.coroutine
    def turn(self, contact: ContactView, message: str | None) -> Generator[Any, Any, BotTurn]:
        return (yield from super().turn(contact, message).__await__())


class Sleeps(GoodClassifier):
    async def classify(self, contact: ContactView) -> None:
        time.sleep(0.4)


class ByAsyncio(GoodBot):
    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        await asyncio.sleep(0.1)
        return await super().turn(contact, message)


class ConnectsNobody(GoodChannel):
    async def connect(self, *arguments: Any, **named: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return "yes"


class AnotherName(GoodChannel):
    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        class Misnamed:
            async def submit(self, command: Any) -> Any:
                if isinstance(command, AdmitContact):
                    command = AdmitContact(channel="shop", provider_id=command.provider_id)
                return await inbox.submit(command)

        await super().run(Misnamed(), task_status=task_status)


@pytest.mark.parametrize(
    ("kind", "build", "number", "words"),
    [
        ("bots", ForgetsAwait, 801, "an await is missing: coroutine 'sleep' was never awaited ("),
        ("bots", Plain, 801, "turn gave BotTurn at once: it must be written as async def turn"),
        ("bots", PlainRun, 201, "run gave NoneType at once: it must be written as async def run"),
        ("classifiers", Sleeps, 206, "slept for 0.4"),
        ("bots", ByAsyncio, 801, "components live by trio, not asyncio: trio.sleep"),
        ("channels", ConnectsNobody, 310, "connect brought nobody together: connect returned 'yes'"),
        ("channels", AnotherName, 306, "the engine refused AdmitContact: channel was 'shop'; known: "),
    ],
)
def test_mistake_is_named(kind: str, build: Callable[..., Any], number: int, words: str) -> None:
    report = report_on(kind, plugin(kind, build))
    said = {one.number: one.message for one in report.of("failed")}
    assert words in said.get(number, ""), said


def test_what_can_be_awaited_need_not_be_an_async_def() -> None:
    assert not report_on("bots", plugin("bots", ByGenerator)).of("failed")
