"""The value of all clients as files: value.parquet for programs, value.csv for a spreadsheet."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.files import atomic_write
from keepwell.core.money import minor_exponent
from keepwell.learn.report.risk_files import inert
from keepwell.learn.value.book import ValueBook
from keepwell.learn.value.margin import Line
from keepwell.learn.value.survival import Array

_MONEY: Final = (*(f"{line}_minor" for line in Line), "margin_minor", "value_minor",
                 "value_low_minor", "value_high_minor", "value_if_kept_minor",
                 "at_stake_minor")  # fmt: skip

VALUE_SCHEMA: Final = pa.schema(
    [
        pa.field("client", pa.string(), nullable=False),
        pa.field("manager", pa.string()),
        pa.field("segment", pa.string()),
        pa.field("tier", pa.string()),  # null = not scored
        pa.field("probability", pa.float64()),  # of leaving within the model's horizon
        # Minor units of `currency`, the lines and their sum a year; null = not known.
        *(pa.field(name, pa.int64()) for name in _MONEY),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("not_valued", pa.string()),  # why: closed, unfunded, new, margin
    ]
)
"""Columns of value.parquet; value.csv has the same, its money in major units without `_minor`."""


def value_table(book: ValueBook) -> pa.Table:
    """Every client, the most at stake first, clients without a value last by id.

    Args:
        book: of `value_book`.
    """
    n = len(book.ranking.clients)
    low, high = book.values.interval()
    unknown = np.full(n, np.nan)
    valued = book.valued
    money: dict[str, Array] = {
        **{f"{line}_minor": book.margins.lines.get(line, unknown) for line in Line},
        "margin_minor": book.margins.total,
        "value_minor": book.values.value,
        "value_low_minor": low,
        "value_high_minor": high,
        "value_if_kept_minor": np.where(valued, book.values.kept, np.nan),
        "at_stake_minor": book.values.at_stake,
    }
    columns: dict[str, Any] = {
        "client": book.ranking.clients,
        "manager": book.ranking.manager,
        "segment": list(book.margins.segment),
        "tier": book.ranking.tiers(),
        "probability": _known(book.ranking.probability),
        **{name: _known(np.rint(values), pa.int64()) for name, values in money.items()},
        "currency": [book.rates.currency] * n,
        "not_valued": book.why_not(),
    }
    order = np.concatenate([book.order(), np.flatnonzero(~valued)])
    return pa.table({name: columns[name] for name in VALUE_SCHEMA.names}, VALUE_SCHEMA).take(
        pa.array(order)
    )


def _known(values: Array, kind: pa.DataType | None = None) -> pa.Array:
    missing = np.isnan(values)
    made = pa.array(np.where(missing, 0.0, values), mask=missing)
    return made if kind is None else made.cast(kind)


def write_value(folder: Path, book: ValueBook) -> tuple[Path, Path]:
    """Write value.csv and value.parquet, each whole or not at all.

    Args:
        folder: where; it exists.
        book: of `value_book`.

    Returns:
        Their paths.
    """
    table = value_table(book)
    facts = {
        "keepwell.as_of": book.as_of.isoformat(),
        "keepwell.model": book.version,
        "keepwell.months": str(book.rates.months),
        "keepwell.discount_rate": str(book.rates.discount),
        "keepwell.after": "constant" if book.rates.constant_hazard else "observed",
        "keepwell.doubt": book.values.doubt.source,
        "keepwell.yours": ",".join(sorted(book.rates.yours)),
    }
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(facts), sink, compression="zstd")
    typed, plain = folder / "value.parquet", folder / "value.csv"
    atomic_write(typed, sink.getvalue())
    atomic_write(plain, _csv(table, minor_exponent(book.rates.currency)).encode("utf-8-sig"))
    return plain, typed


def _csv(table: pa.Table, exponent: int) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names = table.column_names
    writer.writerow([name.removesuffix("_minor") for name in names])
    for batch in table.to_batches(max_chunksize=20_000):
        for row in batch.to_pylist():
            writer.writerow([_cell(name, row[name], exponent) for name in names])
    return text.getvalue()


def _cell(name: str, value: Any, exponent: int) -> str:
    if value is None:
        return ""
    if name in _MONEY:
        return str(Decimal(value).scaleb(-exponent))
    return f"{value:.4f}" if name == "probability" else inert(str(value))
