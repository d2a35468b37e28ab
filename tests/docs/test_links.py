"""Every link between pages leads to a page, and to a heading that is there; every page of docs/ is found from the README."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("", "docs/", "benchmarks/", "cli/", "plugins/*/")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    found = [page for folder in FOLDERS for page in sorted(ROOT.glob(f"{folder}*.md"))]
    assert len(found) > 30
    return found


def links(page: Path) -> list[str]:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return LINK.findall(prose)


def headings(page: Path) -> set[str]:
    """As anchors: what a heading says in small letters, without signs, with hyphens for spaces."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


def test_every_link_leads_somewhere() -> None:
    dead = []
    for page in pages():
        for link in links(page):
            if link.startswith("https://"):
                continue
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            if not target.exists() or (anchor and anchor not in headings(target)):
                dead.append(f"{page.relative_to(ROOT)}: {link}")
    assert dead == []


def test_readme_leads_to_every_page() -> None:
    linked = {(ROOT / link).resolve() for link in links(ROOT / "README.md")}
    assert set((ROOT / "docs").glob("*.md")) <= linked
