"""Files: what is taken, what is not, and who may read them."""

from pathlib import Path

import httpx
import pytest

from centralita.messages import Attachment, PostMessage
from centralita_http.tokens import open_store
from centralita_webchat.attachments import BadFile, check, kind_of
from centralita_webchat.settings import FileKind
from tests.on_loop import called_here
from tests.webchat.house import House, Page, a_client, open_house

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(20)
GIF = b"GIF89a" + bytes(20)
WEBP = b"RIFF\x24\0\0\0WEBPVP8 " + bytes(20)
PDF = b"%PDF-1.7\n" + bytes(20)
TEXT = "¿Dónde está?\n\tAquí.\r\n".encode()
ALL: tuple[FileKind, ...] = ("png", "jpeg", "gif", "webp", "pdf", "txt")
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PNG, "png"), (JPEG, "jpeg"), (GIF, "gif"), (WEBP, "webp"), (PDF, "pdf"), (TEXT, "txt")],
)
def test_kind_is_read_from_the_bytes(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("program.exe", b"MZ\x90\x00\x03\x00"),
        ("program.png", b"MZ\x90\x00\x03\x00"),
        ("page.html", HTML),
        ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("page.png", HTML),
        ("document.pdf", PNG),
        ("picture.png", PDF),
        ("notes.txt", PNG),
        ("script.js", b"alert(1)"),
        ("no extension", b"plain words"),
        ("binary.txt", b"words\x00words"),
        ("latin.txt", b"\xbfqu\xe9?"),
        ("empty.txt", b""),
        ("png-in-the-middle.png", b"x" + PNG),
        ("half.png", PNG[:6]),
        ("riff.webp", b"RIFF\x24\0\0\0WAVEfmt "),
    ],
)
def test_file_that_is_not_what_it_should_be_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(BadFile):
        check(name, content, types=ALL, bytes_max=1000)


@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [
        ("shot.png", PNG, "shot.png"),
        ("shot.PNG", PNG, "shot.png"),
        ("shot.png", JPEG, "shot.jpg"),
        ("image", WEBP, "image.webp"),
        ("../../etc/passwd.txt", TEXT, "passwd.txt"),
        ("C:\\Users\\eva\\foto.jpeg", JPEG, "foto.jpeg"),
        ("a\r\nSet-Cookie: x.png", PNG, "a__Set-Cookie_ x.png"),
        ("año \u202egnp.png", PNG, "año _gnp.png"),
        ('"><img>.pdf', PDF, "___img_.pdf"),
        ("x" * 500 + ".pdf", PDF, "x" * 110 + ".pdf"),
        (".png", PNG, "png.png"),
    ],
)
def test_name_is_kept_harmless_and_true(name: str, content: bytes, kept: str) -> None:
    assert check(name, content, types=ALL, bytes_max=1000)[0] == kept


def test_kinds_and_size_are_the_operators() -> None:
    with pytest.raises(BadFile, match="allowed: png"):
        check("a.pdf", PDF, types=("png",), bytes_max=1000)
    with pytest.raises(BadFile, match="more than 10 bytes"):
        check("a.pdf", PDF, types=ALL, bytes_max=10)


async def upload(house: House, page: Page, name: str, content: bytes, **headers: str) -> httpx.Response:
    async with a_client() as client:
        return await client.post(
            f"http://{house.base}/attachments",
            data={"session": page.session, "secret": page.secret},
            files={"file": (name, content)},
            headers=headers,
        )


async def get(url: str, **headers: str) -> httpx.Response:
    async with a_client() as client:
        return await client.get(url, headers=headers)


def agent_token(folder: Path, role: str = "agent", agent: str = "ana") -> dict[str, str]:
    """What a console would send."""
    (path,) = folder.rglob("http.port")
    store = open_store(path.parent, now_ns=lambda: 1)
    try:
        _, text = store.create(
            name="test",
            role=role,
            agent=agent if role == "agent" else "",
            channel="shop_chat" if role == "channel" else "",
        )
    finally:
        store.close()
    return {"Authorization": f"Bearer {text}"}


