"""The data contract: every table and column keepwell understands.

A user's own files are mapped onto these tables with one SQL select each. A select gives money and
quantities in major units; the lake holds them as whole numbers, so that sums are exact in any
order.

Example:
    >>> from keepwell.observe.contract import TABLES
    >>> TABLES["trade"].key, TABLES["trade"].clock
    (('trade_id',), 'at')
"""

from __future__ import annotations

from keepwell.observe.contract_dealing import DEALING
from keepwell.observe.contract_market import MARKET
from keepwell.observe.contract_people import PEOPLE
from keepwell.observe.contract_signals import SIGNALS
from keepwell.observe.contract_types import (
    ARROW,
    INSTANT_TYPE,
    SYSTEM_COLUMNS,
    Clock,
    Column,
    Kind,
    Table,
)

CONTRACT_VERSION = 3
"""Raised when a column is added; columns are never renamed or removed."""

TABLES: dict[str, Table] = {t.name: t for t in (*PEOPLE, *DEALING, *SIGNALS, *MARKET)}
"""All tables of the contract by name."""

SELECT_EXTRAS = ("known_at", "revision", "deleted")
"""Columns that a select may give besides the contract's own."""

__all__ = [
    "ARROW",
    "CONTRACT_VERSION",
    "INSTANT_TYPE",
    "SELECT_EXTRAS",
    "SYSTEM_COLUMNS",
    "TABLES",
    "Clock",
    "Column",
    "Kind",
    "Table",
]
