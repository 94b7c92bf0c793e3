"""A broken input, the workspaces it is given to, and what must come of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keepwell.core.errors import KeepwellError
from keepwell.observe.ingest import IngestReport, ingest
from keepwell.observe.lake import Lake
from keepwell.observe.quarantine import entries, words
from keepwell.observe.staging import SourceReport, TableReport
from keepwell.observe.workspace import Workspace

NOW = datetime(2024, 6, 1, 4, 0, tzinfo=UTC)
NAMES = ("trade_id", "client_id", "at", "instrument_id", "side", "quantity", "amount")
HEADER = ",".join(NAMES)
TYPED = (
    "columns: {at: {type: instant, timezone: Asia/Shanghai}, quantity: decimal, amount: decimal}"
)
MAPPING = """\
version: 1
name: broken
timezone: Asia/Shanghai
currency: CNY
sources:
  s:
    path: {path}
    {said}
tables:
  trade:
    sql: select trade_id, client_id, "at", instrument_id, side, quantity, amount from s
    covers: [["1950-01-01", null]]
"""


@dataclass(frozen=True)
class Broken:
    """One broken file of trades.

    Attributes:
        name: what is wrong with it.
        file: its name, whose suffix chooses the connector.
        data: its bytes.
        refused: codes of which one must refuse it; () when it must be taken.
        kept: trade_id -> amount in fen of each row that must be in the lake.
        aside: trade_id of each row that must be set aside, with reasons of which one is given.
        repeats: rows that say again what another says.
        said: further keys of the source.
    """

    name: str
    file: str
    data: bytes
    refused: Sequence[str] = ()
    kept: dict[str, int] = field(default_factory=dict)
    aside: Sequence[tuple[str, Sequence[str]]] = ()
    repeats: int = 0
    said: str = TYPED

    @property
    def rows(self) -> int:
        """Its records."""
        return len(self.kept) + len(self.aside) + self.repeats


def good(*names: str) -> str:
    """Rows of CSV that nothing is wrong with."""
    return "".join(f"{name},C1,2024-01-02 10:00:00,600000,buy,100,10.50\n" for name in names)


def write_mapping(folder: Path, path: str, said: str = TYPED) -> None:
    text = MAPPING.format(path=json.dumps(path, ensure_ascii=False), said=said)
    (folder / "keepwell.yaml").write_text(text, "utf-8")


class Desk:
    """A workspace whose first file is good and in the lake; each further file may be refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "good.csv").write_text(f"{HEADER}\n{good('first')}", "utf-8")
        write_mapping(folder, "good.csv")
        self.ingest()

    def ingest(self, **more: Any) -> IngestReport:
        return ingest(Workspace.open(self.folder), now=NOW, **more)

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / ".keepwell" / "lake")

    def state(self) -> tuple[object, ...]:
        """What readers of the lake see, and what has been left lying about."""
        manifest = self.lake.manifest()
        assert manifest is not None
        staged = list((self.folder / ".keepwell" / "scan").iterdir())
        versions = {name: table.version for name, table in manifest.tables.items()}
        return manifest.id, versions, manifest.quarantine, staged

    def refused(self, path: str, said: str = TYPED, **more: Any) -> KeepwellError:
        """Ingest a source, which must be refused, and leave everything as it was."""
        write_mapping(self.folder, path, said)
        before = self.state()
        with pytest.raises(KeepwellError) as caught:
            self.ingest(**more)
        assert self.state() == before
        for locale in ("en", "zh"):
            told = caught.value.words(locale)
            assert "{" not in told.replace("{sheet: ...}", "")
            told.encode()
        return caught.value

    def either(self, file: str, data: bytes, said: str) -> None:
        """A file spoilt by chance: refused, or every row of it accounted for."""
        (self.folder / file).write_bytes(data)
        write_mapping(self.folder, file, said)
        before = self.state()
        try:
            report = self.ingest(accept=True)
        except KeepwellError:
            report = None
        if report is None:
            assert self.state() == before
            return
        account(report)
        judge_words(self.lake)

    def judge(self, case: Broken) -> None:
        """A file that must be refused is, by name, for the right reason."""
        (self.folder / case.file).write_bytes(case.data)
        error = self.refused(case.file, case.said)
        assert error.code in case.refused, f"{case.name}: {error}"
        assert case.file in str(error) or error.code == "source.format-unknown", case.name


def judge_taken(folder: Path, cases: Sequence[Broken]) -> None:
    """Files of one kind, read as one source: every row is in the lake, aside with words, or twice.

    Args:
        folder: where to make the workspace.
        cases: files of one suffix that say the same of their source.
    """
    suffix = Path(cases[0].file).suffix
    (folder / "in").mkdir(parents=True)
    for number, case in enumerate(cases):
        (folder / "in" / f"{number:04d}{suffix}").write_bytes(case.data)
    write_mapping(folder, f"in/*{suffix}", cases[0].said)
    report = ingest(Workspace.open(folder), now=NOW)
    source, table = account(report)
    assert source.read == sum(case.rows for case in cases)
    assert table.ignored == sum(case.repeats for case in cases)
    assert report.quarantined == sum(len(case.aside) for case in cases)
    lake = Lake(folder / ".keepwell" / "lake")
    with lake.connect(threads=1) as engine:
        found = dict(engine.execute("select trade_id, amount from trade").fetchall())
    assert found == {key: fen for case in cases for key, fen in case.kept.items()}
    _judge_aside(lake, cases)


def account(report: IngestReport) -> tuple[SourceReport, TableReport]:
    """Each row read is in the lake, set aside, or a repeat."""
    (source,) = report.sources
    (table,) = report.tables
    assert table.read == source.read - source.rejected
    assert table.read == table.added + table.corrected + table.ignored + table.quarantined
    return source, table


def judge_words(lake: Lake) -> list[dict[str, Any]]:
    """Each entry of the quarantine says why, in both languages."""
    found: list[dict[str, Any]] = entries(lake).to_pylist()
    for entry in found:
        for locale in ("en", "zh"):
            told = words(entry["reason"], entry["detail"], locale)
            assert told != entry["reason"]
            assert "{" not in told.partition("'")[0]
    return found


def _judge_aside(lake: Lake, cases: Iterable[Broken]) -> None:
    by_row: dict[str, set[str]] = {}
    for entry in judge_words(lake):
        by_row.setdefault(entry["raw"], set()).add(entry["reason"])
    for case in cases:
        for key, reasons in case.aside:
            raws = [raw for raw in by_row if f'"{key}"' in raw or raw.startswith(key)]
            assert raws, f"{case.name}: {key} is nowhere"
            met = set().union(*(by_row[raw] for raw in raws))
            assert met & set(reasons), f"{case.name}: {key}: {met}"
