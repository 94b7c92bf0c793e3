"""Connectors: readers that hand a source's rows to the scan as Arrow batches.

The built-in ones and those of other packages (entry-point group `keepwell.connectors`) come
through the same registry and pass the same contract suite, `keepwell.testing.connector_suite`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from keepwell.core.errors import UsageError
from keepwell.observe.connectors.base import BadCell, Connector, Ragged, RawBatch, Since
from keepwell.observe.connectors.csv_files import CsvConnector
from keepwell.observe.connectors.drops import DropsConnector
from keepwell.observe.connectors.excel import ExcelConnector
from keepwell.observe.connectors.mysql import MysqlConnector
from keepwell.observe.connectors.parquet_files import ParquetConnector
from keepwell.observe.connectors.postgresql import PostgresConnector
from keepwell.observe.connectors.sqlite import SqliteConnector
from keepwell.observe.mapping import Source

GROUP = "keepwell.connectors"

__all__ = [
    "GROUP",
    "BadCell",
    "Connector",
    "Ragged",
    "RawBatch",
    "Since",
    "connector_for",
    "connectors",
]


@cache
def connectors() -> dict[str, Connector]:
    """Every connector by name: the built-in ones, then those of installed packages."""
    built_in: tuple[Connector, ...] = (
        CsvConnector(),
        ParquetConnector(),
        SqliteConnector(),
        PostgresConnector(),
        MysqlConnector(),
        ExcelConnector(),
    )
    found = {connector.name: connector for connector in built_in}
    found["drops"] = DropsConnector(lambda name, source: connector_for(name, source))
    for entry in entry_points(group=GROUP):
        connector: Connector = entry.load()()
        found[connector.name] = connector
    return found


def connector_for(name: str, source: Source) -> Connector:
    """The connector that reads a source: by its `format`, else by its file's suffix.

    Args:
        name: the source's name, for the message.
        source: its mapping.

    Raises:
        UsageError: `source.format-unknown`.
    """
    known = connectors()
    suffix = Path(source.paths[0]).suffix.lower() if source.paths else ""
    if source.format is not None:
        found = known.get(source.format)
    else:
        found = next((c for c in known.values() if suffix in c.suffixes), None)
    if found is None:
        raise UsageError(
            "source.format-unknown",
            source=name,
            format=source.format or suffix,
            known=", ".join(known),
        )
    return found.bound(name, source) if isinstance(found, DropsConnector) else found
