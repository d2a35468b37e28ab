"""The web chat's HTTP under `/chat/NAME`: the widget, a demo page, the WebSocket, and files.

Every handler names its role for the front door's guard. `public` ones check what they need themselves: a
session's secret for uploads, a signature for downloads, nothing for the widget. The two under `desk/` are
for agents and leave the check to the guard.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import trio
from litestar import Request, Response, WebSocket, get, post, websocket
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath, FromQuery

from centralita_webchat import frames
from centralita_webchat.attachments import MEDIA_TYPES, BadFile, check, make_id
from centralita_webchat.channel import read_frame
from centralita_webchat.frames import kind_of_frame
from centralita_webchat.group_commit import StoreError
from centralita_webchat.sessions import Session, Socket, Turned
from centralita_webchat.settings import FAULTS_MAX, FRAME_CHARS_MAX, HELLO_S_MAX, SILENCE_S_MAX
from centralita_webchat.store import FileRow

if TYPE_CHECKING:
    from centralita_webchat.channel import WebChat

PUBLIC: Final = {"role": "public"}
MESSAGES: Final = dict.fromkeys(frames.CLIENT_KINDS, "public")
"""Everybody may say these, of the session whose secret they gave in hello: no frame can name another."""
OWN_CONTACT: Final = {"role": "agent", "own": "contact"}
FORM_BYTES_EXTRA: Final = 65_536
"""What a form may take besides its file."""

WIDGET_ROOMS: Final = ("words", "elements", "connection", "log", "composer", "cards", "panel", "start")

CLOSE_NORMAL: Final = 1000
CLOSE_POLICY: Final = 1008
CLOSE_TOO_BIG: Final = 1009
CLOSE_TRY_LATER: Final = 1013
CLOSE_S_MAX: Final = 1

AnySocket = WebSocket[Any, Any, Any]

_STATIC: Final = resources.files("centralita_webchat") / "static"
_EVERYWHERE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}
_DEMO_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_FILE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def make_routes(chat: WebChat) -> Sequence[Any]:
    """The handlers of one web chat."""
    return [*_page_routes(chat), _socket_route(chat), *_file_routes(chat)]


def _page_routes(chat: WebChat) -> list[Any]:
    base = f"/chat/{chat.name}"
    script = _widget_script(chat)
    page = (_STATIC / "demo.html").read_text(encoding="utf-8")
    style = (_STATIC / "demo.css").read_text(encoding="utf-8")
    cached = {**_EVERYWHERE, "Cache-Control": "no-cache"}

    @get(f"{base}/widget.js", opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
    def widget() -> Response[str]:
        return Response(script, media_type="text/javascript", headers=cached)

    @get(base, opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
    def demo(request: Request[Any, Any, Any], lang: FromQuery[str] = "") -> Response[str]:
        # Addresses in the page begin with base: whether the visitor wrote the last slash does not matter.
        language = lang if lang in ("en", "es") else chat.settings.language
        address = escape(f"{request.url.scheme}://{request.headers.get('host', '')}{base}")
        title = escape(chat.settings.title)
        text = page.replace("{base}", base).replace("{language}", language).replace("{address}", address)
        text = text.replace("{title}", title)
        headers = {**cached, "Content-Security-Policy": _DEMO_POLICY}
        return Response(text, media_type="text/html", headers=headers)

    @get(f"{base}/demo.css", opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
    def demo_style() -> Response[str]:
        return Response(style, media_type="text/css", headers=cached)

    return [widget, demo, demo_style]


def _widget_script(chat: WebChat) -> str:
    settings = chat.settings
    told = {
        "title": settings.title,
        "language": settings.language,
        "greeting": settings.greeting,
        "askWho": settings.ask_who,
        "rating": settings.rating,
        "callback": settings.callback,
        "attachments": settings.attachments,
        "types": [MEDIA_TYPES[kind] for kind in settings.attachment_types],
        "bytesMax": settings.attachment_bytes_max,
        "filesMax": settings.attachments_per_message_max,
        "charsMax": settings.message_chars_max,
        "name": chat.name,
    }
    folder = _STATIC / "widget"
    rooms = [(folder / f"{room}.js").read_text(encoding="utf-8") for room in WIDGET_ROOMS]
    style = json.dumps((folder / "style.css").read_text(encoding="utf-8"))
    # One file of one scope: a page gets one name from us at most, and one request.
    script = "\n".join(["(() => {", '"use strict";', f"const STYLE = {style};", *rooms, "})();", ""])
    return script.replace("/*SETTINGS*/ {}", json.dumps(told, ensure_ascii=True), 1)


# The WebSocket


def _socket_route(chat: WebChat) -> Any:
    @websocket(f"/chat/{chat.name}/ws", opt={**PUBLIC, "messages": MESSAGES})
    async def page_socket(socket: AnySocket) -> None:
        if not _origin_allowed(chat, socket.headers):
            await socket.close(CLOSE_POLICY, "origin")  # before accept: the browser sees a 403
            return
        await socket.accept()
        try:
            await _serve(chat, socket)
        except WebSocketDisconnect:
            pass

    return page_socket


async def _serve(chat: WebChat, socket: AnySocket) -> None:
    """Speak with one page until either side has had enough."""
    address = socket.client.host if socket.client is not None else ""
    hello = None
    with trio.move_on_after(HELLO_S_MAX):
        try:
            hello = read_frame(await socket.receive_text())
        except Turned as turned:
            await _refuse(socket, turned, CLOSE_POLICY)
            return
    if not isinstance(hello, frames.Hello):
        await _refuse(socket, Turned("bad_frame", "the first frame must be hello"), CLOSE_POLICY)
        return
    try:
        if not chat.up:
            raise Turned("unavailable", "the chat is restarting; try again")
        session, page = await chat.sessions.enter(hello, address)
    except Turned as turned:
        await _refuse(socket, turned, CLOSE_TRY_LATER)
        return
    except StoreError:
        await _refuse(socket, Turned("unavailable", "the chat is restarting; try again"), CLOSE_TRY_LATER)
        return
    ending = None
    try:
        chat.standing.show(session)
        page.wake()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_write, chat, socket, session, page, nursery.cancel_scope)
            ending = await _read(chat, socket, session, page)
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await chat.sessions.leave(session, page)
        if not session.sockets:
            chat.conversations.typing(session, on=False)
    if ending is None and page.over:
        ending = (CLOSE_TRY_LATER, "come again")
    if ending is not None:
        with trio.move_on_after(CLOSE_S_MAX):
            await socket.close(*ending)


async def _write(
    chat: WebChat, socket: AnySocket, session: Session, page: Socket, scope: trio.CancelScope
) -> None:
    try:
        await page.write(session, socket.send_text, chat.sessions)
        chat.log.info("webchat_socket_sent_away")
    except (WebSocketDisconnect, StoreError):
        pass  # the page has gone, or the channel stops: it is closed either way
    scope.cancel()


async def _read(chat: WebChat, socket: AnySocket, session: Session, page: Socket) -> tuple[int, str] | None:
    """Do what the page's frames say. Returns how to close when it is silent or makes too many faults,
    None when it has gone."""
    faults = 0
    while True:
        data: str | None = None
        with trio.move_on_after(SILENCE_S_MAX):
            try:
                data = await socket.receive_text()
            except WebSocketDisconnect:
                return None
        if data is None:
            return CLOSE_NORMAL, "silent for too long"
        if len(data) > FRAME_CHARS_MAX:
            return CLOSE_TOO_BIG, "frame too long"
        answer: frames.AnyServerFrame | None
        try:
            frame = read_frame(data)
            socket.app.state.gate.permit_message(socket, kind_of_frame(frame))
            answer = await chat.handle(session, frame)
        except Turned as turned:
            answer = frames.ErrorFrame(code=turned.code, message=str(turned))
        if answer is not None:
            page.post(answer)
        if isinstance(answer, frames.ErrorFrame) and answer.code in ("bad_frame", "too_fast"):
            faults += 1
            if faults >= FAULTS_MAX:
                return CLOSE_POLICY, "too many faults"


async def _refuse(socket: AnySocket, turned: Turned, code: int) -> None:
    await socket.send_text(frames.encode(frames.ErrorFrame(code=turned.code, message=str(turned))))
    await socket.close(code, turned.code)


# Files


def _file_routes(chat: WebChat) -> list[Any]:
    base = f"/chat/{chat.name}"
    bytes_max = chat.settings.attachment_bytes_max + FORM_BYTES_EXTRA
    uploads: Counter[str] = Counter()

    @post(f"{base}/attachments", opt=PUBLIC, request_max_body_size=bytes_max, include_in_schema=False)
    async def upload(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        """A form with `session`, `secret` and `file`: no header a browser would ask leave for first."""
        origin = request.headers.get("origin", "")
        headers = {**_EVERYWHERE, "Vary": "Origin"}
        if not _origin_allowed(chat, request.headers):
            return _problem(403, "origin", "this page may not use the chat", headers)
        if origin:
            headers["Access-Control-Allow-Origin"] = origin
        if not chat.up:
            return _problem(503, "unavailable", "the chat is restarting; try again", headers)
        address = request.client.host if request.client is not None else ""
        if uploads.total() >= chat.settings.uploads_max:
            return _problem(503, "too_many", f"uploads_max is {chat.settings.uploads_max}", headers)
        if uploads[address] >= chat.settings.uploads_per_address_max:
            most = chat.settings.uploads_per_address_max
            return _problem(429, "too_many", f"uploads_per_address_max is {most}", headers)
        uploads[address] += 1
        try:
            form = await request.form()
            session = await chat.sessions.authenticate(_text(form, "session"), _text(form, "secret"))
            if session is None:
                return _problem(401, "session", "no session of that id and secret", headers)
            return await _keep(chat, session, form, author="customer", headers=headers)
        finally:
            uploads[address] -= 1
            if not uploads[address]:
                del uploads[address]

    @get(f"{base}/attachments/{{id:str}}", opt=PUBLIC, include_in_schema=False)
    async def download(id: FromPath[str], signature: FromQuery[str] = "") -> Response[Any]:
        """For a page: whoever has the signature of this file may read it."""
        if not chat.up or not chat.files.signed(id, signature):
            return _problem(404, "unknown_attachment", "no such file", _EVERYWHERE)
        return await _serve_file(chat, id)

    @get(f"{base}/desk/contacts/{{contact:int}}/attachments/{{id:str}}", opt=OWN_CONTACT, tags=["webchat"])
    async def download_for_agent(contact: FromPath[int], id: FromPath[str]) -> Response[Any]:
        """A file of a contact's customer, for its agent or one who is consulted about it; the id is in the
        contact's messages."""
        if not chat.up:
            return _problem(503, "unavailable", "the chat is restarting; try again", _EVERYWHERE)
        return await _serve_file(chat, id, contact=chat.conversations.customers_contact(contact))

    @post(
        f"{base}/desk/contacts/{{contact:int}}/attachments",
        opt=OWN_CONTACT,
        request_max_body_size=bytes_max,
        tags=["webchat"],
    )
    async def upload_for_agent(
        request: Request[Any, Any, Any], contact: FromPath[int]
    ) -> Response[dict[str, Any]]:
        """A form with `file`: the answer is an attachment to post in the contact."""
        if not chat.up:
            return _problem(503, "unavailable", "the chat is restarting; try again", _EVERYWHERE)
        row = await chat.store.chat_of_contact(contact)
        session = chat.sessions.get(row.session) if row is not None else None
        if session is None:
            return _problem(
                404, "unknown_contact", f"contact {contact} is not open in {chat.name}", _EVERYWHERE
            )
        return await _keep(chat, session, await request.form(), author="agent", headers=_EVERYWHERE)

    return [upload, download, download_for_agent, upload_for_agent]


