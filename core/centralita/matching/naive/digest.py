"""The digest of a queue: a hash of all that can influence a later answer, by name and not by handle.

Each part of the state is hashed by itself and the sum kept, so that one change costs the compiled queue
one subtraction and one addition. Multiply-and-fold as in wyhash (Wang Yi, 2019).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from centralita.matching.naive.book import Book
from centralita.matching.protocol import AGENT_ORDER_KEYS

_MASK: Final = (1 << 64) - 1
_WAITING, _CONTACT, _LANE, _REST, _EXCLUDED, _AGENT, _HOLD, _RESERVED, _PAIR = range(1, 10)
_SKILL, _NEED, _LIMIT, _RANK, _PROFILE, _KEY, _ORDER, _RUNG = range(10, 18)
_SALT: Final = (
    0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3,
    0x1D8E4E27C47D124F, 0xEB44ACCAB455D165, 0x9E3779B97F4A7C15,
)  # fmt: skip


def state_hash(book: Book) -> int:
    """The sum of the hashes of all parts, as 64 bits."""
    parts = [_digest(_PAIR, _medium(book, by), _medium(book, over)) for by, over in book.interrupts]
    for contact in book.contacts.values():
        lane = _digest(
            _LANE,
            _requirement(book, contact.requirement),
            _order(book, contact.order),
            contact.priority,
            contact.rate,
        )
        rest = _digest(
            _REST,
            _ladder(book, contact.ladder),
            contact.rung,
            contact.preferred,
            contact.preferred_until_ns,
            contact.pressing,
        )
        parts.append(_digest(_CONTACT, contact.id, lane, contact.queued_ns, contact.credit_ns, rest))
        parts += [_digest(_WAITING, contact.id)] if contact.waiting else []
        parts += [_digest(_EXCLUDED, contact.id, agent) for agent in contact.excluded]
    for agent in book.agents.values():
        profile = _profile(book, agent.profile)
        parts.append(
            _digest(_AGENT, agent.id, profile, agent.available, agent.since_ns, agent.given, agent.turn)
        )
        for held, hold in agent.hands.items():
            medium = _medium(book, hold.medium)
            parts.append(_digest(_HOLD, agent.id, held, medium, hold.units, hold.tentative))
    parts += [_digest(_RESERVED, agent, held) for agent, held in book.reserved.items()]
    return sum(parts) & _MASK


# What a handle stands for, whatever was interned when.


def _medium(book: Book, medium: int) -> int:
    return _text(book.media[medium])


def _skills(book: Book, skills: Iterable[tuple[int, int]]) -> int:
    return sum(_digest(_SKILL, _text(book.skills[skill]), level) for skill, level in skills)


def _requirement(book: Book, requirement: int) -> int:
    one = book.requirements[requirement]
    return _digest(_NEED, _skills(book, one.skills), _medium(book, one.medium), one.units)


def _profile(book: Book, profile: int) -> int:
    one = book.profiles[profile]
    limits = sum(_digest(_LIMIT, _medium(book, medium), limit) for medium, limit in one.limits)
    ranks = sum(_digest(_RANK, group, rank) for group, rank in one.ranks)
    return _digest(_PROFILE, _skills(book, one.skills), one.capacity, limits, ranks)


def _order(book: Book, order: int) -> int:
    one = book.orders[order]
    keys = 0
    for key in one.keys:
        keys = _digest(_KEY, keys, AGENT_ORDER_KEYS.index(key))
    return _digest(_ORDER, keys, one.offer_to, one.rank_group, one.seed, one.reserve_after_ns)


def _ladder(book: Book, ladder: int) -> int:
    hashed = 0
    for after_ns, requirement, added in book.ladders[ladder] if ladder != -1 else ():
        hashed = _digest(_RUNG, hashed, after_ns, _requirement(book, requirement), added)
    return hashed


def _fold(left: int, right: int) -> int:
    product = left * right
    return (product ^ product >> 64) & _MASK


def _digest(tag: int, *values: int) -> int:
    """A 64-bit hash of at most six numbers, each taken modulo 2**64."""
    padded = [value & _MASK for value in values] + [0] * (6 - len(values))
    a, b, c, d, e, f = (value ^ salt for value, salt in zip(padded, _SALT, strict=False))
    return _fold(_fold(a, b) ^ _fold(c, d) ^ tag, _fold(e, f) ^ _SALT[6])


def _text(name: str) -> int:
    """FNV-1a over UTF-8 (Fowler, Noll, Vo)."""
    hashed = 0xCBF29CE484222325
    for byte in name.encode():
        hashed = (hashed ^ byte) * 0x100000001B3 & _MASK
    return hashed
