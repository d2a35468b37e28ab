"""What an operator gets wrong about telephones is told at the start, not by a caller in silence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from centralita.config import loads
from centralita_asterisk.settings import VoiceSettings

CENTRE = """
default_queue = "sales"
[queues.sales]
[channels.phone]
type = "asterisk"
[channels.mailbox]
type = "asterisk_voicemail"
channel = "phone"
"""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            {"voicemail": "mailboks"},
            "voicemail was 'mailboks'; known of type asterisk_voicemail: mailbox",
        ),
        ({"voicemail": "phone"}, "voicemail was 'phone'; known of type asterisk_voicemail: mailbox"),
        (
            {"voicemail_when_refused": True},
            "voicemail_when_refused needs voicemail, the channel for messages; known of type asterisk_voicemail: mailbox",
        ),
        (
            {"voicemail_key": "2"},
            "voicemail_key needs voicemail, the channel for messages; known of type asterisk_voicemail: mailbox",
        ),
        (
            {"voicemail": "mailbox", "voicemail_key": "1", "callback_key": "1"},
            "voicemail_key was '1', which is the callback_key",
        ),
        ({"whisper": {"salse": ["sound:beep"]}}, "whisper: 'salse' is no queue; known: *, sales"),
    ],
)
def test_way_that_leads_nowhere_is_told(said: dict[str, Any], words: str) -> None:
    servers = {"main": {"url": "http://127.0.0.1:8088/ari", "user": "centralita"}}
    settings = msgspec.convert({"servers": servers, **said}, VoiceSettings)
    assert list(settings.problems(loads(CENTRE))) == [words]


def test_ways_that_lead_somewhere_are_none() -> None:
    servers = {"main": {"url": "http://127.0.0.1:8088/ari", "user": "centralita"}}
    said = {
        "voicemail": "mailbox",
        "voicemail_key": "2",
        "callback_key": "1",
        "voicemail_when_refused": True,
        "whisper": {"sales": ["sound:beep"], "*": ["sound:beep"]},
    }
    settings = msgspec.convert({"servers": servers, **said}, VoiceSettings)
    assert list(settings.problems(loads(CENTRE))) == []
