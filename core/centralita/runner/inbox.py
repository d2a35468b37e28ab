"""The bounded way in: commands wait here for the pump, and whoever sent them waits for what became of them.

It knows neither engine nor journal; the pump drains it in batches and settles each entry when the
records are durable. A wake-up of a trio task costs more than deciding a command, so an entry may carry
many commands, and nothing here starts a task or a timer.

Everything that enters is encoded and decoded once: a command that the journal could not read back, or
that shares a dictionary with its sender, would be found out only by the next recovery.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import outcome
import trio

from centralita.config import EngineConfig, what_is_known
from centralita.errors import EngineStopped
from centralita.messages import AdmitContact, AnyCommand, ApplyConfiguration, Command, PlaceContact, Refusal
from centralita.protocols import Outcome

COMMANDS_MAX: Final = 16_384
"""Commands that may wait for the pump, over all senders; then `submit` waits."""

COMPONENT_COMMANDS_MAX: Final = 2_048
"""Commands of one component among them, so that one that floods leaves room for its neighbours."""

COMMAND_BYTES_MAX: Final = 1_048_576
"""The longest command, encoded; a whole configuration may be longer."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[AnyCommand]] = msgspec.msgpack.Decoder(AnyCommand)
_ADMITTING: Final = (AdmitContact, PlaceContact)
_STOPPING: Final = Outcome(
    seq=0,
    contact=0,
    refusal=Refusal(code="stopping", message="the engine is stopping and admits no more contacts"),
)


class Entry:
    """Some commands that were handed in together, and the task that waits for their outcomes."""

    __slots__ = ("_task", "commands", "outcomes")

    def __init__(self, commands: Sequence[AnyCommand]) -> None:
        self.commands = commands
        self.outcomes: list[Outcome] = []
        self._task: trio.lowlevel.Task | None = None

    async def wait(self) -> list[Outcome]:
        """Wait until the pump settles this entry; EngineStopped when it can't any more."""

        def give_up(_: object) -> trio.lowlevel.Abort:
            # The commands stay where they are: they may be decided already.
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(give_up)
        return self.outcomes

    def settle(self) -> None:
        """Wake the sender: the outcomes are durable."""
        self._wake(outcome.Value(None))

    def fail(self, error: BaseException) -> None:
        """Wake the sender with an error."""
        self._wake(outcome.Error(error))

    def _wake(self, result: outcome.Outcome[Any]) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task, result)


class CommandInbox:
    """The one inbox of an engine; also how the runner itself hands commands in."""

    def __init__(self, *, commands_max: int = COMMANDS_MAX) -> None:
        self._max = commands_max
        self._entries: deque[Entry] = deque()
        self._waiting = 0
        self._room = trio.lowlevel.ParkingLot()
        self._pump: trio.lowlevel.Task | None = None
        self._admits = True
        self._open = True
        self.resolve: Callable[[ApplyConfiguration], AnyCommand | Refusal] = lambda command: command
        """Completes a configuration that is handed in with what only the running channels know."""

    @property
    def depth(self) -> int:
        """Commands waiting for the pump."""
        return self._waiting

    async def submit(self, command: AnyCommand) -> Outcome:
        """See `protocols.Inbox.submit`. A malformed command is refused; what is no command raises TypeError."""
        return (await self.submit_all((command,)))[0]

    async def submit_all(self, commands: Sequence[AnyCommand]) -> list[Outcome]:
        """Hand in several commands at once and wait once; the outcomes stand in their order.

        They are decided one after the other, with nobody else's in between. At most `commands_max`.
        """
        if not isinstance(commands, Sequence):
            raise TypeError(
                f"submit_all takes a list of commands, got {type(commands).__name__}; submit takes one command"
            )
        if len(commands) > self._max:
            raise ValueError(f"{len(commands)} commands handed in together; at most {self._max}")
        if not self._open:
            raise EngineStopped("the engine takes no more commands")
        refused: dict[int, Outcome] = {}
        taken: list[AnyCommand] = []
        for index, command in enumerate(commands):
            checked = check_command(command)
            if isinstance(checked, ApplyConfiguration):
                checked = self.resolve(checked)
            if isinstance(checked, Refusal):
                refused[index] = Outcome(seq=0, contact=0, refusal=checked)
            elif not self._admits and isinstance(checked, _ADMITTING):
                refused[index] = _STOPPING
            else:
                taken.append(checked)
        outcomes = await self._enter(taken) if taken else await self._nothing()
        if not refused:
            return outcomes
        decided = iter(outcomes)
        return [refused[index] if index in refused else next(decided) for index in range(len(commands))]

    async def _nothing(self) -> list[Outcome]:
        await trio.lowlevel.checkpoint()
        return []

    async def _enter(self, commands: Sequence[AnyCommand]) -> list[Outcome]:
        # Whoever comes while others wait for room stands behind them.
        first = True
        while self._open and (self._waiting + len(commands) > self._max or (first and len(self._room))):
            first = False
            await self._room.park()
        if not self._open:
            raise EngineStopped("the engine takes no more commands")
        entry = Entry(commands)
        self._entries.append(entry)
        self._waiting += len(commands)
        self.wake_pump()
        return await entry.wait()

    # What the pump uses -------------------------------------------------------------------------

    def drain(self, limit: int) -> list[Entry]:
        """Take out entries until they hold `limit` commands or none is left; at least one entry."""
        drained: list[Entry] = []
        count = 0
        while self._entries and count < limit:
            entry = self._entries.popleft()
            count += len(entry.commands)
            drained.append(entry)
        self._waiting -= count
        if drained and len(self._room):
            self._room.unpark(count=self._max - self._waiting)
        return drained

    async def wait_for_work(self, deadline: float) -> None:
        """Park the pump until a command comes, `wake_pump` is called, or trio's time is `deadline`."""
        with trio.move_on_at(deadline):
            if self._entries:
                await trio.lowlevel.checkpoint()
                return

            def give_up(_: object) -> trio.lowlevel.Abort:
                self._pump = None
                return trio.lowlevel.Abort.SUCCEEDED

            self._pump = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(give_up)

    def wake_pump(self) -> None:
        """Make `wait_for_work` return."""
        if self._pump is not None:
            task, self._pump = self._pump, None
            trio.lowlevel.reschedule(task)

    def stop_admitting(self) -> None:
        """From now on a new contact is refused with `stopping`; everything else goes on."""
        self._admits = False

    def close(self, error: BaseException | None = None) -> None:
        """Take no more commands, and fail those that wait."""
        self._open = False
        while self._entries:
            self._entries.popleft().fail(
                error or EngineStopped("the engine stopped before it took the command")
            )
        self._waiting = 0
        self._room.unpark_all()
        self.wake_pump()


