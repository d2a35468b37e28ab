"""Checks 1001 to 1003: HTTP that a component brings, and the front door that serves it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

from centralita.config import COMPONENT_KINDS
from centralita.protocols import HasRoutes
from centralita.testing.bench import Bench
from centralita.testing.checks import CheckInapplicable, CheckSkipped, check, fail, said

BRINGING: Final = tuple(kind for kind in COMPONENT_KINDS if kind != "front_doors")
DOOR: Final = "http"


@check(1001, "Its routes are there before it runs, and the same each time", kinds=BRINGING)
async def brings_routes(bench: Bench) -> None:
    """`routes` is a plain function; the front door asks before anything runs."""
    component = _bringing(bench)
    first, second = _routes(component), _routes(component)
    if len(first) != len(second):
        fail(f"routes gave {len(first)} handlers, and {len(second)} when asked again")


@check(1002, "The front door serves its routes", kinds=BRINGING, needs=[1001])
async def serves_routes(bench: Bench) -> None:
    """Every handler says in `opt["role"]` who may; the front door refuses one that does not."""
    _bringing(bench)
    subject = bench.subject
    if DOOR not in subject.plugins.types("front_doors"):
        raise CheckSkipped("no front door is installed: pip install centralita-http")
    tables = dict(subject.driver.tables) if subject.driver is not None else {}
    tables["front_doors"] = {"kit_door": {"type": DOOR, "port": 0}}
    async with bench.house(tables=tables) as house, house.life():
        down = [view for view in house.switchboard.components() if view.state != "up"]
        if down:
            fail(f"with its routes mounted {down[0].kind}.{down[0].name} is {down[0].state}: {down[0].error}")


@check(
    1003, "A front door runs with nothing mounted, and with something", kinds=("front_doors",), needs=[201]
)
async def mounts(bench: Bench) -> None:
    """`mount` is a plain function that takes what there is."""
    component = bench.make()
    if inspect.iscoroutinefunction(component.mount):
        fail("mount is async; it must be a plain function")
    try:
        component.mount([])
        component.mount(())
    except Exception as error:  # noqa: BLE001 - the claim
        fail(f"mount of nothing raised {said(error)}")


def _bringing(bench: Bench) -> Any:
    component = bench.make()
    if not isinstance(component, HasRoutes):
        raise CheckInapplicable("it brings no routes")
    return component


def _routes(component: Any) -> Sequence[Any]:
    try:
        routes = component.routes()
    except Exception as error:  # noqa: BLE001 - the claim
        fail(f"routes raised {said(error)}")
    if inspect.iscoroutine(routes):
        routes.close()
        fail("routes is async; it must be a plain function")
    if not isinstance(routes, Sequence):
        fail(f"routes gave a {type(routes).__name__}; must be a sequence of Litestar handlers")
    return routes
