"""A small broker whose first exports are good and in the lake; each test then breaks something."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keepwell.core.errors import KeepwellError
from keepwell.observe.ingest import IngestReport, ingest
from keepwell.observe.lake import Lake
from keepwell.observe.quarantine import entries
from keepwell.observe.workspace import Workspace

NOW = datetime(2024, 6, 1, 4, 0, tzinfo=UTC)

MAPPING = """\
version: 1
name: broken
timezone: Asia/Shanghai
currency: CNY
sources:
  trades:
    path: trades.csv
    encoding: gbk
    columns:
      成交时间: {type: instant, timezone: Asia/Shanghai}
      数量: decimal
      金额: decimal
  clients: {path: clients.csv, columns: {opened: date}}
  holdings: {path: holdings.parquet}
tables:
  trade:
    sql: |
      select 成交编号 as trade_id, 客户号 as client_id, 成交时间 as at, 证券代码 as instrument_id,
        方向 as side, 数量 as quantity, 金额 as amount
      from trades
    covers: [["2024-01-01", null]]
  client:
    sql: select id as client_id, opened as valid_from, opened as opened_on from clients
  holding:
    sql: select client_id, day, instrument_id, quantity from holdings
    covers: [["2024-01-01", null]]
"""
HEADER = "成交编号,客户号,成交时间,证券代码,方向,数量,金额"
KEYS = {"trade": "trade_id", "client": "client_id", "holding": "client_id, day"}
GOOD = [
    "T1,C1,2024-01-02 10:00:00,600000,buy,100,1050.00",
    "T2,C1,2024-02-02 10:00:00,600000,sell,40,420.50",
    "T3,C2,2024-03-01 09:30:00,000001,buy,10,99.99",
]


@dataclass
class Broker:
    """A workspace with a good first ingest."""

    folder: Path

    def write(self, file: str, content: str | bytes, encoding: str = "utf-8") -> None:
        data = content if isinstance(content, bytes) else content.encode(encoding)
        (self.folder / file).write_bytes(data)

    def trades(self, *rows: str, header: str = HEADER, keep: bool = True) -> None:
        """Write the trades' export: the good rows (unless not `keep`) and others."""
        lines = [header, *(GOOD if keep else []), *rows]
        self.write("trades.csv", "\n".join(lines) + "\n", "gbk")

    def mapping(self, old: str, new: str) -> None:
        """Change the mapping's text in one place."""
        text = (self.folder / "keepwell.yaml").read_text("utf-8")
        assert text.count(old) == 1
        self.write("keepwell.yaml", text.replace(old, new))

    def open(self) -> Workspace:
        return Workspace.open(self.folder)

    def ingest(self) -> IngestReport:
        return ingest(self.open(), now=NOW)

    def key_list(self, table: str = "trade") -> list[tuple[object, ...]]:
        """The keys of a table's rows in the lake, sorted."""
        return self.all_keys()[table]

    def all_keys(self) -> dict[str, list[tuple[object, ...]]]:
        with _lake(self.folder).connect(threads=1) as engine:
            return {
                table: engine.execute(f"select {key} from {table} order by all").fetchall()
                for table, key in KEYS.items()
            }

    def state(self) -> dict[str, object]:
        """All that a reader of the lake can see."""
        manifest = _lake(self.folder).manifest()
        assert manifest is not None
        return {"manifest": manifest.id, "aside": len(self.quarantined()), **self.all_keys()}

    def quarantined(self) -> list[dict[str, object]]:
        found = entries(_lake(self.folder)).to_pylist()
        for entry in found:
            entry["detail"] = json.loads(entry["detail"] or "{}")
        return found

    def refused(self) -> KeepwellError:
        """Ingest, which must raise, and must leave the lake as it was."""
        before = self.state()
        with pytest.raises(KeepwellError) as caught:
            self.ingest()
        assert self.state() == before
        for locale in ("en", "zh"):
            assert "{" not in caught.value.words(locale)
        return caught.value

    def one_reject(self, reason: str, column: str | None = None) -> dict[str, object]:
        """Ingest, which must set one row aside for one reason and take the rest."""
        report = self.ingest()
        assert report.quarantined == 1
        (entry,) = self.quarantined()
        assert entry["reason"] == reason
        assert entry["column"] == column
        return entry


def _lake(folder: Path) -> Lake:
    # Not through the workspace: its mapping may be what is broken.
    return Lake(folder / ".keepwell" / "lake")


@pytest.fixture(scope="session")
def first_ingest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broker")
    broker = Broker(folder)
    broker.write("keepwell.yaml", MAPPING)
    broker.trades()
    broker.write("clients.csv", "id,opened\nC1,2020-05-01\nC2,2024-02-01\n")
    holdings = pa.table(
        {
            "client_id": ["C1", "C2"],
            "day": pa.array([19783, 19783], pa.int32()).cast(pa.date32()),
            "instrument_id": ["600000", "000001"],
            "quantity": [60.0, 10.0],
        }
    )
    pq.write_table(holdings, folder / "holdings.parquet")
    report = broker.ingest()
    assert report.quarantined == 0
    return folder


@pytest.fixture
def broker(first_ingest: Path, tmp_path: Path) -> Broker:
    shutil.copytree(first_ingest, tmp_path / "ws")
    return Broker(tmp_path / "ws")