async def test_customers_picture_reaches_the_agent_and_nobody_else(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        answer = await upload(house, page, "shot.png", PNG)
        assert answer.status_code == 201, answer.text
        file = answer.json()
        assert (file["name"], file["media_type"], file["bytes_n"]) == ("shot.png", "image/png", len(PNG))
        await page.send("m1", "look", attachments=[file["id"]])
        await page.wait_for("received")
        await page.wait_until(lambda: len(page.lines) == 2)
        assert page.lines[1]["attachments"][0]["url"] == file["url"]
        (contact,) = await house.contact_in("waiting")
        view = house.switchboard.contact(contact)
        assert view is not None
        attachment = Attachment(id=file["id"], name="shot.png", media_type="image/png", bytes_n=len(PNG))
        assert [m.attachments for m in view.messages] == [(), (attachment,)]

        got = await get(f"http://{house.base}/{file['url']}")
        assert (got.status_code, got.content) == (200, PNG)
        assert got.headers["content-type"] == "image/png"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-disposition"].startswith("attachment;")
        assert "sandbox" in got.headers["content-security-policy"]
        bare = f"http://{house.base}/attachments/{file['id']}"
        assert (await get(bare)).status_code == 404
        assert (await get(f"{bare}?signature={'0' * 64}")).status_code == 404
        desk = f"http://{house.base}/desk/contacts/{contact}/attachments/{file['id']}"
        assert (await get(desk)).status_code == 401
        assert (await get(desk, **agent_token(tmp_path))).status_code == 403, "not in the agent's hands yet"
        await house.sign_in()
        await house.accept(contact)
        seen = await get(desk, **agent_token(tmp_path))
        assert (seen.status_code, seen.content) == (200, PNG)
        assert (await get(desk, **agent_token(tmp_path, "supervisor"))).status_code == 200
        assert (await get(desk, **agent_token(tmp_path, agent="berta"))).status_code == 403
        assert (await get(desk, **agent_token(tmp_path, "channel"))).status_code == 403


async def test_file_of_another_customer_is_not_in_ones_own_contact(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        Page(house.base).open() as mine,
        Page(house.base).open() as theirs,
    ):
        file = (await upload(house, theirs, "a.png", PNG)).json()["id"]
        await theirs.send("t1", "", attachments=[file])
        await theirs.wait_for("received")
        await mine.send("m1", "hello")
        await mine.wait_for("received")
        await house.sign_in()
        contacts = [await house.accept(contact) for contact in await house.contact_in("offered")]
        for contact in contacts:
            answer = await get(
                f"http://{house.base}/desk/contacts/{contact}/attachments/{file}", **agent_token(tmp_path)
            )
            view = house.switchboard.contact(contact)
            assert view is not None
            whose = any(message.attachments for message in view.messages)
            assert answer.status_code == (200 if whose else 404)


async def test_agents_file_reaches_the_customer(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        await page.send("m1", "hello")
        await house.sign_in()
        contact = await house.accept()
        token = agent_token(tmp_path)
        async with a_client() as client:
            url = f"http://{house.base}/desk/contacts/{contact}/attachments"
            made = await client.post(url, files={"file": ("invoice.pdf", PDF)}, headers=token)
            assert made.status_code == 201, made.text
            other = f"http://{house.base}/desk/contacts/{contact + 1000}/attachments"
            foreign = await client.post(other, files={"file": ("invoice.pdf", PDF)}, headers=token)
            assert foreign.status_code == 403
        file = made.json()
        attachment = Attachment(**{key: file[key] for key in ("id", "name", "media_type", "bytes_n")})
        await house.submit(
            PostMessage(contact=contact, author="agent", author_id="ana", attachments=(attachment,))
        )
        line = await page.wait_for("message", author="agent")
        got = await get(f"http://{house.base}/{line['attachments'][0]['url']}")
        assert got.content == PDF


async def test_upload_needs_the_sessions_secret_a_file_and_room(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path, attachment_bytes_max=1000, attachments_per_session_max=2) as house,
        Page(house.base).open() as page,
    ):
        secret, page.secret = page.secret, "wrong"
        assert (await upload(house, page, "a.png", PNG)).status_code == 401
        page.secret = secret
        assert (await upload(house, page, "a.html", HTML)).json()["code"] == "bad_attachment"
        assert (await upload(house, page, "a.txt", b"x" * 1001)).json()["code"] == "bad_attachment"
        assert (await upload(house, page, "a.txt", b"x" * 200_000)).status_code == 413
        for origin in ("https://elsewhere.example", "http://[", "null", "http://", "https://[::1"):
            foreign = await upload(house, page, "a.png", PNG, Origin=origin)
            assert (foreign.status_code, foreign.json()["code"]) == (403, "origin")
        await form_that_is_none_is_told_so(house)
        assert (await upload(house, page, "a.png", PNG)).status_code == 201
        assert (await upload(house, page, "b.png", PNG)).status_code == 201
        assert (await upload(house, page, "c.png", PNG)).status_code == 429


async def form_that_is_none_is_told_so(house: House) -> None:
    start = b'--x\r\nContent-Disposition: form-data; name="file"'
    async with a_client() as client:
        for content, status in (
            (start + b"\r\n\r\n\xff\r\n--x--\r\n", 400),
            (start + b"\r\nContent-Type: text/plain; charset=punycode\r\n\r\n" + b"a" * 100_000, 413),
            (start, 400),
            (b"", 400),
        ):
            answer = await client.post(
                f"http://{house.base}/attachments",
                content=content,
                headers={"content-type": "multipart/form-data; boundary=x"},
            )
            assert answer.status_code == status, answer.text


async def test_file_of_another_session_or_sent_already_goes_with_no_message(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        Page(house.base).open() as mine,
        Page(house.base).open() as theirs,
    ):
        file = (await upload(house, theirs, "a.png", PNG)).json()["id"]
        await mine.send("m1", "", attachments=[file])
        assert (await mine.wait_for("error", message_id="m1"))["code"] == "bad_attachment"
        await theirs.send("t1", "", attachments=[file])
        await theirs.wait_for("received")
        await theirs.send("t2", "", attachments=[file])
        assert (await theirs.wait_for("error", message_id="t2"))["code"] == "bad_attachment"
        (contact,) = house.switchboard.contacts()
        view = house.switchboard.contact(contact.id)
        assert view is not None
        assert len(view.messages) == 1


async def test_a_file_is_looked_through_off_the_loops_thread(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        with called_here(check) as called:
            answer = await upload(house, page, "words.txt", TEXT)
        assert answer.status_code == 201, answer.text
        assert not called
