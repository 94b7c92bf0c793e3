"""keepwell.yaml: how a broker's own files become the tables of the contract.

Strict: an unknown key is an error that names the nearest known one, the file and the line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping as MappingType
from datetime import date
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from keepwell.core.days import day_number
from keepwell.core.errors import KeepwellError, UsageError, nearest
from keepwell.core.money import minor_exponent
from keepwell.observe.contract import TABLES
from keepwell.observe.mapping_monitor import Monitors
from keepwell.observe.mapping_retention import Hold, Retention
from keepwell.observe.mapping_source import Increment
from keepwell.observe.mapping_value import Budget, BudgetPart, CommissionTier, Value
from keepwell.observe.mapping_yaml import Document, Loc, read_yaml, read_yaml_file

FILE_NAME = "keepwell.yaml"
NONE = "–"
"""Stands in a message where there is no nearest name."""

_SPAN = re.compile(r"\d{1,5}(d|mo)")
_DAYS = re.compile(r"\d{1,4}d")
_MINUTES = re.compile(r"(\d{1,3}|1[0-3]\d\d|14[0-3]\d|1440)m")


def _known_encoding(value: str) -> str:
    try:
        if value != "auto":
            codecs.lookup(value)
    except LookupError:
        raise ValueError("an encoding such as utf-8, gbk or gb18030, or auto") from None
    return value


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("an IANA time zone such as Asia/Shanghai") from None
    return value


def _known_currency(value: str) -> str:
    try:
        minor_exponent(value)
    except KeepwellError:
        raise ValueError("an ISO 4217 code such as CNY") from None
    return value


def _span(value: str) -> str:
    if not _SPAN.fullmatch(value):
        raise ValueError("days such as 45d or months such as 6mo")
    return value


def _delay(value: str) -> str:
    if not _DAYS.fullmatch(value):
        raise ValueError("days such as 1d")
    return value


def _skew(value: str) -> str:
    if not _MINUTES.fullmatch(value):
        raise ValueError("minutes such as 5m, at most 1440m")
    return value


def _short_column(value: Any) -> Any:
    """`opened: date` is short for `opened: {type: date}`."""
    return {"type": value} if isinstance(value, str) else value


def _known_label(value: str) -> str:
    """Built-in labels, and those of installed packages; `warn` itself is not imported here."""
    added = sorted(entry.name for entry in entry_points(group="keepwell.labels"))
    known = ["exit", "exit_any", "outflow", "silence", "dormant", *added]
    if value not in known:
        raise ValueError(" or ".join(f"'{name}'" for name in known))
    return value


LabelName = Annotated[str, AfterValidator(_known_label)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Currency = Annotated[str, AfterValidator(_known_currency)]
Span = Annotated[str, AfterValidator(_span)]
Delay = Annotated[str, AfterValidator(_delay)]
Skew = Annotated[str, AfterValidator(_skew)]
CellType = Literal["text", "integer", "decimal", "double", "date", "instant", "boolean"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnSpec(_Part):
    """The type of a source's column, checked cell by cell when the source is scanned.

    Attributes:
        type: what a cell must be. `text` keeps it as it is.
        format: strptime format of a `date` or `instant`; default ISO 8601.
        timezone: zone of an `instant` written without an offset. Without it such a cell is
            refused, since one file may mix zones.
    """

    type: CellType
    format: str | None = None
    timezone: Zone | None = None


class Source(_Part):
    """Files of one shape, or a database's table, that the selects may read under a name.

    Attributes:
        path: file or glob relative to keepwell.yaml, or a list of them; none for a server.
        format: connector's name; default by the file's suffix.
        options: what the connector asks for besides; see docs/how-to/connect-a-source.md.
        increment: read only what is new (databases); default: everything, each time.
        encoding: CSV only; `auto` finds it out and refuses a file that leaves doubt.
        delimiter: CSV only, one character.
        nulls: cells read as absent (CSV, and text columns given a type).
        columns: column name to its type; columns not named stay as the connector gives them
            (CSV: text).
        allow_empty: accept a source without any data row.
        owner: who answers for it: a name or number that is shown wherever its data are unusual.
    """

    path: str | list[str] = []
    format: str | None = None
    options: dict[str, Any] = {}
    increment: Increment | None = None
    encoding: Encoding = "auto"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    nulls: list[str] = ["", "NULL", "null", "NA", "N/A"]
    columns: dict[str, Annotated[ColumnSpec, BeforeValidator(_short_column)]] = {}
    allow_empty: bool = False
    owner: str = ""

    @model_validator(mode="after")
    def _somewhere(self) -> Source:
        if not self.paths and not self.format:
            raise ValueError("path, or the format of a database")
        return self

    @property
    def paths(self) -> list[str]:
        """The files and globs, in the order written."""
        return [self.path] if isinstance(self.path, str) else list(self.path)


class TableMap(_Part):
    """One table of the contract, filled by one select.

    Attributes:
        sql: exactly one SELECT over the sources; columns named as in the contract; money and
            quantities in major units.
        delay: how long after the event the broker's systems knew it; a backfill's
            `known_at` is `at` + delay.
        skew: how far the source's clock may run ahead, '5m': an event stamped later than it is
            known by no more counts as known when it happened; one stamped still later goes to
            quarantine.
        covers: [from, until) local dates for which the table is complete; until may be null.
        full_days: holding only: every day present lists all clients.
        monitors: thresholds for this table; those not said are the workspace's.
        retention: how long rows are kept, and for what; default: for ever.
    """

    sql: Annotated[str, Field(min_length=1)]
    delay: Delay = "0d"
    skew: Skew = "5m"
    covers: list[tuple[date, date | None]] = []
    full_days: bool = False
    monitors: Monitors = Monitors()
    retention: Retention | None = None

    @model_validator(mode="after")
    def _intervals_ordered(self) -> TableMap:
        ends = [(start, end or date.max) for start, end in self.covers]
        for start, end in ends:
            if start >= end:
                raise ValueError("covers: each interval [from, until) with from before until")
        ordered = sorted(ends)
        for (_, end), (start, _) in pairwise(ordered):
            if start < end:
                raise ValueError("covers: intervals that do not overlap")
        return self

    @property
    def delay_days(self) -> int:
        """The delay in days."""
        return int(self.delay[:-1])

    @property
    def skew_us(self) -> int:
        """The skew in microseconds."""
        return int(self.skew[:-1]) * 60_000_000

    @property
    def coverage(self) -> list[tuple[int, int | None]]:
        """The covered intervals as day numbers, sorted; an open end is None."""
        return sorted(
            (day_number(start), None if end is None else day_number(end))
            for start, end in self.covers
        )


class Market(_Part):
    """The market series that the market indicators read.

    Attributes:
        index: a `series` of table index_price.
    """

    index: str | None = None


class Label(_Part):
    """The primary label: what is predicted.

    Attributes:
        name: the definition: `exit`, `exit_any`, `outflow`, `silence`, `dormant`, or one that a
            package adds.
        by: exit and exit_any: `units` (no positive unit left) or `value` (at most 5 % left).
        share: outflow only: net outflow over the average assets before that counts.
        days: dormant only: days without activity that count.
        horizon: how far ahead, 'Nd' or 'Nmo'.
        gap: days left out between as_of and the horizon's start.
    """

    name: LabelName = "exit"
    by: Literal["units", "value"] = "units"
    horizon: Span = "6mo"
    gap: Span = "0d"
    share: float = Field(0.5, gt=0, le=1)
    days: int = Field(180, ge=1)


class Every(_Part):
    """Training dates at a regular distance.

    Attributes:
        every: distance, 'Nd' or 'Nmo'.
        start: the first date (key `from`).
        until: the last possible date; default: the last whose label is mature.
    """

    every: Span
    start: date = Field(alias="from")
    until: date | None = None


class Dates(_Part):
    """As-of dates; each means the local midnight at its start.

    Attributes:
        train: dates, or a regular series of them; default: the first of every month, from half a
            year into the data on.
        prove: date on which the model is tested; training labels are mature by then.
        rank: date of the ranking; null means the newest day in the lake.
    """

    train: list[date] | Every = []
    prove: date | None = None
    rank: date | None = None


class Capacity(_Part):
    """Share of clients that the staff can take up, per tier; sets the knots of the score.

    Attributes:
        severe: at or above 90, for example 0.01.
        moderate: at or above 76.
        mild: at or above 60.
    """

    severe: Annotated[float, Field(gt=0, lt=1)] = 0.01
    moderate: Annotated[float, Field(gt=0, lt=1)] = 0.03
    mild: Annotated[float, Field(gt=0, lt=1)] = 0.10

    @model_validator(mode="after")
    def _nested(self) -> Capacity:
        if not self.severe < self.moderate < self.mild:
            raise ValueError("severe < moderate < mild")
        return self


class Remark(_Part):
    """Words of the workspace's owner that its report shows.

    Attributes:
        en: in English.
        zh: in Chinese; default: the English words.
    """

    en: str
    zh: str = ""

    def words(self, locale: str) -> str:
        """The words in a language ('en' or 'zh')."""
        return self.zh if locale == "zh" and self.zh else self.en


class Mapping(_Part):
    """A whole keepwell.yaml.

    Attributes:
        version: 1.
        name: what people call the workspace.
        timezone: IANA zone of the exchange, whose calendar makes the days.
        currency: ISO 4217 code of amounts without one.
        sources: name to file(s); the only things that the selects can read.
        tables: contract table to its select.
        market: which market series to use.
        label: the primary label.
        dates: training, proving and ranking dates.
        capacity: share of clients per tier.
        value: your rates, for what clients are worth.
        monitors: when data are so unusual that a person must look.
        holds: rows that retention must not touch, such as for a court.
        notes: remarks that the report shows, such as that manager books are synthetic.
        attribution: origin and licence of the data, when they ask for it.
    """

    version: Literal[1]
    name: str
    timezone: Zone
    currency: Currency
    sources: Annotated[dict[str, Source], Field(min_length=1)]
    tables: Annotated[dict[str, TableMap], Field(min_length=1)]
    market: Market = Market()
    label: Label = Label()
    dates: Dates = Dates()
    capacity: Capacity = Capacity()
    value: Value = Value()
    monitors: Monitors = Monitors()
    holds: list[Hold] = []
    notes: list[Remark] = []
    attribution: Remark | None = None
    _document: Document = PrivateAttr(default_factory=lambda: Document(FILE_NAME, {}))

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's zone."""
        return ZoneInfo(self.timezone)

    @property
    def file(self) -> str:
        """The mapping file's name, for messages."""
        return self._document.file

    def line(self, *loc: str | int) -> int:
        """The line on which a value stands, for messages."""
        return self._document.line(loc)

    @classmethod
    def load(cls, path: Path) -> Mapping:
        """Read and check a mapping file.

        Args:
            path: the file.

        Raises:
            UsageError: the first fault found, with file, line, key and what was expected.
        """
        return cls._from_document(read_yaml_file(path))

    @classmethod
    def parse(cls, text: str, file: str = FILE_NAME) -> Mapping:
        """Check a mapping given as text.

        Raises:
            UsageError: as `load`.

        Example:
            >>> Mapping.parse("nam: x")
            Traceback (most recent call last):
            keepwell.core.errors.UsageError: keepwell.yaml, line 1: unknown key 'nam'; ...
        """
        return cls._from_document(read_yaml(text, file))

    @classmethod
    def _from_document(cls, document: Document) -> Mapping:
        if not isinstance(document.value, dict):
            raise UsageError(
                "mapping.value-invalid",
                file=document.file,
                line=1,
                key=document.file,
                value=document.value,
                expected="keys such as version, sources and tables",
            )
        try:
            mapping = cls.model_validate(document.value)
        except ValidationError as error:
            raise _first_fault(error, document) from None
        mapping._document = document
        mapping._check_tables()
        return mapping

    def _check_tables(self) -> None:
        for name, table in self.tables.items():
            line = self.line("tables", name)
            if name not in TABLES:
                raise UsageError(
                    "mapping.table-unknown",
                    file=self.file,
                    line=line,
                    table=name,
                    nearest=nearest(name, list(TABLES)) or NONE,
                    known=", ".join(TABLES),
                )
            if TABLES[name].clock in {"at", "day"} and not table.covers:
                raise UsageError("mapping.covers-missing", file=self.file, line=line, table=name)
            self._check_bounds(name, table)
            if table.retention and TABLES[name].clock not in {"at", "day"}:
                raise self._wrong(name, "retention", "only on tables of events or of days")
            if table.full_days and name != "holding":
                raise self._wrong(name, "full_days", "full_days only on holding")
        activity = [name for name, table in TABLES.items() if table.activity]
        if not any(name in self.tables for name in activity):
            raise UsageError(
                "mapping.activity-missing",
                file=self.file,
                line=self.line("tables"),
                known=", ".join(activity),
            )

    def _wrong(self, table: str, key: str, expected: str) -> UsageError:
        return UsageError(
            "mapping.value-invalid", file=self.file, line=self.line("tables", table, key),
            key=f"tables.{table}.{key}", value=True, expected=expected,
        )  # fmt: skip

    def _check_bounds(self, name: str, table: TableMap) -> None:
        for column in table.monitors.bounds:
            if column not in TABLES[name].by_name:
                raise UsageError(
                    "mapping.value-invalid",
                    file=self.file,
                    line=self.line("tables", name, "monitors", "bounds"),
                    key=f"tables.{name}.monitors.bounds",
                    value=column,
                    expected="columns of the table",
                )


