"""Cells: DuckDB expressions that turn a source's text into typed values, and name bad ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from keepwell.observe.mapping import ColumnSpec, Source
from keepwell.observe.synonyms import words_for

ISO_DATE = "YYYY-MM-DD"
ISO_INSTANT = "YYYY-MM-DD hh:mm:ss"


@dataclass(frozen=True)
class CellCheck:
    """DuckDB expressions for one column of a raw batch.

    Attributes:
        column: its name.
        cell: SQL of the cell's text over the raw column: trimmed, NULL when absent.
        value: SQL of the typed value over `cell` under the column's name; NULL for absent and for
            bad cells.
        fault: SQL of a bad cell's reason code over the same; '' when no cell can be bad.
        format: the form expected of a cell, for people.
        plain: the value is the cell as it is.
        zone: zone of instants that are written without an offset; '' for other columns.
    """

    column: str
    cell: str
    value: str
    fault: str = ""
    format: str = ""
    plain: bool = False
    zone: str = ""


def check_of(
    column: str,
    type: pa.DataType,
    source: Source,
    text_cells: bool,
    wanted: ColumnSpec | None = None,
) -> CellCheck:
    """The check of one column.

    Args:
        column: its name.
        type: its Arrow type as the connector gives it.
        source: the mapping, for its type and its words for absent.
        text_cells: the connector gives text only; absent cells are ''.
        wanted: the type that the connector says its text is of; the mapping's own goes before it.
    """
    spec = source.columns.get(column) or wanted
    cell = quoted(column)
    is_text = pa.types.is_string(type) or pa.types.is_large_string(type)
    if not is_text or (spec is None and not text_cells):
        return CellCheck(column, cell, cell, plain=True)
    spec = spec or ColumnSpec(type="text")
    nulls = ", ".join(literal(null) for null in source.nulls) or "''"
    present = f"nullif(trim({cell}), '')"
    present = f"(case when {present} in ({nulls}) then null else {present} end)"
    if spec.type == "text":
        return CellCheck(column, present, cell)
    value, reason, form = typed(spec, cell)
    fault = f"'{reason}'"
    if spec.type == "instant" and spec.timezone is None and "%z" not in (spec.format or ""):
        # Read in no zone, it would be a guess.
        value = f"(case when {has_offset(cell)} then {value} end)"
        fault = f"case when {_local(spec, cell)} is not null then 'cell.no-zone' else {fault} end"
    written_local = spec.type == "instant" and "%z" not in (spec.format or "")
    zone = (spec.timezone or "") if written_local else ""
    return CellCheck(column, present, value, fault, form, zone=zone)


_OFFSET = r"(Z|z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
WITH_OFFSET = re.compile(rf"\d:\d{{2}}([.,]\d+)?\s*{_OFFSET}")
"""A time's text with its offset, as `has_offset` finds it."""
_INTEGER = r"^[+-]?\d+$"
_DECIMAL = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_ISO_DATE = r"^\d{4}-\d{1,2}-\d{1,2}$"
_ISO_INSTANT = r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)?$"


def typed(spec: ColumnSpec, cell: str) -> tuple[str, str, str]:
    """SQL of a cell's typed value (NULL when it cannot be), reason code, and the form expected.

    Args:
        spec: the type wanted.
        cell: SQL of the cell's text, trimmed.
    """
    reason = f"cell.not-{spec.type}"
    if spec.type == "integer":
        return _matching(cell, _INTEGER, "bigint"), reason, ""
    if spec.type == "decimal":
        return _matching(cell, _DECIMAL, "decimal(28, 8)"), reason, ""
    if spec.type == "double":
        number = f"(try_cast({cell} as double))"
        return f"(case when isfinite{number} then {number} end)", reason, ""
    if spec.type == "boolean":
        low = f"lower({cell})"
        value = (
            f"(case when {low} in ({_list('true')}) then true "
            f"when {low} in ({_list('false')}) then false end)"
        )
        return value, reason, ""
    if spec.type == "date":
        if spec.format:
            parsed = f"try_cast(try_strptime({cell}, {literal(spec.format)}) as date)"
            return parsed, reason, spec.format
        return _matching(cell, _ISO_DATE, "date"), reason, ISO_DATE
    return _instant(spec, cell), reason, spec.format or ISO_INSTANT


def _instant(spec: ColumnSpec, cell: str) -> str:
    if spec.format and "%z" in spec.format:
        return f"try_cast(try_strptime({cell}, {literal(spec.format)}) as timestamptz)"
    offset = has_offset(cell)
    local = _local(spec, cell)
    zoned = f"timezone({literal(spec.timezone or 'UTC')}, {local})"
    if spec.format:
        return zoned
    bare = f"regexp_replace({cell}, '\\s*{_OFFSET}', '')"
    return (
        f"(case when {offset} and regexp_matches({bare}, '{_ISO_INSTANT}') "
        f"then try_cast({cell} as timestamptz) else {zoned} end)"
    )


def _local(spec: ColumnSpec, cell: str) -> str:
    """SQL of the local time written in a cell, NULL when it is not one."""
    if spec.format:
        return f"try_strptime({cell}, {literal(spec.format)})"
    return _matching(cell, _ISO_INSTANT, "timestamp")


def _matching(cell: str, pattern: str, type: str) -> str:
    """DuckDB's casts are generous ('1_000', '0x1F', '1.5' as integer); the pattern is not."""
    return f"(case when regexp_matches({cell}, '{pattern}') then try_cast({cell} as {type}) end)"


def has_offset(cell: str) -> str:
    """SQL: the cell's text ends with a zone's offset, such as +08:00 or Z."""
    # A time must stand before it: the end of 2020-01-02 is no offset.
    return f"regexp_matches({cell}, '\\d:\\d{{2}}([.,]\\d+)?\\s*{_OFFSET}')"


def quoted(name: str) -> str:
    """A name as a DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a DuckDB literal."""
    return "'" + text.replace("'", "''") + "'"


def _list(word: str) -> str:
    return ", ".join(literal(known) for known in words_for(word))
