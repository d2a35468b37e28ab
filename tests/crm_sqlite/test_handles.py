"""An address in the form under which it is found again."""

from __future__ import annotations

import pytest

from centralita_crm_sqlite.handles import Handle, Numbering, handle_of

SPAIN = Numbering("34", "")
GERMANY = Numbering("49", "0")


@pytest.mark.parametrize(
    ("address", "numbering", "number"),
    [
        ("+34 600 123 456", Numbering(), "+34600123456"),
        ("+34-600-123-456", SPAIN, "+34600123456"),
        ("0034600123456", Numbering(), "+34600123456"),
        ("600 12 34 56", SPAIN, "+34600123456"),
        ("(030) 123 456", GERMANY, "+4930123456"),
        ("tel:+34600123456", Numbering(), "+34600123456"),
        ("sip:+34600123456@sbc.example.com", Numbering(), "+34600123456"),
        ("600123456@10.0.0.1", SPAIN, "+34600123456"),
        ("600123456", Numbering(), "600123456"),
        ("2001", SPAIN, "2001"),
        ("112", GERMANY, "112"),
    ],
)
def test_telephone_number_becomes_e164(address: str, numbering: Numbering, number: str) -> None:
    found = handle_of(address, medium="voice", channel="trunk", numbering=numbering)
    assert found == Handle("phone", "", number)


@pytest.mark.parametrize("address", ["+34 600 123 456", "tel:+34600123456", "+34600123456"])
def test_number_with_a_plus_is_a_telephone_number_on_any_channel(address: str) -> None:
    found = handle_of(address, medium="chat", channel="web", numbering=Numbering())
    assert found == Handle("phone", "", "+34600123456")


def test_digits_are_a_telephone_number_only_where_people_dial() -> None:
    assert handle_of("600123456", medium="chat", channel="web", numbering=SPAIN) == Handle(
        "account", "web", "600123456"
    )


@pytest.mark.parametrize(
    "address", ["Eva.Gil@Example.COM", "Eva <eva.gil@example.com>", "mailto:eva.gil@example.com"]
)
def test_email_address_is_lower_case_and_the_same_everywhere(address: str) -> None:
    for medium, channel in (("email", "post"), ("chat", "web")):
        found = handle_of(address, medium=medium, channel=channel, numbering=Numbering())
        assert found == Handle("email", "", "eva.gil@example.com")


def test_account_belongs_to_its_channel() -> None:
    first = handle_of("session-1", medium="chat", channel="web", numbering=Numbering())
    second = handle_of("session-1", medium="chat", channel="app", numbering=Numbering())
    assert first == Handle("account", "web", "session-1")
    assert first != second


@pytest.mark.parametrize(
    "address", ["", "  ", "anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "Restricted"]
)
def test_anonymous_address_names_nobody(address: str) -> None:
    assert handle_of(address, medium="voice", channel="trunk", numbering=SPAIN) is None


@pytest.mark.parametrize("address", ["+1", "+1234567890123456", "+34six", "eva@localhost", "+٣٤٦٠٠١٢٣٤٥٦"])
def test_what_is_no_number_and_no_address_stays_an_account(address: str) -> None:
    found = handle_of(address, medium="chat", channel="web", numbering=SPAIN)
    assert found == Handle("account", "web", address)
