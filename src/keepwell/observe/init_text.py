"""The text of a new keepwell.yaml, with a word on each part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from keepwell.observe.contract import TABLES, Kind
from keepwell.observe.mapping import ColumnSpec

if TYPE_CHECKING:
    from keepwell.observe.init import SourceProposal, TableProposal

_HEAD = """\
# keepwell.yaml: how your own files become keepwell's tables.
# 'keepwell check' tries it without writing anything; 'keepwell ingest' then fills the lake.
version: 1
name: {name}
timezone: {timezone}   # of the exchange: its midnights separate the days
currency: {currency}   # of amounts without one (ISO 4217)

# Files that the selects below may read, each under a name. Nothing else can be read.
# CSV cells are text unless a type is given here: text, integer, decimal, double, boolean,
# {{type: date, format: "%Y%m%d"}}, {{type: instant, timezone: {timezone}}}.
# A cell that does not fit goes to quarantine with its row; the other rows are not held up.
sources:
"""
_TABLES = """
# One SELECT (DuckDB's SQL) per table of the contract; see docs/reference/contract.md.
# Money and quantities in major units, such as 12.50. At least one activity table is needed.
#   delay:  how long after the event your systems knew it; for history loaded at once.
#   skew:   how far its clock may run ahead (5m); events still further ahead are quarantined.
#   covers: [from, until) days for which the table is complete; null = up to now. What lies
#           outside is unknown to keepwell, never zero.
tables:
"""
_TAIL = """
# market: {index: CSI300}     # a series of index_price, for the market indicators

# What is predicted. exit: held something, holds nothing at the end of the horizon.
label: {name: exit, by: units, horizon: 6mo, gap: 0d}

# As-of dates, each the beginning of its day. Labels of training dates must be mature by 'prove'.
# dates:
#   train: {every: 1mo, from: "2024-01-01"}
#   prove: "2025-01-01"
#   rank: null                # null: the newest day in the lake

# Share of clients your staff can look after, per warning tier.
capacity: {severe: 0.01, moderate: 0.03, mild: 0.10}
"""
_EXAMPLE_SOURCE = """\
  # An example: put your own file here.
  trades:
    path: data/trades.csv
    encoding: utf-8            # or gbk, gb18030
    columns: {traded_at: {type: instant, timezone: %s}, quantity: decimal, amount: decimal}
"""
_EXAMPLE_TABLE = """\
  # An example: put your own columns before each 'as'.
  trade:
    sql: |
      select trade_id as trade_id, client_id as client_id, traded_at as at,
        instrument_id as instrument_id, lower(side) as side, quantity as quantity, amount as amount
      from %s
    delay: 1d
    covers: [["2020-01-01", null]]
"""


def mapping_text(
    name: str,
    timezone: str,
    currency: str,
    sources: list[SourceProposal],
    tables: list[TableProposal],
) -> str:
    """A keepwell.yaml with the proposals, or with an example where there are none.

    Args:
        name: the workspace's name.
        timezone: IANA zone.
        currency: ISO 4217 code.
        sources: data files found.
        tables: selects proposed.
    """
    parts = [_HEAD.format(name=_yaml(name), timezone=timezone, currency=currency)]
    parts += [_source(source) for source in sources]
    readable = [source.name for source in sources if not source.fault]
    if not readable:
        parts.append(_EXAMPLE_SOURCE % timezone)
    parts.append(_TABLES)
    if not any(TABLES[table.table].activity for table in tables):
        parts.append(_EXAMPLE_TABLE % (readable[0] if readable else "trades"))
    parts += [_table(table) for table in tables]
    return "".join(parts) + _TAIL


def _source(source: SourceProposal) -> str:
    if source.fault:
        return f"  # {source.path}: {source.fault}\n"
    lines = [f"  {source.name}:   # {source.rows} rows"]
    lines[0] += f", {source.refused} do not fit the types below" if source.refused else ""
    lines.append(f"    path: {_yaml(source.path)}")
    if source.source.format == "csv":
        lines.append(f"    encoding: {source.source.encoding}")
        if source.source.delimiter != ",":
            lines.append(f"    delimiter: {_yaml(source.source.delimiter)}")
    if source.rows == 0:
        lines.append("    allow_empty: true")
    plain = ", ".join(f"{c.name} ({c.type})" for c in source.columns if c.spec is None)
    if plain:
        lines.append(f"    # as they are: {plain}")
    typed = [c for c in source.columns if c.spec is not None]
    if typed:
        lines.append("    columns:")
        lines += [f"      {_yaml(c.name)}: {_spec(c.spec)}" for c in typed if c.spec]
    return "\n".join(lines) + "\n"


def _spec(spec: ColumnSpec) -> str:
    if spec.format is None and spec.timezone is None:
        return spec.type
    words = [f"type: {spec.type}"]
    if spec.format:
        words.append(f"format: {_yaml(spec.format)}")
    if spec.timezone:
        words.append(f"timezone: {spec.timezone}")
    return "{" + ", ".join(words) + "}"


def _table(proposal: TableProposal) -> str:
    table = TABLES[proposal.table]
    columns = []
    for column in table.columns:
        if column.name in proposal.found:
            columns.append(_column(proposal, column.name, column.kind))
        elif column.name in proposal.missing:
            columns.append(
                f"{_name(column.name)} as {column.name} /* found nothing like it: name yours */"
            )
    lines = [f"  {table.name}:", "    sql: |", "      select"]
    lines += [f"        {column}," for column in columns[:-1]]
    lines += [f"        {columns[-1]}", f"      from {proposal.source}"]
    if table.clock in ("at", "day"):
        covers = '[["2020-01-01", null]]'
        note = "from when to when is it complete?"
        if proposal.covers:
            covers = f'[["{proposal.covers[0]}", "{proposal.covers[1]}"]]'
            note = "the days that occur; is it complete between them?"
        lines.append(f"    covers: {covers}   # {note}")
    if table.name == "holding":
        lines.append("    full_days: false   # true if every day present lists all clients")
    return "\n".join(lines) + "\n"


def _column(proposal: TableProposal, name: str, kind: Kind) -> str:
    cell = _name(proposal.found[name])
    if kind is Kind.DAY:
        cell = f"cast({cell} as date)"
    elif kind is Kind.ENUM and proposal.words.get(name):
        cell = _choice(cell, proposal.words[name])
    return f"{cell} as {name}"


def _choice(cell: str, words: dict[str, str]) -> str:
    """SQL that turns the words that occur into the contract's."""
    if all(word.lower() == meaning for word, meaning in words.items()):
        return f"lower({cell})"
    whens = " ".join(
        f"when {_literal(word)} then {_literal(meaning)}"
        for word, meaning in sorted(words.items())
        if meaning
    )
    rest = ", ".join(sorted(word for word, meaning in words.items() if not meaning))
    note = f" /* no meaning found for: {rest} */".replace("*/ */", "*/") if rest else ""
    return f"case {cell} {whens} else {cell} end{note}" if whens else f"{cell}{note}"


def _name(column: str) -> str:
    """A column's name in SQL, quoted where DuckDB would not read it as a name (such as at)."""
    if column.isascii() and column.isidentifier():
        try:
            duckdb.extract_statements(f"select {column} from source")
        except duckdb.ParserException:
            pass
        else:
            return column
    return '"' + column.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _yaml(text: str) -> str:
    """A text as a YAML scalar, quoted."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"'
