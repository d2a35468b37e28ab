"""The embedded CRM as the engine meets it: records in, customers and histories out."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from centralita.config import Agent, ChannelRule, EngineConfig, Queue
from centralita.engine import Engine
from centralita.look import contact_view
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    Attachment,
    Customer,
    EndContact,
    FinishWrapUp,
    IdentifyContact,
    NoteContact,
    PostMessage,
    RateContact,
    Record,
    ReportConnection,
    SignIn,
)
from centralita.protocols import Crm
from centralita_crm_sqlite import Settings, SqliteCrm
from centralita_crm_sqlite.customers import UnknownCustomer
from centralita_crm_sqlite.database import CrmFileError
from centralita_crm_sqlite.handles import Handle
from tests.kpi.building import context, start
from tests.kpi.histories import History

S = 1_000_000_000
START_NS = 1_700_000_000 * S
CONFIG = EngineConfig(
    queues={"sales": Queue()},
    agents={"ana": Agent(), "ben": Agent()},
    channels={
        "phone": ChannelRule(medium="voice", queue="sales"),
        "chat": ChannelRule(medium="chat", queue="sales"),
        "mail": ChannelRule(medium="email", queue="sales"),
    },
    crms=("people",),
)


def crm_in(data: Path, **settings: Any) -> SqliteCrm:
    return SqliteCrm(
        Settings(country_code="34", trunk_prefix="", **settings), context(data, kind="crms", name="people")
    )


class House:
    """A real engine whose records go to a CRM, and whose questions the CRM answers."""

    def __init__(self, crm: SqliteCrm) -> None:
        self.crm = crm
        self.engine = Engine()
        self.now_ns = START_NS
        self.records: list[Record] = []

    async def give(self, *commands: AnyCommand) -> int:
        contact = 0
        for command in commands:
            self.now_ns += S
            step = self.engine.handle(command, now_ns=self.now_ns)
            assert step.refusal is None, step.refusal
            contact = step.contact
            if step.events:
                record = Record(seq=step.seq, at_ns=self.now_ns, command=command, events=step.events)
                self.records.append(record)
                await self.crm.write([record])
        return contact

    async def arrive(self, channel: str = "phone", **fields: Any) -> int:
        """A contact comes in and is identified as the runner would."""
        contact = await self.give(AdmitContact(channel=channel, provider_id=f"p{self.engine.seq}", **fields))
        view = contact_view(self.engine, contact)
        assert view is not None
        await self.give(IdentifyContact(contact=contact, customer=await self.crm.find_customer(view)))
        return contact

    async def accept(self, contact: int) -> str:
        (agent,) = self.engine.state.contacts[contact].works
        offer = self.engine.state.contacts[contact].works[agent].offer
        await self.give(
            AnswerOffer(contact=contact, agent=agent, offer=offer, accept=True),
            ReportConnection(contact=contact, agent=agent, made=True),
        )
        return agent

    async def finish(self, contact: int, agent: str, **fields: str) -> None:
        await self.give(
            EndContact(contact=contact, by=agent), FinishWrapUp(contact=contact, agent=agent, **fields)
        )

    def customer(self, contact: int) -> Customer | None:
        return self.engine.state.contacts[contact].customer


@pytest.fixture
async def house(tmp_path: Path) -> House:
    house = House(crm_in(tmp_path))
    await house.give(ApplyConfiguration(config=CONFIG), SignIn(agent="ana"))
    return house


def test_crm_is_what_its_hook_promises(tmp_path: Path) -> None:
    assert isinstance(crm_in(tmp_path), Crm)


async def test_second_contact_of_a_person_is_recognised(house: House) -> None:
    first = await house.arrive(handle="600 123 456", customer_name="Eva Gil", language="es")
    await house.finish(first, await house.accept(first))
    second = await house.arrive(handle="+34600123456")
    assert house.customer(second) == Customer(
        id="1", name="Eva Gil", language="es", preferred_agent="ana", crm="people"
    )


async def test_person_is_recognised_on_another_channel_by_the_same_address(house: House) -> None:
    await house.arrive("mail", handle="Eva@Example.com", customer_name="Eva")
    second = await house.arrive("chat", handle="eva@example.com")
    customer = house.customer(second)
    assert customer is not None
    assert customer.name == "Eva"


async def test_asking_makes_nobody_up(house: House) -> None:
    contact = await house.give(AdmitContact(channel="chat", provider_id="x", handle="session-1"))
    view = contact_view(house.engine, contact)
    assert view is not None
    for _ in range(2):
        assert await house.crm.find_customer(view) is None
    assert await house.crm.search("") == []


async def test_account_needs_a_name_to_be_a_customer_and_a_number_does_not(house: House) -> None:
    await house.arrive("chat", handle="session-1")
    await house.arrive("phone", handle="anonymous")
    await house.arrive("phone", handle="")
    assert await house.crm.search("") == []
    await house.arrive("chat", handle="session-2", customer_name="Leo")
    await house.arrive("phone", handle="600111222")
    names = [one.name for one in await house.crm.search("")]
    assert names == ["", "Leo"]


async def test_name_that_comes_later_is_kept_and_a_known_one_is_not_overwritten(house: House) -> None:
    await house.arrive(handle="600111222")
    await house.arrive(handle="600111222", customer_name="Eva")
    await house.arrive(handle="600111222", customer_name="Somebody Else")
    assert (await house.crm.customer(1)).name == "Eva"


async def test_own_preferred_agent_comes_before_the_last_one(house: House, tmp_path: Path) -> None:
    contact = await house.arrive(handle="600111222", customer_name="Eva")
    await house.finish(contact, await house.accept(contact))
    assert (await house.crm.customer(1)).preferred_agent == "ana"
    await house.crm.update_customer(1, preferred_agent="ben", vip=True)
    customer = await house.crm.customer(1)
    assert (customer.preferred_agent, customer.vip) == ("ben", True)
    await house.crm.update_customer(1, preferred_agent="")
    assert (await crm_in(tmp_path, prefer_last_agent=False).customer(1)).preferred_agent == ""


async def test_history_has_ended_contacts_newest_first_with_what_was_said(house: House) -> None:
    first = await house.arrive("chat", handle="eva@example.com", customer_name="Eva", subject="An order")
    agent = await house.accept(first)
    picture = Attachment(id="a1", name="screen.png", media_type="image/png", bytes_n=100)
    await house.give(
        PostMessage(contact=first, author="customer", text="Where is it?", attachments=(picture,)),
        PostMessage(contact=first, author="agent", author_id=agent, text="On its way."),
        NoteContact(contact=first, agent=agent, notes="asked for the order"),
    )
    await house.finish(first, agent, disposition="order", notes="sent the link")
    await house.give(RateContact(contact=first, score=5, comment="kind"))
    second = await house.arrive("mail", handle="eva@example.com")
    await house.finish(second, await house.accept(second))
    third = await house.arrive("chat", handle="eva@example.com")

    customer = house.customer(third)
    past = await house.crm.history(customer, handle="", limit=10)
    assert [one.contact for one in past] == [second, first]
    eldest = past[1]
    assert (eldest.subject, eldest.queue, eldest.agent, eldest.outcome) == (
        "An order",
        "sales",
        "ana",
        "served",
    )
    assert (eldest.disposition, eldest.notes) == ("order", "sent the link")
    assert [(one["author"], one["text"]) for one in eldest.messages] == [
        ("customer", "Where is it?"),
        ("agent", "On its way."),
    ]
    assert eldest.messages[0]["attachments"] == [
        {"id": "a1", "name": "screen.png", "media_type": "image/png", "bytes_n": 100}
    ]
    assert past == await house.crm.history(None, handle="EVA@example.com", limit=10)
    assert [one.contact for one in await house.crm.history(customer, handle="", limit=1)] == [second]
    assert await house.crm.history(None, handle="", limit=10) == []
    assert msgspec.json.decode(msgspec.json.encode(past))[1]["notes"] == "sent the link"


async def test_history_of_another_crms_customer_is_found_by_its_id(house: House) -> None:
    contact = await house.give(AdmitContact(channel="chat", provider_id="x", handle="session-1"))
    elsewhere = Customer(id="A-7", name="Eva", crm="elsewhere")
    await house.give(IdentifyContact(contact=contact, customer=elsewhere))
    await house.finish(contact, await house.accept(contact))
    (past,) = await house.crm.history(elsewhere, handle="", limit=10)
    assert past.contact == contact
    assert await house.crm.history(Customer(id="A-8", crm="elsewhere"), handle="", limit=10) == []


async def test_agents_correction_moves_the_contact_and_teaches_an_unknown_address(house: House) -> None:
    known = await house.crm.create_customer(name="Eva", handles=[Handle("phone", "", "+34600111222")])
    contact = await house.arrive("chat", handle="session-9")
    await house.give(IdentifyContact(contact=contact, customer=await house.crm.customer(known)))
    await house.finish(contact, await house.accept(contact))
    (past,) = await house.crm.history(await house.crm.customer(known), handle="", limit=10)
    assert past.contact == contact
    again = await house.arrive("chat", handle="session-9")
    customer = house.customer(again)
    assert customer is not None
    assert customer.name == "Eva"


async def test_without_transcripts_no_word_is_kept(tmp_path: Path) -> None:
    house = House(crm_in(tmp_path, transcripts=False))
    await house.give(ApplyConfiguration(config=CONFIG), SignIn(agent="ana"))
    contact = await house.arrive(handle="600111222", customer_name="Eva")
    await house.accept(contact)
    await house.give(PostMessage(contact=contact, author="customer", text="my secret"))
    assert (await house.crm.export(1))["contacts"][0]["messages"] == []


async def test_search_finds_by_part_of_a_name_and_beginning_of_an_address(house: House) -> None:
    await house.arrive(handle="600111222", customer_name="Eva Gil")
    await house.arrive(handle="600333444", customer_name="Leo 100% Luz")
    assert [one.name for one in await house.crm.search("gil")] == ["Eva Gil"]
    assert [one.name for one in await house.crm.search("+346003")] == ["Leo 100% Luz"]
    assert [one.name for one in await house.crm.search("%")] == ["Leo 100% Luz"]
    assert await house.crm.search("_") == []
    assert [one.name for one in await house.crm.search("", limit=1)] == ["Leo 100% Luz"]


async def test_address_of_another_customer_is_refused(house: House) -> None:
    phone = Handle("phone", "", "+34600111222")
    first = await house.crm.create_customer(name="Eva", handles=[phone])
    second = await house.crm.create_customer(name="Leo")
    with pytest.raises(ValueError, match=f"customer {first}'s"):
        await house.crm.add_handle(second, phone)
    with pytest.raises(ValueError, match="merge"):
        await house.crm.create_customer(name="Ada", handles=[phone])
    assert [one.name for one in await house.crm.search("Ada")] == []
    assert await house.crm.remove_handle(first, phone)
    await house.crm.add_handle(second, phone)
    assert await house.crm.handles(second) == [phone]


async def test_merged_customers_are_one(house: House) -> None:
    for handle, name in (("600111222", "Eva"), ("eva@example.com", "Eva Gil")):
        contact = await house.arrive("mail" if "@" in handle else "phone", handle=handle, customer_name=name)
        await house.finish(contact, await house.accept(contact))
    await house.crm.add_note(2, author="ana", text="prefers e-mail")
    await house.crm.merge(1, 2)
    whole = await house.crm.export(1)
    assert [one["value"] for one in whole["handles"]] == ["eva@example.com", "+34600111222"]
    assert len(whole["contacts"]) == 2
    assert whole["notes"][0]["text"] == "prefers e-mail"
    with pytest.raises(UnknownCustomer):
        await house.crm.customer(2)
    with pytest.raises(ValueError, match="itself"):
        await house.crm.merge(1, 1)


async def test_erased_customer_is_in_no_byte_of_the_files(house: House, tmp_path: Path) -> None:
    other = await house.arrive(handle="600999888", customer_name="Leo Luz")
    await house.finish(other, await house.accept(other))
    contact = await house.arrive(handle="600111222", customer_name="Evangelina", subject="Overdraftletter")
    agent = await house.accept(contact)
    await house.give(PostMessage(contact=contact, author="customer", text="Zwetschgenkuchen"))
    await house.crm.add_note(2, author="ana", text="Marzipankartoffel")
    await house.finish(contact, agent, notes="Quittenbrot", disposition="done")
    live = await house.arrive(handle="600111222", customer_name="Evangelina")

    assert await house.crm.erase(2) == 2
    # The contact that is still live says more, which stays out too.
    agent = await house.accept(live)
    await house.give(PostMessage(contact=live, author="customer", text="Dampfnudel"))
    await house.finish(live, agent, notes="Apfelstrudel")
    await house.give(RateContact(contact=live, score=4, comment="Kaiserschmarrn"))

    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for word in (
        "Evangelina", "Overdraftletter", "Zwetschgenkuchen", "Marzipankartoffel", "Quittenbrot", "Dampfnudel",
        "Apfelstrudel", "Kaiserschmarrn", "600111222",
    ):  # fmt: skip
        assert word.encode() not in kept, word
    assert b"Leo Luz" in kept
    with sqlite3.connect(tmp_path / "crm.sqlite3") as connection:
        figures = connection.execute(
            "SELECT outcome, queue, agent, score FROM contacts WHERE erased"
        ).fetchall()
    connection.close()
    assert figures == [("served", "sales", "ana", None), ("served", "sales", "ana", 4)]
    with pytest.raises(UnknownCustomer):
        await house.crm.export(2)


async def test_export_has_everything_of_one_customer_and_nothing_of_another(house: House) -> None:
    for handle, name in (("600111222", "Eva"), ("600333444", "Leo")):
        contact = await house.arrive(handle=handle, customer_name=name)
        agent = await house.accept(contact)
        await house.give(PostMessage(contact=contact, author="customer", text=f"I am {name}"))
        await house.finish(contact, agent, notes=f"spoke with {name}", disposition="done")
    await house.crm.add_note(1, author="ana", text="likes Eva")
    whole = await house.crm.export(1)
    text = msgspec.json.encode(whole).decode()
    assert "Leo" not in text
    assert whole["customer"]["name"] == "Eva"
    assert whole["handles"] == [{"kind": "phone", "channel": "", "value": "+34600111222"}]
    (contact,) = whole["contacts"]
    assert contact["messages"][0]["text"] == "I am Eva"
    assert contact["agent_notes"][0]["notes"] == "spoke with Eva"
    assert whole["notes"][0]["text"] == "likes Eva"


def dump(data: Path) -> list[str]:
    connection = sqlite3.connect(data / "crm.sqlite3")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


async def test_after_a_crash_at_any_moment_the_rows_are_those_of_the_records(tmp_path: Path) -> None:
    records = History(8).play(400)
    whole = crm_in(tmp_path / "whole")
    await whole.write(records)
    chance = random.Random(4)
    position, life = 0, 0
    while position < len(records):
        crm = crm_in(tmp_path / str(life))
        position = await crm.position()
        for _ in range(chance.randrange(1, 5)):
            position = max(0, position - chance.randrange(3))
            size = chance.randrange(1, 60)
            await crm.write(records[position : position + size])
            position = await crm.position()
        # What is on the disk now, the log included, is what a crash leaves.
        shutil.copytree(tmp_path / str(life), tmp_path / str(life + 1))
        life += 1
    assert life > 3
    assert dump(tmp_path / str(life)) == dump(tmp_path / "whole")


async def test_batch_that_fails_leaves_no_row(tmp_path: Path) -> None:
    records = History(8).play(50)
    crm = crm_in(tmp_path)
    await crm.write(records[:10])
    before = dump(tmp_path)
    with pytest.raises(ValueError, match="record 15 can't follow 13"):
        await crm.write([*records[10:13], *records[14:20]])
    assert dump(tmp_path) == before
    assert await crm.position() == 10


async def test_new_crm_begins_where_the_journal_begins(tmp_path: Path) -> None:
    records = History(8).play(400)
    crm = crm_in(tmp_path)
    await crm.write(records[len(records) // 2 :])
    assert await crm.position() == records[-1].seq
    assert await crm.search("Eva")


async def test_customer_is_found_while_a_batch_is_being_written(house: House) -> None:
    contact = await house.arrive(handle="600111222", customer_name="Eva")
    view = contact_view(house.engine, contact)
    assert view is not None
    database = house.crm._database
    with database.transaction() as connection:
        connection.execute("UPDATE customers SET name = 'not yet'")
        with trio.fail_after(60):
            customer = await house.crm.find_customer(view)
    assert customer is not None
    assert customer.name == "Eva"


async def test_component_opens_and_closes_its_file_in_every_life(tmp_path: Path) -> None:
    records = History(8).play(50)
    crm = crm_in(tmp_path)
    for until in (10, len(records)):
        async with trio.open_nursery() as nursery:
            await start(nursery, crm)
            await crm.write(records[await crm.position() : until])
            nursery.cancel_scope.cancel()
        assert not (tmp_path / "crm.sqlite3-wal").exists()
    assert await crm.position() == len(records)


async def test_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    await crm_in(tmp_path).position()
    assert (tmp_path / "crm.sqlite3").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("statement", "message"),
    [("PRAGMA user_version = 9", "version 9; known: 1"), ("PRAGMA application_id = 7", "something else")],
)
async def test_file_of_something_else_is_refused(tmp_path: Path, statement: str, message: str) -> None:
    async with trio.open_nursery() as nursery:
        await start(nursery, crm_in(tmp_path))
        nursery.cancel_scope.cancel()
    connection = sqlite3.connect(tmp_path / "crm.sqlite3")
    connection.execute(statement)
    connection.close()
    with pytest.raises(CrmFileError, match=message):
        await crm_in(tmp_path).position()
