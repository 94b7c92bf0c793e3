"""What a CSV file looks like: delimiter, encoding, and the types of its columns.

A type is proposed when every cell of the sample fits it; the scan of the whole file then tells how
many rows do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from keepwell.core.errors import DataError
from keepwell.observe.cells import has_offset, quoted, typed
from keepwell.observe.connectors import connector_for
from keepwell.observe.connectors.encoding import guess_encoding
from keepwell.observe.mapping import ColumnSpec, Source
from keepwell.observe.synonyms import is_id

SAMPLE_ROWS = 20_000
_DELIMITERS = ",;\t|"
_DATES = (None, "%Y%m%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y")
_FIT = 0.999
"""Least share of cells that fit a type: one bad cell in a thousand is a bad cell, not a type."""
_INSTANTS = (
    None,
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y%m%d %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%Y%m%d%H%M%S",
)


@dataclass(frozen=True)
class ColumnGuess:
    """A source's column.

    Attributes:
        name: as the header has it.
        type: text, integer, decimal, double, date, instant or boolean.
        spec: the type to write into the mapping; None when the file's own is right.
    """

    name: str
    type: str
    spec: ColumnSpec | None = None


def guess_csv(path: Path) -> Source:
    """How a CSV file is to be read: encoding and delimiter.

    Raises:
        DataError: `source.encoding-wrong` when no known encoding fits.
    """
    encoding = guess_encoding(path)
    if not encoding:
        raise DataError(
            "source.encoding-wrong",
            source=path.stem,
            file=path.name,
            row=1,
            byte=0,
            encoding="text",
            guess="–",
        )
    with path.open(encoding=encoding, errors="replace") as file:
        head = file.readline()
    delimiter = max(_DELIMITERS, key=head.count)
    return Source(path=path.name, format="csv", encoding=encoding, delimiter=delimiter)


def guess_columns(name: str, source: Source, base: Path, timezone: str) -> tuple[ColumnGuess, ...]:
    """The columns of a CSV source with the narrowest type that the sample's cells all fit.

    Args:
        name: the source's name, for messages.
        source: how it is read.
        base: folder of its path.
        timezone: zone of instants written without an offset.

    Raises:
        DataError: it cannot be read.
    """
    batches = connector_for(name, source).open(name, source, base)
    parts: list[pa.RecordBatch] = []
    for batch in islice(batches, 4):
        parts.append(batch.columns)
        if sum(part.num_rows for part in parts) >= SAMPLE_ROWS:
            break
    sample = pa.Table.from_batches(parts)
    # Spread over the sample, so that one odd day at its start does not decide.
    step = max(1, sample.num_rows // SAMPLE_ROWS)
    sample = sample.take(list(range(0, sample.num_rows, step))[:SAMPLE_ROWS])
    nulls = ", ".join("'" + null.replace("'", "''") + "'" for null in source.nulls)
    with duckdb.connect(":memory:") as engine:
        engine.execute("set TimeZone = 'UTC'")
        engine.register("sample", sample)
        return tuple(_guess(engine, column, nulls, timezone) for column in sample.column_names)


def _guess(
    engine: duckdb.DuckDBPyConnection, column: str, nulls: str, timezone: str
) -> ColumnGuess:
    cell = f"trim({quoted(column)})"
    rows = f"(select {cell} as cell from sample where {cell} not in ({nulls}))"

    def share(condition: str) -> float:
        fits, total = engine.execute(
            f"select count(*) filter ({condition}), count(*) from {rows}"
        ).fetchall()[0]
        return float(fits / total) if total else 0.0

    # Numbers that name something stay text: '000001' is not 1.
    names = is_id(column) or share("regexp_matches(cell, '^0[0-9]')") > 0
    for spec in _candidates(timezone):
        if names and spec.type in ("integer", "decimal"):
            continue
        if spec.format == "%Y%m%d" and share("cell between '19000101' and '21001231'") < _FIT:
            continue
        value, _, _ = typed(spec, "cell")
        if share(f"{value} is not null") >= _FIT:
            if spec.type == "instant" and share(has_offset("cell")) == 1:
                spec = spec.model_copy(update={"timezone": None})
            return ColumnGuess(column, spec.type, spec)
    return ColumnGuess(column, "text")


def _candidates(timezone: str) -> list[ColumnSpec]:
    dates = [ColumnSpec(type="date", format=form) for form in _DATES]
    instants = [ColumnSpec(type="instant", format=form, timezone=timezone) for form in _INSTANTS]
    return [*dates, *instants, ColumnSpec(type="integer"), ColumnSpec(type="decimal")]
