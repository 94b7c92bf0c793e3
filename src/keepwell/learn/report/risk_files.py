"""The ranking as files: risk.csv for people with a spreadsheet, risk.parquet for programs."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keepwell.core.errors import DataError
from keepwell.core.files import atomic_write
from keepwell.core.money import minor_exponent
from keepwell.core.text import current_locale, tr
from keepwell.learn.report.words import TIER_NAMES, UNSCORED

_REASON = pa.struct([("code", pa.string()), ("en", pa.string()), ("zh", pa.string())])

RISK_SCHEMA = pa.schema(
    [
        pa.field("client", pa.string(), nullable=False),
        pa.field("manager", pa.string()),
        pa.field("score", pa.float64()),  # 0..100; null = not scored
        pa.field("tier", pa.string()),  # severe, moderate, mild, none; null = not scored
        pa.field("probability", pa.float64()),  # 0..1
        pa.field("assets_minor", pa.int64()),  # minor units of `currency`; null = not valued
        pa.field("currency", pa.string()),
        pa.field("coverage", pa.float64()),  # share of indicators that could be computed
        pa.field("not_scored", pa.string()),  # why there is no score: closed, unfunded, new
        pa.field("last_activity", pa.date32()),
        pa.field("reasons", pa.list_(_REASON)),  # strongest first
    ]
)
"""Columns of `RiskTable.table` and of risk.parquet."""

CSV_COLUMNS = (
    "client",
    "manager",
    "score",
    "tier",
    "probability",
    "assets",
    "currency",
    "coverage",
    "coverage_note",
    "last_activity",
    "top_reasons",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class RiskTable:
    """The ranking of every client known at as_of, scored or not.

    Attributes:
        table: rows of `RISK_SCHEMA`, highest score first, clients without a score last.
        meta: facts written into risk.parquet, such as as_of, model and manifest.
    """

    table: pa.Table
    meta: dict[str, str]

    @classmethod
    def of(cls, columns: dict[str, Any], meta: dict[str, str] | None = None) -> RiskTable:
        """Build the table from arrays and put it in order.

        Args:
            columns: `RISK_SCHEMA` names to arrays or lists of one length.
            meta: facts about the run.

        Raises:
            DataError: a column is missing, unknown or of another type.
        """
        if set(columns) != set(RISK_SCHEMA.names):
            odd = ", ".join(sorted(set(columns) ^ set(RISK_SCHEMA.names)))
            raise DataError("risk.columns-wrong", detail=odd)
        try:
            table = pa.table({name: columns[name] for name in RISK_SCHEMA.names}, RISK_SCHEMA)
            table.validate(full=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError("risk.columns-wrong", detail=str(error)) from error
        if table.column("client").null_count:
            raise DataError("risk.columns-wrong", detail="client is null")
        order = pc.sort_indices(
            table,
            [
                ("score", "descending", "at_end"),
                ("probability", "descending", "at_end"),
                ("client", "ascending", "at_end"),
            ],
        )
        return cls(table.take(order), dict(meta or {}))


def write_risk_parquet(path: Path, risk: RiskTable) -> None:
    """Write risk.parquet, typed, whole or not at all.

    Args:
        path: the file; its folder must exist.
        risk: the ranking; its facts become the file's key-value metadata.
    """
    meta = {f"keepwell.{name}": value for name, value in risk.meta.items()}
    sink = io.BytesIO()
    pq.write_table(risk.table.replace_schema_metadata(meta), sink, compression="zstd")
    atomic_write(path, sink.getvalue())


def write_risk_csv(path: Path, risk: RiskTable, locale: str | None = None) -> None:
    """Write risk.csv for a spreadsheet, whole or not at all.

    UTF-8 with BOM; headers are machine names; tiers, notes and reasons in the language; numbers
    with a point and no separators; a text that a spreadsheet would run as a formula gets a
    leading apostrophe.

    Args:
        path: the file; its folder must exist.
        risk: the ranking.
        locale: 'en' or 'zh'; default: the current one.
    """
    language = locale or current_locale()
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for batch in risk.table.to_batches(max_chunksize=20_000):
        writer.writerows(_csv_row(row, language) for row in batch.to_pylist())
    atomic_write(path, text.getvalue().encode("utf-8-sig"))


def inert(text: str | None) -> str:
    """A text that no spreadsheet takes for a formula.

    Example:
        >>> inert("=cmd|' /C calc'!A0")
        "'=cmd|' /C calc'!A0"
        >>> inert("A-17")
        'A-17'
    """
    if not text:
        return ""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _csv_row(row: dict[str, Any], locale: str) -> tuple[str, ...]:
    return (
        inert(row["client"]),
        inert(row["manager"]),
        _fixed(row["score"], 1),
        tr(TIER_NAMES[row["tier"]], locale) if row["tier"] else "",
        _fixed(row["probability"], 4),
        _amount(row["assets_minor"], row["currency"]),
        inert(row["currency"]),
        _fixed(row["coverage"], 3),
        _note(row["not_scored"], locale),
        row["last_activity"].isoformat() if row["last_activity"] else "",
        inert("; ".join(reason[locale] for reason in row["reasons"] or ())),
    )


def _note(code: str | None, locale: str) -> str:
    if not code:
        return ""
    return inert(tr("not scored: {reason}", locale, reason=tr(UNSCORED.get(code, code), locale)))


def _fixed(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _amount(minor: int | None, currency: str | None) -> str:
    if minor is None or currency is None:
        return ""
    return str(Decimal(minor).scaleb(-minor_exponent(currency)))