_CONTAINERS: dict[str, type[BaseModel]] = {
    "sources.*": Source,
    "sources.*.columns.*": ColumnSpec,
    "sources.*.increment": Increment,
    "tables.*": TableMap,
    "tables.*.monitors": Monitors,
    "tables.*.retention": Retention,
    "holds.*": Hold,
    "monitors": Monitors,
    "market": Market,
    "label": Label,
    "dates": Dates,
    "dates.train": Every,
    "capacity": Capacity,
    "value": Value,
    "value.commission_tiers.*": CommissionTier,
    "value.budget": Budget,
    "value.budget.split.*": BudgetPart,
    "notes.*": Remark,
    "attribution": Remark,
    "": Mapping,
}
_EXPECTED = {
    "missing": "",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "date_from_datetime_parsing": "a date such as 2021-07-01",
    "date_parsing": "a date such as 2021-07-01",
    "date_type": "a date such as 2021-07-01",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "tuple_type": "a pair [from, until]",
    "too_short": "at least one entry",
    "string_too_short": "some text",
    "string_too_long": "one character",
}


_ABSENT = object()


def _inside(value: Any, step: str | int) -> Any:
    """A member of a dict or list, or `_ABSENT`."""
    if isinstance(value, list):
        return value[step] if isinstance(step, int) and step < len(value) else _ABSENT
    return value.get(step, _ABSENT) if isinstance(value, MappingType) else _ABSENT


