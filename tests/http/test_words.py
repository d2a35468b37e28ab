"""The words of the interfaces: every command readable as an object, every frame understood or refused."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralita import messages
from centralita.messages import (
    AdmitContact,
    Attachment,
    Command,
    Customer,
    PostMessage,
    Target,
    TransferContact,
)
from centralita_http.desk_words import COMMANDS, MESSAGES, Misspoken, Said, first_token, understand
from centralita_http.rest_contacts import Admission, AttachmentBody, MessageBody
from centralita_http.wire import INTEGER_MAX, encode, fields_of, object_form


def say(**frame: Any) -> Said:
    return understand(msgspec.json.encode(frame), agent="ana", desk="console")


def test_desk_allows_what_the_contract_names_and_no_more() -> None:
    allowed = (
        "SignIn, SetStatus, SignOut, AnswerOffer, PostMessage, HoldContact, ResumeContact, TransferContact, "
        "StartConsultation, EndConsultation, LeaveContact, EndContact, NoteContact, FinishWrapUp, ExtendWrapUp, "
        "PlaceContact, IdentifyContact, PickContact, ReportConnection"
    )
    assert set(COMMANDS) == set(allowed.split(", "))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_command_can_be_said_in_anothers_name(name: str) -> None:
    for field in ("agent", "by", "author_id", "author", "desk"):
        if field not in getattr(messages, name).__struct_fields__:
            continue
        with pytest.raises(Misspoken):
            say(id=1, command=name, **{field: "eva"})


def test_the_sessions_agent_is_filled_in() -> None:
    said = say(id=1, command="TransferContact", contact=7, target={"queue": "sales", "skills": {"en": 3}})
    assert said.command == TransferContact(
        contact=7, agent="ana", target=Target(queue="sales", skills={"en": 3})
    )
    assert say(command="SignIn", agent="ana").command == messages.SignIn(agent="ana", desk="console")


def test_wrong_word_or_field_is_told_with_those_that_are_known() -> None:
    with pytest.raises(
        Misspoken,
        match=r"^SetStatus\.status: Invalid enum value 'asleep'; known: available, break, offline$",
    ):
        say(command="SetStatus", status="asleep")
    with pytest.raises(
        Misspoken, match=r"^TransferContact\.target: .* `queu`; did you mean queue\? known: agent, "
    ):
        say(command="TransferContact", contact=7, target={"queu": "sales"})
    with pytest.raises(Misspoken, match=r"^mute: .* `contac`; did you mean contact\? known: contact, value$"):
        say(control="mute", contac=7)


def test_nested_structs_are_read_as_objects() -> None:
    said = say(
        id=1,
        command="PostMessage",
        contact=7,
        text="look",
        attachments=[{"id": "f", "name": "a.png", "media_type": "image/png", "bytes_n": 5}],
    )
    file = Attachment(id="f", name="a.png", media_type="image/png", bytes_n=5)
    assert said.command == PostMessage(
        contact=7, author="agent", author_id="ana", text="look", attachments=(file,)
    )
    assert (said.kind, said.contact, MESSAGES[said.kind]) == ("PostMessage", 7, "agent speak")
    identified = say(command="IdentifyContact", contact=7, customer={"id": "c1", "name": "Zoe"})
    assert identified.command == messages.IdentifyContact(contact=7, customer=Customer(id="c1", name="Zoe"))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "expected an object, got list"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "one of command, ask, signal and control is expected, not none"),
        (b'{"command": "SignIn", "ask": "why"}', "not command and ask"),
        (b'{"id": "x", "ask": "why"}', "id was 'x'; allowed: an integer"),
        (b'{"id": true, "ask": "why"}', "id was 'True'"),
        (b'{"command": "ApplyConfiguration"}', "command was 'ApplyConfiguration'; known: SignIn"),
        (b'{"command": 5}', "command was '5'"),
        (
            b'{"command": "AnswerOffer", "contact": 1, "offer": 2}',
            "AnswerOffer: Object missing required field `accept`",
        ),
        (b'{"command": "HoldContact", "contact": "1"}', "HoldContact.contact: Expected `int`, got `str`"),
        (b'{"command": "HoldContact", "contact": 99999999999999999999}', "HoldContact.contact"),
        (
            b'{"command": "ExtendWrapUp", "contact": 1, "seconds": 1e300}',
            "ExtendWrapUp.seconds: Expected `float` <=",
        ),
        (b'{"command": "SetStatus", "status": "x"}', "SetStatus.status: Invalid enum value 'x'"),
        (b'{"command": "SignOut", "nope": 1}', "SignOut: Object contains unknown field `nope`"),
        (b'{"ask": "riches"}', "ask was 'riches'; known: history, why"),
        (b'{"ask": "history"}', "history.contact: missing"),
        (b'{"signal": "typing", "contact": 1, "on": 3}', "typing.on: Expected `bool`, got `int`"),
    ],
)
def test_misspoken_frame_is_told_why(frame: bytes, words: str) -> None:
    with pytest.raises(Misspoken) as caught:
        understand(frame, agent="ana", desk="console")
    assert words in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=200) | JSON.map(msgspec.json.encode))
def test_no_frame_is_more_than_misspoken(frame: bytes) -> None:
    assert len(complaint(lambda: understand(frame, agent="ana", desk="console"))) < 1000
    assert len(complaint(lambda: first_token(frame))) < 1000


def complaint(read: Callable[[], object]) -> str:
    try:
        read()
    except Misspoken as error:
        return str(error)
    return ""


FIELDS = {field for name in COMMANDS for field in getattr(messages, name).__struct_fields__}


@given(st.sampled_from(sorted(COMMANDS)), st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON, max_size=5))
def test_whatever_a_command_carries_it_is_read_or_misspoken(name: str, fields: dict[str, Any]) -> None:
    try:
        said = say(command=name, **fields)
    except Misspoken:
        return
    assert isinstance(said.command, Command)
    msgspec.msgpack.encode(said.command)  # the journal can hold it


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_object_form_of_a_command_keeps_its_fields_and_defaults(name: str) -> None:
    message = getattr(messages, name)
    fields = {field.name: field for field in msgspec.structs.fields(object_form(message))}
    assert list(fields) == list(message.__struct_fields__)
    for field in msgspec.structs.fields(message):
        assert fields[field.name].required == field.required
        assert fields[field.name].default == field.default


@pytest.mark.parametrize(
    ("body", "message", "without"),
    [
        (Admission, AdmitContact, set()),
        (MessageBody, PostMessage, {"contact"}),
        (AttachmentBody, Attachment, set()),
    ],
)
def test_rest_bodies_have_the_fields_of_their_messages(
    body: type[msgspec.Struct], message: type[msgspec.Struct], without: set[str]
) -> None:
    assert set(body.__struct_fields__) == set(message.__struct_fields__) - without
    defaults = {field.name: field.default for field in msgspec.structs.fields(message)}
    for field in msgspec.structs.fields(body):
        assert field.default == defaults[field.name]


def test_what_is_encoded_has_names() -> None:
    file = Attachment(id="f", name="a.png", media_type="image/png", bytes_n=INTEGER_MAX)
    message = PostMessage(contact=7, author="customer", attachments=(file,))
    decoded = msgspec.json.decode(encode([message]))
    assert decoded[0]["type"] == "PostMessage"
    assert decoded[0]["attachments"][0]["bytes_n"] == INTEGER_MAX
    form: Any = object_form(Attachment)
    assert Attachment(**fields_of(msgspec.convert(decoded[0]["attachments"][0], form))) == file
