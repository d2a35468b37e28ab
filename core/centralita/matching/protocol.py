"""The seam between the engine and whatever decides who gets whom.

Two implementations stand behind this protocol: `naive/`, the readable specification, and the
compiled queue in `routing_rs`. Everything that crosses is an integer: names are interned once, and
what the engine calls a contact or an agent is an opaque non-negative id here.

What the queue knows of a contact: what it requires, its place in the order, whether it waits or
whose hands it is in. What it refuses to know: channels' names, offers' clocks, customers, words.

The order of contacts, the rule of eligibility and the order of agents are those of ARCHITECTURE.md,
"Who gets whom". In short, and exactly:

* contacts: higher `priority` first; then higher urgency `rate * (now_ns - effective_ns)` where
  `effective_ns = queued_ns - credit_ns`; then the smaller contact id.
* eligible: the agent is available, has each required skill at least at its level, has fewer than its
  limit of contacts on that medium, has room (`capacity - units held on media that this medium may
  not interrupt >= units`), is not excluded by the contact, and no preference forbids it: while the
  preference lasts and the preferred agent is present (added, available or not, and not offline),
  only the preferred agent is eligible. A preferred agent whom the contact excludes (who declined)
  holds nothing. An agent reserved for a contact past its wait takes none that stands behind it.
* agents: the keys of the contact's `order`, compared in turn, then the smaller agent id.
* the rule: take waiting contacts in order; the first with an eligible agent gets the best
  `offer_to` of them; repeat until none is left.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

NOBODY: Final = -1
"""Stands where an agent's id could: no preference."""

NEVER_NS: Final = (1 << 63) - 1
"""Stands where a deadline could: nothing is due."""

ID_LIMIT: Final = 1 << 62
"""Contacts', agents' ids, turns and seeds are below this."""

NUMBER_LIMIT: Final = 1 << 31
"""Units, capacities, limits, ranks, rates and the size of a priority are below this."""

TIME_LIMIT_NS: Final = 1 << 61
"""Times and spans are smaller than this: 73 years either side of the clock's zero."""

LEVEL_MAX: Final = 10

Buffer: TypeAlias = "bytes | bytearray | memoryview | array[int]"
"""Rows of native 64-bit integers, one after another: `array("q")`, or a numpy array's memory."""

AGENT_ORDER_KEYS: Final = (
    "longest_idle",
    "least_loaded",
    "most_skilled",
    "least_flexible",
    "rank",
    "fewest_contacts",
    "round_robin",
    "random",
)
"""The keys a queue may order its agents by.

longest_idle     agents without work first, then the one whose last change (sign-in, assignment,
                 finish) is longest ago
least_loaded     the smaller share of capacity in use (all media), in ten-thousandths
most_skilled     the greater sum of levels over the required skills
least_flexible   the fewer skills in the profile
rank             the smaller rank in the order's rank group (1 where the profile names none)
fewest_contacts  the fewer contacts given and not given back since sign-in
round_robin      the least recently given (a counter of assignments; never given is first)
random           a hash of (seed, contact, agent): splitmix64, the same in both implementations
"""


BARRED_RULES: Final = (
    "unavailable",
    "skill",
    "medium_limit",
    "capacity",
    "excluded",
    "preferred_other",
    "reserved",
    "eligible",
)
"""In the order they are asked, so that the later one stands, the nearer an agent came."""

BATCH_CODES: Final = {
    "match": 0,  # now_ns
    "advance": 1,  # now_ns
    "enqueue": 2,  # contact, requirement, order, queued_ns, then if wanted credit_ns, priority, rate, ladder,
    #                rung, preferred, preferred_until_ns, as far as needed
    "requeue": 3,  # contact, now_ns
    "drop": 4,  # contact, now_ns
    "change_priority": 5,  # contact, priority
    "change_requirement": 6,  # contact, requirement
    "prefer": 7,  # contact, agent, until_ns
    "exclude": 8,  # contact, agent
    "accept": 9,  # contact, agent, now_ns
    "give_back": 10,  # contact, agent, now_ns, exclude (0 or 1)
    "finish": 11,  # contact, agent, now_ns
    "assign": 12,  # contact, agent, now_ns
    "add_agent": 13,  # agent, profile, now_ns
    "set_available": 14,  # agent, available (0 or 1), now_ns
    "set_profile": 15,  # agent, profile
    "remove_agent": 16,  # agent, now_ns
}
"""What a batch may hold: each operation is (code, *numbers) with the numbers named here."""


