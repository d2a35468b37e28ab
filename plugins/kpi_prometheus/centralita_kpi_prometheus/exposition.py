"""The figures as Prometheus wants them: counters, gauges and histograms, in base units, with few labels.

Names follow Prometheus' "Metric and label naming": one prefix, seconds, `_total` on what only grows.
Means and ratios are left to PromQL, which can take them over any interval; the dashboard shows how.
Labels are the configured names of queues, agents and components, so the number of series is bounded by
the configuration, whatever the traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from centralita.config import NS_PER_S
from centralita.kpi import Figures
from centralita.tallies import AGENT_STATES, WAIT_BOUNDS_S, AgentTally, QueueTally

NO_QUEUE: Final = "(none)"
"""The label of what is in no queue; an empty label would be no label."""

_STAYS: Final = {
    "answered": "connected with an agent",
    "abandoned": "abandoned by the customer",
    "became_callbacks": "became a callback",
    "flowed_out": "went on to another queue",
    "removed": "refused, cancelled or lost",
}
_OFFERS: Final = ("accepted", "declined", "expired", "withdrawn")
_HANDLING: Final = ("talk", "hold", "wrap_up")


class FiguresCollector(Collector):
    """One reading of the figures."""

    def __init__(self, figures: Figures, now_ns: int, *, by_agent: bool) -> None:
        self._figures = figures
        self._now_ns = max(now_ns, figures.at_ns)
        self._by_agent = by_agent
        self._queues = {name or NO_QUEUE: tally for name, tally in sorted(figures.queues.items())}

    def collect(self) -> Iterator[Metric]:
        """Every family once."""
        yield from self._house()
        yield from self._contacts()
        yield from self._stays()
        yield from self._now()
        yield from self._waits()
        if self._by_agent:
            yield from agent_metrics(dict(sorted(self._figures.agents.items())), self._now_ns)
        else:
            yield self._agents_by_state()

    def _house(self) -> Iterator[Metric]:
        yield _gauge("centralita_journal_position", "Last record counted.", self._figures.seq)
        yield _gauge(
            "centralita_last_record_timestamp_seconds",
            "When the last record counted happened.",
            self._figures.at_ns / NS_PER_S,
        )
        down = GaugeMetricFamily(
            "centralita_component_down", "1 for a plugin's component that does not run.", labels=["component"]
        )
        for component in sorted(self._figures.components_down):
            down.add_metric([component], 1)
        yield down

    def _contacts(self) -> Iterator[Metric]:
        contacts, consultations = self._figures.contacts(), self._figures.consultations()
        yield _counter(
            "centralita_contacts_admitted", "Customers' contacts that came in.", contacts["admitted"]
        )
        yield _gauge("centralita_contacts_live", "Customers' contacts that have not ended.", contacts["live"])
        yield _counter("centralita_consultations", "Consultations between agents.", consultations["admitted"])
        ended = CounterMetricFamily(
            "centralita_contacts_ended", "Customers' contacts that ended.", labels=["queue", "outcome"]
        )
        messages = CounterMetricFamily(
            "centralita_messages", "Messages in contacts.", labels=["queue", "author"]
        )
        for name, tally in self._queues.items():
            for outcome, count in tally.outcomes.items():
                ended.add_metric([name, outcome], count)
            for author, count in tally.messages.items():
                messages.add_metric([name, author], count)
        yield ended
        yield messages
        handling = CounterMetricFamily(
            "centralita_handling_seconds", "Handling time of served contacts.", labels=["queue", "part"]
        )
        for name, tally in self._queues.items():
            for part in _HANDLING:
                handling.add_metric([name, part], getattr(tally, f"{part}_ns") / NS_PER_S)
        yield handling
        yield self._by_queue("centralita_ratings", "Ratings by customers.", "csat_count")
        yield self._by_queue("centralita_rating_points", "Sum of the ratings, 1 to 5 each.", "csat_sum")

    def _stays(self) -> Iterator[Metric]:
        yield self._by_queue("centralita_queue_offered", "Stays begun in the queue.", "offered")
        left = CounterMetricFamily(
            "centralita_queue_left", "Stays that ended, by fate: " + "; ".join(_STAYS.values()) + ".",
            labels=["queue", "fate"],
        )  # fmt: skip
        offers = CounterMetricFamily(
            "centralita_queue_offers", "Offers to agents that ended, by result.", labels=["queue", "result"]
        )
        transfers = CounterMetricFamily(
            "centralita_queue_transfers", "Contacts passed on, by how.", labels=["queue", "how"]
        )
        callbacks = CounterMetricFamily(
            "centralita_queue_callbacks", "Callbacks, by result.", labels=["queue", "result"]
        )
        for name, tally in self._queues.items():
            for fate in _STAYS:
                left.add_metric([name, fate], getattr(tally, fate))
            for result in _OFFERS:
                offers.add_metric([name, result], getattr(tally, f"offers_{result}"))
            for how in ("blind", "consulted"):
                transfers.add_metric([name, how], getattr(tally, f"transfers_{how}"))
            for result in ("requested", "reached", "unreached"):
                callbacks.add_metric([name, result], getattr(tally, f"callbacks_{result}"))
        yield left
        yield offers
        yield transfers
        yield callbacks
        in_target = "Stays with a wait within the queue's answer target that were "
        yield self._by_queue(
            "centralita_queue_answered_in_target", in_target + "answered.", "answered_in_target"
        )
        yield self._by_queue(
            "centralita_queue_abandoned_in_target", in_target + "abandoned.", "abandoned_in_target"
        )
        yield self._by_queue(
            "centralita_queue_short_abandons", "Abandoned before it counts.", "short_abandons"
        )
        yield self._by_queue(
            "centralita_queue_connections_failed", "Connections not made.", "connections_failed"
        )

    def _now(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("centralita_queue_waiting", "Customers who wait now.", labels=["queue"])
        callbacks = GaugeMetricFamily(
            "centralita_queue_callbacks_waiting", "Customers to be called back.", labels=["queue"]
        )
        longest = GaugeMetricFamily(
            "centralita_queue_longest_wait_seconds", "Longest wait of who waits now.", labels=["queue"]
        )
        target = GaugeMetricFamily(
            "centralita_queue_answer_target_seconds", "The queue's answer target.", labels=["queue"]
        )
        for name, tally in self._queues.items():
            waiting.add_metric([name], len(tally.waiting))
            callbacks.add_metric([name], len(tally.callbacks_waiting))
            since_ns = min(tally.waiting.values(), default=self._now_ns)
            longest.add_metric([name], max(0, self._now_ns - since_ns) / NS_PER_S)
            if name != NO_QUEUE:
                target.add_metric([name], tally.answer_target_ns / NS_PER_S)
        yield waiting
        yield callbacks
        yield longest
        yield target

    def _waits(self) -> Iterator[Metric]:
        waits = HistogramMetricFamily(
            "centralita_queue_wait_seconds", "Waits of the stays that ended so.", labels=["queue", "fate"]
        )
        for name, tally in self._queues.items():
            waits.add_metric([name, "answered"], *_histogram(tally.waits, tally.wait_ns))
            waits.add_metric([name, "abandoned"], *_histogram(tally.abandon_waits, tally.abandon_wait_ns))
        yield waits

    def _agents_by_state(self) -> Metric:
        return _agents(self._figures.agents)

    def _by_queue(self, name: str, text: str, count: str) -> Metric:
        family = CounterMetricFamily(name, text, labels=["queue"])
        for queue, tally in self._queues.items():
            family.add_metric([queue], _count(tally, count))
        return family


def agent_metrics(agents: Mapping[str, AgentTally], now_ns: int) -> Iterator[Metric]:
    """What is told agent by agent, the running states counted until now."""
    yield _agents(agents)
    time = CounterMetricFamily(
        "centralita_agent_state_seconds", "Time in each state while signed in.", labels=["agent", "state"]
    )
    handling = CounterMetricFamily(
        "centralita_agent_handling_seconds", "Handling time of finished work.", labels=["agent", "part"]
    )
    contacts = CounterMetricFamily("centralita_agent_contacts", "Conversations finished.", labels=["agent"])
    offers = CounterMetricFamily(
        "centralita_agent_offers", "Offers that ended, by result.", labels=["agent", "result"]
    )
    for name, tally in agents.items():
        spent_ns = list(tally.state_ns)
        spent_ns[tally.state] += max(0, now_ns - tally.since_ns) if tally.since_ns else 0
        for state, state_ns in zip(AGENT_STATES[1:], spent_ns[1:], strict=True):
            time.add_metric([name, state], state_ns / NS_PER_S)
        for part in _HANDLING:
            handling.add_metric([name, part], getattr(tally, f"{part}_ns") / NS_PER_S)
        contacts.add_metric([name], tally.contacts)
        for result in _OFFERS:
            offers.add_metric([name, result], getattr(tally, f"offers_{result}"))
    yield time
    yield handling
    yield contacts
    yield offers


def _agents(agents: Mapping[str, AgentTally]) -> Metric:
    family = GaugeMetricFamily("centralita_agents", "Agents by what they do now.", labels=["state"])
    states = [AGENT_STATES[tally.state] for tally in agents.values()]
    for state in AGENT_STATES:
        family.add_metric([state], states.count(state))
    return family


def _count(tally: QueueTally, name: str) -> int:
    value = getattr(tally, name)
    assert isinstance(value, int)
    return value


def _histogram(classes: list[int], sum_ns: int) -> tuple[list[tuple[str, float]], float]:
    bounds = [*(str(float(bound)) for bound in WAIT_BOUNDS_S), "+Inf"]
    return list(zip(bounds, map(float, accumulate(classes)), strict=True)), sum_ns / NS_PER_S


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
