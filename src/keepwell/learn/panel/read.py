"""Reading panels: a client's history and the broker's totals, in milliseconds."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keepwell.learn.panel.folder import ABOUT, in_force, panels_root
from keepwell.learn.panel.lookup import Sorted
from keepwell.learn.panel.quality import read_quality
from keepwell.learn.panel.schema import (
    By,
    ChurnCell,
    ClientMonth,
    DayMovement,
    Fact,
    Group,
    Holding,
    Quality,
    ScorePoint,
    Source,
)
from keepwell.observe.workspace import Workspace
from keepwell.warn.tier import tier_of

_TRIES: Final = 3
"""The folder in force may be replaced twice between the pointer and its files; hardly thrice."""

_KEYS: Final[dict[str, str]] = {
    "branch": "branch_id", "manager": "manager_id", "segment": "segment"
}  # fmt: skip


class Panels:
    """The panels in force; get them by `open` for every request.

    Methods about one client give [] for a client nobody knows, and where the data carry nothing.
    Those about many take the managers whose clients count, or None for everybody: clients without
    a manager count for nobody else.

    Attributes:
        as_of: the ranking's instant; nothing learned later is shown.
        manifest: number of the lake's manifest.
        model: version behind the scores.
        currency: ISO 4217 code of all money.
        written_at: when they were written.
        sources: table -> what of it was read.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.as_of = datetime.fromisoformat(about["as_of"])
        self.manifest: int = about["manifest"]
        self.model: str = about["model"]
        self.currency: str = about["currency"]
        self.written_at = datetime.fromisoformat(about["written_at"])
        self.sources = {source["table"]: _source(source) for source in about["sources"]}
        # All is opened at once: after the next publication but one the folder is gone.
        self._sorted = {
            name: Sorted(folder / f"{name}.parquet")
            for name in ("scores", "months", "holdings", "facts")
            if (folder / f"{name}.parquet").is_file()
        }
        self._totals = {
            name: pq.read_table(folder / f"{name}.parquet")
            for name in ("movement", "groups", "churn")
            if (folder / f"{name}.parquet").is_file()
        }
        kept = folder / "quality.json"
        self._quality = read_quality(kept.read_bytes()) if kept.is_file() else None

    @classmethod
    def open(cls, workspace: Workspace) -> Panels | None:
        """The panels in force, the same object until others are; None when none were written.

        Args:
            workspace: whose panels.
        """
        return _opened(panels_root(workspace.state))

    def scores(self, client_id: str) -> list[ScorePoint]:
        """A client's scores of the past year by today's model, oldest first."""
        return [
            ScorePoint(
                row["at"], row["score"], row["probability"], tier_of(row["score"]).code
            )
            for row in self._rows("scores", client_id)
        ]  # fmt: skip

    def months(self, client_id: str) -> list[ClientMonth]:
        """A client's months without a gap, oldest first."""
        return [ClientMonth(**row) for row in self._rows("months", client_id)]

    def holdings(self, client_id: str) -> list[Holding]:
        """A client's positions, the largest first."""
        return [Holding(**row) for row in self._rows("holdings", client_id)]

    def facts(self, client_id: str, limit: int = 100) -> list[Fact]:
        """What happened with a client, newest first.

        Args:
            client_id: whose.
            limit: at most so many.
        """
        return [Fact(**row) for row in self._rows("facts", client_id)[:limit]]

    def movement(self, managers: Collection[str] | None, days: int = 30) -> list[DayMovement]:
        """How assets moved, oldest day first.

        Args:
            managers: whose clients; None for everybody's.
            days: the newest so many of the days on which anything moved.
        """
        table = self._mine("movement", managers)
        if table is None:
            return []
        names = ("opening", "inflow", "outflow", "market", "closing", "clients")
        found = table.group_by(["day", "basis"]).aggregate([(name, "sum") for name in names])
        rows = found.sort_by("day").to_pylist()[-days:] if days > 0 else []
        return [
            DayMovement(
                day=row["day"], basis=row["basis"], **{name: row[f"{name}_sum"] for name in names}
            )
            for row in rows
        ]

    def groups(self, by: By, managers: Collection[str] | None) -> list[Group]:
        """Totals by branch, manager or segment, in the order of their names, None last.

        Empty where the data name no branch (manager, segment) at all.

        Args:
            by: 'branch', 'manager' or 'segment'.
            managers: whose clients; None for everybody's.
        """
        table = self._mine("groups", managers)
        if table is None or not self._named("groups", by):
            return []
        names = (
            "clients", "active", "net_inflow", "assets", "at_risk_assets", "followed", "kept",
        )  # fmt: skip
        found = table.group_by(_KEYS[by]).aggregate([(name, "sum") for name in names])
        rows = [
            Group(key=row[_KEYS[by]], **{name: row[f"{name}_sum"] for name in names})
            for row in found.to_pylist()
        ]
        return sorted(rows, key=lambda group: (group.key is None, group.key or ""))

    def churn(self, managers: Collection[str] | None, by: By = "segment") -> list[ChurnCell]:
        """Who left by month and segment, oldest month first, segments by name, None last.

        Args:
            managers: whose clients; None for everybody's.
            by: 'branch', 'manager' or 'segment'; without any name in the data all clients of a
                month are one cell whose segment is None.
        """
        table = self._mine("churn", managers)
        if table is None:
            return []
        found = table.group_by(["month", _KEYS[by]]).aggregate(
            [("left", "sum"), ("followed", "sum")]
        )
        cells = [
            ChurnCell(row["month"], row[_KEYS[by]], row["left_sum"], row["followed_sum"])
            for row in found.to_pylist()
        ]
        return sorted(cells, key=lambda c: (c.month, c.segment is None, c.segment or ""))

    def quality(self) -> Quality | None:
        """How the model did on a past date; None when it could not be tested."""
        return self._quality

    def _rows(self, name: str, client_id: str) -> list[dict[str, Any]]:
        file = self._sorted.get(name)
        return file.rows(client_id) if file else []

    def _mine(self, name: str, managers: Collection[str] | None) -> pa.Table | None:
        table = self._totals.get(name)
        if table is None or managers is None:
            return table
        wanted = pa.array(sorted(managers), pa.string())
        return table.filter(pc.is_in(table.column("manager_id"), wanted))

    def _named(self, name: str, by: By) -> bool:
        column = self._totals[name].column(_KEYS[by])
        return bool(column.null_count < len(column))


def _source(said: dict[str, Any]) -> Source:
    last, known = said["last"], said["known_until"]
    return Source(
        said["table"], said["version"], said["rows"],
        date.fromisoformat(last) if last else None,
        datetime.fromisoformat(known) if known else None,
    )  # fmt: skip


_lock = threading.Lock()
_open: dict[Path, tuple[str, Panels]] = {}


def _opened(root: Path) -> Panels | None:
    for attempt in range(_TRIES):
        name = in_force(root)
        if name is None:
            return None
        with _lock:
            held = _open.get(root)
            if held is not None and held[0] == name:
                return held[1]
            try:
                panels = Panels(root / name)
            except FileNotFoundError:
                if attempt + 1 == _TRIES:
                    raise
                continue
            _open[root] = (name, panels)
            return panels
    return None
