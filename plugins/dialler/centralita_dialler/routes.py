"""HTTP of the lists: `/api/campaigns` and `/api/do-not-call`, for supervisors; taking a number off is an admin's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from litestar import Response, delete, get, post
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from centralita.errors import CentralitaError
from centralita.structs import Frozen
from centralita_dialler.numbers import BadNumber, e164, is_zone
from centralita_dialler.store import STATES, Entry

if TYPE_CHECKING:
    from centralita_dialler.dialler import Dialler

ENTRIES_MAX: Final = 500
"""Records or numbers of one request."""
LISTED_MAX: Final = 1000

SUPERVISOR: Final = {"role": "supervisor"}
ADMIN: Final = {"role": "admin"}

SHORT_MAX: Final = 200
"""Letters of a number, a name, a zone, a reason, or an attribute's name."""
ATTRIBUTE_MAX: Final = 2000
ATTRIBUTES_MAX: Final = 50
PRIORITY_MAX: Final = 1000

Short = Annotated[str, Meta(max_length=SHORT_MAX)]
Limit = Annotated[int, QueryParameter(ge=1, le=LISTED_MAX)]
T = TypeVar("T")


class BadEntry(CentralitaError):
    """A record that can't be put on a list."""


class EntryBody(Frozen, forbid_unknown_fields=True):
    """One record. `zone` is where the number rings, when it does not say so itself. What is too long or too large is told
    of that record alone, as a number that is none."""

    number: str
    name: str = ""
    language: str = ""
    zone: str = ""
    priority: int = 0
    attributes: dict[str, str] = {}  # noqa: RUF012  # msgspec copies empty mutable defaults


class EntriesBody(Frozen, forbid_unknown_fields=True):
    """Records for a list. With `check` nothing is put on it."""

    records: Annotated[tuple[EntryBody, ...], Meta(max_length=ENTRIES_MAX)]
    check: bool = False


class NumbersBody(Frozen, forbid_unknown_fields=True):
    """Numbers that are not to be called."""

    numbers: Annotated[tuple[Short, ...], Meta(max_length=ENTRIES_MAX)]
    reason: Short = ""


def make_routes(dialler: Dialler) -> Sequence[Any]:
    """The handlers of one dialler."""
    return [*_campaign_routes(dialler), *_record_routes(dialler), *_do_not_call_routes(dialler)]


def _known(dialler: Dialler, name: str) -> str:
    if name not in dialler.settings.campaigns:
        raise NotFoundException(detail=f"there is no campaign {name[:64]!r}")
    return name


def _campaign_routes(dialler: Dialler) -> list[Any]:
    @get("/api/campaigns", opt=SUPERVISOR)
    async def campaigns() -> list[dict[str, Any]]:
        """All campaigns and how they stand."""
        return [await dialler.standing(name) for name in dialler.settings.campaigns]

    @get("/api/campaigns/{name:str}", opt=SUPERVISOR)
    async def campaign(name: FromPath[str]) -> dict[str, Any]:
        """One campaign and how it stands."""
        return await dialler.standing(_known(dialler, name))

    @post("/api/campaigns/{name:str}/start", opt=SUPERVISOR, status_code=200)
    async def start(name: FromPath[str]) -> dict[str, Any]:
        """Dial from now on."""
        await dialler.set_running(_known(dialler, name), running=True)
        return await dialler.standing(name)

    @post("/api/campaigns/{name:str}/pause", opt=SUPERVISOR, status_code=200)
    async def pause(name: FromPath[str]) -> dict[str, Any]:
        """Dial nobody until it is started again; what nobody has accepted yet is taken back."""
        await dialler.set_running(_known(dialler, name), running=False)
        return await dialler.standing(name)

    return [campaigns, campaign, start, pause]


