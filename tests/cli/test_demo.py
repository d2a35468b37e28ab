"""The demo: its words fit together, its company is sound, and its people live on the real interfaces."""

import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from centralita.config import load
from centralita_cli.demo import customers, words
from centralita_cli.demo.sockets import JsonSocket, connected
from tests.cli.conftest import COMPANY, Call
from tests.cli.daemon import CENTRALITA, START_S, STOP_S, environment
from tests.ports import held_port

TAKE_PART_S = 300.0
PING_S = 20


def test_company_passes_the_strict_check(call: Call, tmp_path: Path) -> None:
    (tmp_path / "centralita.toml").write_text(COMPANY, encoding="utf-8")
    result = call("check", "--strict")
    assert (result.exit_code, result.stdout) == (0, "centralita.toml: nothing to mend\n")


def test_company_has_six_agents_and_queues_in_two_languages(tmp_path: Path) -> None:
    (tmp_path / "centralita.toml").write_text(COMPANY, encoding="utf-8")
    engine = load(tmp_path / "centralita.toml").engine
    assert len(engine.agents) == 6
    assert {skill for queue in engine.queues.values() for skill in queue.skills} >= {"english", "spanish"}
    assert set(words.DIALOGUES) == set(engine.channels) == set(customers.CHANNELS)


def test_every_line_of_a_dialogue_has_one_answer_and_only_the_last_says_goodbye() -> None:
    answers: dict[str, str] = {}
    for talks in words.DIALOGUES.values():
        for talk in talks:
            assert [words.is_goodbye(says) for says, _ in talk] == [False] * (len(talk) - 1) + [True]
            for says, answer in talk:
                assert answers.setdefault(says, answer) == answer == words.answer_to(says)


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as port:
        yield port


