"""The errors a caller can tell apart. Expected failures of commands are `messages.Refusal`, not these."""

from __future__ import annotations


class CentralitaError(Exception):
    """The root of everything this package raises on purpose."""


class ConfigurationError(CentralitaError):
    """A configuration that can't be used; `problems` has one line each, beginning with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PluginError(CentralitaError):
    """A plugin that can't be loaded or breaks its contract at start."""


class ControlRefused(CentralitaError):
    """What was asked of a connection can't be done; `code` is for programs, the words are for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class JournalError(CentralitaError):
    """The journal can't be opened, read or written."""


class JournalLocked(JournalError):
    """Another process has this journal open."""


class JournalCorrupt(JournalError):
    """A record's bytes are not what was written; says which."""


class StateDiffers(JournalCorrupt):
    """The records are as they were written, but the state they lead to is not the one that lived."""


class Fenced(JournalError):
    """Somebody else has appended since: this writer is no longer the one."""


class FollowerLost(CentralitaError):
    """A follower whose position can't be continued from: the journal has not come that far."""


class InvalidTransition(CentralitaError, AssertionError):
    """An event that can't follow the present phase: a bug in a stage, or a foreign journal."""


class CustomerKept(CentralitaError):
    """A customer who can't be erased now; `code` says why: live, not_sealed, failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class EngineStopped(CentralitaError):
    """The engine is stopping or has failed; the command was not taken."""


class EngineBusy(CentralitaError):
    """More calls are on their way into the engine than it takes; the command was not taken."""


def reason(error: Exception) -> str:
    """Why the system could not: its words without the number and the path, which whoever reports it names already."""
    return getattr(error, "strerror", None) or str(error)
