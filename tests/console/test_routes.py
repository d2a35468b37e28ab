"""What the console serves: only its own files, as they are, under a policy that forbids everything else."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from centralita.config import decode
from centralita.errors import ConfigurationError
from centralita.plugins import load_plugins
from centralita_console.assets import MEDIA_TYPES, load_assets
from tests.console.house import House, configuration, open_house

PAGES = {"/console/": "desk.html", "/board/": "board.html"}
ASSETS = load_assets()
SCRIPTS = {name: asset.content.decode() for name, asset in ASSETS.items() if name.endswith(".js")}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as company:
        yield company


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.address, timeout=20, trust_env=False) as made:
        yield made


class Tags(HTMLParser):
    """The tags of a page, with their attributes and what stands in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in {"script", "style"}:
            self.inline += data.strip()


@pytest.mark.parametrize("path", [*PAGES, "/console", "/board"])
def test_pages_are_for_anybody_and_run_nothing_but_our_files(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-cache"


def test_first_page_leads_to_the_desk(client: httpx.Client) -> None:
    answer = client.get("/")
    assert (answer.status_code // 100, answer.headers["location"]) == (3, "/console/")


@pytest.mark.parametrize("page", PAGES.values())
def test_pages_have_no_inline_code_and_ask_only_for_what_is_served(page: str) -> None:
    tags = Tags(ASSETS[page].content.decode())
    assert tags.inline == ""
    asked = []
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        address = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if address:
            assert address.startswith("/console/static/")
            asked.append(address.removeprefix("/console/static/"))
    assert asked
    assert set(asked) <= set(ASSETS)


def test_modules_import_only_what_is_served_and_everything_is_used() -> None:
    used = {"shared/early.js", "desk/main.js", "board/main.js"}
    for name, text in SCRIPTS.items():
        for address in re.findall(r'from "([^"]+)"', text):
            assert address.startswith("."), f"{name} imports {address}"
            used.add(posixpath.normpath(posixpath.join(posixpath.dirname(name), address)))
    assert used == set(SCRIPTS)


def test_no_script_makes_markup_or_code_from_text() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\(|new Function|\.cssText|srcdoc"
    )
    assert {name: forbidden.findall(text) for name, text in SCRIPTS.items() if forbidden.search(text)} == {}


def test_nothing_is_fetched_from_another_host() -> None:
    for name, asset in ASSETS.items():
        if asset.media_type.startswith(("text/css", "text/html", "text/javascript")):
            found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", asset.content.decode())
            assert [one for one in found if "w3.org" not in one] == [], name


def test_every_file_is_served_with_its_type_and_tag_and_not_twice(client: httpx.Client) -> None:
    for name, asset in ASSETS.items():
        if name.endswith(".html"):
            continue
        answer = client.get(f"/console/static/{name}")
        assert answer.status_code == 200, name
        kind = MEDIA_TYPES[Path(name).suffix]
        charset = "; charset=utf-8" if kind.startswith("text/") else ""
        assert answer.headers["content-type"] == kind + charset, name
        assert answer.content == asset.content
        again = client.get(
            f"/console/static/{name}", headers={"If-None-Match": f'W/"x", {answer.headers["etag"]}'}
        )
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js",
        "desk.html",
        "../routes.py",
        "..%2f..%2froutes.py",
        "%2e%2e/settings.py",
        "desk/../../__init__.py",
        "/etc/passwd",
    ],
)
def test_no_other_file_can_be_had(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/console/static/{path}")
    assert answer.status_code in {400, 404}
    assert b"import" not in answer.content


def test_settings_are_for_whoever_has_a_token(house: House, client: httpx.Client) -> None:
    assert client.get("/console/settings.json").status_code == 401
    for role, agent in (("agent", "ana"), ("supervisor", "")):
        headers = {"authorization": f"Bearer {house.token(role, agent)}"}
        found = client.get("/console/settings.json", headers=headers).json()
        assert found["service_level_goal"] == 0.8
        assert [text["key"] for text in found["quick_texts"]] == ["hello", "hola", "moment"]


def test_bad_settings_name_their_place(tmp_path: Path) -> None:
    raw = configuration(tmp_path)
    raw["routes"]["console"] = {
        "type": "console",
        "quick_texts": [{"key": "two words", "title": "T", "text": "x"}],
    }
    with pytest.raises(ConfigurationError, match=r"routes\.console\.quick_texts\[0\]\.key"):
        load_plugins([]).prepare(decode(raw).of_kind("routes"))
