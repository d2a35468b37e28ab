"""Two rules of a queue at once, one claim a test: what a supervisor expects of the pair."""

from __future__ import annotations

from msgspec.structs import replace

from centralita.config import EngineConfig, problems_of
from centralita.messages import (
    ApplyConfiguration,
    Customer,
    IdentifyContact,
    RequestCallback,
)
from tests.engine.floor import Floor


def test_nobody_is_waited_for_who_lacks_what_is_required() -> None:
    floor = Floor("skills = {es = 1}\nprefer_for_s = 600")
    floor.sign_in("ana", "bob")
    assert floor.asked(floor.admit(preferred_agent="bob")) == ["ana"]


def test_preferred_agent_is_waited_for_whom_a_ring_lets_in_meanwhile() -> None:
    rules = "skills = {en = 5}\nprefer_for_s = 60\nrings = [{after_s = 10, lower = {en = 3}}]"
    floor = Floor(rules)
    floor.sign_in("ana", "bob")
    number = floor.admit(preferred_agent="bob")
    assert floor.phase(number) == "waiting"
    floor.pass_time(10)
    assert floor.asked(number) == ["bob"]


def test_contact_that_is_looked_up_survives_that_the_default_queue_goes() -> None:
    floor = Floor(more='[crms.c]\ntype = "c"')
    number = floor.admit()
    config = floor.engine.state.config
    channels = {name: replace(rule, queue="sales") for name, rule in config.channels.items()}
    floor.do(ApplyConfiguration(config=replace(config, channels=channels, default_queue="")))
    floor.do(IdentifyContact(contact=number, customer=Customer(id="1")))
    assert (floor.phase(number), floor.contact(number).queue) == ("waiting", "sales")


def test_channel_on_which_somebody_is_called_back_cannot_be_removed() -> None:
    floor = Floor()
    number = floor.admit("web")
    floor.do(RequestCallback(contact=number, handle="+34600", channel="phone"))
    config = floor.engine.state.config
    channels = {name: rule for name, rule in config.channels.items() if name != "phone"}
    assert floor.refused(ApplyConfiguration(config=replace(config, channels=channels))) == "bad_configuration"


def test_configuration_without_the_medium_of_callbacks_cannot_be_used() -> None:
    media = {name: rule for name, rule in EngineConfig().media.items() if name != "callback"}
    assert problems_of(EngineConfig(media=media)) == [
        "media.callback: none given; whoever asks to be called back needs it"
    ]
