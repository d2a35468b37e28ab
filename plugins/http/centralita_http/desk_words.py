"""What a desk's window may say: the commands an agent may give, and how a frame becomes one.

The agent in every command is the session's own; a frame that names another is refused, and whatever
concerns a contact the engine does not itself check to be the agent's is marked `own` here. The JSON
forms come from `centralita.messages`, so a field added there can be said here at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from centralita.config import locate
from centralita.errors import CentralitaError
from centralita.messages import (
    AnswerOffer,
    AnyCommand,
    Command,
    EndConsultation,
    EndContact,
    ExtendWrapUp,
    FinishWrapUp,
    HoldContact,
    IdentifyContact,
    LeaveContact,
    NoteContact,
    PickContact,
    PlaceContact,
    PostMessage,
    ReportConnection,
    ResumeContact,
    SetStatus,
    SignIn,
    SignOut,
    StartConsultation,
    TransferContact,
)
from centralita.structs import Frozen
from centralita_http.wire import INTEGER_MAX, Short, converted, reader

ASKS: Final = ("history", "why")
SIGNALS: Final = ("typing", "seen")


class Misspoken(CentralitaError):
    """A frame that can't be understood; `id` is the frame's, or 0 when it has none."""

    def __init__(self, message: str, *, id: int = 0, code: str = "bad_request") -> None:
        super().__init__(message)
        self.id = id
        self.code = code


class Said(Frozen):
    """A frame understood: exactly one of `command`, `ask`, `signal` and `control` is set; `kind` is its name, for
    controls `control`."""

    id: int
    kind: str
    command: AnyCommand | None = None
    ask: str = ""
    signal: str = ""
    control: str = ""
    value: str = ""
    contact: int = 0
    on: bool = True


class _Sayable:
    """A command that may be said, and the fields that are the session's to fill."""

    def __init__(
        self, command: type[Command], given: Callable[[str, str], dict[str, Any]], *, own: bool = False
    ) -> None:
        self.given = given
        self.own = own
        self._read = reader(command, without=given("", ""))

    def read(self, fields: dict[str, Any], agent: str, desk: str) -> AnyCommand:
        return self._read(fields, **self.given(agent, desk))


def _agent(agent: str, _: str) -> dict[str, Any]:
    return {"agent": agent}


def _by_agent(agent: str, _: str) -> dict[str, Any]:
    return {"agent": agent, "by": ""}


COMMANDS: Final[dict[str, _Sayable]] = {
    "SignIn": _Sayable(SignIn, lambda agent, desk: {"agent": agent, "desk": desk}),
    "SetStatus": _Sayable(SetStatus, _by_agent),
    "SignOut": _Sayable(SignOut, _by_agent),
    "AnswerOffer": _Sayable(AnswerOffer, _agent),
    "PostMessage": _Sayable(PostMessage, lambda agent, _: {"author": "agent", "author_id": agent}, own=True),
    "HoldContact": _Sayable(HoldContact, _agent),
    "ResumeContact": _Sayable(ResumeContact, _agent),
    "TransferContact": _Sayable(TransferContact, _agent),
    "StartConsultation": _Sayable(StartConsultation, _agent),
    "EndConsultation": _Sayable(EndConsultation, _agent),
    "LeaveContact": _Sayable(LeaveContact, _agent),
    "EndContact": _Sayable(EndContact, lambda agent, _: {"by": agent}, own=True),
    "NoteContact": _Sayable(NoteContact, _agent),
    "FinishWrapUp": _Sayable(FinishWrapUp, _agent),
    "ExtendWrapUp": _Sayable(ExtendWrapUp, _agent),
    "PlaceContact": _Sayable(PlaceContact, _agent),
    "IdentifyContact": _Sayable(IdentifyContact, lambda *_: {}, own=True),
    "PickContact": _Sayable(PickContact, lambda agent, _: {"agent": agent, "by": agent}),
    "ReportConnection": _Sayable(ReportConnection, _agent),
}
"""Every command an agent may give, by name."""

