"""What an operator may say about telephones: the settings of the channel and of the desk of type `asterisk`.

A *sound* is a media URI of Asterisk (`sound:queue-thankyou`, `recording:welcome`, `tone:ring`, `digits:12`); where
several may stand they are played one after the other. Docs: docs/voice.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from centralita.config import Configuration

Sound = Annotated[str, Meta(min_length=1, max_length=500)]
Sounds = tuple[Sound, ...]
Key = Annotated[str, Meta(pattern=r"^[0-9*#]$")]
Code = Annotated[str, Meta(pattern=r"^[0-9*#]{1,16}$")]
PositiveS = Annotated[float, Meta(gt=0, le=86_400)]

MAILBOX: Final = "asterisk_voicemail"
AUTO_ANSWER: Final = "Call-Info: <sip:centralita>;answer-after=0"


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Asterisk. `phone` and `dial` replace the channel's own for calls on this server."""

    url: Annotated[str, Meta(pattern=r"^https?://")]
    """Where its ARI is: `http://127.0.0.1:8088/ari`."""
    user: str
    password: str = ""
    password_file: str = ""
    phone: str = ""
    dial: str = ""

    def secret(self, folder: Path) -> str:
        """The password, from its file if it has one. Raises OSError."""
        if not self.password_file:
            return self.password
        return (folder / self.password_file).read_text(encoding="utf-8").strip()