def _record_routes(dialler: Dialler) -> list[Any]:
    @get("/api/campaigns/{name:str}/records", opt=SUPERVISOR)
    async def records(
        name: FromPath[str], only: FromQuery[str] = "", after: FromQuery[int] = 0, limit: Limit = 100
    ) -> list[Any]:
        """Records in the order of their ids, those after `after`; `only` those of one state."""
        if only and only not in STATES:
            raise HTTPException(status_code=400, detail=f"only was {only[:64]!r}; known: {', '.join(STATES)}")
        rows = await dialler.records(_known(dialler, name), state=only, after=after, limit=limit)
        return [{field: getattr(row, field) for field in row.__struct_fields__} for row in rows]

    @post("/api/campaigns/{name:str}/records", opt=SUPERVISOR, status_code=200)
    async def add(name: FromPath[str], data: JSONBody[EntriesBody]) -> dict[str, Any]:
        """Put records on the list; those that can't be are told one by one, and the others are put on it."""
        _known(dialler, name)
        region = dialler.settings.region
        entries, invalid = _each(data.records, lambda body: _entry(body, region))
        if data.check:
            return {"valid": len(entries), "invalid": invalid}
        added = await dialler.add(name, entries)
        counts = {field: getattr(added, field) for field in added.__struct_fields__}
        return {**counts, "invalid": invalid}

    return [records, add]


def _do_not_call_routes(dialler: Dialler) -> list[Any]:
    @get("/api/do-not-call", opt=SUPERVISOR)
    async def blocked(after: FromQuery[str] = "", limit: Limit = LISTED_MAX) -> Response[Any]:
        """Numbers that are not called, those after `after`."""
        rows = await dialler.blocked(after, limit)
        return Response(
            [{"number": number, "reason": reason, "at_ns": at_ns} for number, reason, at_ns in rows]
        )

    @post("/api/do-not-call", opt=SUPERVISOR, status_code=200)
    async def block(data: JSONBody[NumbersBody]) -> dict[str, Any]:
        """Never call these numbers again, on no list."""
        numbers, invalid = _each(data.numbers, lambda text: e164(text, dialler.settings.region))
        return {"added": await dialler.block(numbers, data.reason), "invalid": invalid}

    @delete("/api/do-not-call/{number:str}", opt=ADMIN, status_code=200)
    async def unblock(number: FromPath[str]) -> dict[str, Any]:
        """The number may be called again by what is put on a list from now on."""
        try:
            spelt = e164(number, dialler.settings.region)
        except BadNumber as error:
            raise HTTPException(status_code=400, detail=str(error)) from error
        if not await dialler.unblock(spelt):
            raise NotFoundException(detail=f"{spelt} is not on the do-not-call list")
        return {"removed": spelt}

    return [blocked, block, unblock]


def _entry(body: EntryBody, region: str) -> Entry:
    for field, text in (
        ("number", body.number),
        ("name", body.name),
        ("language", body.language),
        ("zone", body.zone),
        *(("an attribute's name", name) for name in body.attributes),
    ):
        _within(field, len(text), SHORT_MAX)
    _within("attributes", len(body.attributes), ATTRIBUTES_MAX, of="entries")
    for name, text in body.attributes.items():
        _within(name, len(text), ATTRIBUTE_MAX)
    if abs(body.priority) > PRIORITY_MAX:
        raise BadEntry(f"priority was {body.priority}; allowed: -{PRIORITY_MAX} to {PRIORITY_MAX}")
    if body.zone and not is_zone(body.zone):
        raise BadEntry(f"zone was {body.zone!r}, which is no time zone")
    return Entry(
        number=e164(body.number, region),
        name=body.name,
        language=body.language,
        zones=(body.zone,) if body.zone else (),
        priority=body.priority,
        attributes=body.attributes,
    )


def _within(field: str, length: int, most: int, *, of: str = "letters") -> None:
    if length > most:
        raise BadEntry(f"{field} has {length} {of}; allowed: {most}")


def _each(given: Sequence[Any], make: Callable[[Any], T]) -> tuple[list[T], list[dict[str, Any]]]:
    """What could be made, and of the others the place and the reason."""
    made: list[T] = []
    invalid: list[dict[str, Any]] = []
    for index, one in enumerate(given):
        try:
            made.append(make(one))
        except (BadNumber, BadEntry) as error:
            invalid.append({"index": index, "message": str(error)})
    return made, invalid
