"""Forms with files: read whole in whichever pieces they come, bounded, and never by a charset of the sender's choosing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from litestar import post
from litestar.datastructures import FormMultiDict, UploadFile

from centralita_http.bodies import PARTS_MAX, TEXT_BYTES_MAX, CheckedRequest, read_form
from centralita_http.errors import Rejected
from tests.http.company import company

PICTURE = b"\x89PNG\r\n\x1a\n--x\r\n\0\xff" * 400
HEAD = b'Content-Disposition: form-data; name="'


def part(name: str, content: bytes, *, filename: str = "", kind: str = "") -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    line = f"\r\nContent-Type: {kind}" if kind else ""
    return b"--edge\r\n" + HEAD + f'{name}"{file}{line}\r\n\r\n'.encode() + content + b"\r\n"


END = b"--edge--\r\n"
WHOLE = (
    part("session", "sesión 1".encode())
    + part("secret", b"s3cret", kind="text/plain; charset=punycode")
    + part("empty", b"")
    + part("file", PICTURE, filename="ñ.png", kind="image/png")
    + part("file", b"", filename="b.txt")
    + END
    + b"what nobody reads"
)


async def read(body: bytes, *cuts: int) -> FormMultiDict:
    async def chunks() -> AsyncIterator[bytes]:
        edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
        for start, end in pairwise(edges):
            yield body[start:end]

    return await read_form("edge", chunks())


async def told(form: FormMultiDict) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in sorted(form.multi_items(), key=lambda item: item[0]):
        if isinstance(value, UploadFile):
            found.append((name, (value.filename, value.content_type, await value.read())))
            await value.close()
        else:
            found.append((name, value))
    return found


@given(st.lists(st.integers(0, 10**6), max_size=12))
def test_form_is_read_whole_in_whichever_pieces_it_comes(cuts: list[int]) -> None:
    async def check() -> None:
        assert await told(await read(WHOLE, *cuts)) == [
            ("empty", ""),
            ("file", ("ñ.png", "image/png", PICTURE)),
            ("file", ("b.txt", "application/octet-stream", b"")),
            ("secret", "s3cret"),
            ("session", "sesión 1"),
        ]

    trio.run(check)


@pytest.mark.parametrize("charset", ["punycode", "idna", "base64", "no-such", "utf-16", "unicode_escape"])
async def test_text_is_utf8_whatever_its_part_says(charset: str) -> None:
    """Python's punycode takes time by the square of the length, and others raise what nobody expects."""
    text = b"a" * 30_000 + b"-" + b"b" * 30_000
    form = await read(part("secret", text, kind=f"text/plain; charset={charset}") + END)
    assert form["secret"] == text.decode()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not a form"),
        (b"nonsense", 400, "not a form"),
        (part("a", b"x"), 400, "not a form"),
        (b"--edge\r\nnonsense\r\n\r\nx\r\n" + END, 400, "not a form"),
        (part("a", b"\xff") + END, 400, "a text of the form is not UTF-8"),
        (part("a", b"x" * (TEXT_BYTES_MAX + 1)) + END, 413, f"at most {TEXT_BYTES_MAX} bytes"),
        (part("a", b"x" * (TEXT_BYTES_MAX // 2 + 1)) * 2 + END, 413, f"at most {TEXT_BYTES_MAX} bytes"),
        (part("a", b"x") * (PARTS_MAX + 1) + END, 413, f"at most {PARTS_MAX} parts"),
        (part("a" * 5_000, b"x") + END, 413, "a few short headers"),
        (part("f", b"x", filename="a.png") + b"--edge\r\nnonsense\r\n\r\n" + END, 400, "not a form"),
    ],
)
async def test_body_that_is_no_form_or_too_much_of_one_is_the_callers_fault(
    body: bytes, status: int, words: str
) -> None:
    with pytest.raises(Rejected) as caught:
        await read(body, len(body) // 2)
    assert caught.value.status == status
    assert words in caught.value.body.message


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_lead_to_anything_but_a_form_or_a_refusal(noise: bytes, framed: bool) -> None:
    async def check() -> None:
        # Anything else that is raised fails this.
        with suppress(Rejected):
            await told(await read(b"--edge\r\n" + HEAD + noise + b"\r\n" + END if framed else noise))

    trio.run(check)


async def test_handler_that_takes_a_form_gets_it_bounded(tmp_path: Path) -> None:
    @post("/form", opt={"role": "public"}, status_code=200)
    async def take(request: CheckedRequest) -> list[str]:
        form = await request.form()
        assert await request.form() is form
        return sorted(name for name, _ in form.multi_items())

    async with company(tmp_path) as shop, shop.client() as client:
        assert shop.door.app is not None
        shop.door.app.register(take)
        kind = {"content-type": "multipart/form-data; boundary=edge"}
        answer = await client.post("/form", content=WHOLE, headers=kind)
        assert answer.json() == ["empty", "file", "file", "secret", "session"]
        for content, headers, status in (
            (part("a", b"\xff") + END, kind, 400),
            (part("a", b"x" * (TEXT_BYTES_MAX + 1)) + END, kind, 413),
            (WHOLE, {"content-type": "multipart/form-data"}, 400),
            (WHOLE, {"content-type": "multipart/form-data; boundary=other"}, 400),
        ):
            refused = await client.post("/form", content=content, headers=headers)
            assert (refused.status_code, set(refused.json())) == (status, {"code", "message"})
        texts = {"content-type": "application/x-www-form-urlencoded"}
        assert (await client.post("/form", content=b"a=%C3%B1&b=&a=2", headers=texts)).json() == [
            "a",
            "a",
            "b",
        ]
        for content, status in (
            (b"a=%ff", 400),
            (b"a=\xc3\xb1", 400),
            (b"a=b&" * (PARTS_MAX + 1), 400),
            (b"a=" + b"x" * TEXT_BYTES_MAX, 413),
        ):
            refused = await client.post("/form", content=content, headers=texts)
            assert (refused.status_code, set(refused.json())) == (status, {"code", "message"})
        for headers in ({"content-type": "application/json"}, {}):
            assert (await client.post("/form", content=b"a=b", headers=headers)).json() == []
