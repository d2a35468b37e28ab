"""Telephone numbers: whether one is possible, its one spelling (E.164), and where it rings.

The numbering plans are those of the library phonenumbers, Google's.
"""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone

from centralita.errors import CentralitaError


class BadNumber(CentralitaError):
    """No number that can be dialled."""


def is_region(text: str) -> bool:
    """Whether it is a country that has a numbering plan."""
    return text in phonenumbers.SUPPORTED_REGIONS


def e164(text: str, region: str) -> str:
    """A number in its one spelling, `+34600111222`. Raises BadNumber, which says why not."""
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException as error:
        wanted = "" if region else "; without a region it must begin with + and the country's code"
        raise BadNumber(f"{text!r} is no telephone number{wanted}") from error
    if not phonenumbers.is_valid_number(number):
        raise BadNumber(f"{text!r} is no number of {_country(number)}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=65_536)
def zones_of(number: str) -> tuple[str, ...]:
    """The time zones in which a number (E.164) may ring; empty when nobody knows."""
    zones = timezone.time_zones_for_number(phonenumbers.parse(number, None))
    return tuple(zone for zone in zones if zone != timezone.UNKNOWN_TIMEZONE)


def is_zone(name: str) -> bool:
    """Whether it is a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(name)


def _country(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.region_code_for_country_code(number.country_code or 0)
