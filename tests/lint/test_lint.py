"""The linter: a sound configuration passes in silence, and each fault is told once, with its place and its cure."""

import random
from typing import Any

import msgspec
import pytest

from centralita.config import Configuration, EngineConfig, Queue, decode, loads
from centralita.lint import lint, lint_configuration
from centralita.views import Problem

SOUND = """
skills = ["sales", "support", "spanish"]
default_queue = "sales"

[queues.sales]
skills = { sales = 3 }
rings = [{ after_s = 30, lower = { sales = 1 } }]
max_wait_s = 300
when_waited = { do = "callback" }

[queues.support]
skills = { support = 2 }

[queues.soporte]
skills = { support = 2, spanish = 4 }
rings = [{ after_s = 60, lower = { spanish = 1 } }, { after_s = 90, raise_priority = 2 }]
hours = "office"
when_closed = { do = "queue", queue = "support" }

[agents.ana]
skills = { sales = 5, support = 3, spanish = 10 }

[agents.ben]
skills = { sales = 2, support = 6 }

[agents.eva]
skills = { support = 5, spanish = 2 }

[channels.shop]
type = "webchat"
medium = "chat"

[channels.help]
type = "webchat"
medium = "chat"
queue = "support"

[channels.ayuda]
type = "webchat"
medium = "chat"
queue = "soporte"

[desks.console]
type = "websocket"

[hours.office]
time_zone = "Europe/Madrid"
week = { mon = ["09:00-14:00", "16:00-19:00"], tue = ["00:00-24:00"] }
holidays = ["2026-12-25"]
extra = { "2026-12-24" = ["09:00-12:00"] }
"""


def problems(toml: str) -> list[Problem]:
    return lint_configuration(loads(toml))


def changed(*changes: tuple[str, str]) -> str:
    """The sound configuration with each (what stands there, what shall stand there) replaced."""
    toml = SOUND
    for there, instead in changes:
        assert there in toml, there
        toml = toml.replace(there, instead, 1)
    return toml


def only(toml: str) -> Problem:
    found = problems(toml)
    assert len(found) == 1, found
    return found[0]


def test_sound_configuration_passes_in_silence() -> None:
    assert problems(SOUND) == []


