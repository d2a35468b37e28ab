"""A customer's address in the one form under which it is found again.

A telephone number becomes E.164 (ITU-T E.164, 2010: "+", country code, at most 15 digits in all), an e-mail
address lower case, anything else an account of its channel: the same session id on two channels is not
the same person. An address that hides who it is (an anonymous caller) is none.

It refuses to guess a country: without `country_code` a national number stays as it was dialled, and is
recognised only when it comes in the same form again.
"""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Final, Literal, NamedTuple

Kind = Literal["phone", "email", "account"]

PHONE_MEDIA: Final = frozenset({"voice", "video", "sms", "callback"})
"""Media whose digits are a telephone number without a sign of it."""

_ANONYMOUS: Final = frozenset(
    {"", "anonymous", "unknown", "unavailable", "private", "restricted", "withheld"}
)
_PUNCTUATION: Final = re.compile(r"[\s().\-/\u00a0\u2010-\u2013]")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_DIGITS_MIN, _DIGITS_MAX = 7, 15
_SHORT_MAX: Final = 6


class Handle(NamedTuple):
    """Where a customer is reached. `channel` is empty where the address means the same everywhere."""

    kind: Kind
    channel: str
    value: str

    @property
    def names_a_person(self) -> bool:
        """Whether the address alone is worth a customer: an account without a name may be anybody's once."""
        return self.kind != "account"


class Numbering(NamedTuple):
    """How national numbers are dialled. Spain: "34" and ""; Germany: "49" and "0"."""

    country_code: str = ""
    trunk_prefix: str = "0"
    international_prefix: str = "00"


def handle_of(address: str, *, medium: str, channel: str, numbering: Numbering) -> Handle | None:
    """The address as it is stored; None when it names nobody."""
    address = address.strip()
    lowered = address.lower()
    if lowered in _ANONYMOUS or "@anonymous.invalid" in lowered:
        # RFC 3323, section 4.1.1.3: what a caller's address says who wants none.
        return None
    for scheme in ("tel:", "mailto:", "sip:", "sips:"):
        if lowered.startswith(scheme):
            address = address[len(scheme) :]
    # A call's address may be a number at somebody's host: RFC 3261, section 19.1.6.
    number = address.partition("@")[0] if medium in PHONE_MEDIA else address
    number = _phone(number, phone_medium=medium in PHONE_MEDIA, numbering=numbering)
    if number:
        return Handle("phone", "", number)
    email = parseaddr(address)[1] if "<" in address else address
    if medium not in PHONE_MEDIA and _EMAIL.fullmatch(email):
        return Handle("email", "", email.lower())
    return Handle("account", channel, address)


def _phone(address: str, *, phone_medium: bool, numbering: Numbering) -> str:
    digits = _PUNCTUATION.sub("", address)
    if digits.startswith("+"):
        international = digits[1:]
    elif not phone_medium:
        # A chat's account may well be all digits.
        return ""
    elif numbering.international_prefix and digits.startswith(numbering.international_prefix):
        international = digits.removeprefix(numbering.international_prefix)
    elif numbering.country_code and len(digits) > _SHORT_MAX:
        international = numbering.country_code + digits.removeprefix(numbering.trunk_prefix)
    else:
        # An extension, a short code, or a national number of nobody knows where.
        return digits if digits.isascii() and digits.isdigit() else ""
    whole = international.isascii() and international.isdigit()
    return f"+{international}" if whole and _DIGITS_MIN <= len(international) <= _DIGITS_MAX else ""
