"""The Prometheus sink: what it shows is valid and is the figures; no crash loses or doubles anything."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import trio
from litestar import Litestar
from prometheus_client import parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from structlog.testing import CapturingLogger

import centralita_kpi_prometheus
from centralita.kpi import recount
from centralita.protocols import HasRoutes, KpiSink
from centralita_kpi_prometheus import PrometheusSink, Settings
from centralita_kpi_prometheus.exposition import FiguresCollector
from tests.kpi.building import context, start
from tests.kpi.histories import AGENTS, QUEUES, History
from tests.on_loop import called_here

HISTORY = History(3)
RECORDS = HISTORY.play(600)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
DASHBOARD = Path(centralita_kpi_prometheus.__file__).parent / "grafana.json"


def sink_in(
    data: Path, *, settings: Settings | None = None, log: CapturingLogger | None = None
) -> PrometheusSink:
    return PrometheusSink(settings or Settings(), context(data, now_ns=HISTORY.now_ns, log=log))


async def fed(data: Path, settings: Settings | None = None) -> PrometheusSink:
    sink = sink_in(data, settings=settings)
    await sink.write(RECORDS)
    return sink


def text_format(exposition: str) -> list[Metric]:
    """Read by Prometheus' own rules; raises ValueError for what is not valid."""
    return list(cast(Any, parser).text_string_to_metric_families(exposition))


def openmetrics(exposition: str) -> list[Metric]:
    return list(cast(Any, openmetrics_parser).text_string_to_metric_families(exposition))


