"""The daemon on a disk that fills up: a real one, a small tmpfs of its own. docs/journal.md says what happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trio

from centralita.journal import export
from tests.cli.daemon import run
from tests.end_to_end.exchange import PATIENCE_S, Exchange, company
from tests.ports import held_port

SMALL, LARGER = "8m", "64m"
BROKEN = 5
"""The exit code of a daemon that something outside has ended."""
FILLED_S = 600.0


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk needs root on Linux"
)
async def test_full_disk_ends_the_daemon_in_words_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    disk = tmp_path / "data"  # where the configuration keeps everything
    with held_port() as port, small_disk(disk):
        (tmp_path / "centralita.toml").write_text(company(agents_n=1, port=port), encoding="utf-8")
        exchange = Exchange(tmp_path, port)
        try:
            await exchange.start()
            acknowledged = await admit_until_it_ends(exchange)
            assert await trio.to_thread.run_sync(exchange.daemon.process.wait, PATIENCE_S) == BROKEN
            assert len(acknowledged) > 10
            assert "the disk is full; none of them was kept" in exchange.log()
            subprocess.run(["mount", "-o", f"remount,size={LARGER}", str(disk)], check=True)
            await exchange.start()
            async with exchange.client() as client:
                status = (await client.get("/api/status")).json()
            assert await exchange.stop() == 0
            kept = admitted(disk / "journal" / "journal.sqlite")
            # The one whose answer did not come was kept or was not: nobody was told.
            assert kept in (acknowledged, [*acknowledged, str(len(acknowledged))])
            assert status["admitted"] == len(kept)
            verified = run("journal", "verify", cwd=tmp_path)
            assert verified.returncode == 0, verified.stdout + verified.stderr
        finally:
            exchange.end()


def admitted(journal: Path) -> list[str]:
    """The provider's ids of all contacts that a journal has admitted."""
    records = [json.loads(line) for lines in export(journal) for line in lines.splitlines()]
    return [one["command"]["provider_id"] for one in records if one["command"]["type"] == "AdmitContact"]


async def admit_until_it_ends(exchange: Exchange) -> list[str]:
    """Contacts with long words, until there is no answer; the provider's ids of those that were acknowledged."""
    acknowledged: list[str] = []
    async with exchange.client() as client:
        with trio.fail_after(FILLED_S):
            while True:
                words = {"channel": "shop", "provider_id": str(len(acknowledged)), "text": "x" * 15_000}
                try:
                    answer = await client.post("/api/contacts", json=words)
                except httpx.TransportError:
                    return acknowledged
                if answer.status_code == 503 and answer.json()["code"] == "too_slow":
                    continue  # the same once more
                if answer.status_code == 503:
                    return acknowledged
                assert answer.status_code in {200, 201}, answer.text
                acknowledged.append(words["provider_id"])