async def _keep(
    chat: WebChat, session: Session, form: FormMultiDict, *, author: str, headers: Mapping[str, str]
) -> Response[dict[str, Any]]:
    """Check a form's file and keep it."""
    settings = chat.settings
    file = form.get("file")
    if not settings.attachments:
        return _problem(403, "not_capable", "this chat takes no files", headers)
    if not isinstance(file, UploadFile):
        return _problem(400, "bad_value", "file: the form has none", headers)
    content = await file.read(settings.attachment_bytes_max + 1)
    try:
        # Megabytes of text are looked through.
        name, kind = await trio.to_thread.run_sync(
            partial(
                check,
                file.filename,
                content,
                types=settings.attachment_types,
                bytes_max=settings.attachment_bytes_max,
            )
        )
        await chat.sessions.keep(session)
    except BadFile as error:
        return _problem(400, "bad_attachment", str(error), headers)
    except Turned as turned:
        return _problem(503, turned.code, str(turned), headers)
    row = FileRow(
        id=make_id(),
        session=session.row.id,
        name=name,
        media_type=MEDIA_TYPES[kind],
        bytes_n=len(content),
        created_ns=chat.clock.now_ns(),
        author=author,
    )
    # The name first: a crash in between leaves a name that the housekeeper erases, not a stray file.
    if not await chat.store.add_file(row, files_max=settings.attachments_per_session_max):
        most = settings.attachments_per_session_max
        return _problem(429, "too_many", f"attachments_per_session_max is {most}", headers)
    await chat.files.keep(row.id, content)
    answer = {
        "id": row.id,
        "name": row.name,
        "media_type": row.media_type,
        "bytes_n": row.bytes_n,
        "url": f"attachments/{row.id}?signature={chat.files.sign(row.id)}",
    }
    return Response(answer, status_code=201, headers=dict(headers))


