"""The watch over all sources: every monitor over every table of the lake, as of the data's own day.

It runs at the end of an ingest, before a run, and on the desk every ten minutes. What it finds
stands in the workspace's state until the next watch; it changes no data and stops nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from keepwell.core.days import day_number, to_date
from keepwell.core.files import atomic_write
from keepwell.observe import freshness, rhythm
from keepwell.observe.contract import TABLES
from keepwell.observe.coverage import covered_days
from keepwell.observe.lake import open_duckdb
from keepwell.observe.mapping_monitor import MonitorKind, Monitors
from keepwell.observe.monitors.accepted import Accepted, Place, accepted_in
from keepwell.observe.monitors.finding import Finding, finding_from, finding_to
from keepwell.observe.monitors.incidents import Incident, settle
from keepwell.observe.monitors.known import references, unknown_by_day
from keepwell.observe.monitors.profile import Counts, Profile, profile_of
from keepwell.observe.monitors.rules import Blocks, Judge, Unusual, blocks_of
from keepwell.observe.rhythm import count_open, weekday
from keepwell.observe.today import Today, today_of

if TYPE_CHECKING:
    from keepwell.observe.freshness import Waiting
    from keepwell.observe.manifest import Manifest, TableState
    from keepwell.observe.rhythm import IsOpen
    from keepwell.observe.workspace import Workspace

FILE_NAME: Final = "found.json"
FORMAT: Final = 1
_TRADING: Final = 0.02
"""Rows on weekends, of all, that a table of trading days may have."""
_OFTEN: Final = 0.8
"""Share of the weekdays on which such a table has rows."""
_HOLIDAY: Final = 10
"""Days that a long holiday lasts, weekends included."""
_SOME: Final = 0.2
"""Share of its usual rows that it has at least on a trading day."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Looked:
    """How one table was looked at.

    Attributes:
        table: its name.
        source: as a finding's.
        owner: as a finding's.
        length: trading days that were put together: 1, 5 or 20; 0: it was not judged.
        days: days with rows that its profile holds.
    """

    table: str
    source: str
    owner: str
    length: int
    days: int


@dataclass(frozen=True, slots=True)
class Watched:
    """One watch.

    Attributes:
        at: when (UTC).
        manifest: number of the manifest looked at; 0 while nothing was ingested.
        today: the day as of which data were judged.
        tables: how each table was looked at.
        findings: what was found, by table.
        incidents: those that last: one per source and monitor.
    """

    at: datetime
    manifest: int
    today: Today
    tables: tuple[Looked, ...]
    findings: tuple[Finding, ...]
    incidents: tuple[Incident, ...] = ()

    def of(self, tables: Iterable[str]) -> tuple[Finding, ...]:
        """Findings about some tables."""
        wanted = set(tables)
        return tuple(found for found in self.findings if found.table in wanted)


def watch(
    workspace: Workspace,
    now: datetime | None = None,
    is_open: IsOpen | None = None,
    waiting: dict[str, Waiting] | None = None,
) -> Watched:
    """Look at every table of the newest manifest.

    Args:
        workspace: whose lake.
        now: the instant; default: the clock's.
        is_open: whether the exchange trades on a day, for freshness; default: as the exchange of
            the time zone does.
        waiting: batches of events that are not in the lake yet, as for `freshness.report`.
    """
    now = now or datetime.now(UTC)
    today = today_of(workspace, now)
    manifest = workspace.lake.manifest()
    if manifest is None:
        return Watched(now, 0, today, (), ())
    looked, findings = _judged(workspace, manifest, today)
    behind = late(workspace, now, is_open, waiting)
    order = {name: i for i, name in enumerate(TABLES)}
    found = tuple(sorted([*behind, *findings], key=lambda f: (order[f.table], f.kind, f.column)))
    return Watched(now, manifest.id, today, looked, found, settle(workspace, found, now))


