"""REST about one customer as a whole: hand out all that is kept, or forget it. What that is: docs/privacy.md."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Response, post
from litestar.params import JSONBody
from msgspec import Meta

from centralita.errors import CustomerKept
from centralita.messages import Customer
from centralita.protocols import Person
from centralita.structs import Frozen
from centralita_http.access import caller_of
from centralita_http.answers import AnyRequest, say, switchboard_of, tell
from centralita_http.errors import Rejected

STATUS: Final = {"live": 409, "not_sealed": 409, "failed": 503}

Short = Annotated[str, Meta(max_length=254)]


class WhoBody(Frozen, forbid_unknown_fields=True):
    """Either `handle`, an address, or `customer`, a CRM's id; `crm` says whose when there are several."""

    handle: Short = ""
    customer: Short = ""
    crm: Annotated[str, Meta(max_length=64)] = ""


class Erased(Frozen):
    """What was erased: contacts, and how much each component forgot."""

    contacts: int
    records_still_readable: int
    components: dict[str, int]


@post("/api/customers/export", opt={"role": "admin"}, status_code=200)
async def export_customer(request: AnyRequest, data: JSONBody[WhoBody]) -> Response[dict[str, Any]]:
    """All that is kept about one customer, by component, with the journal's records."""
    try:
        return await tell(dict(await switchboard_of(request).export_customer(_person(request, data))))
    except CustomerKept as error:
        raise Rejected(STATUS[error.code], error.code, str(error)) from None


@post("/api/customers/erase", opt={"role": "admin"}, status_code=200)
async def erase_customer(request: AnyRequest, data: JSONBody[WhoBody]) -> Response[Erased]:
    """Forget one customer, for good. Figures stay; words, names and addresses go."""
    person = _person(request, data)
    try:
        done = await switchboard_of(request).erase_customer(person, by=caller_of(request).name)
    except CustomerKept as error:
        raise Rejected(STATUS[error.code], error.code, str(error)) from None
    return say(Erased(**done))


ROUTES: Final = (export_customer, erase_customer)


def _person(request: AnyRequest, data: WhoBody) -> Person:
    if bool(data.handle.strip()) == bool(data.customer):
        raise Rejected(400, "bad_request", "body: either handle or customer is expected")
    if data.handle:
        if data.crm:
            raise Rejected(400, "bad_request", "body.crm: goes with customer, not with handle")
        return Person(handles=(data.handle.strip(),))
    crms = [one.name for one in switchboard_of(request).configuration().of_kind("crms")]
    known = ", ".join(crms) or "none"
    if data.crm and data.crm not in crms:
        raise Rejected(400, "bad_request", f"body.crm was {data.crm!r}; known: {known}")
    if not data.crm and len(crms) != 1:
        raise Rejected(400, "bad_request", f"body.crm: missing; a customer is one of a CRM; known: {known}")
    return Person(customers=(Customer(crm=data.crm or crms[0], id=data.customer),))
