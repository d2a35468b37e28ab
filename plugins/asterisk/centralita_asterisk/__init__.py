"""Telephone calls through Asterisk: `[channels.NAME] type = "asterisk"` and `[desks.NAME] type = "asterisk"`.

Asterisk keeps the media, Centralita decides. docs/voice.md says what both need to be told.
"""

from __future__ import annotations

from centralita.hookspecs import hookimpl
from centralita.protocols import Register
from centralita_asterisk.channel import AsteriskChannel
from centralita_asterisk.desk import AsteriskDesk
from centralita_asterisk.settings import MAILBOX, DeskSettings, VoicemailSettings, VoiceSettings
from centralita_asterisk.voicemail import VoicemailChannel

__all__ = [
    "AsteriskChannel",
    "AsteriskDesk",
    "DeskSettings",
    "VoiceSettings",
    "register_channels",
    "register_desks",
]

centralita_api = 1


@hookimpl
def register_channels(register: Register) -> None:
    """Bring the channels `asterisk` and `asterisk_voicemail`."""
    register("asterisk", VoiceSettings, AsteriskChannel)
    register(MAILBOX, VoicemailSettings, VoicemailChannel)


@hookimpl
def register_desks(register: Register) -> None:
    """Bring the desk `asterisk`: agents who have nothing but a telephone."""
    register("asterisk", DeskSettings, AsteriskDesk)