def _judged(
    workspace: Workspace, manifest: Manifest, today: Today
) -> tuple[tuple[Looked, ...], tuple[Finding, ...]]:
    """What the profiles say; what was said of the same versions with the same rules is kept."""
    accepted = accepted_in(workspace)
    key = _key(workspace, manifest, today, accepted)
    kept = _kept(workspace, key)
    if kept is not None:
        return kept
    with open_duckdb(memory="1GB") as engine:
        looked, findings = _look(workspace, manifest, today, accepted, engine)
    _keep(workspace, key, manifest, today, looked, findings)
    return looked, findings


def _look(
    workspace: Workspace,
    manifest: Manifest,
    today: Today,
    accepted: Mapping[Place, Accepted],
    engine: duckdb.DuckDBPyConnection,
) -> tuple[tuple[Looked, ...], tuple[Finding, ...]]:
    profiles = {
        name: profile_of(workspace, name, state, today.day, engine)
        for name, state in manifest.tables.items()
        if name in TABLES and _may_be_enough(workspace, name, state)
    }
    open_day = _open_days(profiles.values())
    looked, findings = [], []
    for name in [name for name in TABLES if name in manifest.tables]:
        source, owner = source_of(workspace, name)
        if name not in profiles:
            looked.append(Looked(name, source, owner, 0, 0))
            continue
        one = _Table(workspace, manifest, today, profiles[name], accepted, engine)
        length, unusual = one.judge(open_day)
        looked.append(Looked(name, source, owner, length, len(one.days)))
        findings += [_finding(name, source, owner, word) for word in unusual]
    return tuple(looked), tuple(findings)


def rules_of(workspace: Workspace, table: str) -> Monitors:
    """The thresholds of a table."""
    mapping = workspace.mapping
    said = mapping.tables.get(table)
    return said.monitors.over(mapping.monitors) if said else mapping.monitors


def _may_be_enough(workspace: Workspace, table: str, state: TableState) -> bool:
    """Whether a table has so many rows that its median block may hold enough of them."""
    rules = rules_of(workspace, table)
    return 2 * state.rows > rules.least_rows * rules.history


def source_of(workspace: Workspace, table: str) -> tuple[str, str]:
    """The sources of a table, joined with '+', and who answers for the first that says so.

    Args:
        workspace: its mapping.
        table: a contract table; one that no select fills comes as events.
    """
    mapping = workspace.mapping
    names = freshness.sources_by_table(workspace, table)
    owners = [mapping.sources[name].owner for name in names if mapping.sources[name].owner]
    return "+".join(names) or "events", next(iter(owners), mapping.monitors.owner)


@dataclass(frozen=True)
class _Table:
    workspace: Workspace
    manifest: Manifest
    today: Today
    profile: Profile
    accepted: Mapping[Place, Accepted]
    engine: duckdb.DuckDBPyConnection

    @property
    def state(self) -> TableState:
        return self.manifest.tables[self.profile.table]

    @property
    def over(self) -> npt.NDArray[np.bool_]:
        """Which days are over and declared complete, bool [days]."""
        days, spans = self.profile.days, self.state.coverage
        end = day_number(self.today.day)
        return np.array(
            [d < end and (not spans or covered_days(spans, int(d), int(d) + 1) > 0) for d in days],
            np.bool_,
        )

    @property
    def days(self) -> Ints:
        return self.profile.days[self.over]

    def judge(self, open_day: Callable[[int], bool]) -> tuple[int, list[Unusual]]:
        """Trading days of a block, 0 where there are too few rows; and what is unusual."""
        name, over = self.profile.table, self.over
        rules = rules_of(self.workspace, name)
        spans = self.state.coverage
        blocks = blocks_of(
            self.days, self.profile.rows[over],
            lambda d: open_day(d) and (not spans or covered_days(spans, d, d + 1) > 0),
            rules.least_rows, bool(TABLES[name].clock),
        )  # fmt: skip
        if blocks is None or len(blocks.first) <= rules.history:
            return 0, []
        judge = Judge(blocks, rules, self._accepted())
        rows = blocks.sum(self.profile.rows[over])
        found = judge.volume(rows) if TABLES[name].clock else []
        for column, counts in self.profile.columns.items():
            found += judge.column(column, _only(counts, over))
        return blocks.length, found + self._gaps(judge, blocks, rows)

    def _gaps(self, judge: Judge, blocks: Blocks, rows: Ints) -> list[Unusual]:
        name, found = self.profile.table, list[Unusual]()
        if MonitorKind.GAPS in judge.rules.off:
            return found
        for column in references(name, self.manifest):
            unknown = unknown_by_day(
                self.workspace, self.manifest, name, column, self.today.day, self.engine
            )
            by_day = np.array([unknown.get(int(day), 0) for day in self.days], np.int64)
            found += judge.gaps(column, blocks.sum(by_day), rows)
        return found

    def _accepted(self) -> dict[tuple[MonitorKind, str], tuple[int, int]]:
        return {
            (kind, column): (day_number(said.since), day_number(said.until))
            for (table, kind, column), said in self.accepted.items()
            if table == self.profile.table
        }


