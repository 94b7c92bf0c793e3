"""What a table and a column of the contract are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

import pyarrow as pa

INSTANT_TYPE = pa.timestamp("us", "UTC")
"""Arrow type of every instant."""

Clock = Literal["at", "day", "valid_from", ""]
Sensitivity = Literal["public", "internal", "personal", "sensitive"]
Purpose = Literal["key", "retention", "display", "compliance"]


class Kind(StrEnum):
    """How a column's values are stored and checked."""

    TEXT = "text"
    INT = "int"
    RATIO = "ratio"
    MONEY = "money"
    QUANTITY = "quantity"
    PRICE = "price"
    INSTANT = "instant"
    DAY = "day"
    BOOL = "bool"
    ENUM = "enum"


ARROW: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INT: pa.int64(),
    Kind.RATIO: pa.float64(),
    Kind.MONEY: pa.int64(),
    Kind.QUANTITY: pa.int64(),
    Kind.PRICE: pa.int64(),
    Kind.INSTANT: INSTANT_TYPE,
    Kind.DAY: pa.date32(),
    Kind.BOOL: pa.bool_(),
    Kind.ENUM: pa.string(),
}
"""Arrow type of each kind: money in minor units, quantities and prices in units of 10^-8."""


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Attributes:
        name: the column's name, in the mapping's selects as in the lake.
        kind: how values are stored and checked.
        meaning: what it says, in English; the Chinese stands in the catalogue.
        unit: unit of the value as a select gives it ('s', 'ms', 'currency', 'units', ...).
        required: a row without it goes to quarantine. Key columns are always required.
        sensitivity: public, internal, personal (about a person) or sensitive (free text, health
            of finances, identity papers).
        purpose: what it may be used for: 'key' joins rows; 'retention' feeds indicators, models
            and reasons; 'display' is shown to staff and kept out of models; 'compliance' guards
            what may be done.
        values: the words allowed in an ENUM column, lower case unless they are codes.
        signed: negative values are meant.
        low: least value allowed, in stored units (INT and RATIO only).
        high: greatest value allowed, in stored units (INT and RATIO only).
        past: must not lie in the future at ingest.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = False
    sensitivity: Sensitivity = "internal"
    purpose: Purpose = "retention"
    values: tuple[str, ...] = ()
    signed: bool = False
    low: float | None = None
    high: float | None = None
    past: bool = False

    @property
    def arrow_type(self) -> pa.DataType:
        """Arrow type in the lake."""
        return ARROW[self.kind]


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    Attributes:
        name: the table's name.
        meaning: what one row is, in English; the Chinese stands in the catalogue.
        key: columns that name a row; a second row of the same key is a repeat, a correction (higher
            revision) or a conflict.
        clock: the column that says when the fact happened: an instant ('at', 'valid_from'), a
            close-of-day date ('day'), or '' for tables that only have a state.
        activity: rows are something the client did; one such table must be mapped.
        columns: the columns, in order, without the lake's own.
        timeless: a state that was always so (an instrument's name): a backfill counts as known from
            1970-01-01. Other tables without a clock count as known from their ingest on.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    clock: Clock
    activity: bool
    columns: tuple[Column, ...]
    timeless: bool = False

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    @property
    def names(self) -> list[str]:
        """Column names in order, without the lake's own."""
        return [column.name for column in self.columns]

    @property
    def required(self) -> list[str]:
        """Columns that no row may lack: the key, the clock and what is declared so."""
        return [c.name for c in self.columns if self.is_required(c.name)]

    def is_required(self, name: str) -> bool:
        """Whether no row may lack the column."""
        return name in self.key or name == self.clock or self.by_name[name].required

    def is_id(self, name: str) -> bool:
        """Whether a text column names something: never empty, no control characters, no formula."""
        column = self.by_name[name]
        return column.kind is Kind.TEXT and (name.endswith("_id") or name in self.key)

    @property
    def has_money(self) -> bool:
        """Whether amounts occur, so that a currency stands beside them."""
        return any(c.kind in (Kind.MONEY, Kind.PRICE) for c in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """Schema of the table in the lake: contract columns, then the lake's own.

        Example:
            >>> from keepwell.observe.contract import TABLES
            >>> TABLES["index_price"].arrow_schema().names[:3]
            ['series', 'day', 'close']
        """
        columns = (*self.columns, *SYSTEM_COLUMNS)
        return pa.schema([pa.field(c.name, c.arrow_type) for c in columns])


SYSTEM_COLUMNS: tuple[Column, ...] = (
    Column("known_at", Kind.INSTANT, "When keepwell learned it.", required=True, purpose="key"),
    Column(
        "revision",
        Kind.INT,
        "Number of the correction; 0 for the first.",
        required=True,
        purpose="key",
        low=0,
    ),
    Column("source", Kind.TEXT, "Source that delivered the row.", required=True, purpose="key"),
    Column(
        "row_hash",
        Kind.TEXT,
        "Digest of the row's content, to tell a repeat from a change.",
        required=True,
        purpose="key",
    ),
    Column(
        "deleted",
        Kind.BOOL,
        "The row takes back its key: from known_at on no lower revision counts.",
        purpose="key",
    ),
)
"""Columns that every row of the lake carries besides the contract's own."""

DELETED = SYSTEM_COLUMNS[4]
"""The column that makes a row a deletion."""


def text(
    name: str,
    meaning: str,
    purpose: Purpose = "retention",
    sensitivity: Sensitivity = "internal",
    required: bool = False,
) -> Column:
    """A text column."""
    return Column(name, Kind.TEXT, meaning, "", required, sensitivity, purpose)


def client_id() -> Column:
    """The column that names the client."""
    return Column(
        "client_id",
        Kind.TEXT,
        "Client's number at the broker.",
        required=True,
        sensitivity="personal",
        purpose="key",
    )


def staff(name: str, meaning: str) -> Column:
    """A column that names a member of staff or a branch."""
    return Column(name, Kind.TEXT, meaning, purpose="display")


def at(meaning: str) -> Column:
    """The instant at which a fact happened."""
    return Column("at", Kind.INSTANT, meaning, required=True, past=True)


def close_of() -> Column:
    """The day whose close a row describes."""
    return Column("day", Kind.DAY, "Day whose close the row describes.", required=True, past=True)


def money(name: str, meaning: str, signed: bool = False, required: bool = False) -> Column:
    """An amount of money; major units in a select, minor units in the lake."""
    return Column(name, Kind.MONEY, meaning, "currency", required, "personal", signed=signed)


def currency() -> Column:
    """The currency of a row's amounts."""
    return Column(
        "currency",
        Kind.TEXT,
        "Currency of the amounts (ISO 4217); the workspace's when not given.",
        purpose="key",
        sensitivity="public",
    )


def choice(
    name: str,
    meaning: str,
    values: tuple[str, ...],
    required: bool = False,
    purpose: Purpose = "retention",
) -> Column:
    """A column with a fixed list of words."""
    return Column(name, Kind.ENUM, meaning, "", required, "internal", purpose, values)
