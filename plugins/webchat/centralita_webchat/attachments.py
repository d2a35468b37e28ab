"""Files that go with messages: what they are is read from their bytes, never from what was said of them.

Only kinds that a page can show without running anything are taken: images of four formats, PDF, plain
text. Each is kept under its unguessable id in the component's directory and served as a download, with
`nosniff` and a sandbox of its own, so that even a file that fools the check runs nowhere.

A customer's page gets an address with a signature over the file's id: good for that file alone, and
not derivable from the id, which the journal and every agent's desk know. Agents read through a path of
their own, guarded by their role.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

import trio

from centralita.errors import CentralitaError
from centralita_webchat.settings import FileKind

ID_BYTES: Final = 18
KEY_BYTES: Final = 32
NAME_CHARS_MAX: Final = 120

MEDIA_TYPES: Final[dict[FileKind, str]] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "txt": "text/plain",
}
_EXTENSIONS: Final[dict[FileKind, tuple[str, ...]]] = {
    "png": ("png",),
    "jpeg": ("jpg", "jpeg"),
    "gif": ("gif",),
    "webp": ("webp",),
    "pdf": ("pdf",),
    "txt": ("txt", "log"),
}
_IMAGES: Final[frozenset[FileKind]] = frozenset({"png", "jpeg", "gif", "webp"})
_NO_CONTROLS: Final = bytes((0x09, 0x0A, 0x0C, 0x0D, *range(0x20, 0x100)))
"""What the bytes of a text may be."""


class BadFile(CentralitaError):
    """A file that is not taken; the message is for people and says what is."""


def kind_of(content: bytes) -> FileKind | None:
    """What the bytes are, by the signature each format begins with; None when none of ours.

    Sources: PNG 3rd ed. (W3C 2023) section 5.2; JPEG ITU-T T.81 B.1.1.3 (SOI, then a marker); GIF89a section
    17; WebP container, RFC 9649 section 2.4; ISO 32000-1 7.5.2. Text is UTF-8 without control characters.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "webp"
    if content.startswith(b"%PDF-"):
        return "pdf"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "txt" if content and not content.translate(None, _NO_CONTROLS) else None


def check(name: str, content: bytes, *, types: Sequence[FileKind], bytes_max: int) -> tuple[str, FileKind]:
    """The name to keep the file under and what it is. Raises BadFile with what was wrong and what is allowed.

    An image may have another image's extension, as screenshots often do, and gets its own. Anything
    else must be what its name says: a page of HTML is text too, and is not taken as such.
    """
    if len(content) > bytes_max:
        raise BadFile(f"the file has more than {bytes_max} bytes, which is the most allowed")
    if not content:
        raise BadFile("the file is empty")
    kind = kind_of(content)
    if kind is None or kind not in types:
        raise BadFile(f"the file's content is not of an allowed type; allowed: {', '.join(types)}")
    stem, dot, extension = _bare(name).rpartition(".")
    if not dot:
        stem, extension = extension, ""
    extension = extension.lower()
    if extension in _EXTENSIONS[kind]:
        return f"{stem}.{extension}", kind
    said = next((other for other, known in _EXTENSIONS.items() if extension in known), None)
    if kind in _IMAGES and (said in _IMAGES or not extension):
        return f"{stem or 'image'}.{_EXTENSIONS[kind][0]}", kind
    raise BadFile(
        f"the name ends in {extension!r:.24}, but the content is {kind}: rename it, or send another"
    )


def _bare(name: str) -> str:
    """The name without a path or anything a file system or a header could take amiss."""
    bare = PurePosixPath(PureWindowsPath(name).name).name
    kept = "".join(c if c.isprintable() and c not in '<>:"/\\|?*%;' else "_" for c in bare).strip(". ")
    stem, dot, extension = kept.rpartition(".")
    if not dot:
        return kept[:NAME_CHARS_MAX]
    return f"{stem[: NAME_CHARS_MAX - 10]}.{extension[:9]}"


def make_id() -> str:
    """An id that can't be guessed."""
    return secrets.token_urlsafe(ID_BYTES)


class Files:
    """The bytes, one file each, and the key that signs their addresses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = b""

    async def open(self) -> None:
        """Make the folder, and the key when there is none."""
        self._key = await trio.to_thread.run_sync(self._prepare)

    def _prepare(self) -> bytes:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / "key"
        if not path.exists():
            _write(path, secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise BadFile(f"{path}: had {len(key)} bytes, not {KEY_BYTES}; remove it to have another made")
        return key

    def sign(self, id: str) -> str:
        """What, beside the id, gives a page access to this file."""
        return hmac.new(self._key, id.encode(), hashlib.sha256).hexdigest()

    def signed(self, id: str, signature: str) -> bool:
        """Whether this is the file's signature, in constant time."""
        return hmac.compare_digest(self.sign(id).encode(), signature.encode())

    async def keep(self, id: str, content: bytes) -> None:
        """Write the bytes; whole on the disk when this returns."""
        await trio.to_thread.run_sync(_write, self._path(id), content)

    async def read(self, id: str) -> bytes | None:
        """The bytes, or None when they are gone."""

        def read() -> bytes | None:
            try:
                return self._path(id).read_bytes()
            except FileNotFoundError:
                return None

        return await trio.to_thread.run_sync(read)

    async def erase(self, ids: Sequence[str]) -> None:
        """Remove the bytes of these files; ones that are gone already are no fault."""

        def erase() -> None:
            for id in ids:
                self._path(id).unlink(missing_ok=True)

        await trio.to_thread.run_sync(erase)

    def _path(self, id: str) -> Path:
        # Ids come from our own table; the check keeps a slip elsewhere from becoming a path.
        if not id.replace("-", "").replace("_", "").isalnum():
            raise BadFile("an id has letters, digits, - and _ only")
        return self._folder / f"{id}.file"


def _write(path: Path, content: bytes) -> None:
    """Write to a neighbour first, so that the name never stands for half a file."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        partial.chmod(0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
