"""Every number of a configuration has bounds within which the engine can live, and knows no other."""

from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from centralita.config import EngineConfig, loads
from centralita.config.rules import AgentOrderKey
from centralita.engine import Engine
from centralita.matching import AGENT_ORDER_KEYS, Core
from centralita.messages import AdmitContact, ApplyConfiguration, SignIn

FULL = """
skills = ["sales"]
[media.chat]
[queues.help]
skills = { sales = 1 }
seed = 0
max_waiting = 1
max_wait_s = 1
reserve_after_s = 1
rings = [{ after_s = 1, lower = { sales = 1 } }]
[agents.ana]
skills = { sales = 5 }
limits = { chat = 1 }
ranks = { help = 1 }
[channels.web]
type = "webchat"
medium = "chat"
queue = "help"
"""
"""Every table that has numbers stands in it once."""

MAXIMA_NEED = {"wrap_up_s": {"wrap_up_max_s": 31_536_000}}
"""What must be raised along with a setting for its largest value to be allowed."""


def numbers(kind: Any, path: str = "") -> list[tuple[str, Any]]:
    """(path, type) of every number below a type."""
    match kind:
        case inspect.StructType():
            return [
                found for field in kind.fields for found in numbers(field.type, f"{path}.{field.encode_name}")
            ]
        case inspect.DictType():
            return numbers(kind.value_type, f"{path}.*")
        case inspect.VarTupleType():
            return numbers(kind.item_type, f"{path}[]")
        case inspect.UnionType():
            return [found for each in kind.types for found in numbers(each, path)]
        case inspect.IntType() | inspect.FloatType():
            return [(path.removeprefix("."), kind)]
        case _:
            return []


NUMBERS = numbers(inspect.type_info(EngineConfig))


def with_value(path: str, value: float) -> EngineConfig:
    """FULL with a number set wherever its path leads."""
    raw = msgspec.to_builtins(loads(FULL).engine)
    *tables, name = path.replace("[]", ".*").split(".")
    parents = [raw]
    for table in tables:
        parents = [
            below
            for parent in parents
            for below in (
                (parent.values() if isinstance(parent, dict) else parent)
                if table == "*"
                else [parent.setdefault(table, {})]
            )
        ]
    assert parents, f"FULL says nothing of {path}"
    for parent in parents:
        for key in list(parent) if name == "*" else [name]:
            parent[key] = value
        parent.update(MAXIMA_NEED.get(name, {}))
    return msgspec.convert(raw, EngineConfig)


def bounds(kind: Any) -> tuple[Any, Any]:
    return (kind.gt if kind.ge is None else kind.ge), (kind.lt if kind.le is None else kind.le)


@pytest.mark.parametrize(("path", "kind"), NUMBERS, ids=[path for path, _ in NUMBERS])
def test_number_is_bounded_on_both_sides(path: str, kind: Any) -> None:
    assert None not in bounds(kind)


@pytest.mark.parametrize("core", ["naive", "native"])
@pytest.mark.parametrize(("path", "kind"), NUMBERS, ids=[path for path, _ in NUMBERS])
def test_engine_lives_with_the_largest_value(path: str, kind: Any, core: Core) -> None:
    engine = Engine(core=core)
    now_ns = 1_800_000_000_000_000_000
    applied = engine.handle(ApplyConfiguration(config=with_value(path, bounds(kind)[1])), now_ns=now_ns)
    assert applied.refusal is None
    engine.handle(SignIn(agent="ana", desk="console"), now_ns=now_ns)
    assert engine.handle(AdmitContact(channel="web", provider_id="1"), now_ns=now_ns).refusal is None
    Engine.restore(engine.snapshot(), [], core=core)


def test_configuration_names_the_keys_that_the_matching_queue_knows() -> None:
    assert get_args(AgentOrderKey) == AGENT_ORDER_KEYS
