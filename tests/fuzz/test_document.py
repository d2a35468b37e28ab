"""Schemathesis on the OpenAPI document of a daemon in a process of its own: every operation, right and wrong data.

No answer is a 500, each is one of those the document allows and in its form, and the daemon is there afterwards.
`make fuzz` tries fifty times as many cases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from tests.cli.daemon import START_S, Daemon, running

CASES: Final = max(4, settings().max_examples // 20)
STREAMS: Final = {"/api/events", "/api/board"}
"""They never end by themselves; tests/http/test_streams.py is about them."""
CONFIGURATION: Final = """
default_queue = "sales"
[domain]
name = "fuzz"
[journal]
type = "sealed"
[queues.sales]
title = "Sales"
[agents.ana]
[channels.line]
type = "program"
queue = "sales"
[channels.shop]
type = "webchat"
queue = "sales"
[crms.house]
type = "crm_sqlite"
[front_doors.http]
type = "http"
[front_doors.http.limits]
requests_per_s = 1000000
requests_burst = 1000000
bad_tokens_per_min = 1000000
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "centralita.toml").write_text(CONFIGURATION, encoding="utf-8")
    with running(folder) as started:
        yield started


def document(daemon: Daemon) -> Any:
    found = httpx.get(f"{daemon.url}/schema/openapi.json", trust_env=False, timeout=START_S).json()
    # Erasing and replacing everything is no use to the cases after it.
    for path in STREAMS:
        found["paths"].pop(path)
    return found


def operations(schema: Any) -> Iterator[Any]:
    for found in schema.get_all_operations():
        yield found.ok()


@pytest.mark.slow
def test_no_case_of_the_document_leaves_a_500(daemon: Daemon) -> None:
    schema = schemathesis.openapi.from_dict(document(daemon))
    schema.config.update(base_url=daemon.url)
    refused: list[str] = []
    tried = 0
    with httpx.Client(trust_env=False, timeout=START_S) as client:
        for operation in operations(schema):
            for mode in schemathesis.GenerationMode:
                cases = operation.as_strategy(generation_mode=mode)

                @settings(
                    max_examples=CASES, suppress_health_check=list(HealthCheck), deadline=None, database=None
                )
                @given(case=cases)
                def run(case: Any) -> None:
                    nonlocal tried
                    tried += 1
                    given_ = case.as_transport_kwargs(base_url=daemon.url)
                    answer = client.request(
                        given_["method"],
                        given_["url"],
                        params=given_.get("params"),
                        headers={
                            "Authorization": f"Bearer {daemon.token}", "Content-Type": "application/json"
                        },
                        content=_body(given_),
                    )  # fmt: skip
                    label = f"{case.method} {case.path}"
                    assert answer.status_code < 500 or answer.status_code == 503, (label, answer.text)
                    if answer.status_code >= 400:
                        told = answer.json()
                        assert set(told) <= {"code", "message", "problems"}, (label, told)

                try:
                    run()
                except Unsatisfiable:
                    continue  # nothing wrong can be said where nothing is asked
                except AssertionError as error:
                    refused.append(f"{operation.label}: {error}")
    assert refused == []
    assert tried > 34 * CASES // 2
    assert httpx.get(f"{daemon.url}/readyz", trust_env=False, timeout=START_S).status_code == 200
    said = [json.loads(line) for line in daemon.log.read_text().splitlines() if line.startswith("{")]
    assert [line for line in said if line.get("event") in {"request_failed", "component_down"}] == []
    assert "request_failed" not in daemon.log.read_text()


def _body(kwargs: dict[str, Any]) -> bytes | None:
    if "json" in kwargs and kwargs["json"] is not None:
        return json.dumps(kwargs["json"]).encode("utf-8", "surrogatepass")
    data = kwargs.get("data")
    if data is None:
        return None
    return data if isinstance(data, bytes) else str(data).encode("utf-8", "surrogatepass")


def test_document_is_one_that_programs_can_read(daemon: Daemon) -> None:
    found = document(daemon)
    assert found["openapi"].startswith("3.")
    labels = {one.label for one in operations(schemathesis.openapi.from_dict(found))}
    assert {"POST /api/contacts", "POST /api/customers/erase", "GET /healthz"} <= labels
