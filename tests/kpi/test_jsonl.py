"""The JSON-lines sink: whole lines, each once, after a crash at any byte."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import CapturingLogger

from centralita.messages import ContactEnded, MessagePosted, PostMessage, Record
from centralita.protocols import KpiSink
from centralita_kpi_jsonl import JsonlSink, Settings
from centralita_kpi_jsonl.line_file import LineFile
from centralita_kpi_jsonl.lines import Content, lines_of
from tests.kpi.building import context, start
from tests.kpi.histories import History
from tests.on_loop import called_here

RECORDS = History(5).play(500)
CONTENTS: tuple[Content, ...] = ("events", "contacts")


def sink_in(
    data: Path, content: Content = "events", log: CapturingLogger | None = None, **settings: Any
) -> JsonlSink:
    return JsonlSink(Settings(content=content, **settings), context(data, log=log))


def lines_in(data: Path, content: Content) -> list[dict[str, Any]]:
    """All lines, of the rotated files first."""
    files = [*sorted(data.glob(f"{content}-*.jsonl")), data / f"{content}.jsonl"]
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def whole(content: Content, records: list[Record] = RECORDS) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for record in records
        for line in lines_of(record, content, personal=False).splitlines()
    ]


async def feed(sink: JsonlSink, records: list[Record], *, by: int = 40) -> None:
    """As the runner does: from the position on, in batches."""
    done = await sink.position()
    for first in range(done, len(records), by):
        await sink.write(records[first : first + by])


def test_sink_is_what_its_hook_promises(tmp_path: Path) -> None:
    assert isinstance(sink_in(tmp_path), KpiSink)


@pytest.mark.parametrize("content", CONTENTS)
async def test_every_line_is_written_once_and_in_order(tmp_path: Path, content: Content) -> None:
    sink = sink_in(tmp_path, content)
    await feed(sink, RECORDS)
    assert lines_in(tmp_path, content) == whole(content)
    assert await sink.position() == RECORDS[-1].seq


async def test_event_lines_hold_every_event_with_its_record(tmp_path: Path) -> None:
    await feed(sink_in(tmp_path), RECORDS)
    lines = lines_in(tmp_path, "events")
    assert len(lines) == sum(len(record.events) for record in RECORDS)
    assert [line["type"] for line in lines[:5]] == [
        type(event).__name__ for record in RECORDS[:5] for event in record.events
    ][:5]


async def test_contact_lines_are_the_ended_contacts_with_their_figures(tmp_path: Path) -> None:
    await feed(sink_in(tmp_path, "contacts"), RECORDS)
    ended = [event for record in RECORDS for event in record.events if isinstance(event, ContactEnded)]
    lines = lines_in(tmp_path, "contacts")
    assert [line["contact"] for line in lines] == [event.contact for event in ended]
    for line, event in zip(lines, ended, strict=True):
        assert line["outcome"] == event.outcome
        assert line["waited_s"] == event.waited_ns / 1e9
        assert line["talk_s"] == event.talk_ns / 1e9


@pytest.mark.parametrize("content", CONTENTS)
async def test_after_a_crash_at_any_byte_nothing_is_missing_or_doubled(
    tmp_path: Path, content: Content
) -> None:
    chance = random.Random(7)
    for trial in range(15):
        data = tmp_path / str(trial)
        fed = chance.randrange(len(RECORDS))
        await feed(sink_in(data, content), RECORDS[:fed])
        file = data / f"{content}.jsonl"
        written = file.read_bytes()
        # The crash comes while the next batch is being written: a part of its bytes is there.
        following = b"".join(lines_of(record, content, personal=False) for record in RECORDS[fed : fed + 7])
        file.write_bytes(written + following[: chance.randrange(len(following) + 1)])
        sink = sink_in(data, content)
        assert await sink.position() <= min(fed + 7, len(RECORDS))
        await feed(sink, RECORDS)
        assert lines_in(data, content) == whole(content), f"trial {trial}"


async def test_cut_at_every_byte_of_the_last_records_is_repaired(tmp_path: Path) -> None:
    records = RECORDS[:30]
    await feed(sink_in(tmp_path), records)
    file = tmp_path / "events.jsonl"
    content = file.read_bytes()
    for length in range(len(content) - 150, len(content) + 1):
        file.write_bytes(content[:length])
        opened = LineFile(tmp_path, "events", rotate_bytes=10**9, keep=1)
        opened.open()
        opened.close()
        kept = file.read_bytes()
        assert content.startswith(kept)
        assert kept == b"".join(lines_of(one, "events", personal=False) for one in records[: opened.seq])
        assert opened.cut_bytes_n == length - len(kept)


async def test_torn_line_is_reported_without_its_words(tmp_path: Path) -> None:
    await feed(sink_in(tmp_path), RECORDS[:20])
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"seq":21,"line":1,"lines":1,"text":"my card number is')
    log = CapturingLogger()
    sink = sink_in(tmp_path, log=log)
    assert await sink.position() == 20
    (call,) = log.calls
    assert call.method_name == "warning"
    assert "card" not in repr(call)


async def test_zeros_at_the_end_are_cut(tmp_path: Path) -> None:
    await feed(sink_in(tmp_path), RECORDS[:20])
    file = tmp_path / "events.jsonl"
    content = file.read_bytes()
    file.write_bytes(content + b"\0" * 5000)
    assert await sink_in(tmp_path).position() == 20
    assert file.read_bytes() == content


@pytest.mark.parametrize("foreign", [b"hello", b"hello\n", b'{"name": 1}\n', b"[]\n"])
async def test_foreign_file_is_refused_and_left_alone(tmp_path: Path, foreign: bytes) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(foreign)
    with pytest.raises(ValueError, match="ours"):
        await sink_in(tmp_path).position()
    assert file.read_bytes() == foreign


async def test_rotation_keeps_every_line_and_the_newest_files(tmp_path: Path) -> None:
    sink = sink_in(tmp_path, rotate_bytes=20_000, keep=1000)
    await feed(sink, RECORDS, by=5)
    rotated = sorted(tmp_path.glob("events-*.jsonl"))
    assert len(rotated) > 3
    assert all(20_000 <= file.stat().st_size < 40_000 for file in rotated)
    assert lines_in(tmp_path, "events") == whole("events")

    other = tmp_path / "other"
    await feed(sink_in(other, rotate_bytes=20_000, keep=2), RECORDS, by=5)
    kept = sorted(other.glob("events-*.jsonl"))
    assert [file.name for file in kept] == [file.name for file in rotated[-2:]]


async def test_crash_between_rotating_and_the_next_line_keeps_the_position(tmp_path: Path) -> None:
    await feed(sink_in(tmp_path, rotate_bytes=20_000, keep=1000), RECORDS[:120])
    file = tmp_path / "events.jsonl"
    assert file.stat().st_size, "there must be something to rotate"
    position = await sink_in(tmp_path).position()
    file.rename(tmp_path / f"events-{position:018d}.jsonl")
    sink = sink_in(tmp_path, rotate_bytes=20_000, keep=1000)
    assert await sink.position() == position
    await feed(sink, RECORDS)
    assert lines_in(tmp_path, "events") == whole("events")


async def test_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_in(tmp_path)
    await feed(sink, RECORDS[:50])
    content = (tmp_path / "events.jsonl").read_bytes()
    with monkeypatch.context() as full:
        full.setattr("centralita_kpi_jsonl.line_file.os.fsync", _no_space)
        with pytest.raises(OSError, match="no space"):
            await sink.write(RECORDS[50:60])
    assert (tmp_path / "events.jsonl").read_bytes() == content
    await feed(sink, RECORDS)
    assert lines_in(tmp_path, "events") == whole("events")


def _no_space(descriptor: int) -> None:
    raise OSError(28, "no space left on device")


async def test_write_cancelled_before_it_begins_writes_nothing(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    with trio.CancelScope() as scope:
        scope.cancel()
        await sink.write(RECORDS)
    assert scope.cancelled_caught
    assert not (tmp_path / "events.jsonl").exists()
    await feed(sink, RECORDS)
    assert lines_in(tmp_path, "events") == whole("events")


async def test_component_goes_on_from_its_file_in_its_next_life(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    for until in (100, 300, len(RECORDS)):
        async with trio.open_nursery() as nursery:
            await start(nursery, sink)
            await feed(sink, RECORDS[:until])
            nursery.cancel_scope.cancel()
    assert lines_in(tmp_path, "events") == whole("events")


async def test_missing_records_are_refused(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    await sink.write(RECORDS[:3])
    with pytest.raises(ValueError, match="record 5 can't follow 3"):
        await sink.write(RECORDS[4:6])


async def test_new_sink_begins_where_the_journal_begins(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    await sink.write(RECORDS[100:])
    assert lines_in(tmp_path, "events") == whole("events", RECORDS[100:])


def test_what_customers_say_and_who_they_are_is_left_out_unless_wanted() -> None:
    text = "call me at home"
    event = MessagePosted(contact=1, number=1, author="customer", text=text)
    record = Record(
        seq=1, at_ns=1, command=PostMessage(contact=1, author="customer", text=text), events=[event]
    )
    assert text.encode() not in lines_of(record, "events", personal=False)
    assert text.encode() in lines_of(record, "events", personal=True)
    everything = b"".join(
        lines_of(record, content, personal=False) for record in RECORDS for content in CONTENTS
    )
    for personal in (b"+34600", b"Eva", b"hello?"):
        assert personal not in everything


@pytest.mark.parametrize("content", CONTENTS)
async def test_records_are_put_into_words_off_the_loops_thread(tmp_path: Path, content: Content) -> None:
    sink = sink_in(tmp_path, content)
    with called_here(lines_of) as called:
        await feed(sink, RECORDS)
    assert not called
    assert lines_in(tmp_path, content) == whole(content)
