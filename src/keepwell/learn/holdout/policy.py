"""How the hold-out is drawn: pure functions of secret, period and clients.

Within a block (a manager's clients drawn together) clients are put into an order that only the
holder of the secret can foresee, and a systematic sample with a random start is taken from it:
every client's chance is exactly the share, and the number held out is the block's size times the
share, rounded up or down. Whole numbers only, so that a draw is the same on every machine.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

CONTACT: Final = "contact"
HOLD_OUT: Final = "hold-out"
WHOLE: Final = 1_000_000
"""Shares are counted in millionths."""


def period_of(at: datetime, zone: ZoneInfo) -> str:
    """The period of an instant: the calendar year in the exchange's zone."""
    return f"{at.astimezone(zone).year:04d}"


def millionths(share: float) -> int:
    """A share as a whole number of millionths."""
    return round(share * WHOLE)


def fingerprint(secret: bytes) -> str:
    """Names the secret of a draw without telling it."""
    return hashlib.blake2b(secret, digest_size=8, person=b"kw-holdout-id").hexdigest()


class Lot:
    """The lots of one period.

    Args:
        secret: known to this desk only.
        period: such as '2026'; another period gives lots that have nothing to do with these.
    """

    def __init__(self, secret: bytes, period: str) -> None:
        key = hashlib.blake2b(secret, digest_size=32, person=b"kw-holdout").digest()
        self._order = hashlib.blake2b(f"client\0{period}".encode(), key=key, digest_size=16)
        self._seal = hashlib.blake2b(f"seal\0{period}\0".encode(), key=key, digest_size=32)
        self._start = hashlib.blake2b(f"block\0{period}".encode(), key=key, digest_size=16)

    def of(self, client_id: str) -> int:
        """A client's lot, uniform over 0 .. 2^128 - 1."""
        return _finish(self._order, client_id)

    def start(self, block: str) -> int:
        """A block's lot, uniform over 0 .. 2^128 - 1."""
        return _finish(self._start, block)

    def alone(self, client_id: str, share: int) -> bool:
        """Whether a client drawn alone is held out.

        Args:
            client_id: who.
            share: millionths.
        """
        return self.of(client_id) % WHOLE < share

    def seal(self, block: str, drawn: Iterable[tuple[str, bool]]) -> bytes:
        """A digest of a drawn block that nobody without the secret can try arms against.

        Args:
            block: its name.
            drawn: its clients, each with whether it is held out, in any order.
        """
        lines = sorted(f"{client}\0{int(held)}" for client, held in drawn)
        digest = self._seal.copy()
        digest.update("\0\0".join([block, *lines]).encode())
        return digest.digest()

    def block(self, block: str, clients: Iterable[str], share: int) -> list[tuple[str, bool]]:
        """Draw a block: each client with whether it is held out.

        Args:
            block: its name; the start hangs on it.
            clients: all of the block, in any order.
            share: millionths.
        """
        ordered = sorted((self.of(client), client) for client in clients)
        at = self.start(block) % WHOLE
        drawn = []
        for _, client in ordered:
            drawn.append((client, at + share >= WHOLE))
            at = (at + share) % WHOLE
        return drawn


def _finish(begun: hashlib.blake2b, name: str) -> int:
    digest = begun.copy()
    digest.update(b"\0" + name.encode())
    return int.from_bytes(digest.digest(), "big")


def seal_of(seals: Iterable[bytes]) -> str:
    """One digest, in hex, of a draw's blocks in any order."""
    return hashlib.sha256(b"".join(sorted(seals))).hexdigest()


def parts_of(clients: Sequence[str], lot: Lot, most: int) -> list[list[str]]:
    """Split a block too large for one transaction into parts of about equal size, by lot.

    Args:
        clients: of the block.
        lot: of the period.
        most: about the largest part.
    """
    count = max(1, math.ceil(len(clients) / most))
    if count == 1:
        return [list(clients)]
    parts: list[list[str]] = [[] for _ in range(count)]
    for client in clients:
        # High digits, for the low ones decide who is held out when drawn alone.
        parts[(lot.of(client) >> 64) % count].append(client)
    return parts


def ratio_p(clients: int, held_out: int, share: float) -> float:
    """Sample-ratio check: p-value of a share of held out as far off as this one.

    The chi-square test with one degree of freedom; as blocks vary less than chance alone, it errs
    on the side of silence, and an alarm (p < 0.001) means that something is broken.

    Args:
        clients: drawn.
        held_out: of them.
        share: wanted.
    """
    variance = clients * share * (1 - share)
    if variance <= 0:
        return 1.0 if held_out == round(clients * share) else 0.0
    return math.erfc(abs(held_out - clients * share) / math.sqrt(2 * variance))
