"""What the front door refuses to start with, and how it says so."""

from pathlib import Path

import msgspec
import pytest

from centralita.errors import ConfigurationError
from centralita_http.settings import DeskSettings, DoorLimits, HttpSettings, check, is_loopback


def problems(settings: HttpSettings, folder: Path) -> list[str]:
    try:
        check(settings, path="front_doors.http", folder=folder)
    except ConfigurationError as error:
        return error.problems
    return []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_nothing(host: str, tmp_path: Path) -> None:
    assert is_loopback(host)
    assert problems(HttpSettings(host=host), tmp_path) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "desk.example", ""])
def test_beyond_loopback_needs_tls_or_a_word(host: str, tmp_path: Path) -> None:
    (only,) = problems(HttpSettings(host=host), tmp_path)
    assert only.startswith(f"front_doors.http.host was {host!r}")
    assert problems(HttpSettings(host=host, insecure=True), tmp_path) == []
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    assert problems(HttpSettings(host=host, tls_cert="cert.pem", tls_key="key.pem"), tmp_path) == []


def test_every_fault_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    settings = HttpSettings(
        host="0.0.0.0",
        tls_cert="gone.pem",
        origins=("intranet.example", "https://x.example/path", "http://["),
        proxies=("proxy.example",),
        limits=DoorLimits(body_bytes=1 << 20, upload_bytes=1 << 10, connections=100, staff_connections=100),
    )
    told = problems(settings, tmp_path)
    assert [line.split(":")[0].split(" ")[0] for line in told] == [
        "front_doors.http",
        "front_doors.http.tls_cert",
        "front_doors.http.host",
        "front_doors.http.origins",
        "front_doors.http.origins",
        "front_doors.http.origins",
        "front_doors.http.proxies",
        "front_doors.http.limits.upload_bytes",
        "front_doors.http.limits.staff_connections",
    ]


def test_name_that_no_file_can_have_is_a_fault_of_the_setting(tmp_path: Path) -> None:
    told = problems(HttpSettings(tls_cert="x" * 5000, tls_key="\0"), tmp_path)
    assert [line.split(" ")[0] for line in told] == [
        "front_doors.http.tls_cert",
        "front_doors.http.tls_key",
    ]


@pytest.mark.parametrize(
    ("kind", "raw", "words"),
    [
        (HttpSettings, {"port": 70000}, "$.port"),
        (HttpSettings, {"prot": 1}, "unknown field `prot`"),
        (HttpSettings, {"limits": {"connections": 0}}, "$.limits.connections"),
        (DeskSettings, {"path": "ws"}, "$.path"),
        (DeskSettings, {"sign_in_as": "busy"}, "$.sign_in_as"),
    ],
)
def test_bad_setting_is_named(kind: type[msgspec.Struct], raw: dict[str, object], words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(raw, kind)
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", [HttpSettings, DoorLimits, DeskSettings])
def test_every_setting_is_in_the_document(kind: type[msgspec.Struct]) -> None:
    document = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
    missing = [
        field
        for field in kind.__struct_fields__
        if f"`{field}`" not in document and f"{field} =" not in document
    ]
    assert missing == [] if kind is not HttpSettings else missing == ["limits"]


def test_an_eighth_of_the_connections_is_kept_for_staff() -> None:
    assert DoorLimits(connections=4096).public_connections == 3584
    assert DoorLimits(connections=3).public_connections == 3
    assert DoorLimits(connections=10, staff_connections=0).public_connections == 10
