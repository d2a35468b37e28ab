"""The plugin that is always there. It uses nothing a third party's could not.

It brings the journals that come with the engine, and a channel for whoever needs none of their own: a
program that admits its contacts itself, over the switchboard or over HTTP.
"""

from __future__ import annotations

import trio
from msgspec import Struct

from centralita.errors import ConfigurationError, JournalError
from centralita.hookspecs import hookimpl
from centralita.journal import MemoryJournal, MemoryJournalConfig, SqliteJournal, SqliteJournalConfig, tables
from centralita.protocols import Announcement, Capabilities, Context, Inbox, Outgoing, Register, Signal
from centralita.views import ContactView


@hookimpl
def register_journals(register: Register) -> None:
    """`[journal] type = "sqlite"` (also when there is no such table) and `type = "memory"`."""
    register("sqlite", SqliteJournalConfig, _sqlite)
    register("memory", MemoryJournalConfig, _memory)


@hookimpl
def register_channels(register: Register) -> None:
    """`[channels.NAME] type = "program"`: a program admits the contacts and follows the records."""
    register("program", ProgramChannelConfig, _program)


class ProgramChannelConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME] type = "program"`. `live`: the customer is there while waiting."""

    live: bool = True


class ProgramChannel:
    """A channel that carries nothing itself: what it is asked stands in the records, and the program
    that admits its contacts follows those (`MessagePosted`, `ContactConnected`, `ServiceEnded`)."""

    def __init__(self, config: ProgramChannelConfig) -> None:
        self.capabilities = Capabilities(
            medium="chat", live=config.live, hold=True, attach=True, typing=False, dial=True, announce=False
        )

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Nothing comes in by itself."""
        task_status.started()
        await trio.sleep_forever()

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool:
        """Customer and agent are together as soon as the agent has accepted."""
        return True

    async def send(self, message: Outgoing) -> None:
        """In the records."""

    async def announce(self, announcement: Announcement) -> None:
        """In the records."""

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        """In the records."""

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        """In the records."""

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        """In the records."""

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        """In the records."""

    async def signal(self, signal: Signal, provider_id: str) -> None:
        """Nobody is there to see it."""


def _sqlite(config: SqliteJournalConfig, context: Context) -> SqliteJournal:
    try:
        if tables.is_sealed(context.data / config.path):
            raise JournalError(
                f"{context.data / config.path}: customers' words in it are under keys; "
                'open it with [journal] type = "sealed"'
            )
        return SqliteJournal(context.data, config)
    except (OSError, ValueError) as error:
        # A name that no file can have; what is wrong with a file that is there is a JournalError.
        raise ConfigurationError([f"journal.path was {config.path!r:.60}: {error}"]) from error


def _memory(config: MemoryJournalConfig, context: Context) -> MemoryJournal:
    return MemoryJournal(config)


def _program(config: ProgramChannelConfig, context: Context) -> ProgramChannel:
    return ProgramChannel(config)