MESSAGES: Final[dict[str, str]] = {
    **{name: "agent speak" if sayable.own else "agent" for name, sayable in COMMANDS.items()},
    "history": "agent see",
    "why": "agent",
    "control": "agent speak",
    "typing": "agent speak",
    "seen": "agent speak",
}
"""Who may say what, for the gate. Where it says no more than agent, the engine itself holds the command
to the agent's own work, or it is about no contact of anybody's yet."""


def understand(text: str | bytes, *, agent: str, desk: str) -> Said:
    """A frame from the window of `agent`. Raises Misspoken, whose words name the field."""
    frame = _object(text)
    number = frame.pop("id", 0)
    if type(number) is not int or not 0 <= number <= INTEGER_MAX:
        raise Misspoken(f"id was {str(number)[:50]!r}; allowed: an integer from 0 to {INTEGER_MAX}")
    kinds = [kind for kind in ("command", "ask", "signal", "control") if kind in frame]
    if len(kinds) != 1:
        raise Misspoken(
            f"one of command, ask, signal and control is expected, not {' and '.join(kinds) or 'none'}",
            id=number,
        )
    word = frame.pop(kinds[0])
    try:
        if kinds[0] == "command":
            return _command(number, word, frame, agent, desk)
        if kinds[0] == "control":
            return _control(number, word, frame)
        return _other(number, kinds[0], word, frame)
    except msgspec.ValidationError as error:
        raise Misspoken(locate(error, str(word)[:50]), id=number) from None


def first_token(text: str | bytes) -> str:
    """The token of an opening `{"type": "auth", "token": …}`. Raises Misspoken."""
    frame = _object(text)
    token = frame.get("token")
    if frame.get("type") != "auth" or not isinstance(token, str):
        raise Misspoken('the first frame is expected to be {"type": "auth", "token": "…"}', code="no_token")
    return token


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        frame = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Misspoken(f"not JSON: {error}") from None
    except RecursionError:
        raise Misspoken("not JSON: nested too deep") from None
    if not isinstance(frame, dict):
        raise Misspoken(f"expected an object, got {type(frame).__name__}")
    return frame


def _command(number: int, name: Any, fields: dict[str, Any], agent: str, desk: str) -> Said:
    sayable = COMMANDS.get(name) if isinstance(name, str) else None
    if sayable is None:
        raise Misspoken(f"command was {str(name)[:50]!r}; known: {', '.join(COMMANDS)}", id=number)
    if fields.get("agent") == agent:
        del fields["agent"]  # said, though it goes without saying
    command = sayable.read(fields, agent, desk)
    return Said(id=number, kind=name, command=command, contact=getattr(command, "contact", 0))


class _ControlFields(Frozen, forbid_unknown_fields=True):
    contact: int
    value: Short = ""


def _control(number: int, word: Any, fields: dict[str, Any]) -> Said:
    if not isinstance(word, str):
        raise Misspoken(f"control was {str(word)[:50]!r}; allowed: one of the channel's controls", id=number)
    said = converted(fields, _ControlFields)
    return Said(id=number, kind="control", control=word, value=said.value, contact=said.contact)


class _OtherFields(Frozen, forbid_unknown_fields=True):
    contact: int = 0
    on: bool = True


def _other(number: int, kind: str, word: Any, fields: dict[str, Any]) -> Said:
    known = ASKS if kind == "ask" else SIGNALS
    if word not in known:
        raise Misspoken(f"{kind} was {str(word)[:50]!r}; known: {', '.join(known)}", id=number)
    said = converted(fields, _OtherFields)
    if word != "why" and not said.contact:
        raise Misspoken(f"{word}.contact: missing", id=number)
    if kind == "ask":
        return Said(id=number, kind=word, ask=word, contact=said.contact)
    return Said(id=number, kind=word, signal=word, contact=said.contact, on=said.on)