def _plain(loc: Loc, value: Any) -> Loc:
    """A pydantic location without the names of union members: only what stands in the file."""
    kept: list[str | int] = []
    for step in loc:
        inside = _inside(value, step)
        if inside is not _ABSENT:
            kept.append(step)
            value = inside
        elif step == loc[-1] and isinstance(step, str) and isinstance(value, MappingType):
            kept.append(step)
    return tuple(kept)


def _known_keys(parent: Loc) -> list[str]:
    pattern = ".".join(
        "*"
        if isinstance(step, int) or (index % 2 and parent[0] in {"sources", "tables"})
        else str(step)
        for index, step in enumerate(parent)
    )
    model = _CONTAINERS.get(pattern)
    return [f.alias or n for n, f in model.model_fields.items()] if model else []


def _first_fault(error: ValidationError, document: Document) -> KeepwellError:
    """The fault that stands first in the file; unknown keys first, as they explain missing ones."""
    faults = [(_plain(tuple(f["loc"]), document.value), f) for f in error.errors()]
    faults.sort(key=lambda x: (x[1]["type"] != "extra_forbidden", document.line(x[0])))
    loc, fault = faults[0]
    key = ".".join(str(step) for step in loc)
    place = {"file": document.file, "line": document.line(loc), "key": key}
    if fault["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1])
        return UsageError(
            "mapping.key-unknown",
            **place,
            nearest=nearest(str(loc[-1]), known) or NONE,
            known=", ".join(known),
        )
    if fault["type"] == "missing":
        return UsageError("mapping.key-missing", **place)
    context = fault.get("ctx", {})
    expected = _EXPECTED.get(fault["type"]) or str(
        context.get("expected") or context.get("error") or fault["msg"]
    )
    value = fault["input"] if not isinstance(fault["input"], dict) else NONE
    return UsageError("mapping.value-invalid", **place, value=value, expected=expected)


def mapped_tables(mapping: Mapping, wanted: list[str] | None) -> list[str] | None:
    """The tables asked for, each of which must be mapped; None for all.

    Raises:
        UsageError: `mapping.table-unmapped`.
    """
    for name in wanted or ():
        if name not in mapping.tables:
            known = list(mapping.tables)
            raise UsageError(
                "mapping.table-unmapped",
                file=mapping.file,
                table=name,
                nearest=nearest(name, known) or NONE,
                known=", ".join(known),
            )
    return wanted or None