def _only(counts: Counts, over: npt.NDArray[np.bool_]) -> Counts:
    return Counts(
        counts.days[over], counts.empty[over], counts.bins, counts.counts[over], counts.numeric
    )


def _open_days(profiles: Iterable[Profile]) -> Callable[[int], bool]:
    """Whether a day is a trading day, read from the tables that have none on weekends.

    No calendar is asked: a Monday to Friday on which most of these tables have next to no row is a
    holiday; so are the first days after the newest of all their rows. Of one such
    table alone nobody can say if it is that or a gap.
    """
    tables = [profile for profile in profiles if _trades(profile)]
    votes: Counter[int] = Counter()
    for profile in tables:
        enough = profile.rows >= _SOME * np.median(profile.rows)
        votes.update(int(day) for day in profile.days[enough])
    spans = [(int(profile.days[0]), int(profile.days[-1])) for profile in tables]

    @cache
    def is_open(day: int) -> bool:
        asked = sum(low <= day <= high + _HOLIDAY for low, high in spans)
        return weekday(to_date(day)) and (not asked or 2 * votes[day] >= asked)

    return is_open


def _trades(profile: Profile) -> bool:
    """Whether a table has rows on trading days, and only on them."""
    if not len(profile.days) or not TABLES[profile.table].clock:
        return False
    week = np.array([weekday(to_date(int(day))) for day in profile.days])
    span = range(int(profile.days[0]), int(profile.days[-1]) + 1)
    days = sum(weekday(to_date(day)) for day in span)
    quiet = profile.rows[~week].sum() <= _TRADING * profile.rows.sum()
    return bool(quiet and week.sum() >= _OFTEN * days)


def late(
    workspace: Workspace, now: datetime, is_open: IsOpen | None, waiting: dict[str, Waiting] | None
) -> list[Finding]:
    """Tables whose newest fact is older than usual; of which that is not known, none.

    Args:
        workspace: whose lake.
        now: as for `watch`.
        is_open: as for `watch`.
        waiting: as for `watch`.
    """
    found = []
    accepted = accepted_in(workspace)
    told = freshness.report(workspace, now, is_open, waiting)
    if is_open is None and any(table.standing == "stale" for table in told.tables):
        # Perhaps a holiday; calendars are slow to load, so only now.
        is_open = _calendar(workspace)
        told = freshness.report(workspace, now, is_open, waiting)
    pauses = rhythm.long_pauses(workspace)
    for table in told.tables:
        rules = rules_of(workspace, table.table)
        if table.standing != "stale" or MonitorKind.FRESHNESS in rules.off:
            continue
        if table.newest is None or table.usual is None:
            continue
        said = workspace.mapping.tables.get(table.table)
        delay = said.delay_days if said else 0
        seldom = table.usual - delay >= 1
        if seldom and table.behind <= 3 * table.usual + freshness.UNKNOWN:
            continue  # what comes now and then often pauses longer than nine of ten times
        if table.behind - delay <= _seen(pauses.get(table.table), is_open or weekday):
            continue
        right = accepted.get((table.table, MonitorKind.FRESHNESS, ""))
        if right is not None and table.newest <= right.until:
            continue  # somebody said that it ends there
        found.append(
            Finding(
                table.table, MonitorKind.FRESHNESS, "", table.newest, table.newest,
                float(table.behind), float(table.usual), 0, 0.0, *source_of(workspace, table.table),
            )
        )  # fmt: skip
    return found


