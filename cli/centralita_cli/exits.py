"""How the command line ends: its exit codes, and the failures that lead to them.

A command that fails raises one of these; click prints its message to stderr and ends with its code.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from centralita.errors import CentralitaError, ConfigurationError

OK: Final = 0
PROBLEM: Final = 1
"""What was looked at is not as it should be: a linter's error, a component down, a damaged journal."""
USAGE: Final = 2
"""The command line or the configuration can't be used. click itself ends with this one too."""
UNREACHABLE: Final = 3
"""No daemon answers."""
REFUSED: Final = 4
"""The daemon said no: no right to it, no such thing, or the engine's refusal."""
BROKEN: Final = 5
"""Something failed that should not: the daemon's own error, or ours."""
INTERRUPTED: Final = 130
"""Ctrl-C: 128 and the number of SIGINT, as shells have it."""
UNREAD: Final = 141
"""Whoever read the output, `head` say, has gone: 128 and the number of SIGPIPE."""
OUT_OF_REACH: Final = frozenset((errno.EACCES, errno.EPERM, errno.ENAMETOOLONG))
"""Of a path, what is nobody's bug: somebody else's folder, a name that can't be."""


class Unusable(click.ClickException):
    """The command line or the configuration can't be used."""

    exit_code = USAGE


class Unreachable(click.ClickException):
    """No daemon answers."""

    exit_code = UNREACHABLE


class Refused(click.ClickException):
    """The daemon, or a file, says no."""

    exit_code = REFUSED


class Broken(click.ClickException):
    """Something failed that should not."""

    exit_code = BROKEN


class ProblemFound(click.ClickException):
    """What was looked at is not as it should be."""

    exit_code = PROBLEM


def unusable(error: ConfigurationError, where: str) -> Unusable:
    """Every problem of a configuration, one a line, as one failure."""
    lines = [f"{where} can't be used:", *(f"  {problem}" for problem in error.problems)]
    return Unusable("\n".join(lines))


@contextmanager
def broken_by(kind: type[Exception]) -> Iterator[None]:
    """Turn what hinders the work from outside, such as a disk, into a failure of the command."""
    try:
        yield
    except kind as error:
        raise Broken(str(error)) from error


@contextmanager
def failing_as(failure: type[click.ClickException]) -> Iterator[None]:
    """Turn what the library raises on purpose into a failure of the command."""
    try:
        yield
    except CentralitaError as error:
        raise failure(str(error)) from error