def families(sink: PrometheusSink) -> dict[str, Metric]:
    return {family.name: family for family in text_format(sink.exposition()[0].decode())}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    (sample,) = [
        sample
        for family in found.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return float(sample.value)


def test_sink_is_what_its_hook_promises(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    assert isinstance(sink, KpiSink)
    assert isinstance(sink, HasRoutes)


async def test_both_formats_are_valid_and_say_the_same(tmp_path: Path) -> None:
    sink = await fed(tmp_path)
    plain, plain_type = sink.exposition()
    modern, modern_type = sink.exposition(OPENMETRICS)
    assert plain_type.startswith("text/plain; version=")
    assert modern_type.startswith("application/openmetrics-text; version=")
    first = [sample for family in text_format(plain.decode()) for sample in family.samples]
    second = [sample for family in openmetrics(modern.decode()) for sample in family.samples]
    assert {repr(sample) for sample in first} == {repr(sample) for sample in second}
    assert len(first) > 200


async def test_names_follow_the_naming_rules(tmp_path: Path) -> None:
    sink = await fed(tmp_path)
    for family in openmetrics(sink.exposition(OPENMETRICS)[0].decode()):
        assert re.fullmatch(r"centralita_[a-z][a-z_]*[a-z]", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert not family.name.endswith(("_count", "_sum", "_bucket", "_total", "_ns", "_ms")), family.name
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name == family.name + "_total"


async def test_shown_values_are_the_figures(tmp_path: Path) -> None:
    found = families(await fed(tmp_path))
    figures = recount(RECORDS).as_dict(HISTORY.now_ns)
    for name in QUEUES:
        queue = figures["queues"][name]
        assert value(found, "centralita_queue_offered_total", queue=name) == queue["offered"]
        assert value(found, "centralita_queue_waiting", queue=name) == queue["waiting"]
        assert value(found, "centralita_queue_longest_wait_seconds", queue=name) == pytest.approx(
            queue["longest_wait_s"], abs=0.001
        )
        for fate in ("answered", "abandoned", "became_callbacks", "flowed_out", "removed"):
            assert value(found, "centralita_queue_left_total", queue=name, fate=fate) == queue[fate]
        for outcome, count in queue["outcomes"].items():
            assert value(found, "centralita_contacts_ended_total", queue=name, outcome=outcome) == count
        wait = {"queue": name, "fate": "answered"}
        assert value(found, "centralita_queue_wait_seconds_count", **wait) == queue["answered"]
        assert value(found, "centralita_queue_wait_seconds_bucket", le="20.0", **wait) == sum(
            queue["wait_histogram"]["answered"][:6]
        )
    for name in AGENTS:
        agent = figures["agents"][name]
        for state, spent in agent["time_s"].items():
            shown = value(found, "centralita_agent_state_seconds_total", agent=name, state=state)
            assert shown == pytest.approx(spent, abs=0.001)
    assert value(found, "centralita_contacts_admitted_total") == figures["contacts"]["admitted"]
    assert value(found, "centralita_journal_position") == RECORDS[-1].seq


async def test_without_by_agent_nobody_is_named(tmp_path: Path) -> None:
    sink = await fed(tmp_path, Settings(by_agent=False))
    exposition = sink.exposition()[0].decode()
    assert 'agent="' not in exposition
    assert "centralita_agents{" in exposition


async def test_after_crashes_and_stops_in_any_order_the_counters_are_whole(tmp_path: Path) -> None:
    chance = random.Random(20)
    unfinished = shutil.ignore_patterns("*.new")
    position = life = crashes = 0
    while position < RECORDS[-1].seq:
        data, following = tmp_path / str(life), tmp_path / str(life + 1)
        sink = sink_in(data, settings=Settings(save_every_s=3600))
        async with trio.open_nursery() as nursery:
            await start(nursery, sink)
            position = await sink.position()
            for _ in range(chance.randrange(1, 6)):
                # A feeder may begin a little too early: what is known is not counted twice.
                first = max(0, position - chance.randrange(3))
                await sink.write(RECORDS[first : first + 20])
                position = await sink.position()
            if chance.random() < 0.5 and life < 50:
                # What is on the disk now is all that a crash leaves; nobody reads a half-written `.new`.
                shutil.copytree(data, following, ignore=unfinished)
                crashes += 1
                position = 0
            nursery.cancel_scope.cancel()
        if not following.exists():
            shutil.copytree(data, following, ignore=unfinished)
        life += 1
    assert crashes > 2
    last = sink_in(tmp_path / str(life))
    assert await last.position() == RECORDS[-1].seq
    assert last.exposition() == (await fed(tmp_path / "other")).exposition()


async def test_figures_are_put_away_from_time_to_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    sink = sink_in(tmp_path, settings=Settings(save_every_s=5))
    async with trio.open_nursery() as nursery:
        await start(nursery, sink)
        await sink.write(RECORDS[:30])
        # Virtual time does not wait for the thread that writes, so ask until it has.
        while await sink_in(tmp_path).position() != 30:
            await trio.sleep(1)
        nursery.cancel_scope.cancel()


async def test_graceful_stop_saves_the_last_record(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    async with trio.open_nursery() as nursery:
        await start(nursery, sink)
        await sink.write(RECORDS)
        nursery.cancel_scope.cancel()
    assert await sink_in(tmp_path).position() == RECORDS[-1].seq


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign"])
async def test_damaged_state_is_counted_again_from_the_journal(tmp_path: Path, damage: str) -> None:
    await test_graceful_stop_saves_the_last_record(tmp_path)
    file = tmp_path / "figures.state"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes({"cut": file.read_bytes()[:-10], "flip": bytes(content), "foreign": b"hello"}[damage])
    log = CapturingLogger()
    assert await sink_in(tmp_path, log=log).position() == 0
    assert log.calls[0].method_name == "warning"


async def test_missing_records_are_refused_and_repeated_ones_are_not_counted(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    await sink.write(RECORDS[:10])
    with pytest.raises(ValueError, match="record 12 can't follow 10"):
        await sink.write(RECORDS[11:20])
    await sink.write(RECORDS[5:])
    assert sink.exposition() == (await fed(tmp_path / "other")).exposition()


async def test_new_sink_begins_where_the_journal_begins(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    await sink.write(RECORDS[100:])
    assert await sink.position() == RECORDS[-1].seq
    assert value(families(sink), "centralita_journal_position") == RECORDS[-1].seq


async def test_metrics_are_read_over_http(tmp_path: Path) -> None:
    sink = await fed(tmp_path)
    (route,) = sink.routes()
    assert route.opt["role"] == "metrics"
    app = Litestar([route], openapi_config=None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cast(Any, app)), base_url="http://testserver"
    ) as client:
        for accept in (OPENMETRICS, "text/plain", "*/*"):
            answer = await client.get("/metrics", headers={"accept": accept})
            assert answer.status_code == 200
            assert (answer.content, answer.headers["content-type"]) == sink.exposition(accept)


async def test_dashboard_asks_for_nothing_that_is_not_shown(tmp_path: Path) -> None:
    sink = await fed(tmp_path)
    shown: dict[str, set[str]] = {}
    for family in families(sink).values():
        for sample in family.samples:
            shown.setdefault(sample.name, set()).update(sample.labels)
    # Components that all run leave no sample.
    shown.setdefault("centralita_component_down", {"component"})
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [
        variable["query"]["query"]
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]
    for expression in expressions:
        asked = re.findall(r"(centralita_\w+)(?:\{([^}]*)\})?", expression)
        assert asked, expression
        for name, selector in asked:
            assert name in shown, name
            assert set(re.findall(r"(\w+)\s*=~?!?", selector)) <= shown[name], expression
        assert expression.count("(") == expression.count(")"), expression


async def test_every_metric_is_in_the_readme(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "plugins" / "kpi_prometheus" / "README.md").read_text(
        encoding="utf-8"
    )
    table = set(re.findall(r"`(centralita_\w+)`", readme.partition("| metric |")[2]))
    shown = {
        name + ("_total" if family.type == "counter" else "")
        for name, family in families(await fed(tmp_path)).items()
    }
    assert table == shown


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


async def test_lines_are_written_off_the_loops_thread_while_the_figures_go_on(tmp_path: Path) -> None:
    sink = await fed(tmp_path)
    app = Litestar(list(sink.routes()), openapi_config=None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cast(Any, app)), base_url="http://testserver"
    ) as client:
        with called_here(FiguresCollector.collect) as called:
            answer = await client.get("/metrics")
    assert not called
    assert answer.content == sink.exposition()[0]