def start(port: int, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*CENTRALITA, "demo", "--port", str(port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def read_until(process: "subprocess.Popen[str]", last: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(last):
            return "".join(lines)
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())


def get(url: str, token: str = "") -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=START_S) as answer:
        body = answer.read()
        return json.loads(body) if answer.headers["Content-Type"].startswith("application/json") else body


def test_people_come_talk_and_are_served_and_the_demo_leaves_nothing_behind(port: int) -> None:
    # Few enough that a busy machine keeps up: who waits too long for an answer leaves.
    demo = start(port, "--every", "1.5", "--speed", "8", "--seed", "7")
    try:
        said = read_until(demo, "Ctrl-C")
        folder = Path(re.search(r"-c (\S+)/centralita\.toml", said)[1])  # type: ignore[index]
        board = re.search(r"/board/#token=(\S+)", said)[1]  # type: ignore[index]
        for page in (f"/chat/{name}" for name in ("shop", "tienda")):
            assert b"<html" in get(f"http://127.0.0.1:{port}{page}")
        assert b"<html" in get(f"http://127.0.0.1:{port}/console/")
        assert b"<html" in get(f"http://127.0.0.1:{port}/board/")

        deadline = time.monotonic() + TAKE_PART_S
        while True:
            figures = get(f"http://127.0.0.1:{port}/api/figures", board)
            total = figures["total"]
            if total["outcomes"]["served"] >= 3 and total["csat_count"] >= 1:
                break
            assert time.monotonic() < deadline, total
            time.sleep(0.3)
        assert figures["contacts"]["admitted"] == figures["contacts"]["live"] + figures["contacts"]["ended"]
        while True:
            agents = {
                agent["name"]: agent["state"] for agent in get(f"http://127.0.0.1:{port}/api/agents", board)
            }
            assert agents.pop("ana") == "offline"
            if "offline" not in agents.values():
                break
            assert time.monotonic() < deadline, agents
            time.sleep(0.3)
        assert folder.is_dir()
        demo.send_signal(signal.SIGINT)
        out, _ = demo.communicate(timeout=STOP_S)
        assert out.endswith("The demo has ended.\n")
        assert demo.returncode == 0
        assert not folder.exists()
    finally:
        demo.kill()
        demo.communicate()


async def test_colleague_takes_over_a_visitor_whom_ana_hands_on(port: int) -> None:
    demo = start(port, "--quiet", "--speed", "20")
    try:
        said = await trio.to_thread.run_sync(read_until, demo, "Ctrl-C")
        token = re.search(r"/console/#token=(\S+)", said)[1]  # type: ignore[index]
        with trio.fail_after(TAKE_PART_S):
            async with connected(f"ws://127.0.0.1:{port}/ws/desk") as ana:
                await ana.send(type="auth", token=token)
                hello = await frame_of(ana, "hello")
                colleagues = hello["agents"]
                while "ben" not in {one["name"] for one in colleagues if one["state"] == "idle"}:
                    colleagues = (await frame_of(ana, "agents"))["agents"]
                async with connected(f"ws://127.0.0.1:{port}/chat/shop/ws") as visitor:
                    await visitor.send(type="hello")
                    await visitor.send(type="message", message_id="m1", text="Do you sell candles, too?")
                    offer = await frame_of(ana, "offer")
                    contact = offer["contact"]["id"]
                    await ana.send(
                        id=1, command="AnswerOffer", contact=contact, offer=offer["offer"], accept=True
                    )
                    while (state := await frame_of(visitor, "state"))["phase"] != "connected":
                        pass
                    assert state["agent_title"] == "Ana"
                    # The page is told by the channel, a moment before the engine hears that they are connected.
                    while "connected" not in {
                        one["phase"]
                        for one in (await frame_of(ana, "update"))["contacts"]
                        if one["id"] == contact
                    }:
                        pass
                    await ana.send(id=2, command="PostMessage", contact=contact, text="My colleague knows.")
                    await ana.send(id=3, command="TransferContact", contact=contact, target={"agent": "ben"})
                    while (reply := await frame_of(ana, "reply"))["id"] != 3:
                        pass
                    assert reply["ok"], reply
                    # Ben may overlook the offer, or decline it, as people do: then it is another colleague.
                    answer = await answer_of_colleague(visitor)
                    who = answer["author_title"]
                    assert answer["text"] == f"Hello, {who} here. I have read what you wrote. How can I help?"
                    await visitor.send(type="message", message_id="m2", text="Candles?", chat=1)
                    while (answer := await frame_of(visitor, "message"))["author"] != "agent":
                        pass
                    assert answer["text"] in words.ANSWERS_TO_ANYTHING["en"]
    finally:
        demo.kill()
        demo.communicate()


async def answer_of_colleague(visitor: JsonSocket) -> dict[str, Any]:
    """The first words of an agent who is not Ana; the page keeps its line alive meanwhile."""

    async def ping() -> None:
        while True:
            await trio.sleep(PING_S)
            await visitor.send(type="ping")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ping)
        while (answer := await frame_of(visitor, "message"))["author_title"] in ("", "Ana"):
            pass
        nursery.cancel_scope.cancel()
    return answer


async def frame_of(socket: JsonSocket, kind: str) -> dict[str, Any]:
    """The next frame of a kind; others are passed over."""
    while (frame := await socket.receive())["type"] != kind:
        pass
    return frame


def test_quiet_demo_has_nobody_but_the_visitor(port: int) -> None:
    demo = start(port, "--quiet", "--no-simulated-agents")
    try:
        said = read_until(demo, "Ctrl-C")
        assert "Nobody else is at work: ana is you." in said
        assert "No customers are simulated." in said
        ana = re.search(r"/console/#token=(\S+)", said)[1]  # type: ignore[index]
        me = get(f"http://127.0.0.1:{port}/api/me", ana)
        assert (me["role"], me["agent"]) == ("agent", "ana")
        agents = get(f"http://127.0.0.1:{port}/api/agents", ana)
        assert {agent["state"] for agent in agents} == {"offline"}
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=STOP_S)
        assert demo.returncode == 0
    finally:
        demo.kill()
        demo.communicate()