ONE_FAULT: list[tuple[str, list[tuple[str, str]], str, str, str]] = [
    (
        "skill nobody asks for",
        [('"spanish"]', '"spanish", "chess"]'), ("spanish = 10", "spanish = 10, chess = 1")],
        "warning",
        "skills",
        "'chess' is required by no queue, so it decides nothing unless a channel asks for it; ana have it",
    ),
    (
        "skill nobody asks for or has",
        [('"spanish"]', '"spanish", "chess"]')],
        "warning",
        "skills",
        "'chess' is required by no queue, and no agent has it",
    ),
    (
        "required skill nobody has",
        [
            ('"spanish"]', '"spanish", "german"]'),
            ("[queues.support]\nskills = { support = 2 }", "[queues.support]\nskills = { german = 2 }"),
        ],
        "error",
        "queues.support.skills.german",
        "no agent has 'german'; give it to an agent",
    ),
    (
        "level above everybody's",
        [("[queues.support]\nskills = { support = 2 }", "[queues.support]\nskills = { support = 9 }")],
        "error",
        "queues.support.skills.support",
        "was 9, and no agent has 'support' above 6 (ben)",
    ),
    (
        "no one agent has both skills",
        [("skills = { support = 2 }", "skills = { support = 6, spanish = 5 }")],
        "error",
        "queues.support.skills",
        "no one agent has all of support 6, spanish 5",
    ),
    (
        "nobody until a ring",
        [("skills = { sales = 3 }", "skills = { sales = 8 }")],
        "warning",
        "queues.sales.skills.sales",
        "every contact waits until rings[0] relaxes it after 30 s",
    ),
    (
        "offer time longer than the maximum wait",
        [("max_wait_s = 300\nwhen_waited = { do = \"callback\" }", "max_wait_s = 40\noffer_s = 45\nanswer_target_s = 20")],
        "warning",
        "queues.sales.offer_s",
        "was 45, and max_wait_s ends the wait at 40",
    ),
    (
        "answer target longer than the maximum wait",
        [("max_wait_s = 300\nwhen_waited = { do = \"callback\" }", "max_wait_s = 40\nanswer_target_s = 60")],
        "warning",
        "queues.sales.answer_target_s",
        "was 60",
    ),
    (
        "ring after the maximum wait",
        [("max_wait_s = 300\nwhen_waited = { do = \"callback\" }", "max_wait_s = 25")],
        "warning",
        "queues.sales.rings[0].after_s",
        "was 30, and max_wait_s ends the wait at 25, so it never comes",
    ),
    (
        "ring that drops what is not required",
        [("after_s = 30, lower", 'after_s = 30, drop = ["spanish"], lower')],
        "warning",
        "queues.sales.rings[0].drop",
        "'spanish' is not required at this point; required: sales",
    ),
    (
        "ring that lowers to a level not lower",
        [("{ after_s = 30, lower = { sales = 1 } }", "{ after_s = 30, lower = { sales = 3 }, raise_priority = 1 }")],
        "warning",
        "queues.sales.rings[0].lower",
        "'sales' to 3 is not lower: 3 is required",
    ),
    (
        "ring that changes nothing",
        [("{ after_s = 30, lower = { sales = 1 } }", "{ after_s = 30 }")],
        "warning",
        "queues.sales.rings[0]",
        "changes nothing",
    ),
    (
        "ring that lets nobody else in",
        [("lower = { sales = 1 }", "lower = { sales = 2 }"), ("skills = { sales = 2, support = 6 }", "skills = { sales = 1, support = 6 }")],
        "warning",
        "queues.sales.rings[0]",
        "lets nobody else in: after 30 s the same one agent can",
    ),
    (
        "overflows that go round",
        [
            ("[queues.support]", '[queues.support]\nmax_waiting = 5\nwhen_full = { do = "queue", queue = "soporte" }'),
        ],
        "warning",
        "queues.support.when_full",
        "goes round: support (when_full) → soporte (when_closed) → support; only limits.hops (10) ends it",
    ),
    (
        "overflow nothing brings about",
        [("[queues.support]", '[queues.support]\nwhen_waited = { do = "callback" }')],
        "warning",
        "queues.support.when_waited",
        "max_wait_s is not set",
    ),
    (
        "maximum wait without an end",
        [('when_waited = { do = "callback" }', 'when_waited = { do = "wait" }')],
        "warning",
        "queues.sales.max_wait_s",
        "was 300, and when_waited lets the contact wait on",
    ),
    (
        "no hours to close by",
        [("[queues.support]", '[queues.support]\nwhen_closed = { do = "message", text = "Closed." }')],
        "warning",
        "queues.support.when_closed",
        "has no hours",
    ),
    (
        "overflow into a queue that is closed too",
        [("[queues.support]", '[queues.support]\nhours = "office"')],
        "warning",
        "queues.soporte.when_closed.queue",
        "'support' has the same hours (office)",
    ),
    (
        "overflow with a queue it does not hand on to",
        [('when_waited = { do = "callback" }', 'when_waited = { do = "callback", queue = "support" }')],
        "warning",
        "queues.sales.when_waited.queue",
        "do = 'callback' hands nothing on",
    ),
    (
        "priority that starves another queue",
        [("[queues.sales]", "[queues.sales]\npriority = -5"), ("max_wait_s = 300\nwhen_waited = { do = \"callback\" }", ""),
        ],
        "warning",
        "queues.sales.priority",
        "all who serve it also serve support, which come first",
    ),
    (
        "credit longer than a day",
        [("[queues.sales]", "[queues.sales]\ncredit_s = 100000")],
        "warning",
        "queues.sales.credit_s",
        "say it with priority",
    ),
    (
        "queue no channel leads to",
        [('queue = "support"\n\n[channels.ayuda]', 'queue = "sales"\n\n[channels.ayuda]'), ('when_closed = { do = "queue", queue = "support" }', "")],
        "warning",
        "queues.support",
        "no channel, overflow or default_queue leads here",
    ),
    (
        "agent who can serve nothing",
        [("[desks.console]", "[agents.eva2]\nskills = { support = 1, spanish = 2 }\n[desks.console]")],
        "warning",
        "agents.eva2.skills",
        "eva2 can serve no queue with support 1, spanish 2",
    ),
    (
        "agent with too little capacity",
        [("[agents.eva]", "[agents.eva]\ncapacity = 20")],
        "warning",
        "agents.eva.capacity",
        "was 20, less than any medium of support, soporte takes (33 and more)",
    ),
    (
        "agent with no room by limits",
        [("[agents.eva]", "[agents.eva]\nlimits = { chat = 0 }")],
        "warning",
        "agents.eva.limits",
        "leave no room for any medium of support, soporte (chat)",
    ),
    (
        "limit that capacity never allows",
        [("[agents.eva]", "[agents.eva]\nlimits = { chat = 5 }")],
        "warning",
        "agents.eva.limits.chat",
        "was 5, but a capacity of 100 is enough for 3 of 33 units",
    ),
    (
        "offer to more than can serve",
        [("[queues.soporte]", "[queues.soporte]\noffer_to = 4\nno_answer = 'stay'")],
        "warning",
        "queues.soporte.offer_to",
        "was 4, and 2 can serve the queue",
    ),
    (
        "offer to several of whom none answers",
        [("[queues.support]", "[queues.support]\noffer_to = 2")],
        "warning",
        "queues.support.no_answer",
        "makes all 2 who were asked unavailable",
    ),
    (
        "limit of no answers that never counts",
        [("[queues.support]", '[queues.support]\nno_answer = "stay"\nno_answer_limit = 3')],
        "warning",
        "queues.support.no_answer_limit",
        "'stay' never makes an agent unavailable",
    ),
    (
        "wrap-up in minutes taken for seconds",
        [("[queues.support]", "[queues.support]\nwrap_up_s = 3600\nwrap_up_max_s = 3600")],
        "warning",
        "queues.support.wrap_up_s",
        "agents are kept 1 h after every contact",
    ),
    (
        "short abandons longer than the target",
        [("[queues.support]", "[queues.support]\nshort_abandon_s = 30")],
        "warning",
        "queues.support.short_abandon_s",
        "more than answer_target_s, 20",
    ),
    (
        "announcement with nothing to say",
        [("[queues.support]", "[queues.support]\nannounce_every_s = 30\nannounce_position = false\nannounce_wait = false")],
        "warning",
        "queues.support.announce_every_s",
        "nothing to say",
    ),
    (
        "order by rank without ranks",
        [("[queues.support]", '[queues.support]\nagent_order = ["rank", "longest_idle"]')],
        "warning",
        "queues.support.agent_order",
        "no agent has one here; set agents.NAME.ranks.support",
    ),
    (
        "rank that is not compared",
        [("[agents.eva]", "[agents.eva]\nranks = { support = 2 }")],
        "warning",
        "agents.eva.ranks.support",
        "does not compare 'rank'",
    ),
    (
        "rank in a queue the agent can't serve",
        [("[agents.eva]", "[agents.eva]\nranks = { sales = 2 }"), ("[queues.sales]", '[queues.sales]\nagent_order = ["rank"]')],
        "warning",
        "agents.eva.ranks.sales",
        "eva can't serve sales",
    ),
    (
        "order after random",
        [("[queues.support]", '[queues.support]\nagent_order = ["random", "longest_idle"]')],
        "warning",
        "queues.support.agent_order",
        "'random' leaves no ties, so longest_idle decides nothing",
    ),
    (
        "seed without random",
        [("[queues.support]", "[queues.support]\nseed = 7")],
        "warning",
        "queues.support.seed",
        "take it out or order by random",
    ),
    (
        "media that interrupt each other",
        [("[queues.support]", '[media.chat]\nunits = 33\nmax_per_agent = 3\nmay_interrupt = ["email"]\n[media.email]\nunits = 10\nmay_interrupt = ["chat"]\n[queues.support]')],
        "warning",
        "media.chat.may_interrupt",
        "goes round: chat, email may each interrupt the next",
    ),
    (
        "medium that costs nothing",
        [("[queues.support]", "[media.chat]\nunits = 0\n[queues.support]")],
        "warning",
        "media.chat",
        "one agent may be given any number",
    ),
    (
        "medium with a maximum nobody has room for",
        [("[queues.support]", "[media.chat]\nunits = 50\nmax_per_agent = 3\n[queues.support]")],
        "warning",
        "media.chat.max_per_agent",
        "was 3, which takes 150 units, and no agent has more than 100; 2 at once",
    ),
    (
        "medium no channel is of",
        [("[queues.support]", "[media.fax]\nunits = 50\n[queues.support]")],
        "warning",
        "media.fax",
        "no channel is of this medium",
    ),
    (
        "holiday with hours of its own",
        [("2026-12-25", "2026-12-24")],
        "warning",
        "hours.office.holidays",
        "2026-12-24 also has extra hours",
    ),
    (
        "hours that never open",
        [('week = { mon = ["09:00-14:00", "16:00-19:00"], tue = ["00:00-24:00"] }', ""), ('extra = { "2026-12-24" = ["09:00-12:00"] }', "")],
        "error",
        "hours.office.week",
        "never open",
    ),
    (
        "hours of no queue",
        [("[hours.office]", '[hours.night]\ntime_zone = "UTC"\nweek = { sun = ["00:00-06:00"] }\n[hours.office]')],
        "warning",
        "hours.night",
        "no queue has these hours",
    ),
    (
        "no desk",
        [('[desks.console]\ntype = "websocket"\n', "")],
        "warning",
        "desks",
        "offers reach no agent",
    ),
    (
        "bot no channel uses",
        [("[desks.console]", '[bots.menu]\ntype = "menu"\n[desks.console]')],
        "warning",
        "bots.menu",
        "no channel uses it; say bot = 'menu'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "level", "path", "words"),
    [case[1:] for case in ONE_FAULT],
    ids=[case[0] for case in ONE_FAULT],
)
def test_one_fault_is_told_once_with_its_place(
    changes: list[tuple[str, str]], level: str, path: str, words: str
) -> None:
    problem = only(changed(*changes))
    assert (problem.level, problem.path) == (level, path)
    assert words in problem.message


def test_ring_after_the_maximum_wait_does_not_save_a_queue_nobody_can_serve() -> None:
    found = problems(
        changed(
            ("skills = { sales = 3 }", "skills = { sales = 8 }"),
            ('max_wait_s = 300\nwhen_waited = { do = "callback" }', "max_wait_s = 30"),
        )
    )
    assert [(p.level, p.path) for p in found] == [
        ("error", "queues.sales.skills.sales"),
        ("warning", "queues.sales.rings[0].after_s"),
    ]
    assert "rings[0] relaxes it after 30 s, but max_wait_s is 30" in found[0].message


def test_queue_whose_agents_all_refuse_its_medium_is_an_error() -> None:
    found = problems(changed(("[agents.ana]", "[agents.ana]\nlimits = { chat = 0 }"), ("{ sales = 1 }", "{ sales = 3 }"),
                             ("after_s = 30, lower", "after_s = 30, raise_priority = 1, lower"),
                             ('when_waited = { do = "callback" }', "")))  # fmt: skip
    assert ("error", "queues.sales") in [(p.level, p.path) for p in found]
    words = "chat comes here, and all who have its skills have limits.chat = 0 (ana)"
    assert any(words in p.message for p in found)


def test_queue_whose_agents_have_too_little_capacity_is_an_error() -> None:
    toml = SOUND.replace('medium = "chat"\nqueue = "support"', 'medium = "voice"\nqueue = "support"')
    for name in ("ana", "ben", "eva"):
        toml = toml.replace(f"[agents.{name}]", f"[agents.{name}]\ncapacity = 99")
    problem = only(toml.replace('when_waited = { do = "callback" }', ""))
    assert (problem.level, problem.path) == ("error", "queues.support")
    assert "voice comes here and takes 100 units" in problem.message
    assert "the largest capacity is 99" in problem.message


def test_empty_configuration_names_the_three_tables_it_lacks() -> None:
    found = lint(EngineConfig())
    assert [(p.level, p.path) for p in found] == [
        ("error", "queues"),
        ("error", "agents"),
        ("warning", "channels"),
    ]


def test_classifier_may_use_queues_and_skills_that_no_rule_names() -> None:
    toml = changed(
        ('"spanish"]', '"spanish", "chess"]'),
        ("spanish = 10", "spanish = 10, chess = 1"),
        ('queue = "support"\n\n[channels.ayuda]', 'queue = "sales"\n\n[channels.ayuda]'),
        ('when_closed = { do = "queue", queue = "support" }', ""),
        ("after_s = 30, lower", 'after_s = 30, drop = ["chess"], lower'),
        ("[desks.console]", '[classifiers.words]\ntype = "keywords"\n[desks.console]'),
    )
    assert problems(toml) == []


def test_queue_named_in_a_channels_own_settings_counts_as_reached() -> None:
    changes = [
        ('queue = "support"\n\n[channels.ayuda]', 'queue = "sales"\n\n[channels.ayuda]'),
        ('when_closed = { do = "queue", queue = "support" }', ""),
    ]
    assert only(changed(*changes)).path == "queues.support"
    assert problems(changed(*changes, ('type = "webchat"', 'type = "webchat"\nchoices = ["support"]'))) == []


def test_channel_that_keeps_its_medium_to_itself_still_leads_to_its_queue() -> None:
    assert problems(SOUND.replace('medium = "chat"\n', "")) == []


def test_raise_priority_saves_a_queue_from_starving() -> None:
    starving = [
        ("[queues.sales]", "[queues.sales]\npriority = -5"),
        ('max_wait_s = 300\nwhen_waited = { do = "callback" }', ""),
    ]
    assert only(changed(*starving)).path == "queues.sales.priority"
    assert problems(changed(*starving, ("{ sales = 1 } }]", "{ sales = 1 }, raise_priority = 5 }]"))) == []


def test_alike_agents_are_told_once() -> None:
    alike = "\n".join(f"[agents.new{n}]\nskills = {{ spanish = 1 }}" for n in range(40))
    problem = only(SOUND + alike)
    assert problem.path == "agents.new0.skills"
    assert "new0 and 39 more with the same profile can serve no queue" in problem.message


def test_circle_of_overflows_is_told_once_whatever_its_length() -> None:
    n = 7
    config = EngineConfig(
        queues={
            f"q{i}": msgspec.convert(
                {"max_waiting": 1, "when_full": {"do": "queue", "queue": f"q{(i + 1) % n}"}}, Queue
            )
            for i in range(n)
        }
    )
    circles = [p for p in lint(config) if "goes round" in p.message]
    assert [p.path for p in circles] == ["queues.q0.when_full"]


def test_any_usable_configuration_can_be_linted() -> None:
    seed = 20261122
    print(f"seed {seed}")
    chance = random.Random(seed)
    told = 0
    for _ in range(300):
        configuration = any_configuration(chance)
        found = lint(configuration.engine, hours=configuration.hours)
        told += len(found)
        tables = {"queues", "agents", "skills", "channels", "media", "hours"}
        assert all(p.path.split(".")[0] in tables and p.message for p in found)
        assert len({(p.path, p.message) for p in found}) == len(found)
    assert told > 300


def any_configuration(chance: random.Random) -> Configuration:
    skills = [f"s{n}" for n in range(chance.randint(1, 4))]
    queues = [f"q{n}" for n in range(chance.randint(1, 5))]
    media = ["voice", "chat", "email", "fax"]

    def levels() -> dict[str, int]:
        return {
            skill: chance.randint(1, 10) for skill in chance.sample(skills, chance.randint(0, len(skills)))
        }

    def overflow(name: str) -> dict[str, str]:
        others = [other for other in queues if other != name]
        do = chance.choice(["wait", "callback", "refuse", "message", *(["queue"] * 3 if others else [])])
        return {"do": do, "text": "…", "queue": chance.choice(others) if do == "queue" else ""}

    def queue(name: str) -> dict[str, object]:
        rings = [
            {
                "after_s": 10.0 * (n + 1),
                "drop": chance.sample(skills, chance.randint(0, 1)),
                "lower": levels(),
                "raise_priority": chance.choice([0, 0, 3]),
            }
            for n in range(chance.randint(0, 3))
        ]
        return {
            "skills": levels(),
            "priority": chance.randint(-3, 3),
            "offer_to": chance.randint(1, 3),
            "rings": rings,
            "max_wait_s": chance.choice([None, 15.0, 300.0]),
            "max_waiting": chance.choice([None, 5]),
            "agent_order": chance.sample(["rank", "random", "most_skilled", "longest_idle"], 2),
            "hours": chance.choice(["", "office"]),
            **{
                when: overflow(name) for when in ("when_full", "when_waited", "when_unstaffed", "when_closed")
            },
        }

    raw = {
        "skills": skills,
        "media": {"fax": {"units": chance.choice([0, 30]), "may_interrupt": chance.sample(media, 2)}},
        "queues": {name: queue(name) for name in queues},
        "agents": {
            f"a{n}": {
                "skills": levels(),
                "capacity": chance.choice([5, 50, 100]),
                "limits": {medium: chance.randint(0, 4) for medium in chance.sample(media, 2)},
                "ranks": {chance.choice(queues): 2},
            }
            for n in range(chance.randint(0, 6))
        },
        "channels": {
            f"c{n}": {"type": "x", "medium": chance.choice(media), "queue": chance.choice(queues)}
            for n in range(chance.randint(0, 3))
        },
        "hours": {"office": {"time_zone": "UTC", "week": {"mon": ["09:00-10:00"]}}},
    }
    return decode(without_none(raw))


def without_none(raw: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: a setting that is None is left out."""
    return {key: without_none(v) if isinstance(v, dict) else v for key, v in raw.items() if v is not None}
