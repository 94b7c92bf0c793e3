"""Synthetic contract-shaped events for the indicator benchmark, and a lake that reads them.

Activity is heavy-tailed and bursty: each client acts on a pool of days of its own, a quarter of
the clients stop at some point. Everything is known when it happens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import day_number
from keepwell.observe.manifest import Manifest, TableState

START = date(2024, 1, 1)
DAYS = 730
AS_OF = date(2025, 12, 1)
ZONE = ZoneInfo("Asia/Shanghai")
TABLES = ("trade", "session", "cash_flow")
_SHARES = {"trade": 100.0, "session": 100.0, "cash_flow": 20.0}  # events per client
_SHAPES = {"trade": (1.3, 60, 1), "session": (1.1, 90, 2), "cash_flow": (1.0, 15, 3)}
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BenchLake:
    """Reads generated Parquet as a lake of one version.

    Attributes:
        root: the folder with one sub-folder per table.
    """

    root: Path

    def manifest(self) -> Manifest:
        """The one manifest."""
        rows = json.loads((self.root / "rows.json").read_text())
        first = datetime.combine(START, datetime.min.time(), UTC)
        last = first + timedelta(days=DAYS)
        day = day_number(START)
        states = {
            name: TableState(0, rows[name], first, last, last, coverage=((day, day + DAYS),))
            for name in TABLES
        }
        return Manifest(1, last, states)

    def added_files(self, table: str, old_version: int, new_version: int) -> list[str]:
        """Nothing is ever added."""
        raise NotImplementedError(f"{table} {old_version} {new_version}: one version only")

    def connect(self, manifest: Manifest | None = None) -> duckdb.DuckDBPyConnection:
        """DuckDB with a view per table."""
        assert manifest is None or manifest.id == 1
        connection = duckdb.connect(config={"memory_limit": "2GB"})
        connection.execute("SET TimeZone = 'UTC'")
        for name in TABLES:
            connection.execute(
                f'CREATE VIEW "{name}" AS SELECT *, "at" AS known_at, 0 AS revision, '
                "CAST(NULL AS TIMESTAMPTZ) AS gone_at "
                f"FROM read_parquet('{self.root}/{name}/*.parquet')"
            )
        return connection


def workspace(work: Path) -> Any:
    """What the engine needs of a workspace."""
    return SimpleNamespace(
        zone=ZONE, currency="CNY", lake=BenchLake(work / "data"), tiles=work / "tiles",
        mapping=SimpleNamespace(market=None),
    )  # fmt: skip


def generate(root: Path, clients: int) -> None:
    """Write the events of `clients` clients unless they are there already."""
    done = root / "rows.json"
    if done.exists() and json.loads(done.read_text())["clients"] == clients:
        return
    rng = np.random.default_rng(7)
    end = np.where(rng.random(clients) < 0.25, rng.integers(90, DAYS, clients), DAYS)
    start = np.where(rng.random(clients) < 0.3, rng.random(clients) * 0.6 * end, 0.0)
    rows = {"clients": clients}
    for name in TABLES:
        rows[name] = _table(root / name, name, clients, start, end.astype(np.float64))
    done.write_text(json.dumps(rows))


def _table(
    folder: Path, name: str, clients: int, start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
) -> int:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    sigma, pool_mean, seed = _SHAPES[name]
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, sigma, clients) * (end - start) / DAYS
    wanted = _SHARES[name] * clients
    counts = np.floor(weight / weight.sum() * wanted + rng.random(clients)).astype(np.int64)
    who = np.repeat(np.arange(clients), counts)
    pool = np.maximum(1, rng.poisson(pool_mean, clients) * np.minimum(1, counts / pool_mean))
    slot = np.floor(rng.random(len(who)) * pool[who]).astype(np.int64)
    mixed = (who * 40503 + slot * 2654435761 + seed * 97) * 6364136223846793005
    spread = (mixed & 0x7FFFFFFFFFFFFFFF) / 2.0**63
    day = np.floor(start[who] + spread * (end - start)[who]).astype(np.int64)
    second = (rng.beta(3, 3, len(who)) * 86399).astype(np.int64)
    at = (day_number(START) + day) * 86400 + second
    order = np.argsort(at, kind="stable")
    at, who = at[order], who[order]
    ids = pa.array([f"c{i:07d}" for i in range(clients)])
    month = np.searchsorted(at, [86400 * (day_number(START) + 31 * m) for m in range(1, 24)])
    for part, (low, high) in enumerate(zip([0, *month], [*month, len(at)], strict=True)):
        columns = {
            f"{name}_id": pa.array(np.arange(low, high)).cast(pa.string()),
            "client_id": ids.take(pa.array(who[low:high])),
            # noon in the exchange's zone is 04:00 UTC; the events' hours are the exchange's
            "at": pa.array((at[low:high] - 8 * 3600) * 1_000_000, pa.timestamp("us", "UTC")),
            **_columns(name, rng, int(high - low)),
        }
        pq.write_table(
            pa.table(columns), folder / f"{part:02d}.parquet", compression="zstd",
            row_group_size=500_000, use_dictionary=[k for k in columns if k.endswith(
                ("side", "channel", "kind", "instrument_id", "currency"))],
        )  # fmt: skip
    return len(at)


def _columns(name: str, rng: np.random.Generator, n: int) -> dict[str, pa.Array]:
    def pick(values: list[str | None], share: list[float]) -> pa.Array:
        return pa.array(values).take(pa.array(rng.choice(len(values), n, p=share)))

    if name == "trade":
        amount = np.round(np.exp(rng.normal(11.5, 1.4, n))).astype(np.int64)
        instruments = pa.array([f"{600000 + i}.SH" for i in range(5000)])
        return {
            "instrument_id": instruments.take(pa.array(rng.integers(0, 5000, n))),
            "side": pick(["buy", "sell"], [0.52, 0.48]),
            "amount": pa.array(amount),
            "commission": pa.array(np.maximum(5, amount // 1000)),
            "quantity": pa.nulls(n, pa.int64()),
        }
    if name == "session":
        return {
            "channel": pick(["app", "web", "terminal"], [0.7, 0.2, 0.1]),
            "seconds": pa.array(rng.exponential(180, n).astype(np.int64) + 1),
            "pages": pa.array(rng.poisson(6, n).astype(np.int64)),
            "errors": pa.array(rng.poisson(0.1, n).astype(np.int64)),
            "latency_ms": pa.array(rng.integers(20, 900, n)),
        }
    return {
        "kind": pick(["deposit", "withdrawal"], [0.55, 0.45]),
        "amount": pa.array(np.round(np.exp(rng.normal(12.5, 1.5, n))).astype(np.int64)),
        "failure_reason": pa.nulls(n, pa.string()),
    }
