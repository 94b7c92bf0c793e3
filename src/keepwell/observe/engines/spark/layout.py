"""Where the buckets of a lake lie, and what the two sides agree on.

A bucket is the clients whose id hashes to its number. Spark writes the tiles and the few state
tables of every bucket as Parquet, once per manifest; an executor opens a bucket and answers for its
clients. The folder must be seen by driver and executors under one path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from keepwell.core.digest import digest_of
from keepwell.observe.contract import TABLES
from keepwell.observe.manifest import Manifest
from keepwell.observe.tile_store import shape

FORMAT: Final = 1

STATE: Final = ("client", "account", "service", "relation")
"""Tables of clients that are read as rows, beside the tiles."""

WHOLE: Final = tuple(
    table.name for table in TABLES.values() if "client_id" not in {c.name for c in table.columns}
)
"""Tables that are not about clients: each executor reads them from the lake."""

DONE: Final = "buckets.json"


@dataclass(frozen=True)
class Buckets:
    """A lake's clients in buckets; goes to executors as it is.

    Attributes:
        root: folder of the buckets.
        count: number of buckets.
        lake: folder of the lake.
        manifest: the pinned manifest.
        zone: name of the exchange's zone.
        currency: ISO 4217 code.
        index: the market's series, or None.
    """

    root: Path
    count: int
    lake: Path
    manifest: Manifest
    zone: str
    currency: str
    index: str | None

    @property
    def info(self) -> ZoneInfo:
        """The exchange's zone."""
        return ZoneInfo(self.zone)

    @property
    def name(self) -> str:
        """Name of the folder: other data, another program or another count give another."""
        told = {"format": FORMAT, "shape": shape(), "zone": self.zone, "count": self.count}
        return f"{self.manifest.id:06d}-{digest_of(told)[:12]}"

    @property
    def folder(self) -> Path:
        """Folder of this manifest's buckets."""
        return self.root / self.name

    @property
    def results(self) -> Path:
        """Folder of what executors hand to the driver."""
        return self.folder / "results"

    def files(self, part: str, number: int) -> list[str]:
        """Parquet files of one part of one bucket, sorted; none where it has no rows."""
        folder = self.folder / part / f"bucket={number}"
        return sorted(str(path) for path in folder.glob("*.parquet"))