def _seen(pauses: Sequence[tuple[date, date]] | None, is_open: IsOpen) -> float:
    """Trading days without a fact that were seen before, one more where not every day has one.

    The second longest pause counts: the longest may have been a fault. Of tables with too few
    pauses nobody can say what is usual, and nothing is late.
    """
    if pauses is None:
        return math.inf
    second = sorted(count_open(a, b, is_open) for a, b in pauses)[-2]
    return 0 if second <= 1 else second


def _calendar(workspace: Workspace) -> IsOpen:
    """The trading days of the exchange of the workspace's time zone, as far as they are known."""
    from keepwell.core.calendars import exchange_code, load_exchange

    exchange = load_exchange(exchange_code("", workspace.zone))
    if exchange is None:
        return weekday
    return lambda day: weekday(day) and not exchange.is_holiday(day)


def _finding(table: str, source: str, owner: str, word: Unusual) -> Finding:
    return Finding(
        table, word.kind, word.column, to_date(word.since), to_date(word.until), word.value,
        word.usual, word.rows, word.factor, source, owner,
    )  # fmt: skip


def _key(
    workspace: Workspace, manifest: Manifest, today: Today,
    accepted: Mapping[Place, Accepted],
) -> str:  # fmt: skip
    """Digest of everything that decides what the profiles say."""
    mapping = workspace.mapping
    content = {
        "format": FORMAT, "today": today.day.isoformat(), "zone": mapping.timezone,
        "versions": {
            name: [state.version, state.coverage] for name, state in manifest.tables.items()
        },
        "rules": mapping.monitors.model_dump(mode="json"),
        "tables": {
            name: said.monitors.model_dump(mode="json", exclude_unset=True)
            for name, said in mapping.tables.items()
        },
        "accepted": [[*map(str, at), said.since.isoformat(), said.until.isoformat()]
                     for at, said in sorted(accepted.items())],
        "sources": {name: source_of(workspace, name) for name in manifest.tables},
    }  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _kept(workspace: Workspace, key: str) -> tuple[tuple[Looked, ...], tuple[Finding, ...]] | None:
    try:
        raw: dict[str, Any] = json.loads(
            (workspace.state / "monitors" / FILE_NAME).read_text(encoding="utf-8")
        )
        if raw["key"] != key:
            return None
        looked = tuple(Looked(**one) for one in raw["tables"])
        return looked, tuple(finding_from(one) for one in raw["findings"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def last_findings(workspace: Workspace) -> tuple[Finding, ...]:
    """What the last watch found in the rows, whichever manifest it looked at."""
    try:
        raw: dict[str, Any] = json.loads(
            (workspace.state / "monitors" / FILE_NAME).read_text(encoding="utf-8")
        )
        return tuple(finding_from(one) for one in raw["findings"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _keep(
    workspace: Workspace, key: str, manifest: Manifest, today: Today,
    looked: tuple[Looked, ...], findings: tuple[Finding, ...],
) -> None:  # fmt: skip
    content = {
        "key": key, "manifest": manifest.id, "today": today.day.isoformat(),
        "tables": [asdict(one) for one in looked],
        "findings": [finding_to(one) for one in findings],
    }  # fmt: skip
    with suppress(OSError):
        folder = workspace.state / "monitors"
        folder.mkdir(exist_ok=True)
        atomic_write(folder / FILE_NAME, json.dumps(content, indent=1) + "\n")


__all__ = [
    "Looked",
    "Watched",
    "last_findings",
    "late",
    "source_of",
    "watch",
]
