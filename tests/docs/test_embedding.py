"""docs/embedding.md does what it says: each block runs, and no error that a caller can meet is left out."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from textwrap import indent

from centralita import errors

TEXT = (Path(__file__).parents[2] / "docs" / "embedding.md").read_text(encoding="utf-8")
TIME_LIMIT_S = 120
(IN_TRIO, FOLLOWS, IN_ASYNCIO, IN_THREADS, ALONE, LOGS, VIRTUAL) = re.findall(
    r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL
)

HEAD = """
import asyncio, logging, sys
import structlog, trio
import centralita
from centralita import Engine
import centralita.config
from centralita.messages import *
from centralita.messages import AdmitContact, AnswerOffer, ApplyConfiguration, ContactOffered, SignIn
RAW = {"queues": {"help": {}}, "agents": {"ana": {}}, "channels": {"app": {"type": "program", "queue": "help"}}}
with open("centralita.toml", "w") as file:
    file.write('[queues.help]\\n[agents.ana]\\n[channels.app]\\ntype = "program"\\nqueue = "help"\\n')
command = AdmitContact(channel="app", provider_id="1")
"""


def said(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + program],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


PROGRAM = f"""
import trio.testing
async def first():
{indent(IN_TRIO, "    ")}    print("inside trio:", outcome.contact)
trio.run(first)
async def answer(switchboard):
{indent(FOLLOWS, "    ")}
async def second():
    async with centralita.open_engine(RAW, entry_points=False, journal=centralita.MemoryJournal()) as switchboard:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, switchboard)
            await trio.testing.wait_all_tasks_blocked()
            await switchboard.submit_all([SignIn(agent="ana"), command])
            with trio.fail_after(60):
                while switchboard.contact(1).phase != "connected":
                    await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
    print("followed")
trio.run(second)
command = AdmitContact(channel="app", provider_id="2")
async def third():
{indent(IN_ASYNCIO, "    ")}    print("beside asyncio:", outcome.contact)
asyncio.run(third())
{IN_THREADS}
print("beside threads:", outcome.contact, len(queues))
carry_out = print
{ALONE}
print("alone:", step.contact)
{VIRTUAL}
print("virtual")
async def quiet():
    async with centralita.open_engine(RAW, entry_points=False, journal=centralita.MemoryJournal()):
        pass
print("from here on by logging")
{LOGS}
trio.run(quiet)
logging.basicConfig(level="INFO", format="%(name)s: %(message)s", stream=sys.stdout)
trio.run(quiet)
"""


def test_each_block_runs(tmp_path: Path) -> None:
    told = said(PROGRAM, tmp_path)
    for line in (
        "inside trio: 1",
        "followed",
        "beside asyncio: 2",
        "beside threads: 2 1",
        "alone: 1",
        "virtual",
    ):
        assert f"\n{line}\n" in told
    assert "[info     ] started" in told
    # Then nothing on standard output, until logging is told to send it there.
    logged = told.partition("from here on by logging\n")[2].splitlines()
    assert logged == ["centralita: started", "centralita: stopping", "centralita: stopped"]


def test_every_error_is_on_the_page() -> None:
    raised = {
        name
        for name, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.CentralitaError)
    }
    table = TEXT.partition("## Errors")[2].partition("## Logs")[0]
    assert {
        name for name in raised if f"`{name}`" not in table and f"centralita.{name}`" not in table
    } == set()
