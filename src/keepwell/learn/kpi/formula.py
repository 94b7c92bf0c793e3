"""What a formula of a key figure reads, and the registry in which formulas stand by name.

Nothing learned after the month's end and a short delay is used, whenever it is computed: a figure
made a year later from the same lake is the figure made then. What the desk knows (cases, clocks,
alerts) comes as plain facts; a formula itself reads no database of the desk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy.typing as npt

from keepwell.core.days import day_number, local_day, midnight
from keepwell.learn.kpi.estimate import Absent, Figure
from keepwell.learn.kpi.review import following
from keepwell.observe.contract import TABLES
from keepwell.observe.engines.base import Engine
from keepwell.warn.label import covered, lake_query
from keepwell.warn.risk import Note, RiskSet, risk_set

Answer = Figure | Absent


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month of the exchange.

    Attributes:
        first: its first day.
        start: its beginning, UTC.
        end: its end, UTC.
        known_by: nothing learned later counts, UTC.
    """

    first: date
    start: datetime
    end: datetime
    known_by: datetime

    @classmethod
    def of(cls, first: date, zone: ZoneInfo, delay_days: int) -> Month:
        """A month.

        Args:
            first: its first day.
            zone: the exchange's.
            delay_days: days after its end in which facts may still come in.
        """
        low, high = day_number(first), day_number(following(first))
        known_by = midnight(high + delay_days, zone)
        return cls(first, midnight(low, zone), midnight(high, zone), known_by)


@dataclass(frozen=True, slots=True)
class DeskFacts:
    """What the desk knew of a month by `Month.known_by`.

    Attributes:
        responses: hours from a case's opening to its first contact; inf for none yet.
        clocks: (client, met in time) of each clock begun in the month that was decided.
        warned: clients with an alert for their risk open at the month's end.
    """

    responses: Sequence[float] = ()
    clocks: Sequence[tuple[str, bool]] = ()
    warned: Sequence[str] = ()


@dataclass(frozen=True)
class Reading:
    """One month as formulas read it.

    Attributes:
        month: which.
        desk: what the desk knew.
        engine: the lake; None where nothing was ingested.
        core_amount: assets from which a client is a core client, minor units.
    """

    month: Month
    desk: DeskFacts
    engine: Engine | None
    core_amount: int
    _risk: dict[datetime, RiskSet] = field(default_factory=dict, repr=False)

    def missing(self, *tables: str) -> Absent | None:
        """Why these tables cannot tell of the whole month; None where they can."""
        for table in tables:
            state = self.engine.manifest.tables.get(table) if self.engine else None
            if state is None:
                return Absent.TABLE
            if not self._covers(state):
                return Absent.COVERAGE
        return None

    def has(self, table: str) -> bool:
        """Whether a table is there and complete for the month."""
        return self.missing(table) is None

    def _covers(self, state: Any) -> bool:
        # Undeclared: facts from before the month's beginning until its last day.
        assert self.engine is not None
        first, until = day_number(self.month.first), day_number(following(self.month.first))
        if state.coverage:
            return covered(state.coverage, first, until)
        if state.first is None or state.last is None:
            return False
        low, high = (_day(moment, self.engine.zone) for moment in (state.first, state.last))
        return low <= first and high >= until - 1

    def rows(self, table: str, columns: str, where: str = "true") -> dict[str, npt.NDArray[Any]]:
        """Columns of a table's rows of the month, as known by the month's delay.

        Args:
            table: a contract table that the lake has.
            columns: SQL.
            where: SQL; $a and $b are the month's beginning and end.
        """
        assert self.engine is not None
        clock = TABLES[table].clock
        return lake_query(
            self.engine,
            f"""select {columns} from "{table}" where {SEEN}
            and "{clock}" >= $a and "{clock}" < $b and ({where})""",
            t=self.month.known_by, a=self.month.start, b=self.month.end,
        )  # fmt: skip

    @cached_property
    def at_start(self) -> RiskSet:
        """Every client at the month's beginning, and whether each is at risk."""
        assert self.engine is not None
        return risk_set(self.engine, self.month.start)

    @property
    def open_clients(self) -> list[str]:
        """Clients whose account was not closed at the month's beginning."""
        pairs = zip(self.at_start.clients, self.at_start.note, strict=True)
        return [client for client, note in pairs if note != Note.CLOSED]


SEEN: Final = "known_at <= $t and (gone_at is null or gone_at > $t)"
"""SQL: rows as known at $t."""


def _day(moment: date | datetime, zone: ZoneInfo) -> int:
    return local_day(moment, zone) if isinstance(moment, datetime) else day_number(moment)


Formula = Callable[[Reading], Answer]

FORMULAS: Final[dict[str, Formula]] = {}
"""Every formula by the name that the catalogue calls it by."""


def formula(function: Formula) -> Formula:
    """Register a formula under its function's name."""
    FORMULAS[function.__name__] = function
    return function
