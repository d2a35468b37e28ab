"""A request's body as JSON or as a form: what can't be read is the caller's fault, in whichever way it can't.

Of JSON, Litestar expects the decoder's own errors; text that isn't UTF-8 and nesting without end raise others.

Its reader of forms is not used. It keeps a text of any length and decodes it by whatever charset its part names, and some of
Python's take time by the square of the length: one upload of punycode stopped the whole server for an hour. Here parts with a
file's name become files, and the others are short texts in UTF-8, as RFC 7578 (section 5.1.2) has browsers send them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.types import Empty
from multipart import (  # type: ignore[import-untyped]
    MultipartSegment,
    ParserError,
    ParserLimitReached,
    PushMultipartParser,
)

from centralita_http.errors import Rejected

MULTIPART: Final = "multipart/form-data"
URL_ENCODED: Final = "application/x-www-form-urlencoded"
PARTS_MAX: Final = 20
TEXT_BYTES_MAX: Final = 65_536
"""Of all texts of a form together; its files are bounded by the body's own limit."""
_TOO_LONG: Final = f"body: what is no file has at most {TEXT_BYTES_MAX} bytes"


class CheckedRequest(Request[Any, Any, Any]):
    """A request whose body is decoded with bounds."""

    async def json(self) -> Any:
        """The body, decoded. Raises Rejected."""
        try:
            return await super().json()
        except UnicodeDecodeError as error:
            raise Rejected(400, "bad_request", f"body: not UTF-8: {error.reason}") from None
        except RecursionError:
            raise Rejected(400, "bad_request", "body: nested too deep") from None

    async def form(self) -> FormMultiDict:
        """The texts and files of a form, nothing of any other body. Raises Rejected."""
        kind, options = self.content_type
        if self._form is Empty:
            self._form = FormMultiDict()
            if kind == MULTIPART:
                async with aclosing(self.stream()) as chunks:
                    self._form = await read_form(options.get("boundary", ""), chunks)
            elif kind == URL_ENCODED:
                async with aclosing(self.stream()) as chunks:
                    self._form = await read_texts(chunks)
            # Litestar closes the files that stand here once the answer is sent.
            files = [value for _, value in self._form.multi_items() if isinstance(value, UploadFile)]
            self._connection_state.form = {str(number): file for number, file in enumerate(files)}
        return self._form


async def read_form(boundary: str, chunks: AsyncIterator[bytes]) -> FormMultiDict:
    """The form in a body. Raises Rejected for what is none, and whatever `chunks` raises; then no file stays open."""
    files: list[UploadFile] = []
    try:
        with PushMultipartParser(boundary.encode(), max_segment_count=PARTS_MAX) as parser:
            return FormMultiDict(await _read(parser, chunks, files))
    except BaseException as error:
        for file in files:
            await file.close()
        if isinstance(error, ParserLimitReached):
            message = f"body: a form has at most {PARTS_MAX} parts, each with a few short headers"
            raise Rejected(413, "too_large", message) from None
        if isinstance(error, ParserError):
            raise Rejected(400, "bad_request", "body: not a form (multipart/form-data)") from None
        raise


async def read_texts(chunks: AsyncIterator[bytes]) -> FormMultiDict:
    """A form without files, as a link's query is written. Raises Rejected, and whatever `chunks` raises."""
    text = bytearray()
    async for chunk in chunks:
        text += chunk
        if len(text) > TEXT_BYTES_MAX:
            raise Rejected(413, "too_large", _TOO_LONG)
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARTS_MAX
        )
    except ValueError:  # not ASCII, not UTF-8 in percents, or too many
        message = f"body: not a form ({URL_ENCODED}) of at most {PARTS_MAX} fields in UTF-8"
        raise Rejected(400, "bad_request", message) from None
    return FormMultiDict(pairs)


async def _read(
    parser: PushMultipartParser, chunks: AsyncIterator[bytes], files: list[UploadFile]
) -> list[tuple[str, UploadFile | str]]:
    found: list[tuple[str, UploadFile | str]] = []
    segment: MultipartSegment | None = None
    text = bytearray()
    texts_n = 0
    async for chunk in chunks:
        # What follows the last boundary is nobody's; the context tells of an end that came before it.
        for piece in parser.parse(chunk) if chunk and not parser.closed else ():
            if isinstance(piece, MultipartSegment):
                segment, text = piece, bytearray()
                if piece.filename:
                    kind = piece.content_type or "application/octet-stream"
                    files.append(UploadFile(content_type=kind, filename=piece.filename))
            elif piece and segment is not None and segment.filename:
                await files[-1].write(piece)
            elif piece:
                texts_n += len(piece)
                if texts_n > TEXT_BYTES_MAX:
                    raise Rejected(413, "too_large", _TOO_LONG)
                text += piece
            elif segment is not None:
                if segment.filename:
                    await files[-1].seek(0)
                found.append((segment.name or "", files[-1] if segment.filename else _decoded(text)))
                segment = None
    return found


def _decoded(text: bytearray) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise Rejected(400, "bad_request", f"body: a text of the form is not UTF-8: {error.reason}") from None
