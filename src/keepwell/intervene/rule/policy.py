"""Which contract rows fire a rule: pure functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from keepwell.frame.settings import AlertSettings

FRESH: Final = timedelta(days=7)
"""Rows about an older instant are remembered but warn nobody: history is being loaded."""

CLOSED: Final = frozenset({"closed", "withdrawn"})
"""States of a complaint that need nothing any more."""


def row_key(row: Mapping[str, Any], key: Collection[str]) -> str:
    """Digest of a row's key in the contract.

    Args:
        row: the row.
        key: names of the key columns.
    """
    parts = []
    for name in key:
        value = row.get(name)
        parts.append(value.isoformat() if isinstance(value, datetime) else str(value))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_fresh(at: datetime, now: datetime) -> bool:
    """Whether a row is recent enough to warn."""
    return at >= now - FRESH


def leaves(row: Mapping[str, Any]) -> bool:
    """Whether a row of cash_flow or custody_transfer says that money or securities left."""
    if "direction" in row:
        return bool(row["direction"] == "out")
    return row.get("kind") == "withdrawal" and not row.get("failure_reason")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a transfer is.

    Attributes:
        large: whether it counts as large.
        facts: numbers that say why.
    """

    large: bool
    facts: dict[str, Any]


def size(value: int | None, same_day: int, assets: int | None, settings: AlertSettings) -> Size:
    """Judge a transfer out.

    Transfers of one day count together, for banks cap single ones. Where the client's assets are
    unknown, an absolute amount decides. Securities moved to another broker carry no value in the
    contract; such a transfer counts as large, for it is how clients leave.

    Args:
        value: minor units; None for securities.
        same_day: what left earlier on the same day.
        assets: the client's, minor units; None where they are not known.
        settings: thresholds.
    """
    known = assets is not None and assets > 0
    facts: dict[str, Any] = {"assets_known": known, "value_known": value is not None}
    if value is None:
        return Size(True, facts)
    total = value + same_day
    facts |= {"value": value, "day_total": total}
    if not known or assets is None:
        return Size(total >= settings.large_transfer_amount, facts)
    facts |= {"assets": assets, "share": round(total / assets, 4)}
    return Size(total >= settings.large_transfer_share * assets, facts)


def asks_to_close(topic: str | None, topics: Collection[str]) -> bool:
    """Whether the topic of a contact or view means a closing question.

    Example:
        >>> asks_to_close("Close_Help", ["close-help"])
        True
    """
    return topic is not None and _topic(topic) in {_topic(t) for t in topics}


def _topic(text: str) -> str:
    return text.strip().lower().replace("_", "-").replace(" ", "-")