class Phrases(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What callers are told, in sounds. `{position}` and `{minutes}` stand for numbers: `number:{position}`."""

    next: Sounds = ("sound:queue-youarenext",)
    position: Sounds = ("sound:queue-thereare", "number:{position}", "sound:queue-callswaiting")
    wait: Sounds = ("sound:queue-holdtime", "number:{minutes}", "sound:queue-minutes")
    callback_taken: Sounds = ("sound:auth-thankyou", "sound:vm-goodbye")
    no_callback: Sounds = ("sound:im-sorry",)
    voicemail: Sounds = ("sound:vm-intro",)
    voicemail_taken: Sounds = ("sound:vm-msgsaved", "sound:vm-goodbye")
    recording: Sounds = ("sound:beep",)
    """Heard by both when a recording begins; empty: nothing."""
    not_understood: Sounds = ("sound:im-sorry",)
    """Heard before a bot's question is said again, by whom the recogniser has not understood."""


class Speech(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME.speech]`: a recogniser hears what callers say to a bot."""

    url: Annotated[str, Meta(pattern=r"^wss?://")]
    """Where the recogniser is; it speaks AEAP, `speech_to_text`."""
    media_address: Annotated[str, Meta(min_length=1, max_length=200)] = "127.0.0.1"
    """Our own address, to which the servers send the audio."""
    params: dict[str, str] = {}
    """What the recogniser is told at the beginning, besides the caller's `language`."""
    score_min: Annotated[int, Meta(ge=0, le=1000)] = 500
    """A result with fewer points of 1000 was not understood."""
    answer_s: Annotated[float, Meta(ge=0.5, le=60)] = 5
    """A recogniser that says nothing for so long after the caller's words has not understood them."""
    misses_max: Annotated[int, Meta(ge=1, le=100)] = 3
    """After so many words in a row that were not understood only keys count for this caller."""
    barge_in: bool = True
    """Who talks while a prompt is played cuts it off."""


class VoiceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME] type = "asterisk"`."""

    servers: Annotated[dict[str, Server], Meta(min_length=1, max_length=100)]
    app: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,40}$")] = "centralita"
    """The Stasis application that the dialplan hands calls to; no other program may use it."""
    phone: str = "PJSIP/{agent}"
    """How an agent's phone is called, on a server that says nothing else."""
    phones: dict[str, str] = {}
    """The same for single agents, by name."""
    dial: str = "PJSIP/{number}@trunk"
    """How a number outside is called."""
    forward_context: str = ""
    """The dialplan's context that takes a customer who is handed on to a number; empty: nobody can be."""
    caller_id: str = ""
    """What who is called from here sees: `Shop <+34900100100>`."""

    dial_s: PositiveS = 40
    """How long a number outside may ring."""

    ring: Literal["offer", "accept"] = "offer"
    """Ring the agent's phone with the offer, answering accepts; or once it is accepted at another desk."""
    auto_answer: bool = False
    """Ask the phone to answer by itself when the agent has accepted elsewhere."""
    auto_answer_header: Annotated[str, Meta(pattern=r"^[A-Za-z-]+: .+$")] = AUTO_ANSWER

    answer: Literal["at_once", "early_media", "with_agent"] = "at_once"
    """Answer a call as it comes; let it hear music before it is answered; or let it ring until an agent is there."""
    greeting: Sounds = ()
    greeting_first: bool = False
    """Only when the greeting is over is the call a contact: for words that must be heard."""
    music: str = "default"
    """The class of the music on hold."""
    sounds: dict[str, Sound] = {}
    """Sounds in the place of texts that the rules and bots say, by text."""

    phrases: Phrases = Phrases()
    digits_pause_s: Annotated[float, Meta(ge=0, le=60)] = 0
    """For a bot: keys are gathered until such a pause, or #; 0: every key is an answer by itself."""
    speech: Speech | None = None
    """What callers say to a bot is heard, besides keys."""
    callback_key: Key | None = None
    """Who presses it while waiting is called back, and keeps the place."""
    voicemail_key: Key | None = None
    """Who presses it while waiting leaves a message instead."""
    voicemail: str = ""
    """The channel of type `asterisk_voicemail` that messages go to."""
    voicemail_when_refused: bool = False
    """Ask for a message whom the rules turn away (closed, full, waited too long)."""
    voicemail_s: Annotated[int, Meta(ge=5, le=3600)] = 180
    voicemail_min_s: Annotated[int, Meta(ge=0, le=60)] = 2
    """A shorter message is none."""

    whisper: dict[str, Sounds] = {}
    """What an agent hears before the caller, by the queue's name; `*` for every other queue."""
    record: Literal["never", "on_demand", "always"] = "on_demand"
    recording_format: Literal["wav", "gsm", "ulaw"] = "wav"
    recordings_days: Annotated[float, Meta(gt=0, le=36_500)] = 90
    """Recordings and voice messages are erased after so many days."""

    reconnect_first_s: PositiveS = 0.2
    reconnect_longest_s: PositiveS = 5
    lost_after_s: Annotated[float, Meta(ge=0, le=86_400)] = 60
    """A server away for longer has lost its calls: their contacts end."""

    def problems(self, configuration: Configuration) -> Iterator[str]:
        """What does not fit the rest of the configuration, each with its place below the table."""
        mailboxes = [one.name for one in configuration.of_kind("channels") if one.type == MAILBOX]
        known = ", ".join(sorted(mailboxes)) or "none"
        if self.voicemail and self.voicemail not in mailboxes:
            yield f"voicemail was {self.voicemail!r}; known of type {MAILBOX}: {known}"
        for field in ("voicemail_key", "voicemail_when_refused"):
            if getattr(self, field) and not self.voicemail:
                yield f"{field} needs voicemail, the channel for messages; known of type {MAILBOX}: {known}"
        if self.voicemail_key is not None and self.voicemail_key == self.callback_key:
            yield f"voicemail_key was {self.voicemail_key!r}, which is the callback_key"
        queues = configuration.engine.queues
        for queue in self.whisper:
            if queue != "*" and queue not in queues:
                yield f"whisper: {queue!r} is no queue; known: *, {', '.join(sorted(queues))}"


class VoicemailSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME] type = "asterisk_voicemail"`: messages that callers have left, as deferred contacts."""

    channel: str
    """The channel of type `asterisk` that takes the messages."""


class DeskSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[desks.NAME] type = "asterisk"`."""

    channel: str
    """The channel whose servers the phones are at."""
    agents: tuple[str, ...] = ()
    """Who may sit here; nobody named: everybody."""
    sign_in: Literal["dialled", "registered"] = "dialled"
    """By a code that the phone dials, or as long as the phone is registered."""
    code_available: Code = "*11"
    code_break: Code = "*12"
    code_sign_out: Code = "*10"
    persistent: bool = False
    """The phone stays off the hook between calls, and an offer is accepted by itself after a tone."""
    tone: Sounds = ("sound:beep",)
    """What announces a call on a phone that is off the hook."""
