"""The sink and its file: every line once, after a crash at any byte and whatever the log's rotation does."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import CapturingLogger

import centralita_kpi_queue_log
from centralita import open_engine
from centralita.config import loads
from centralita.errors import ConfigurationError
from centralita.messages import AdmitContact, EndContact
from centralita.plugins import load_plugins
from centralita.protocols import KpiSink, Person
from centralita.simulate.queue_log import read_queue_log
from centralita_kpi_queue_log import QueueLogSink, Settings, log_file
from centralita_kpi_queue_log.lines import Scribe
from centralita_kpi_queue_log.memory import Memory
from tests.cli.daemon import run
from tests.kpi.building import context, start
from tests.kpi.histories import History
from tests.on_loop import called_here
from tests.runner.house import CONFIG, House, sign_in

RECORDS = History(5).play(1500)
DOCS = (Path(__file__).parents[2] / "docs" / "queue-log.md").read_text(encoding="utf-8")


def _parts() -> list[bytes]:
    scribe = Scribe(Settings(), Memory())
    return [scribe.take(record) for record in RECORDS]


PARTS = _parts()
WHOLE = b"".join(PARTS)


def sink_in(data: Path, *, log: CapturingLogger | None = None, **settings: Any) -> QueueLogSink:
    return QueueLogSink(Settings(**settings), context(data, log=log))


async def feed(sink: QueueLogSink, until: int = len(RECORDS), *, by: int = 40) -> None:
    """As the runner does: from the position on, in batches."""
    for first in range(await sink.position(), until, by):
        await sink.write(RECORDS[first : min(first + by, until)])


async def life(data: Path, until: int = len(RECORDS), *, by: int = 40, **settings: Any) -> None:
    """A sink from its start to its orderly end."""
    sink = sink_in(data, **settings)
    async with trio.open_nursery() as nursery:
        await start(nursery, sink)
        await feed(sink, until, by=by)
        nursery.cancel_scope.cancel()


def test_sink_is_what_its_hook_promises(tmp_path: Path) -> None:
    assert isinstance(sink_in(tmp_path), KpiSink)


@pytest.mark.parametrize("by", [1, 7, 1000])
async def test_lines_are_those_of_the_records_whatever_the_batches(tmp_path: Path, by: int) -> None:
    await life(tmp_path, by=by)
    assert (tmp_path / "queue_log").read_bytes() == WHOLE
    assert await sink_in(tmp_path).position() == len(RECORDS)


async def test_position_and_memory_go_on_in_the_next_life(tmp_path: Path) -> None:
    for until in (100, 101, 333, len(RECORDS)):
        await life(tmp_path, until)
        assert await sink_in(tmp_path).position() == until
    assert (tmp_path / "queue_log").read_bytes() == WHOLE


async def test_after_a_crash_at_any_byte_nothing_is_missing_or_doubled(tmp_path: Path) -> None:
    chance = random.Random(11)
    for trial in range(25):
        data = tmp_path / str(trial)
        saved = chance.randrange(len(RECORDS))
        await life(data, saved)
        # It goes on without putting its position away, and dies in the middle of a write.
        unsaved = b"".join(PARTS[saved : saved + 60])
        with (data / "queue_log").open("ab") as file:
            file.write(unsaved[: chance.randrange(len(unsaved) + 1)])
        before = (data / "queue_log").read_bytes()
        sink = sink_in(data)
        assert await sink.position() == saved
        await feed(sink, by=chance.choice((1, 13, 500)))
        after = (data / "queue_log").read_bytes()
        assert after == WHOLE, f"trial {trial}"
        assert after.startswith(before)


async def test_log_that_is_read_while_it_grows_never_shrinks(tmp_path: Path) -> None:
    await feed(sink_in(tmp_path), 300)
    inode = (tmp_path / "queue_log").stat().st_ino
    sink = sink_in(tmp_path)  # the first one died without a word
    for first in range(await sink.position(), len(RECORDS), 20):
        length = (tmp_path / "queue_log").stat().st_size
        await sink.write(RECORDS[first : first + 20])
        assert (tmp_path / "queue_log").stat().st_size >= length
    assert (tmp_path / "queue_log").stat().st_ino == inode
    assert (tmp_path / "queue_log").read_bytes() == WHOLE


async def test_end_that_a_power_cut_has_torn_is_cut_and_reported(tmp_path: Path) -> None:
    await life(tmp_path, 200)
    with (tmp_path / "queue_log").open("ab") as file:
        file.write(b"".join(PARTS[200:230]) + b"\0" * 4096)
    log = CapturingLogger()
    await feed(sink_in(tmp_path, log=log))
    assert (tmp_path / "queue_log").read_bytes() == WHOLE
    (call,) = log.calls
    assert (call.method_name, call.kwargs["cut_bytes_n"]) == ("warning", 4096)


@pytest.mark.parametrize("create", [True, False])
async def test_log_that_is_renamed_is_left_and_a_new_one_begun(tmp_path: Path, create: bool) -> None:
    sink = sink_in(tmp_path)
    for number, until in enumerate((150, 300, 450, len(RECORDS))):
        await feed_on(sink, until)
        if until < len(RECORDS):
            (tmp_path / "queue_log").rename(tmp_path / f"queue_log.{number}")
            if create:
                (tmp_path / "queue_log").touch()
    files = [tmp_path / f"queue_log.{number}" for number in range(3)] + [tmp_path / "queue_log"]
    assert all(file.stat().st_size > 0 for file in files)
    assert b"".join(file.read_bytes() for file in files) == WHOLE


async def feed_on(sink: QueueLogSink, until: int) -> None:
    for first in range(sink._seq, until, 10):
        await sink.write(RECORDS[first : min(first + 10, until)])


async def test_log_that_is_copied_and_cut_goes_on_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "queue_log"
    sink = sink_in(tmp_path)
    await feed_on(sink, 300)
    copy = log.read_bytes()
    os.truncate(log, 0)
    await feed_on(sink, len(RECORDS))
    assert copy + log.read_bytes() == WHOLE


@pytest.mark.parametrize("after_rotation", [0, 40])
async def test_crash_around_a_rotation_loses_and_doubles_nothing(tmp_path: Path, after_rotation: int) -> None:
    log = tmp_path / "queue_log"
    await life(tmp_path, 100)
    sink = sink_in(tmp_path)
    await feed_on_from(sink, 300)
    log.rename(tmp_path / "queue_log.1")
    await feed_on_from(sink, 300 + after_rotation)
    # It dies here; what it had put away is older than its last lines.
    following = sink_in(tmp_path)
    assert await following.position() <= 300 + after_rotation
    await feed(following)
    assert (tmp_path / "queue_log.1").read_bytes() + log.read_bytes() == WHOLE


async def feed_on_from(sink: QueueLogSink, until: int) -> None:
    await sink.position()
    await feed_on(sink, until)


async def test_log_rotated_while_nobody_wrote_loses_and_doubles_nothing(tmp_path: Path) -> None:
    await life(tmp_path, 100)
    await feed(sink_in(tmp_path), 300)
    (tmp_path / "queue_log").rename(tmp_path / "queue_log.1")
    await feed(sink_in(tmp_path))
    assert (tmp_path / "queue_log.1").read_bytes() + (tmp_path / "queue_log").read_bytes() == WHOLE


async def test_what_stood_in_the_file_before_is_left_alone(tmp_path: Path) -> None:
    old = b"1366720340|NONE|NONE|NONE|QUEUESTART|\n"
    (tmp_path / "queue_log").write_bytes(old)
    await life(tmp_path, 200)
    await life(tmp_path)
    assert (tmp_path / "queue_log").read_bytes() == old + WHOLE


async def test_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_in(tmp_path)
    await feed(sink, 100)
    before = (tmp_path / "queue_log").read_bytes()

    def no_space(descriptor: int) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as full:
        full.setattr("centralita_kpi_queue_log.log_file.os.fsync", no_space)
        with pytest.raises(OSError, match="no space"):
            await sink.write(RECORDS[100:200])
    assert (tmp_path / "queue_log").read_bytes() == before
    await feed(sink)
    assert (tmp_path / "queue_log").read_bytes() == WHOLE


async def test_write_that_is_cancelled_takes_in_all_or_nothing(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    with trio.CancelScope() as scope:
        scope.cancel()
        await sink.write(RECORDS)
    assert scope.cancelled_caught
    await feed(sink)
    assert (tmp_path / "queue_log").read_bytes() == WHOLE


async def test_position_is_put_away_before_too_much_is_unsaved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "UNSAVED_BYTES_MAX", 2_000)
    await feed(sink_in(tmp_path), 300, by=5)
    following = sink_in(tmp_path)
    saved = await following.position()
    assert 200 < saved <= 300
    await feed(following)
    assert (tmp_path / "queue_log").read_bytes() == WHOLE


async def test_missing_records_and_foreign_states_are_refused(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    await sink.write(RECORDS[:3])
    with pytest.raises(ValueError, match="record 5 can't follow 3"):
        await sink.write(RECORDS[4:6])
    (tmp_path / "queue_log.state").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"queue_log\.state is no state of ours"):
        await sink_in(tmp_path).position()


async def test_new_sink_begins_where_the_journal_begins(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    await sink.write(RECORDS[100:])
    assert (tmp_path / "queue_log").read_bytes()


def test_medium_that_is_none_is_told() -> None:
    plugins = load_plugins([House()])
    configuration = loads(CONFIG + '[kpi_sinks.log]\ntype = "queue_log"\nmedia = ["phone"]\n')
    with pytest.raises(ConfigurationError) as raised:
        plugins.prepare(configuration.components, configuration=configuration)
    assert raised.value.problems[0].startswith(
        "kpi_sinks.log.media: 'phone' is no medium; known: callback, chat"
    )


@pytest.mark.parametrize("setting", Settings.__struct_fields__)
def test_every_setting_is_in_the_docs(setting: str) -> None:
    assert f"`{setting}`" in DOCS or f"\n{setting} = " in DOCS


async def test_other_call_whose_providers_id_ends_alike_is_nobody_elses(tmp_path: Path) -> None:
    eva, max_ = "+34600111222", "+34600333444"
    log = (
        f"1772000100|main/1772000100.88|sales|NONE|ENTERQUEUE||{eva}|1\n"
        f"1772000101|main/1772000101.89|sales|NONE|ENTERQUEUE||{max_}|2\n"
    )
    sink = sink_in(tmp_path, call_id="provider")
    await sink.position()
    (tmp_path / "queue_log").write_text(log)
    # Eva's contact has the number 89 with us, and the other call has it at its server.
    person = Person(handles=(eva,), contacts=(89,))
    assert await sink.export_person(person) == {"lines": log.splitlines()[:1]}
    assert await sink.erase_person(person) == 1
    assert (tmp_path / "queue_log").read_text() == log.replace(eva, "*" * len(eva))


async def test_company_s_day_goes_through_the_log_into_a_replay(tmp_path: Path) -> None:
    """A running engine writes it, `centralita replay` reads it, and the recorded figures are the engine's."""
    house = House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    settings = '[kpi_sinks.log]\ntype = "queue_log"\nfile = "queue_log"\nfractions = true\n'
    async with open_engine(
        loads(CONFIG + settings, folder=tmp_path),
        plugins=[house, centralita_kpi_queue_log],
        entry_points=False,
    ) as switchboard:
        await sign_in(switchboard, "ana", "bea")
        for number in range(5):
            admission = AdmitContact(channel="shop", provider_id=f"p{number}", handle="+34600111222")
            contact = (await switchboard.submit(admission)).contact
            await house["channels.shop"].wait_for("connect", number + 1)
            with trio.fail_after(60):
                while (view := switchboard.contact(contact)) is not None and view.phase != "connected":
                    await trio.sleep(0.005)
            await switchboard.submit(EndContact(contact=contact, by=view.agent if view else ""))
        with trio.fail_after(60):
            while switchboard.status()["figures_seq"] < switchboard.status()["journal_seq"]:
                await trio.sleep(0.005)
        figures = switchboard.figures()["queues"]["help"]
    recording = read_queue_log(tmp_path / "queue_log")
    assert [one.outcome for one in recording.contacts] == ["served"] * 5 == ["served"] * figures["answered"]
    assert {one.agent for one in recording.presences or ()} == {"ana", "bea"}
    done = run("replay", "queue_log", "--format", "queue_log", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "served" in done.stdout


async def test_records_are_put_into_words_off_the_loops_thread(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    with called_here(Scribe.take) as called:
        await feed(sink)
    assert not called
    assert (tmp_path / "queue_log").read_bytes() == WHOLE
