"""Redis with Lua scripts: a sorted set a lane, one hash of the lanes' heads, so that a match asks once for all.

The server is Debian's redis-server, started here on a unix socket in a temporary directory, without persistence,
and ended here by its process id. The client is thirty lines of RESP over the socket: less than any library's
share of the time. Sequential play waits for each answer, as who must know whom they got has to;
pipelined play has PIPELINED events under way, which only a script knows beforehand can do.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from queue_peers.peer import Skipped
from queue_peers.sqlite import DISTINCT_MAX, WAITING_MAX
from queue_peers.work import ABANDON, ARRIVE, ARRIVE_WITH_RING, FINISH, PRIORITY, Event, Pair, Snapshot

Answer: TypeAlias = "int | bytes | None"
PIPELINED: Final = 100
LOAD_BATCH: Final = 5_000
START_S_MAX: Final = 10.0
ARRAY_MAX: Final = 5_000
"""Lua unpacks no more than some 8,000 values into one call."""

LUA: Final = """
local function settle(lane)
    local head = redis.call('ZRANGE', 'lane:' .. lane, 0, 0, 'WITHSCORES')
    if head[1] then redis.call('HSET', 'heads', lane, head[2]) else redis.call('HDEL', 'heads', lane) end
end
local function settle_idle(profile)
    local head = redis.call('LINDEX', 'idle:' .. profile, 0)
    if head then redis.call('HSET', 'idles', profile, string.match(head, '^[^ ]+'))
    else redis.call('HDEL', 'idles', profile) end
end
local function least(hash, list)
    local names = redis.call('LRANGE', list, 0, -1)
    if #names == 0 then return nil end
    local heads = redis.call('HMGET', hash, unpack(names))
    local best, found
    for at = 1, #names do
        local head = heads[at] and tonumber(heads[at])
        if head and (not best or head < best) then best, found = head, names[at] end
    end
    return found
end
local function idle_for(lane)
    if redis.call('HLEN', 'idles') == 0 then return nil end
    local profile = least('idles', 'crews:' .. lane)
    if not profile then return nil end
    local first = redis.call('LPOP', 'idle:' .. profile)
    settle_idle(profile)
    return tonumber(string.match(first, '[^ ]+$'))
end
local function put(contact, lane, key)
    redis.call('ZADD', 'lane:' .. lane, key, contact)
    redis.call('HSET', 'lane_of', contact, lane)
    settle(lane)
end
local function leave(contact)
    local lane = redis.call('HGET', 'lane_of', contact)
    if not lane then return nil end
    local key = redis.call('ZSCORE', 'lane:' .. lane, contact)
    redis.call('HDEL', 'lane_of', contact)
    redis.call('ZREM', 'lane:' .. lane, contact)
    settle(lane)
    return key, lane
end
local verb, contact, other, extra = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if verb == 'finish' then
    local lane = least('heads', 'lanes:' .. extra)
    if not lane then
        redis.call('RPUSH', 'idle:' .. extra, ARGV[5] .. ' ' .. other)
        settle_idle(extra)
        return -1
    end
    local taken = redis.call('ZPOPMIN', 'lane:' .. lane)[1]
    redis.call('HDEL', 'lane_of', taken)
    settle(lane)
    return tonumber(taken)
elseif verb == 'arrive' then
    local agent = idle_for(other)
    if agent then return agent end
    put(contact, other, contact)
    return -1
elseif verb == 'abandon' then
    leave(contact)
    return -1
elseif verb == 'priority' then
    local _, lane = leave(contact)
    put(contact, lane, extra)
    return -1
else
    local key = leave(contact)
    if not key then return -1 end
    local agent = idle_for(other)
    if agent then return agent end
    put(contact, other, key)
    return -1