class ComponentInbox:
    """The inbox as one component sees it: its own share of the common one."""

    def __init__(self, inbox: CommandInbox, *, commands_max: int = COMPONENT_COMMANDS_MAX) -> None:
        self._inbox = inbox
        self._share = trio.Semaphore(commands_max)

    async def submit(self, command: AnyCommand) -> Outcome:
        """See `protocols.Inbox.submit`."""
        try:
            self._share.acquire_nowait()
        except trio.WouldBlock:
            await self._share.acquire()
        try:
            return await self._inbox.submit(command)
        finally:
            self._share.release()


def check_command(command: object) -> AnyCommand | Refusal:
    """The command as the journal will read it back, sharing nothing with its sender; or why it can't be."""
    if not isinstance(command, Command):
        got = f"the class {command.__name__}" if isinstance(command, type) else type(command).__name__
        raise TypeError(f"an inbox takes commands (messages.AnyCommand), got {got}")
    name = type(command).__name__
    config: object = command.config if isinstance(command, ApplyConfiguration) else None
    if config is not None and not isinstance(config, EngineConfig):
        # A table without anything would pass for an empty one, and a Configuration names nothing in its error.
        got = type(config).__name__
        message = f"{name}: config was a {got}; must be an EngineConfig (a Configuration's `engine`)"
        return Refusal(code="bad_value", message=message)
    try:
        encoded = _ENCODER.encode(command)
        if len(encoded) > COMMAND_BYTES_MAX and not isinstance(command, ApplyConfiguration):
            message = f"{name}: {len(encoded)} bytes; at most {COMMAND_BYTES_MAX}"
            return Refusal(code="bad_value", message=message)
        return _DECODER.decode(encoded)
    except (msgspec.MsgspecError, TypeError, UnicodeEncodeError, OverflowError) as error:
        return Refusal(code="bad_value", message=f"{name}: {_place(command, str(error))}")


def _place(command: Command, message: str) -> str:
    """Name the field in a message: of a decoder's by its place (commands are arrays there, `$[2]` after the tag), of
    an encoder's, which names none, by trying each field alone."""
    fields = command.__struct_fields__
    text, separator, tail = message.partition("`$[")
    number, bracket, rest = tail.partition("]")
    if not separator or not bracket or not number.isdigit():
        wrong = next((name for name in fields if not _can_be_encoded(getattr(command, name))), "")
        return f"{wrong}: {message}" if wrong else message
    index = int(number) - 1
    if not 0 <= index < len(fields):
        return message
    # " - at " before the place of a value, " - at `key` in " before that of a mapping's key.
    what = text.removesuffix(" - at ").replace(" - at `key` in ", ", for a key")
    known = ""
    if text.startswith("Invalid enum value"):
        known = what_is_known(msgspec.ValidationError(f"{text}`$.{fields[index]}{rest}"), type(command))
    return f"{fields[index]}{rest.rstrip('`')}: {what}{known}"


def _can_be_encoded(value: object) -> bool:
    try:
        _ENCODER.encode(value)
    except (msgspec.MsgspecError, TypeError, UnicodeEncodeError, OverflowError):
        return False
    return True
