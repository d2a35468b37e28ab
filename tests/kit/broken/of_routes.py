"""Front doors and routes: 1001 to 1003."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import get

from tests.kit.broken.registry import breaks
from tests.kit.good import GoodChannel, GoodDoor


@breaks(1001, "channels")
class Shifting(GoodChannel):
    """Has other routes each time."""

    asked_n = 0

    def routes(self) -> Sequence[Any]:
        self.asked_n += 1
        return [*super().routes(), *([] if self.asked_n % 2 else super().routes())]


@breaks(1002, "channels")
class Open(GoodChannel):
    """Does not say who may."""

    def routes(self) -> Sequence[Any]:
        @get("/open", sync_to_thread=False)
        def count() -> int:
            return 1

        return [count]


@breaks(1003, "front_doors")
class Demanding(GoodDoor):
    """Adds a page of its own to what it is given, in place."""

    def mount(self, routes: Any) -> None:
        routes.append("index")
        super().mount(routes)
