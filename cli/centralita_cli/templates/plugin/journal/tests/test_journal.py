"""What the kit can't know: what a crash in the middle of a write leaves, and what damage is said."""

from pathlib import Path

import my_plugin
import pytest
import trio

import centralita
from centralita.errors import JournalCorrupt
from centralita.messages import AdmitContact


def live(folder: Path, provider_id: str) -> list[str]:
    """Admit one more contact in a company whose journal is ours; the live contacts of the end."""

    async def main() -> list[str]:
        raw = {
            "domain": {"data": str(folder)},
            "journal": {"type": "my_plugin", "sync": False, "snapshot_every": 0},
            "queues": {"help": {}},
            "channels": {"shop": {"type": "program", "queue": "help"}},
        }
        async with centralita.open_engine(raw, plugins=[my_plugin], entry_points=False) as switchboard:
            await switchboard.submit(AdmitContact(channel="shop", provider_id=provider_id))
            return [view.provider_id for view in switchboard.contacts()]

    return trio.run(main)


def records(folder: Path) -> Path:
    return folder / "journal" / "records"


def test_contacts_outlive_the_process(tmp_path: Path) -> None:
    assert live(tmp_path, "1") == ["1"]
    assert live(tmp_path, "2") == ["1", "2"]


@pytest.mark.parametrize("torn", [b"\0", b"\0" * 36, b"\xff" * 20])
def test_batch_that_was_never_finished_is_cut_away(tmp_path: Path, torn: bytes) -> None:
    live(tmp_path, "1")
    with records(tmp_path).open("ab") as file:
        file.write(torn)
    assert live(tmp_path, "2") == ["1", "2"]


def test_damage_in_the_middle_is_said(tmp_path: Path) -> None:
    live(tmp_path, "1")
    data = bytearray(records(tmp_path).read_bytes())
    data[60] ^= 1
    records(tmp_path).write_bytes(data)
    with pytest.raises(JournalCorrupt, match="the bytes after record 0 are damaged"):
        live(tmp_path, "2")
