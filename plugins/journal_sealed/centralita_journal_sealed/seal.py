"""Words under a contact's key: AES-128-GCM (NIST SP 800-38D) with a random nonce before what is locked.

Each contact has a key of its own and a few hundred messages at most, far below the 2**32 that random nonces
of 96 bits allow a key (section 8.3). The record's number is authenticated with the words, so what was sealed in one
record can't be passed off as another's. The cipher is `cryptography`'s; this module decides none of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from centralita.errors import JournalCorrupt
from centralita_journal_sealed.keys import KeyFile

NONCE_BYTES: Final = 12
NONCES_AT_ONCE: Final = 256
CIPHERS_KEPT: Final = 4096
"""Keys made ready and kept so; a contact is written about several times within minutes."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class KeySeal:
    """A `Seal` over a file of keys."""

    def __init__(self, keys: KeyFile) -> None:
        self._keys = keys
        self._ciphers: dict[int, AESGCM] = {}
        self._nonces: list[bytes] = []
        self._highest = 0
        self._lost = 0
        """Numbers below this have no place, though something was sealed for them: the file was cut off,
        or an older copy of it was put back."""

    def close(self, seq: int, contact: int, words: bytes) -> bytes | None:
        """The words under the contact's key, which is made when there is none; None when it is erased."""
        if contact > self._highest:
            self._highest = contact
            self._close_off_lost()
            self._keys.ensure(contact)
        cipher = self._cipher(contact)
        if cipher is None:
            return None
        nonce = self._nonce()
        return nonce + cipher.encrypt(nonce, words, seq.to_bytes(8, "big"))

    def open(self, seq: int, contact: int, sealed: bytes) -> bytes | None:
        """What was sealed; None when the key is erased. Raises JournalCorrupt when it is another's."""
        cipher = self._cipher(contact)
        if cipher is None:
            if contact >= max(self._lost, self._keys.size):
                if not self._lost:
                    log.error("journal_keys_missing", path=str(self._keys.path), contact=contact)
                self._lost = contact + 1
            return None
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], seq.to_bytes(8, "big"))
        except (InvalidTag, ValueError) as error:
            where = f"record {seq}" if seq else "a snapshot"
            raise JournalCorrupt(
                f"{where}: contact {contact}'s words can't be opened: {self._keys.path} is another journal's, "
                "or damaged. Put the right file there; without any, the words show as erased"
            ) from error

    def make_ready(self) -> None:
        """Make keys ahead of need. Raises JournalError."""
        self._close_off_lost()
        self._keys.reserve(self._highest)

    def erase(self, contacts: Iterable[int]) -> int:
        """Delete keys for good; how many there were. Raises JournalError."""
        contacts = tuple(contacts)
        erased = self._keys.erase(contacts)
        for contact in contacts:
            self._ciphers.pop(contact, None)
        return erased

    def _close_off_lost(self) -> None:
        # A new key in such a place would look like the one that is gone, and open nothing.
        if self._lost:
            self._keys.close_off(self._lost)
            self._lost = 0

    def _cipher(self, contact: int) -> AESGCM | None:
        found = self._ciphers.get(contact)
        if found is None:
            key = self._keys.key(contact)
            if key is None:
                return None
            if len(self._ciphers) >= CIPHERS_KEPT:
                self._ciphers.clear()
            found = self._ciphers[contact] = AESGCM(key)
        return found

    def _nonce(self) -> bytes:
        # One call to the system for many: it costs as much as the cipher does.
        try:
            return self._nonces.pop()
        except IndexError:
            many = os.urandom(NONCE_BYTES * NONCES_AT_ONCE)
            made = [many[at : at + NONCE_BYTES] for at in range(0, len(many), NONCE_BYTES)]
            nonce = made.pop()
            self._nonces = made
            return nonce
