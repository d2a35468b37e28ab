"""Python's cycle collector, told what a daemon is: thousands of objects that stay, and hardly a cycle among the rest.

A full collection looks at every container object there is: with 2,000 pages open some 600,000 of them, half a second in
which nobody is offered anything. It is begun after so many new ones that outlive a young collection, which every
connection and every contact in hand does. So what the start has made is frozen, and young collections,
which only look at what is new, come when 20,000 more objects were made than freed: nearly everything here goes by
its count of references long before. What lies in cycles until then is some megabytes.

This is for a process of its own only; an embedding program has its own ideas (docs/embedding.md).
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG_OBJECTS: Final = 20_000
YOUNG_COLLECTIONS: Final = 20
"""Young collections to one of the middle generation."""
MIDDLE_COLLECTIONS: Final = 50
"""Collections of the middle generation to a full one, which then still needs a quarter of all objects to be new."""


async def quieten(_: object = None) -> None:
    """Collect once, never look at what there is now again, and look at the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_COLLECTIONS, MIDDLE_COLLECTIONS)
