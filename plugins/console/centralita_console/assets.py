"""The files of the console as they go over the wire: read once, with type and entity tag.

It knows no path but those of the package's own `static` folder: what is asked for is looked up in a
table, never joined to a path, so no request can reach another file.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from msgspec import Struct

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".woff2": "font/woff2",
}


class Asset(Struct, frozen=True, kw_only=True):
    """One file: its bytes, what they are, and a tag that changes when they do."""

    content: bytes
    media_type: str
    tag: str


def load_assets() -> dict[str, Asset]:
    """Every file of the `static` folder by its path in it (`desk/main.js`).

    A file of a kind that `MEDIA_TYPES` doesn't name is not served.
    """
    found: dict[str, Asset] = {}
    _collect(resources.files(__package__) / "static", "", found)
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            _collect(entry, f"{path}/", found)
            continue
        media_type = MEDIA_TYPES.get(f".{entry.name.rpartition('.')[2]}")
        if media_type is None:
            continue
        content = entry.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        found[path] = Asset(content=content, media_type=media_type, tag=tag)