async def _serve_file(chat: WebChat, id: str, *, contact: int = 0) -> Response[Any]:
    """A file; with `contact` only when it is of the session that the contact is a conversation of."""
    row = await chat.store.file(id)
    if row is not None and contact and not await chat.store.has_contact(row.session, contact):
        row = None
    content = await chat.files.read(row.id) if row is not None else None
    if row is None or content is None:
        return _problem(404, "unknown_attachment", "no such file", _EVERYWHERE)
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in row.name)
    return Response(
        content,
        media_type=row.media_type,
        headers={
            **_EVERYWHERE,
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(row.name)}",
            "Content-Security-Policy": _FILE_POLICY,
            "Cache-Control": "private, max-age=86400, immutable",
        },
    )


def _text(form: FormMultiDict, key: str) -> str:
    value = form.get(key)
    return value if isinstance(value, str) else ""


def _problem(status: int, code: str, message: str, headers: Mapping[str, str]) -> Response[dict[str, Any]]:
    return Response({"code": code, "message": message}, status_code=status, headers=dict(headers))


def _origin_allowed(chat: WebChat, headers: Any) -> bool:
    """Whether the page may use the chat. A program without a page sends no origin; the secret decides there."""
    origin = headers.get("origin", "")
    if not origin or "*" in chat.settings.origins or origin in chat.settings.origins:
        return True
    try:
        place = urlsplit(origin).netloc
    except ValueError:
        return False  # no browser sends such an address
    return bool(place) and place == headers.get("host", "")
