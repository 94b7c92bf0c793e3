"""Identifiers: short, sortable by time of creation, and saying what they name."""

from __future__ import annotations

import secrets
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(kind: str, at: datetime) -> str:
    """A fresh id: `<kind>_` and 26 characters, of which ten are the time and sixteen chance.

    The characters are Crockford's base 32 in lower case, as in the ULID specification, so ids of
    one kind sort by the millisecond in which they were made.

    Args:
        kind: what is named, such as 'case'.
        at: when, with a time zone.

    Example:
        >>> from datetime import UTC
        >>> new_id("case", datetime(2026, 1, 1, tzinfo=UTC))[:11]
        'case_01kdvd'
    """
    value = (int(at.timestamp() * 1000) << 80) | secrets.randbits(80)
    digits = [_ALPHABET[(value >> shift) & 31] for shift in range(125, -5, -5)]
    return f"{kind}_{''.join(digits)}"
