"""What a recording's file may not hold, and that it is told with line and column; and what is read though it looks odd."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from centralita.simulate.anonbank import COLUMNS, read_anonbank
from centralita.simulate.queue_log import read_queue_log
from centralita.simulate.recorded import Recording, RecordingError
from centralita.simulate.table import load_map, read_table

MAP = """
delimiter = ";"
time_format = "unix"
[columns]
id = "id"
kind = "queue"
asked = "asked"
waited = "wait"
handling = "talk"
agent = "agent"
outcome = "result"
priority = "urgent"
[outcomes]
ok = "served"
lost = "abandoned"
"""
HEAD = "id;queue;asked;wait;talk;agent;result;urgent"
LINE = "1;sales;1774850400;3;60;ana;ok;0"
TIME = "expected a time from 1970 on and before 2041 (unix)"
SECONDS = "expected seconds, 0 to 31,536,000"


def read(folder: Path, content: str | bytes, layout: str = MAP) -> Recording:
    path, map_path = folder / "calls.csv", folder / "map.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    map_path.write_text(layout)
    return read_table(path, load_map(map_path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1;sales;1774850400;nan;60;ana;ok;0", f":3: wait was 'nan'; {SECONDS}"),
        ("1;sales;1774850400;3;1e15;ana;ok;0", f":3: talk was '1e15'; {SECONDS}"),
        ("1;sales;1774850400123;3;60;ana;ok;0", f":3: asked was '1774850400123'; {TIME}"),
        ("1;sales;-5;3;60;ana;ok;0", f":3: asked was '-5'; {TIME}"),
        ("1;;1774850400;3;60;ana;ok;0", ":3: queue is empty"),
        ("1;sales;1774850400;3;60;ana;ok;0;x", ":3: the line is too long: ['x'] has no column"),
        ("1;sales;1774850400;3;60;ana;ok", ":3: urgent: there is nothing; the line is too short"),
        (
            "1;sales;1774850400;3;60;ana;ok;9999",
            ":3: urgent was '9999'; expected a whole number, -1000 to 1000",
        ),
    ],
)
def test_a_line_of_a_table_says_what_it_was(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read(tmp_path, "\n".join((HEAD, LINE.replace("1;", "0;", 1), line)))
    assert str(caught.value) == f"{tmp_path / 'calls.csv'}{said}"


def test_a_line_that_ends_in_a_delimiter_is_not_too_long(tmp_path: Path) -> None:
    assert len(read(tmp_path, f"{HEAD}\n{LINE};\n").contacts) == 1


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r":1: the column queue is there more than once$"):
        read(tmp_path, f"{HEAD};queue\n{LINE};fax\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('lost = "abandoned"', 'lost = "gone"', "outcomes.lost: Invalid enum value 'gone'; known: served, "),
        (
            'handling = "talk"',
            'handled = "talk"',
            "columns: Object contains unknown field `handled`; did you mean handling? known: agent, ",
        ),
        ('";"', '"\\n"', "delimiter was '\\n'; expected one character, or tab"),
        (
            '"unix"',
            '"%Q"',
            "time_format was '%Q'; expected iso, unix, unix_ms, unix_us, or a strptime pattern",
        ),
        ('"unix"', '"%d/%m %H:%M"', "time_format was '%d/%m %H:%M'; expected iso, "),
        (
            "[columns]",
            'encoding = "klingon"\n[columns]',
            "encoding was 'klingon'; expected one that Python knows",
        ),
    ],
)
def test_a_map_says_what_is_allowed(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert MAP.count(old) == 1
    with pytest.raises(RecordingError) as caught:
        read(tmp_path, f"{HEAD}\n{LINE}\n", MAP.replace(old, new))
    assert str(caught.value).startswith(f"{tmp_path / 'map.toml'}: {said}")


def test_another_encoding_is_read_when_the_map_names_it(tmp_path: Path) -> None:
    content = f"{HEAD}\n{LINE}\n{LINE.replace('1;sales', '2;reclamación')}\n".encode("cp1252")
    with pytest.raises(RecordingError, match=r"calls.csv:3: is no utf-8: "):
        read(tmp_path, content)
    found = read(tmp_path, content, 'encoding = "cp1252"' + MAP)
    assert [contact.kind for contact in found.contacts] == ["sales", "reclamación"]


LOG = (
    "1774850400|c1|sales|NONE|ENTERQUEUE||555|1\n"
    "1774850405|c1|sales|ana|CONNECT|5|c2|2\n"
    "1774850465|c1|sales|ana|COMPLETECALLER|5|60|1\n"
)
BANK = (
    "\t".join(COLUMNS)
    + "\nAA01\t1\t0\t0\tPS\t990101\t0:00:31\t0:00:36\t5\t0:00:36\t0:03:09\t153\tHANG\t"
    + ("0:00:00\t0:00:00\t0\tNO_SERVER\n")
)


@pytest.mark.parametrize(
    ("reader", "content"), [(read_queue_log, LOG), (read_anonbank, BANK)], ids=["queue_log", "anonbank"]
)
def test_a_gzipped_recording_is_read_and_one_cut_off_is_not(
    tmp_path: Path, reader: Callable[[Path], Recording], content: str
) -> None:
    path, packed = tmp_path / "log", tmp_path / "log.gz"
    path.write_text(content)
    packed.write_bytes(gzip.compress(content.encode()))
    assert reader(packed).contacts == reader(path).contacts != ()
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(RecordingError, match=r"log\.gz: can't be read: Compressed file ended"):
        reader(packed)


def test_a_gzipped_recording_that_is_damaged_says_so(tmp_path: Path) -> None:
    packed = tmp_path / "log.gz"
    data = bytearray(gzip.compress(LOG.encode()))
    data[10] = 0xFF  # no block of that type
    packed.write_bytes(data)
    with pytest.raises(RecordingError, match=r"log\.gz: can't be read: "):
        read_queue_log(packed)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "1774850400|",
            "9" * 20 + "|",
            ":1: time was '99999999999999999999'; expected seconds since 1970, before",
        ),
        ("1774850400|", "1774850400.²|", ":1: time was '1774850400.²'; expected seconds since 1970"),
        ("|5|60|", "|5|" + "9" * 5000 + "|", ":3: COMPLETECALLER's calltime was '9"),
        ("1774850465|", "1900000000|", ":1: time: call 'c1' took more than a year"),
    ],
)
def test_a_queue_log_says_which_line_was_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "queue_log"
    path.write_text(LOG.replace(old, new))
    with pytest.raises(RecordingError) as caught:
        read_queue_log(path)
    assert str(caught.value).startswith(f"{path}{said}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\t153\t", "\t-153\t", ":2: q_time was '-153'; expected seconds, 0 to 31,536,000"),
        ("\t0:00:31\t", "\t99:00:31\t", ":2: vru_entry was '99:00:31'; expected a time of day, h:mm:ss"),
    ],
)
def test_a_months_line_says_what_was_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "month"
    path.write_text(BANK.replace(old, new))
    with pytest.raises(RecordingError) as caught:
        read_anonbank(path)
    assert str(caught.value) == f"{path}{said}"
