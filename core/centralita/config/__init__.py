"""The configuration: what an operator writes in TOML, as frozen structs that forbid unknown fields.

Two parts. `EngineConfig` (`rules.py`) is what the pure engine decides by; it is journalled whole, so a replay needs
no file. The rest of a `Configuration` (`reading.py`) says which components run and with which settings; each
plugin decodes its own table. Whether a configuration makes sense is for `lint/` to say; whether it
can be used at all (types, ranges, names that exist) is decided here, with the TOML path of each fault.
"""

from centralita.config.faults import convert, locate, what_is_known
from centralita.config.problems import problems_of
from centralita.config.reading import (
    COMPONENT_KINDS,
    Component,
    Configuration,
    Domain,
    Hours,
    decode,
    load,
    loads,
)
from centralita.config.rules import (
    CALLBACK_MEDIUM,
    DEFAULT_MEDIA,
    NS_PER_S,
    OWN_MEDIUM,
    WAIT,
    Agent,
    ChannelRule,
    EngineConfig,
    Level,
    Limits,
    Medium,
    Name,
    Overflow,
    Part,
    Priority,
    Queue,
    Ring,
    Seconds,
    ns,
)

__all__ = [
    "CALLBACK_MEDIUM",
    "COMPONENT_KINDS",
    "DEFAULT_MEDIA",
    "NS_PER_S",
    "OWN_MEDIUM",
    "WAIT",
    "Agent",
    "ChannelRule",
    "Component",
    "Configuration",
    "Domain",
    "EngineConfig",
    "Hours",
    "Level",
    "Limits",
    "Medium",
    "Name",
    "Overflow",
    "Part",
    "Priority",
    "Queue",
    "Ring",
    "Seconds",
    "convert",
    "decode",
    "load",
    "loads",
    "locate",
    "ns",
    "problems_of",
    "what_is_known",
]
