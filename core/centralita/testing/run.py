"""All checks of one type, one after the other, and the report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from centralita.plugins import Plugins, load_plugins
from centralita.testing.bench import Bench, Subject
from centralita.testing.checks import Check, Report, Result, checks_of, try_check
from centralita.testing.drivers import Driver
from centralita.testing.limits import Limits


async def run_check(check: Check, subject: Subject, failed: Collection[int] = ()) -> Result:
    """Try one check in a fresh place. `failed`: the numbers that have failed before, which it may need."""
    if reason := subject.exempt.get(check.number):
        return Result(number=check.number, claim=check.claim, outcome="exempt", message=reason)
    if missing := [number for number in check.needs if number in failed]:
        words = f"check {missing[0]} failed"
        return Result(number=check.number, claim=check.claim, outcome="skipped", message=words)
    return await try_check(check, Bench(subject))


async def check_subject(
    subject: Subject,
    *,
    only: Collection[int] = (),
    before: Callable[[Check], None] = lambda _: None,
    after: Callable[[Result], None] = lambda _: None,
) -> Report:
    """Run the checks for the subject's kind, or `only` some. `before` and `after` are told of each."""
    results: list[Result] = []
    failed: set[int] = set()
    for check in checks_of(subject.kind):
        if only and check.number not in only:
            continue
        before(check)
        result = await run_check(check, subject, failed)
        if result.outcome == "failed":
            failed.add(check.number)
        results.append(result)
        after(result)
    told = [words for name, words in subject.plugins.deprecations() if name == subject.registration.plugin]
    return Report(
        kind=subject.kind,
        type=subject.type_name,
        settings=subject.settings,
        results=tuple(results),
        deprecations=tuple(told),
    )


def _checker(kind: str) -> Callable[..., Awaitable[Report]]:
    async def check(
        type_name: str,
        *,
        settings: Mapping[str, Any] | None = None,
        plugins: Sequence[object] | Plugins = (),
        driver: Driver | None = None,
        limits: Limits | None = None,
    ) -> Report:
        loaded = plugins if isinstance(plugins, Plugins) else load_plugins(plugins)
        return await check_subject(
            Subject(loaded, kind, type_name, settings=settings, driver=driver, limits=limits)
        )

    check.__name__ = f"check_{kind}"
    check.__doc__ = f"""Run every check on a type of kind `{kind}`, installed or brought by `plugins`.

    `settings` are those of its table, `driver` plays its other side (else the one of its entry point).
    Raises PluginError when the plugins can't be loaded or have no such type.
    """
    return check


check_channel = _checker("channels")
check_desk = _checker("desks")
check_crm = _checker("crms")
check_classifier = _checker("classifiers")
check_bot = _checker("bots")
check_kpi_sink = _checker("kpi_sinks")
check_journal = _checker("journal")
check_front_door = _checker("front_doors")
check_routes = _checker("routes")