class Barred(NamedTuple):
    """Why an agent, or a crew of agents with one profile, does not get a contact.

    `agent` is NOBODY when the line speaks for several; `agents` is how many it speaks for.
    `rule` is the first of BARRED_RULES that bars, "eligible" when none does. `subject` is the skill or
    medium handle, the preferred or excluded agent, or the contact an agent is reserved for (or -1);
    `needed` and `had` are the two numbers compared, `had` of whoever in the crew comes closest.
    """

    agent: int
    agents: int
    profile: int
    rule: str
    subject: int
    needed: int
    had: int


class MatchingQueueProtocol(Protocol):
    """The contract of a matching queue. All times are int nanoseconds on one clock, of any beginning.

    Every method that names an unknown id or handle raises `KeyError`, one that adds an id twice, names
    an agent who does not hold the contact, or gives a value out of range (the limits above) raises `ValueError`;
    either leaves the queue unchanged (of a batch or a load, what came before stays done).

    An offer to several (`offer_to` > 1) is tentative: it takes room, but the agent's `longest_idle`,
    `fewest_contacts` and `round_robin` places change only when it is accepted. A firm one changes them
    at once. Whoever gives a firm one back counts as changed then, and as not given it.
    """

    # Interning: the same arguments give the same handle; handles are dense from 0.

    def skill(self, name: str) -> int:
        """The handle of a skill, known from now on."""
        ...

    def medium(self, name: str) -> int:
        """The handle of a medium, known from now on."""
        ...

    def requirement(self, skills: Iterable[tuple[int, int]], medium: int, units: int) -> int:
        """What contacts require: `skills` are (skill, least level 1-10), each named once, in any order;
        `units` >= 0 of an agent's capacity."""
        ...

    def profile(
        self,
        skills: Iterable[tuple[int, int]],
        capacity: int,
        limits: Iterable[tuple[int, int]] = (),
        ranks: Iterable[tuple[int, int]] = (),
    ) -> int:
        """What agents bring: `skills` are (skill, level 1-10), `capacity` units >= 0, `limits` are (medium, most
        contacts at once; a medium that is not named has no limit), `ranks` are (rank group, rank >= 1)."""
        ...

    def order(
        self,
        keys: Sequence[str],
        *,
        offer_to: int = 1,
        rank_group: int = 0,
        seed: int = 0,
        reserve_after_ns: int = NEVER_NS,
    ) -> int:
        """How a queue orders agents, and how many it asks at once.

        `keys` are of AGENT_ORDER_KEYS, each at most once, none: by id alone. `offer_to` >= 1. `rank_group` is what
        `rank` reads in the profiles, `seed` what `random` draws with. `reserve_after_ns` is the wait past which a
        contact may have an agent reserved; NEVER_NS: it never has.
        """
        ...

    def ladder(self, rungs: Iterable[tuple[int, int, int]]) -> int:
        """Rings: (after this many ns since `queued_ns`, requirement from then on, priority added).

        A ring that passes replaces the requirement and adds to the priority the contact has then. The times must
        not descend.
        """
        ...

    def set_interrupts(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Replace the interrupt rule: each (by, over) lets medium `by` ignore units held on `over`."""
        ...

    # Agents.

    def add_agent(
        self,
        agent: int,
        profile: int,
        *,
        now_ns: int,
        available: bool = True,
        since_ns: int | None = None,
        given: int = 0,
        turn: int = 0,
    ) -> None:
        """Sign an agent in. The last three restore one from a snapshot: see `agent_keys`; `since_ns` None: now."""
        ...

    def set_available(self, agent: int, available: bool, *, now_ns: int) -> None:
        """Becoming available counts as a change for `longest_idle`; becoming unavailable doesn't."""
        ...

    def set_profile(self, agent: int, profile: int) -> None:
        """Give the agent other skills, capacity, limits and ranks; what is in hand stays, even beyond them."""
        ...

    def remove_agent(self, agent: int, *, now_ns: int) -> list[int]:
        """Forget the agent; the contacts in its hands, ascending, are left as `give_back` leaves
        them when other agents still hold them, and otherwise *held by nobody* (not waiting) until
        `requeue`, `assign` or `drop`."""
        ...

    def agent_keys(self, agent: int) -> tuple[int, int, int]:
        """(since_ns, given, turn): what a snapshot must keep besides the profile and the work."""
        ...

    # Contacts.

    def enqueue(
        self,
        contact: int,
        requirement: int,
        order: int,
        *,
        queued_ns: int,
        credit_ns: int = 0,
        priority: int = 0,
        rate: int = 1000,
        ladder: int = -1,
        rung: int = 0,
        preferred: int = NOBODY,
        preferred_until_ns: int = 0,
        excluded: Iterable[int] = (),
        waiting: bool = True,
    ) -> None:
        """Add a contact that waits since `queued_ns`, with a head start of `credit_ns` (negative: a handicap).

        Higher `priority` first; `rate` >= 1 is in thousandths. `ladder` -1: no rings; `rung` is how many of them have
        passed already. While `preferred` is present and `preferred_until_ns` has not passed, nobody else gets it.

        With `waiting=False` it is held by nobody, for `assign` (a contact an agent placed).
        """
        ...

    def requeue(self, contact: int, *, now_ns: int) -> None:
        """Out of all hands, if in any, and back to waiting at its own place."""
        ...

    def drop(self, contact: int, *, now_ns: int) -> None:
        """Forget a contact, waiting or in hand; whoever held it is freed."""
        ...

    def change(
        self,
        contact: int,
        *,
        requirement: int | None = None,
        order: int | None = None,
        priority: int | None = None,
        rate: int | None = None,
        credit_ns: int | None = None,
        ladder: int | None = None,
        rung: int | None = None,
    ) -> None:
        """Change what a contact asks or weighs; it keeps `queued_ns`, so its waiting time.

        A `ladder` without a `rung` starts at its first; -1 takes the ladder away.
        """
        ...

    def prefer(self, contact: int, agent: int, *, until_ns: int) -> None:
        """Let this agent alone have the contact while present, until then; NOBODY: anybody may from now on."""
        ...

    def exclude(self, contact: int, agent: int) -> None:
        """Never give the contact to this agent again; an agent who has it keeps it."""
        ...

    # Matching.

    def match(self, *, now_ns: int) -> list[tuple[int, int]]:
        """Apply the rule; each (contact, agent) pair is in hand from now on, in the order made.

        A contact with `offer_to` > 1 gives one pair an agent, best first. Rings and preferences
        that ended by `now_ns` must have been passed by `advance` first.
        """
        ...

    def advance(self, *, now_ns: int) -> list[tuple[int, int]]:
        """Pass every ring, preference and wait for a reservation that is due; returns (contact, rung
        reached) for rings, by due time then contact. A contact in hand passes its rings too, so that it comes back as
        it would be had it waited."""
        ...

    def next_deadline_ns(self) -> int:
        """When `advance` has something to do, or NEVER_NS."""
        ...

    def accept(self, contact: int, agent: int, *, now_ns: int) -> list[int]:
        """Of several agents holding an offer of this contact one keeps it; the rest, ascending, are
        freed and returned. Their `longest_idle` place is as if never asked."""
        ...

    def give_back(self, contact: int, agent: int, *, now_ns: int, exclude: bool) -> bool:
        """An agent hands a contact back unserved (declined, no answer, failed connection).

        True when nobody else holds it, so that it waits again at its own place.
        """
        ...

    def finish(self, contact: int, agent: int, *, now_ns: int) -> None:
        """An agent is done with a contact, wrap-up included; forgotten when nobody else holds it."""
        ...

    def assign(self, contact: int, agent: int, *, now_ns: int) -> None:
        """Put a contact into an agent's hands whatever the rules say (picked, transferred, joined,
        recovered). It may wait, be held by nobody, or be in other hands as well."""
        ...

    def hold(self, contact: int, agent: int, *, medium: int, units: int, tentative: bool) -> None:
        """As `assign`, from a snapshot: exactly what `hands` told, without touching the agent's keys."""
        ...

    # One crossing of the boundary for what an event needs, or for many events. The first two also take their
    # arguments by position, which is quicker.

    def enqueue_then_match(
        self, contact: int, requirement: int, order: int, queued_ns: int, now_ns: int, priority: int = 0
    ) -> list[tuple[int, int]]:
        """`enqueue` and, unless that raises, `match`; the pairs of the match."""
        ...

    def finish_then_match(self, contact: int, agent: int, now_ns: int) -> list[tuple[int, int]]:
        """`finish` and, unless that raises, `match`; the pairs of the match."""
        ...

    def batch(self, operations: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
        """Many operations in one call; the codes and shapes are BATCH_CODES.

        Returns the pairs of the matches among them, in order.
        """
        ...

    def load_agents(self, rows: Buffer) -> None:
        """Sign in many: rows of (agent, profile, available, since_ns, given, turn)."""
        ...

    def load_contacts(self, rows: Buffer) -> None:
        """Enqueue many: rows of (contact, requirement, order, queued_ns, credit_ns, priority, rate,
        ladder, rung, preferred, preferred_until_ns, waiting)."""
        ...

    # Questions; none changes anything.

    def waiting_n(self) -> int:
        """How many contacts wait."""
        ...

    def agents_n(self) -> int:
        """How many agents are present, available or not."""
        ...

    def is_waiting(self, contact: int) -> bool:
        """Whether a contact waits; one in hand, or held by nobody, does not."""
        ...

    def holders(self, contact: int) -> list[int]:
        """The agents in whose hands a contact is, ascending."""
        ...

    def hands(self, agent: int) -> list[tuple[int, int, int, bool]]:
        """(contact, medium, units, tentative) of each contact in an agent's hands, ascending."""
        ...

    def reserved_for(self, agent: int) -> int:
        """The contact an agent drains for, or -1."""
        ...

    def held_units(self, agent: int) -> int:
        """The units of an agent's capacity in use, over all media."""
        ...

    def ahead(self, contact: int, *, now_ns: int) -> int:
        """How many waiting contacts stand before this one in the order and could be served by an
        agent, present whether available or not, who could also serve this one (by skills)."""
        ...

    def in_order(self, *, now_ns: int, limit: int) -> list[int]:
        """The first waiting contacts, `limit` at most, in the order in which `match` would look at them."""
        ...

    def capable_n(self, requirement: int) -> tuple[int, int]:
        """(agents present, agents available) that have the skills of a requirement."""
        ...

    def explain(self, contact: int, *, now_ns: int, limit: int = 100) -> list[Barred]:
        """For each agent (best order first), or when agents are more than `limit` for each crew and rule
        (nearest to eligible first, then by profile), the first rule that bars it. Lines past `limit`
        are summed up by rule, with profile -1, so that every agent is counted."""
        ...

    def explain_choice(self, contact: int, agents: Sequence[int], *, now_ns: int) -> list[tuple[int, ...]]:
        """The order-key values of each agent for this contact, as compared (smaller is better).

        `longest_idle` gives two numbers (1 with work in hand, since_ns); the agent's id ends each.
        """
        ...

    def state_hash(self) -> int:
        """A 64-bit digest of everything that can influence a later answer, kept as operations run;
        equal in both implementations for equal histories, whatever was interned when."""
        ...
