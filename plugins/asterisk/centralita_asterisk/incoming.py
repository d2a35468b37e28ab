"""A call comes in, waits and leaves: from the first ring to the customer's hanging up.

What the dialplan says of a call are words after the application's name: `Stasis(centralita,queue=sales,language=es)`.
They are the fields of an admission; `skill.NAME=LEVEL` is a skill, and anything else an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import trio

from centralita.messages import AbandonContact, AdmitContact
from centralita.protocols import Outcome
from centralita_asterisk.ari import AriError, Channel, Request
from centralita_asterisk.calls import Call
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.rooms import arrange, arrange_soon
from centralita_asterisk.server import Server
from centralita_asterisk.speaking import speak

FIELDS: Final = ("queue", "language", "customer_name", "handle", "subject", "preferred_agent")
_SAID_WRONG: Final = ("unknown_queue", "unknown_skill", "bad_value")
SECONDS_MAX: Final = 31_536_000.0
_PRIORITY: Final = re.compile(r"-?[0-9]{1,9}")
_LEVEL: Final = re.compile(r"[0-9]{1,9}")


def read_words(words: Sequence[str]) -> dict[str, Any]:
    """The dialplan's words as fields of an admission. What can't be read is left out, and said in `unread`."""
    fields: dict[str, Any] = {"skills": {}, "attributes": {}}
    unread: list[str] = []
    for word in words:
        key, separator, value = word.partition("=")
        if not word.strip():
            continue
        if not separator:
            unread.append(word)
        elif key in FIELDS:
            fields[key] = value
        elif key == "priority" and _PRIORITY.fullmatch(value):
            fields["priority"] = int(value)
        elif key.startswith("skill.") and _LEVEL.fullmatch(value):
            fields["skills"][key[6:]] = int(value)
        elif key == "priority" or key.startswith("skill."):
            unread.append(word)
        else:
            fields["attributes"][key] = value
    fields["skills"] = fields["skills"] or None
    fields["attributes"] = fields["attributes"] or None
    fields["unread"] = unread
    return fields


class Incoming:
    """What is done with customers who call."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def arrived(self, server: Server, channel: Channel, words: Sequence[str]) -> None:
        """A customer's channel is ours: answer it and admit the contact."""
        provider_id = f"{server.name}/{channel.id}"
        if provider_id not in self._exchange.calls.by_provider:
            await self.take_in(self.known(server, channel), channel, words)

    def known(self, server: Server, channel: Channel) -> Call:
        """Know a customer's channel as a call from now on."""
        provider_id = f"{server.name}/{channel.id}"
        call = Call(provider_id, server, channel=channel.id, number=channel.caller.number)
        call.answered = channel.state == "Up"
        self._exchange.calls.add(call)
        return call

    async def take_in(
        self, call: Call, channel: Channel, words: Sequence[str], *, found_after_s: float | None = None
    ) -> None:
        """Answer a call and admit the contact. One that a look at the server has found, so many seconds after its
        beginning, may be of a contact that is over: then the engine has been told that the line is there, and has it
        ended or handed on."""
        exchange, settings = self._exchange, self._exchange.settings
        provider_id, credit_s = call.provider_id, found_after_s or 0
        if not call.answered:
            exchange.start(self._pick_up, call)
        if settings.greeting_first:
            await self._greet(call)
            if call.gone.is_set():
                exchange.calls.forget(call)
                return
        outcome = await self._admit(call, channel, words, credit_s)
        if outcome is None:
            return  # we are going; the next life finds the call where it is
        if outcome.refusal is not None:
            exchange.log.warning("call_refused", code=outcome.refusal.code, reason=outcome.refusal.message)
            await self.let_go(call)
            return
        if not outcome.seq and self._is_over(outcome.contact):
            if found_after_s is not None and provider_id not in exchange.given_up:
                return
            # The same channel, back from the dialplan or from a loss that was none: a new contact.
            exchange.calls.forget(call)
            call.provider_id = f"{provider_id}#{exchange.next_number()}"
            exchange.calls.add(call)
            outcome = await self._admit(call, channel, words, credit_s)
            if outcome is None or outcome.refusal is not None:
                await self.let_go(call)
                return
        if not call.contact:
            exchange.calls.is_contact(call, outcome.contact)
        if call.gone.is_set():
            await self.left(call)
            return
        arrange_soon(exchange, call)
        if not settings.greeting_first:
            await self._greet(call)

    def _is_over(self, contact: int) -> bool:
        view = self._exchange.view(contact)
        return view is None or view.phase in ("ended", "wrapping")

    async def _admit(
        self, call: Call, channel: Channel, words: Sequence[str], credit_s: float
    ) -> Outcome | None:
        """Admit the contact as the dialplan says; when that can't be, with nothing but its number, and say so:
        a word misspelt in the dialplan is no reason to hang up on anybody."""
        exchange = self._exchange
        fields = read_words(words)
        if unread := fields.pop("unread"):
            exchange.log.warning("dialplan_words_unread", words=unread[:5], known=", ".join(FIELDS))
        common: dict[str, Any] = {
            "channel": exchange.name,
            "provider_id": call.provider_id,
            "to": channel.dialplan.exten,
            "credit_s": min(credit_s, SECONDS_MAX) if credit_s else None,
        }
        caller: dict[str, Any] = {"handle": channel.caller.number, "customer_name": channel.caller.name}
        outcome = await exchange.submit(AdmitContact(**common, **{**caller, **fields}))
        if outcome is not None and outcome.refusal is not None and outcome.refusal.code in _SAID_WRONG:
            exchange.log.error("dialplan_words_refused", reason=outcome.refusal.message)
            outcome = await exchange.submit(AdmitContact(**common, **caller))
        return outcome

    async def _pick_up(self, call: Call) -> None:
        await self._exchange.insist(
            partial(self._answer, call),
            lambda: self._exchange.calls.by_provider.get(call.provider_id) is call,
            "answer",
        )

    async def _answer(self, call: Call) -> None:
        path = f"channels/{call.channel}"
        match self._exchange.settings.answer:
            case "at_once":
                await call.server.ask("POST", f"{path}/answer", known=(404, 409, 412))
                call.answered = True
            case "early_media":
                await call.server.ask("POST", f"{path}/progress", known=(404, 409, 412))
            case "with_agent":
                await call.server.ask("POST", f"{path}/ring", known=(404, 409, 412))

    async def _greet(self, call: Call) -> None:
        exchange = self._exchange
        if exchange.settings.greeting and exchange.settings.answer != "with_agent":
            await speak(exchange, call, exchange.settings.greeting)
            if call.contact:
                arrange_soon(exchange, call)

    async def gone(self, call: Call) -> None:
        """The customer's channel has ended."""
        call.up = False
        call.gone.set()
        if call.contact:
            await self.left(call)

    async def left(self, call: Call) -> None:
        """The customer has hung up, whatever was going on."""
        exchange = self._exchange
        outcome = await exchange.submit(AbandonContact(contact=call.contact, reason="hung up"))
        if outcome is not None and outcome.refusal is not None and outcome.refusal.code == "already":
            # It has become a callback: nobody is on the line any more, and nobody need be.
            exchange.calls.forget(call)

    async def leave(self) -> None:
        """We go, and the callers stay. What has been begun for one who has just come is cut off with us: so everybody is
        answered, and hears from now on what the engine says. Where that is so already nothing is asked."""
        exchange = self._exchange
        views = exchange.switchboard.contacts() if any(not call.contact for call in exchange.calls) else []
        contacts = {view.provider_id: view.id for view in views if view.channel == exchange.name}
        async with trio.open_nursery() as nursery:
            for call in exchange.calls:
                if not call.contact and call.provider_id in contacts:
                    exchange.calls.is_contact(call, contacts[call.provider_id])
                if call.contact and call.server.ready:
                    nursery.start_soon(self._leave, call)

    async def _leave(self, call: Call) -> None:
        try:
            if call.up and not call.answered and self._exchange.settings.answer == "at_once":
                await self._answer(call)
                # Music that has begun before the answer ends with it.
                call.unsure = True
            await arrange(self._exchange, call)
        except AriError as error:
            self._exchange.log.warning("asterisk_request_failed", doing="leave", error=str(error))

    async def let_go(self, call: Call) -> None:
        """Hang up on the customer."""
        channel, call.up = call.channel, False
        call.gone.set()
        self._exchange.calls.forget(call)
        if channel:
            await self._exchange.end(call.server, [Request("DELETE", f"channels/{channel}", known=(404,))])
