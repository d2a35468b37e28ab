"""docs/states.md says what the tables say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_states_is_what_the_tables_give() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "diagrams.py"))["page"]()
    assert (ROOT / "docs" / "states.md").read_text(encoding="utf-8") == made, "run: python tools/diagrams.py"