end
"""
PRIORITY_SHARE: Final = 1 << 40
"""Scores are doubles: exact below 2^53."""


class Redis:
    """One script call an event."""

    name = "Redis, a Lua script, sequential"
    in_process = False
    pipelined = 1

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None

    def load(self, snapshot: Snapshot) -> None:
        if len(snapshot.profiles) > DISTINCT_MAX:
            raise Skipped(f"left out past {DISTINCT_MAX:,} profiles")
        if len(snapshot.waiting) > 2 * WAITING_MAX:
            raise Skipped(f"left out past {WAITING_MAX:,} waiting")
        self._start()
        self.profile_of = snapshot.profile_of
        (digest,) = self._ask([("SCRIPT", "LOAD", LUA)])
        assert isinstance(digest, bytes)
        self._digest = digest.decode("ascii")
        before = self._used_bytes()
        self._fill_waiting(snapshot)
        self._waiting_bytes = self._used_bytes() - before
        lanes: dict[int, list[int]] = {}
        crews: dict[int, list[int]] = {}
        for lane, profile in snapshot.tiers():
            lanes.setdefault(profile, []).append(lane)
            crews.setdefault(lane, []).append(profile)
        self._bulk(("RPUSH", f"lanes:{profile}", *found) for profile, found in lanes.items())
        self._bulk(("RPUSH", f"crews:{lane}", *found) for lane, found in crews.items())
        heads: dict[int, int] = {}
        for at, agent in enumerate(snapshot.idle):
            profile, since = snapshot.profile_of[agent], at - len(snapshot.idle)
            heads.setdefault(profile, since)
            self._ask([("RPUSH", f"idle:{profile}", f"{since} {agent}")])
        self._bulk(("HSET", "idles", profile, since) for profile, since in heads.items())

    def _start(self) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise Skipped("redis-server is not installed")
        self._directory = tempfile.TemporaryDirectory(prefix="bench-redis-")
        path = str(Path(self._directory.name) / "redis.sock")
        self._server = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"],
            cwd=self._directory.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._socket = socket.socket(socket.AF_UNIX)
        give_up = time.monotonic() + START_S_MAX
        while True:
            try:
                self._socket.connect(path)
                break
            except OSError:
                if time.monotonic() > give_up or self._server.poll() is not None:
                    raise Skipped(f"redis-server did not open its socket in {START_S_MAX:g} s") from None
                time.sleep(0.02)
        self._answers = self._socket.makefile("rb", buffering=1 << 16)

    def _fill_waiting(self, snapshot: Snapshot) -> None:
        heads: dict[int, int] = {}
        commands: list[tuple[str | int, ...]] = []
        for contact, lane, priority in snapshot.waiting:
            key = contact - priority * PRIORITY_SHARE
            heads[lane] = min(key, heads.get(lane, key))
            commands.append(("ZADD", f"lane:{lane}", key, contact))
            commands.append(("HSET", "lane_of", contact, lane))
        self._bulk(commands)
        self._bulk(("HSET", "heads", lane, key) for lane, key in heads.items())

    def _bulk(self, commands: Iterable[tuple[str | int, ...]]) -> None:
        waiting: list[tuple[str | int, ...]] = []
        for command in commands:
            assert len(command) < ARRAY_MAX
            waiting.append(command)
            if len(waiting) == LOAD_BATCH:
                self._ask(waiting)
                waiting = []
        self._ask(waiting)

    def play(self, events: Sequence[Event]) -> list[Pair]:
        made: list[Pair] = []
        for start in range(0, len(events), self.pipelined):
            asked = events[start : start + self.pipelined]
            for (kind, contact, other, _), answer in zip(
                asked, self._ask([self._command(event) for event in asked]), strict=True
            ):
                if answer != -1:
                    assert isinstance(answer, int)
                    made.append((answer, other) if kind == FINISH else (contact, answer))
        return made

    def _command(self, event: Event) -> tuple[str | int, ...]:
        kind, contact, other, now_ns = event
        if kind == FINISH:
            return "EVALSHA", self._digest, 0, "finish", contact, other, self.profile_of[other], now_ns
        if kind in (ARRIVE, ARRIVE_WITH_RING):
            return "EVALSHA", self._digest, 0, "arrive", contact, other
        if kind == ABANDON:
            return "EVALSHA", self._digest, 0, "abandon", contact
        if kind == PRIORITY:
            return "EVALSHA", self._digest, 0, "priority", contact, other, contact - other * PRIORITY_SHARE
        return "EVALSHA", self._digest, 0, "ring", contact, other

    def _ask(self, commands: Sequence[tuple[str | int, ...]]) -> list[Answer]:
        told = bytearray()
        for command in commands:
            told += b"*%d\r\n" % len(command)
            for part in command:
                sent = str(part).encode("ascii")
                told += b"$%d\r\n%s\r\n" % (len(sent), sent)
        self._socket.sendall(told)
        return [self._answer() for _ in commands]

    def _answer(self) -> Answer:
        line = self._answers.readline()
        kind, told = line[:1], line[1:-2]
        if kind == b":":
            return int(told)
        if kind == b"$":
            return None if told == b"-1" else self._answers.read(int(told) + 2)[:-2]
        if kind == b"+":
            return told
        raise RuntimeError(f"redis answered {line!r}")

    def _used_bytes(self) -> int:
        (told,) = self._ask([("INFO", "memory")])
        assert isinstance(told, bytes)
        return int(told.split(b"used_memory:")[1].split(b"\r")[0])

    def waiting_bytes(self) -> int | None:
        return self._waiting_bytes

    def close(self) -> None:
        if self._server is not None:
            self._socket.close()
            self._server.terminate()
            self._server.wait()
            self._directory.cleanup()


class RedisPipelined(Redis):
    """PIPELINED script calls under way at once."""

    name = f"Redis, a Lua script, {PIPELINED} pipelined"
    pipelined = PIPELINED
