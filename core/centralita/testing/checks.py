"""What a check is: a number, a claim, the kinds it is about, and the coroutine that tries it.

A number is given once and never to another claim, so that a report of today can be compared with one of
next year. A check that can't say anything because another one failed (`needs`) is skipped, not failed: one
fault of a plugin is one line of the report. It refuses to know any kind; each has a module of its own.
"""

from __future__ import annotations

import gc
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TextIO

import trio

from centralita.errors import ConfigurationError
from centralita.structs import Frozen

if TYPE_CHECKING:
    from centralita.testing.bench import Bench

Outcome = Literal["passed", "failed", "skipped", "inapplicable", "exempt"]
"""`skipped`: something is missing, the message says what. `inapplicable`: the claim is about something that
this type does not do. `exempt`: the type's driver says why the claim is not for it."""

Try = Callable[["Bench"], Awaitable[None]]


class Check(Frozen):
    """One claim about every plugin of some kinds."""

    number: int
    claim: str
    kinds: tuple[str, ...]
    needs: tuple[int, ...]
    attempt: Try


class Result(Frozen):
    """What became of one check."""

    number: int
    claim: str
    outcome: Outcome
    message: str = ""


class Report(Frozen):
    """What became of all checks of one type with one table of settings."""

    kind: str
    type: str
    settings: dict[str, Any]
    results: tuple[Result, ...]
    deprecations: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.of("failed")

    def of(self, outcome: Outcome) -> list[Result]:
        """The results with one outcome."""
        return [result for result in self.results if result.outcome == outcome]


class CheckFailed(Exception):
    """The claim does not hold; the message says what was seen instead."""


class CheckSkipped(Exception):
    """Nothing can be said; the message says what is missing."""


class SettingsRefused(Exception):
    """The settings that were given for the check can't be decoded: nothing about the plugin can be said."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CheckInapplicable(Exception):
    """The claim is about something that this type does not do."""


CHECKS: Final[dict[int, Check]] = {}
"""Every check by its number."""


def check(
    number: int, claim: str, *, kinds: Sequence[str], needs: Sequence[int] = ()
) -> Callable[[Try], Try]:
    """Make a coroutine function a check. Raises ValueError for a number that is taken."""

    def take(attempt: Try) -> Try:
        if number in CHECKS:
            raise ValueError(f"check {number} is there already: {CHECKS[number].claim}")
        CHECKS[number] = Check(
            number=number, claim=claim, kinds=tuple(kinds), needs=tuple(needs), attempt=attempt
        )
        return attempt

    return take


def checks_of(kind: str) -> list[Check]:
    """The checks for one kind, in the order of their numbers."""
    return [CHECKS[number] for number in sorted(CHECKS) if kind in CHECKS[number].kinds]


def fail(message: str) -> NoReturn:
    """The claim does not hold."""
    raise CheckFailed(message)


async def try_check(check: Check, bench: Bench) -> Result:
    """Try one check. Whatever is wrong becomes the result.

    Raises ConfigurationError when the settings given for the check can't be decoded.
    """
    outcome: Outcome = "passed"
    message = ""
    limit = trio.CancelScope(deadline=trio.current_time() + bench.limits.check_s)
    with _awaits_missing() as missing:
        try:
            with limit:
                async with bench:
                    await check.attempt(bench)
        except Exception as error:  # noqa: BLE001 - what a plugin raises is a result
            outcome, message = _verdict(error)
    if limit.cancelled_caught:
        outcome, message = "failed", f"the check did not end within {bench.limits.check_s:g} s"
    if missing and outcome in ("passed", "failed"):
        outcome, message = "failed", "; ".join([*([message] if message else []), missing[0]])
    return Result(number=check.number, claim=check.claim, outcome=outcome, message=message)


@contextmanager
def _awaits_missing() -> Iterator[list[str]]:
    """What was called inside the block and never awaited: Python only warns of it, once it is thrown away."""
    missing: list[str] = []
    show = warnings.showwarning

    def note(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        words = str(message)
        if issubclass(category, RuntimeWarning) and "was never awaited" in words:
            missing.append(f"an await is missing: {words.splitlines()[0]} ({filename}:{lineno})")
        else:
            show(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.filterwarnings("always", message="coroutine .* was never awaited", category=RuntimeWarning)
        warnings.showwarning = note
        # What was there before is nobody's mistake in here, and looking through all of it takes long.
        gc.freeze()
        try:
            yield missing
        finally:
            gc.collect()
            gc.unfreeze()


_VERDICTS: Final[tuple[tuple[type[Exception], Outcome], ...]] = (
    (CheckFailed, "failed"),
    (CheckInapplicable, "inapplicable"),
    (CheckSkipped, "skipped"),
)


def _verdict(error: BaseException) -> tuple[Outcome, str]:
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, SettingsRefused):
            raise ConfigurationError(leaf.problems) from None
    for kind, outcome in _VERDICTS:
        for leaf in leaves:
            if isinstance(leaf, kind):
                return outcome, str(leaf)
    return "failed", said(leaves[0])


def _leaves(error: BaseException) -> Iterable[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def said(error: BaseException) -> str:
    """An exception in one line: type, words, place. Here a customer's words are the kit's own."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    words = " ".join(str(error).split())
    if isinstance(error, RuntimeError) and words == "no running event loop":
        words += ": components live by trio, not asyncio: trio.sleep, trio.open_tcp_stream, trio.open_nursery"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}{': ' if words else ''}{words[:300]}{place}"
