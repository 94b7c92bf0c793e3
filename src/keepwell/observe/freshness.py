"""How fresh the lake is, table by table, and if one is stale: why, so that somebody can mend it.

Newest fact, usual rhythm, files and the last ingest are compared; nothing is read whole. What is
usual is learned from the table itself: how many trading days mostly lie between two days with
facts. A night's delivery has until nine in the morning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from keepwell.core.days import local_day, to_date
from keepwell.core.errors import KeepwellError
from keepwell.observe import attempts, lake_view
from keepwell.observe.attempts import Attempt
from keepwell.observe.contract import TABLES
from keepwell.observe.folders import spotted
from keepwell.observe.lake_view import Held
from keepwell.observe.manifest import Manifest, TableState
from keepwell.observe.quarantine_view import OpenRows, open_rows
from keepwell.observe.rhythm import IsOpen, count_open, known, weekday
from keepwell.observe.select import sources_of
from keepwell.observe.today import Today, today_of

if TYPE_CHECKING:
    from keepwell.observe.workspace import Workspace

UNKNOWN: Final = 5
"""Trading days that a table may be behind while its rhythm is not known."""

SELDOM: Final = ("first_purchase", "outage")
"""Tables that are about the past, or of which no news is good news: not judged by their age."""

WORDS: Final[dict[str, str]] = {
    "never-read": "Nothing of it was ever read in.",
    "file-missing": "There is no file {path}.",
    "file-empty": "The file {path} is empty.",
    "ingest-failed": "The last ingest, {at}, failed: {why}",
    "files-end": "No file of a later day has come (last: {day}; trading days since: {n}).",
    "file-waiting": "A file that came {at} has not been read in yet: {path}.",
    "file-old": "No new file since {at}: {path}.",
    "file-without-news": "The newest file, of {at}, was read in and holds nothing after {day}.",
    "events-silent": "It comes as events, and none came since {at}.",
    "events-behind": "Batches of events that wait for the lake: {n}, the oldest since {at}.",
    "quarantined": "Rows in quarantine, missing here until they are mended: {n}.",
    "coverage-over": "Declared complete only up to {day}; what came later counts as unknown.",
}
"""Why a table is stale or incomplete, in English; fields in braces."""

TITLES: Final[dict[str, str]] = {
    "never-read": "Never read in",
    "file-missing": "File missing",
    "file-empty": "File empty",
    "ingest-failed": "Ingest failed",
    "files-end": "No files of later days",
    "file-waiting": "New file not read in",
    "file-old": "No new file",
    "file-without-news": "New file without new facts",
    "events-silent": "No events come",
    "events-behind": "Events wait for the lake",
    "quarantined": "Rows in quarantine",
    "coverage-over": "Declared coverage is over",
}
"""The same in two or three words."""

REMEDIES: Final[dict[str, str]] = {
    "never-read": "Ask your administrator to run keepwell ingest.",
    "file-missing": (
        "Ask whoever delivers it; or have your administrator correct the path in keepwell.yaml."
    ),
    "file-empty": "Ask whoever delivers it to send it again.",
    "ingest-failed": (
        "Have what the message names mended, then ask your administrator to run keepwell ingest "
        "again. The data are as they were before."
    ),
    "files-end": "Ask whoever delivers it for the files of the days since.",
    "file-waiting": (
        "Ask your administrator to run keepwell ingest and, if it should run by itself, to see "
        "why it did not."
    ),
    "file-old": "Ask whoever delivers it why nothing comes.",
    "file-without-news": "Ask whoever delivers it whether the export still takes in new days.",
    "events-silent": "Ask your administrator to look at the program that sends them.",
    "events-behind": (
        "They are brought in every minute: ask your administrator whether keepwell worker runs."
    ),
    "quarantined": (
        "Have the source corrected, then ask your administrator to run keepwell quarantine retry."
    ),
    "coverage-over": (
        "If the source goes on, ask your administrator to extend covers in keepwell.yaml."
    ),
}
"""What to do about it, in English."""

HARD: Final = ("never-read", "file-missing", "file-empty", "ingest-failed", "file-waiting")
"""Causes that need somebody even while the newest fact is young enough."""

Standing = Literal["stale", "trouble", "fresh", "undated"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a table is stale or incomplete.

    Attributes:
        code: a key of `WORDS`, `TITLES` and `REMEDIES`.
        fields: what its words name: text, numbers, days, instants.
    """

    code: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Batches of events that are not in the lake yet, of one table.

    Attributes:
        batches: how many.
        oldest: when the oldest was acknowledged.
    """

    batches: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one source.

    Attributes:
        name: of the source.
        paths: files and globs as the mapping names them.
        format: the connector's name, or the files' suffix.
        count: how many there are.
        size: their bytes.
        newest: when the latest was written (UTC).
        newest_file: which one that is, relative to keepwell.yaml.
        fault: code of a cause when they cannot be read: 'file-missing' or 'file-empty'.
        at_fault: the path concerned.
        last_day: the latest day in the names of its files, where they say one.
    """

    name: str
    paths: tuple[str, ...]
    format: str
    count: int = 0
    size: int = 0
    newest: datetime | None = None
    newest_file: str = ""
    fault: str = ""
    at_fault: str = ""
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """One contract table as it stands.

    Attributes:
        table: its name.
        sources: files that it is made of; () when it comes as events only.
        state: what the manifest says of it; None when it is mapped and was never read in.
        held: what it has on disk.
        newest: local day of its newest fact; None for tables without a clock, or without rows.
        behind: trading days after `newest` that are over and have no fact.
        usual: as many are usual; None while that is not known.
        covers: declared spans [first day, last day]; None is open.
        read_at: when an ingest last read it or found it unchanged (UTC).
        manifest: number of the manifest that brought its newest rows, if it is among the latest.
        quarantined: open rows in quarantine.
        standing: 'stale': the newest fact is older than usual; 'trouble': young enough, but
            something needs somebody; 'undated': it has no clock or news are seldom, and nothing
            is wrong.
        causes: why.
    """

    table: str
    sources: tuple[Files, ...]
    state: TableState | None
    held: Held | None = None
    newest: date | None = None
    behind: int = 0
    usual: int | None = None
    covers: tuple[tuple[date, date | None], ...] = ()
    read_at: datetime | None = None
    manifest: int | None = None
    quarantined: int = 0
    standing: Standing = "fresh"
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The lake of a workspace as it stands.

    Attributes:
        manifest: the newest; None when nothing was published yet.
        attempt: the last ingest that was tried, if any is noted.
        tables: mapped tables and those of the lake, in the contract's order.
        quarantine: open rows of the quarantine.
        today: the day as of which it was judged.
    """

    manifest: Manifest | None
    attempt: Attempt | None
    tables: tuple[Freshness, ...]
    quarantine: OpenRows
    today: Today


def report(
    workspace: Workspace,
    now: datetime,
    is_open: IsOpen | None = None,
    waiting: dict[str, Waiting] | None = None,
) -> Report:
    """How fresh every table is, and why not.

    Args:
        workspace: whose lake.
        now: the instant.
        is_open: whether the exchange trades on a day; default: Monday to Friday.
        waiting: batches of events that are not in the lake yet, by table.
    """
    lake = workspace.lake
    manifest = lake.manifest()
    kept = open_rows(lake, manifest.quarantine if manifest else None)
    today = today_of(workspace, now)
    look = _Look(
        workspace, manifest, today.day, is_open or weekday, waiting or {}, kept,
        attempts.last(workspace), files(workspace), known(workspace),
    )  # fmt: skip
    names = [
        name
        for name in TABLES
        if name in workspace.mapping.tables or (manifest and name in manifest.tables)
    ]
    return Report(manifest, look.attempt, tuple(look.table(name) for name in names), kept, today)


@dataclass(frozen=True, slots=True)
class _Look:
    workspace: Workspace
    manifest: Manifest | None
    today: date
    is_open: IsOpen
    waiting: dict[str, Waiting]
    kept: OpenRows
    attempt: Attempt | None
    files: dict[str, Files]
    rhythms: dict[str, int]

    def table(self, name: str) -> Freshness:
        state = self.manifest.tables.get(name) if self.manifest else None
        sources = tuple(self.files[source] for source in self._sources(name))
        found = Freshness(
            name, sources, state, quarantined=self._quarantined(name, sources),
            read_at=self.attempt.read.get(name) if self.attempt else None,
        )  # fmt: skip
        if state is not None and self.manifest is not None:
            lake = self.workspace.lake
            found = replace(
                found, held=lake_view.held(lake, name, state.version),
                manifest=lake_view.since(lake, self.manifest, name),
                covers=tuple(
                    (to_date(a), None if b is None else to_date(b - 1)) for a, b in state.coverage
                ),
            )  # fmt: skip
            found = self._dated(found, state)
        late = name not in SELDOM and found.behind > (
            UNKNOWN if found.usual is None else found.usual
        )
        causes = tuple(self._causes(found, late))
        standing: Standing = "fresh" if found.newest and name not in SELDOM else "undated"
        if late:
            standing = "stale"
        elif any(cause.code in HARD for cause in causes):
            standing = "trouble"
        return replace(found, causes=causes, standing=standing)

    def _sources(self, name: str) -> tuple[str, ...]:
        return sources_by_table(self.workspace, name)

    def _quarantined(self, name: str, sources: Sequence[Files]) -> int:
        before = sum(self.kept.of_source(source.name) for source in sources)
        return self.kept.of_table(name) + before

    def _dated(self, found: Freshness, state: TableState) -> Freshness:
        newest = _day(state.last, self.workspace)
        if newest is None:
            return found
        said = self.workspace.mapping.tables.get(found.table)
        gap = self.rhythms.get(found.table)
        usual = None if gap is None else gap - 1 + (said.delay_days if said else 0)
        behind = count_open(newest + timedelta(days=1), self.today, self.is_open)
        return replace(found, newest=newest, behind=behind, usual=usual)

    def _causes(self, found: Freshness, late: bool) -> list[Cause]:
        causes = [
            Cause(source.fault, {"path": source.at_fault})
            for source in found.sources
            if source.fault
        ]
        attempt = self.attempt
        mapped = found.table in self.workspace.mapping.tables
        if attempt and attempt.error and mapped and attempt.concerns(found.table):
            causes.append(Cause("ingest-failed", {"at": attempt.at, "why": attempt}))
        if found.state is None:
            return causes or [Cause("never-read")]
        causes += self._of_files(found, late) if found.sources else self._of_events(found, late)
        behind = self.waiting.get(found.table)
        if behind is not None:
            causes.append(Cause("events-behind", {"n": behind.batches, "at": behind.oldest}))
        if found.quarantined:
            causes.append(Cause("quarantined", {"n": found.quarantined}))
        last = found.covers[-1][1] if found.covers else None
        if found.covers and last is not None and last < self.today and (late or not found.newest):
            causes.append(Cause("coverage-over", {"day": last}))
        return causes

    def _of_files(self, found: Freshness, late: bool) -> list[Cause]:
        assert found.held is not None
        dated = [source for source in found.sources if source.newest is not None]
        if not dated:
            return []
        newest = max(dated, key=lambda source: source.newest or _NEVER)
        came = newest.newest
        assert came is not None
        read = found.read_at or found.held.written_at
        named = {"at": came, "path": newest.newest_file}
        ended = self._ended(dated, found) if late else []
        if read is not None and came > read:
            return [*ended, Cause("file-waiting", named)]
        if not late or found.newest is None:
            return []
        if ended:
            return ended
        local = to_date(local_day(came, self.workspace.zone))
        unopened = count_open(local, self.today, self.is_open)
        if unopened > (UNKNOWN if found.usual is None else found.usual) + 1:
            return [Cause("file-old", named)]
        return [Cause("file-without-news", {"at": came, "day": found.newest})]

    def _ended(self, dated: Sequence[Files], found: Freshness) -> list[Cause]:
        """That the files themselves end: an old file that came again must not hide it."""
        days = [source.last_day for source in dated if source.last_day is not None]
        if len(days) < len(dated):
            return []
        since = count_open(max(days) + timedelta(days=1), self.today, self.is_open)
        if since <= (UNKNOWN if found.usual is None else found.usual):
            return []
        return [Cause("files-end", {"day": max(days), "n": since})]

    def _of_events(self, found: Freshness, late: bool) -> list[Cause]:
        if not late or found.held is None or found.held.written_at is None:
            return []
        return [Cause("events-silent", {"at": found.held.written_at})]


_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def files(workspace: Workspace) -> dict[str, Files]:
    """The files of every source.

    Args:
        workspace: whose.
    """
    return {name: _files(workspace, name) for name in workspace.mapping.sources}


def _files(workspace: Workspace, name: str) -> Files:
    source = workspace.mapping.sources[name]
    suffix = Path(source.paths[0]).suffix.removeprefix(".") if source.paths else ""
    found = Files(name, tuple(source.paths), source.format or suffix)
    for path in source.paths:
        spot = spotted(workspace.root, path)
        if spot.count == 0 or spot.empty:
            fault = "file-empty" if spot.empty else "file-missing"
            return replace(found, fault=fault, at_fault=spot.empty or path)
        newest = datetime.fromtimestamp(spot.newest, UTC)
        found = replace(found, count=found.count + spot.count, size=found.size + spot.size)
        named = _named(spot.last_day)
        if named is not None and (found.last_day is None or named > found.last_day):
            found = replace(found, last_day=named)
        if found.newest is None or newest > found.newest:
            found = replace(found, newest=newest, newest_file=spot.newest_file)
    return found


def _named(day: str) -> date | None:
    try:
        return date.fromisoformat(day) if day else None
    except ValueError:
        return None  # such as 31 February: a number that looks like a day


def sources_by_table(workspace: Workspace, table: str) -> tuple[str, ...]:
    """Names of the sources that a table is made of; () for one that no select fills."""
    said = workspace.mapping.tables.get(table)
    return _read_by(workspace, table, said.sql) if said else ()


def _read_by(workspace: Workspace, table: str, sql: str) -> tuple[str, ...]:
    named = [n for n in workspace.mapping.sources if n.lower() in _words(sql)]
    # A select reads one source at least; only where several are named must it be taken apart.
    return tuple(named) if len(named) == 1 else _parsed(_Asked(workspace, table, sql))


@lru_cache(maxsize=500)
def _words(sql: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", sql.lower()))


@dataclass(frozen=True, slots=True)
class _Asked:
    workspace: Workspace = field(compare=False)
    table: str
    sql: str


@lru_cache(maxsize=500)
def _parsed(asked: _Asked) -> tuple[str, ...]:
    try:
        return tuple(sources_of(asked.workspace.mapping, [asked.table]))
    except KeepwellError:
        return ()  # a select that cannot be read is the ingest's to report


def _day(moment: date | datetime | None, workspace: Workspace) -> date | None:
    if isinstance(moment, datetime):
        return to_date(local_day(moment, workspace.zone))
    return moment


__all__ = [
    "HARD",
    "REMEDIES",
    "TITLES",
    "WORDS",
    "Cause",
    "Files",
    "Freshness",
    "Report",
    "Waiting",
    "files",
    "report",
    "sources_by_table",
]
