"""Checks 501 to 509: a KPI sink or a CRM takes in every record once, whatever happens on the way.

From 504 on what it holds in the end is compared with what it holds after an undisturbed day. A driver says
what that is (`drivers.FollowerDriver`); a CRM without one is asked for its history.

A kill is a copy of all files between two calls: what the kernel would keep of a process killed then. It says
nothing about a loss of power, and nothing about files outside the component's own folder.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from types import coroutine
from typing import Any, Final

import msgspec
import trio

from centralita.messages import ContactAdmitted, Record
from centralita.protocols import KeepsPersonalData, Person
from centralita.testing import samples
from centralita.testing.bench import Bench
from centralita.testing.checks import CheckInapplicable, CheckSkipped, check, fail, said
from centralita.testing.drivers import FollowerDriver
from centralita.testing.house import House

KINDS: Final = ("kpi_sinks", "crms")
RUNS: Final = (201, 202, 203)
WRITES: Final = (*RUNS, 501, 502)
BATCH: Final = 25


@check(501, "A new one begins at position 0", kinds=KINDS, needs=RUNS)
async def begins_at_nothing(bench: Bench) -> None:
    """`position` is an int, 0 when nothing has been taken in."""
    async with bench.house() as house, house.life():
        position = await _position(house)
        if type(position) is not int or position != 0:
            fail(f"position of a new one was {position!r}; must be 0")


@check(502, "Its position is the last record that it has taken in", kinds=KINDS, needs=(*RUNS, 501))
async def counts(bench: Bench) -> None:
    """After each `write`."""
    async with bench.house() as house, house.life():
        for batch in _batches(samples.plain_records()):
            await _write(house, batch)
            position = await _position(house)
            if position != batch[-1].seq:
                fail(f"after records {batch[0].seq} to {batch[-1].seq} position was {position!r}")


@check(503, "It takes in whatever may stand in a record", kinds=KINDS, needs=WRITES)
async def takes_all(bench: Bench) -> None:
    """Any signs, long words, empty fields, files, every ending."""
    async with bench.house() as house, house.life():
        for record in samples.busy_records():
            await _write(house, [record])


@check(504, "A record that comes again counts once", kinds=KINDS, needs=WRITES)
async def counts_once(bench: Bench) -> None:
    """The first record of a batch may be a repetition: those it has are passed over."""
    records = samples.plain_records()
    expected = await _undisturbed(bench, records)
    async with bench.house(data=bench.folder / "again") as house, house.life():
        for start in range(0, len(records), BATCH):
            await _write(house, records[max(0, start - 10) : start + BATCH])
            await _write(house, records[max(0, start - 10) : start + BATCH])
        position = await _position(house)
        if position != records[-1].seq:
            fail(f"position was {position} after record {records[-1].seq}, some of them written twice")
        _compare(expected, await _holds(house), "some records were written twice")


@check(505, "Its next life goes on where the last one ended", kinds=KINDS, needs=(*WRITES, 204))
async def goes_on(bench: Bench) -> None:
    """Run again on the same object, and built anew on the same files."""
    records = samples.plain_records()
    expected = await _undisturbed(bench, records)
    third = len(records) // 3
    data = bench.folder / "lives"
    async with bench.house(data=data) as house:
        async with house.life():
            await _feed(house, records[:third])
        async with house.life():
            await _feed(house, records[: 2 * third])
    async with bench.house(data=data) as house, house.life():
        position = await _position(house)
        if not 0 <= position <= records[2 * third - 1].seq:
            fail(f"after record {records[2 * third - 1].seq} and a restart position was {position}")
        await _feed(house, records)
        _compare(expected, await _holds(house), "it was restarted twice on the way")


@check(506, "Killed, it has neither lost nor doubled anything", kinds=KINDS, needs=WRITES)
async def survives_kills(bench: Bench) -> None:
    """The position is stored together with what the records did."""
    records = samples.plain_records()
    expected = await _undisturbed(bench, records)
    data = bench.folder / "killed-0"
    for kill, until in enumerate((1, len(records) // 3, len(records) - 1), 1):
        async with bench.house(data=data) as house, house.life():
            position = await _position(house)
            if position > until:
                fail(f"after a kill position was {position}; at most {until} had been written")
            await _feed(house, records[:until])
            left = bench.copy_data(f"killed-{kill}", data)
        data = left
    async with bench.house(data=data) as house, house.life():
        await _feed(house, records)
        _compare(expected, await _holds(house), "its process was killed three times on the way")


@check(
    507, "A write that is cancelled takes in all of the batch or nothing", kinds=KINDS, needs=(*WRITES, 204)
)
async def cancelled_writes(bench: Bench) -> None:
    """A write past its limit is cancelled, the component restarted, and the batch comes again."""
    records = samples.plain_records()
    expected = await _undisturbed(bench, records)
    async with bench.house(data=bench.folder / "cancelled") as house:
        for place in (*range(8), *range(8)):
            async with house.life():
                position = await _position(house)
                batch = [record for record in records if record.seq > position][:BATCH]
                if not batch:
                    break
                await _cancelled_write(house, batch, place)
        async with house.life():
            await _feed(house, records)
            _compare(expected, await _holds(house), "some writes were cancelled")


@check(508, "Whom it is asked to forget, it forgets", kinds=KINDS, needs=WRITES)
async def forgets(bench: Bench) -> None:
    """What `export_person` has, `erase_person` leaves nothing of; a second time there is nothing to erase."""
    async with bench.house() as house, house.life():
        if not isinstance(house.component, KeepsPersonalData):
            raise CheckInapplicable("it has no find_person, export_person and erase_person")
        await _feed(house, samples.plain_records())
        # Whoever asks a component knows already what the engine and the others know.
        asked = Person(handles=(samples.HANDLES[1],), contacts=_contacts_of(samples.HANDLES[1]))
        found = await _ask(house, "find_person", asked)
        if not isinstance(found, Person):
            fail(f"find_person gave a {type(found).__name__}; must be a Person")
        person = Person(
            handles=tuple(dict.fromkeys((*asked.handles, *found.handles))),
            customers=found.customers,
            contacts=tuple(dict.fromkeys((*asked.contacts, *found.contacts))),
        )
        had = _names(await _export(house, person))
        erased = await _ask(house, "erase_person", person)
        if not had and erased == 0:
            raise CheckInapplicable("with these settings it keeps nothing that says who somebody is")
        if not had:
            fail(f"erase_person erased {erased!r} things, and export_person had neither name nor address")
        if type(erased) is not int or erased < 1:
            fail(
                f"erase_person of a person who is known returned {erased!r}; must be how many things were erased"
            )
        if left := _names(await _export(house, person)):
            fail(f"after erase_person export_person still has {left}")
        if (again := await _ask(house, "erase_person", person)) != 0:
            fail(f"erase_person of a person who is forgotten returned {again!r}; must be 0")


@check(509, "Its position can be asked while it writes", kinds=KINDS, needs=WRITES)
async def asked_while_writing(bench: Bench) -> None:
    """One between those before and after the batch; and whoever asked has changed nothing."""
    async with bench.house() as house, house.life():
        before = 0
        for batch in _batches(samples.plain_records()):
            positions: list[Any] = []
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_keep_asking, house, positions)
                await _write(house, batch)
                nursery.cancel_scope.cancel()
            after = batch[-1].seq
            positions.append(await _position(house))
            if strange := [one for one in positions if type(one) is not int or not before <= one <= after]:
                fail(f"position was {strange[0]!r} while records {batch[0].seq} to {after} were written")
            if positions[-1] != after:
                fail(
                    f"position was asked during the write of {batch[0].seq} to {after}, and is {positions[-1]}"
                )
            before = after


async def _keep_asking(house: House, positions: list[Any]) -> None:
    while True:
        positions.append(await _position(house))
        await trio.lowlevel.checkpoint()


def _contacts_of(handle: str) -> tuple[int, ...]:
    events = [event for record in samples.plain_records() for event in record.events]
    return tuple(one.contact for one in events if isinstance(one, ContactAdmitted) and one.handle == handle)


async def _export(house: House, person: Person) -> str:
    exported = await _ask(house, "export_person", person)
    try:
        return msgspec.json.encode(exported).decode()
    except (TypeError, ValueError) as error:
        fail(f"export_person gave what is not ready for JSON: {error}")


def _names(exported: str) -> str:
    """What in an export says who it is about."""
    return ", ".join(one for one in (samples.HANDLES[1], "Person 1") if one in exported)


async def _ask(house: House, method: str, *arguments: Any) -> Any:
    try:
        return await house.call(method, *arguments, limit_s=house.bench.limits.write_s)
    except Exception as error:  # noqa: BLE001 - what it raises is the finding
        fail(f"{method} raised {said(error)}")


async def _cancelled_write(house: House, batch: Sequence[Record], place: int) -> None:
    """A write that is cancelled at the `place`-th of its waits, counted from 0."""
    with trio.move_on_after(house.bench.limits.write_s) as scope, _written(batch):
        await _told_of_a_wait(house.component.write(batch), place, scope.cancel)


@coroutine
def _told_of_a_wait(
    work: Coroutine[Any, Any, None], place: int, tell: Callable[[], None]
) -> Generator[Any, Any, None]:
    """Do something, and tell when it has come to the `place`-th of its waits, counted from 0."""
    answer, thrown = None, None
    while True:
        try:
            wanted = work.send(answer) if thrown is None else work.throw(thrown)
        except StopIteration:
            return
        if place == 0:
            tell()
        place -= 1
        try:
            answer, thrown = (yield wanted), None
        except BaseException as error:  # noqa: BLE001  # whatever the loop throws is for the work
            answer, thrown = None, error


async def _undisturbed(bench: Bench, records: Sequence[Record]) -> object:
    """What it holds when nothing happens on the way."""
    async with bench.house(data=bench.folder / "undisturbed") as house, house.life():
        await _feed(house, records)
        return await _holds(house)


async def _feed(house: House, records: Sequence[Record]) -> None:
    """As the runner does: from the position on."""
    position = await _position(house)
    for batch in _batches([record for record in records if record.seq > position]):
        await _write(house, batch)


async def _holds(house: House) -> object:
    driver = house.bench.subject.driver
    if isinstance(driver, FollowerDriver):
        return await driver.holds(house.component, house.data)
    if house.bench.subject.kind == "crms":
        return await _past(house)
    raise CheckSkipped(house.bench.subject.why_no_driver or "the driver does not say what it holds")


async def _past(house: House) -> object:
    handles = {
        event.handle
        for record in samples.plain_records()
        for event in record.events
        if isinstance(event, ContactAdmitted)
    }
    limit_s = house.bench.limits.question_s
    return [
        await house.call("history", None, handle=handle, limit=100, limit_s=limit_s)
        for handle in sorted(handles)
    ]


async def _position(house: House) -> Any:
    try:
        return await house.call("position", limit_s=house.bench.limits.start_s)
    except Exception as error:  # noqa: BLE001 - what it raises is the finding
        fail(f"position raised {said(error)}")


async def _write(house: House, batch: Sequence[Record]) -> None:
    with _written(batch):
        await house.call("write", batch, limit_s=house.bench.limits.write_s)


@contextmanager
def _written(batch: Sequence[Record]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - what it raises is the finding
        named = ", ".join(sorted({type(event).__name__ for record in batch for event in record.events}))
        fail(f"write of records {batch[0].seq} to {batch[-1].seq} ({named}) raised {said(error)}")


def _batches(records: Sequence[Record]) -> list[Sequence[Record]]:
    return [records[start : start + BATCH] for start in range(0, len(records), BATCH)]


def _compare(expected: object, held: object, how: str) -> None:
    if held != expected:
        fail(
            f"{how}, and it does not hold what it holds after an undisturbed day: {_difference(expected, held)}"
        )


def _difference(expected: object, held: object) -> str:
    one, other = repr(expected), repr(held)
    at = next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    start = max(0, at - 40)
    return f"…{one[start : at + 60]}… became …{other[start : at + 60]}…"
