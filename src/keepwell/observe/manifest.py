"""The manifest: which versions of which tables belong together.

Delta commits one table at a time. A manifest pins the versions of all of them; readers go by it, so
they see all of an ingest or nothing of it. Manifests are immutable files, numbered from 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from keepwell.core.errors import DataError
from keepwell.core.files import atomic_write, sync_folder

Moment = date | datetime

RETIRED: Final = "retired"
"""Folder of manifests whose files a vacuum may have removed: kept to be read by people only."""


@dataclass(frozen=True)
class TableState:
    """What a manifest says of one table.

    Attributes:
        version: version of the Delta table.
        rows: rows in it, corrections included.
        first: earliest value of the table's clock (an instant in UTC, or a day); None without one.
        last: latest value of the table's clock.
        last_known_at: when its newest knowledge arrived (UTC).
        corrected: some key has more than one revision, or was taken back: not every row counts.
        coverage: spans [from, until) of day numbers for which the table is complete; None = open.
        full_days: every day present lists all clients (holding).
        inputs: digest of the files and the mapping that made it; '' when written otherwise.
        marks: names how far its sources were read (`marks`); '' when nothing was kept.
        kept_from: day number from which on rows are kept in use; None: all of them.
        highest: highest revision of any row; None in manifests that did not tell.
    """

    version: int
    rows: int = 0
    first: Moment | None = None
    last: Moment | None = None
    last_known_at: datetime | None = None
    corrected: bool = False
    coverage: tuple[tuple[int, int | None], ...] = ()
    full_days: bool = False
    inputs: str = ""
    marks: str = ""
    kept_from: int | None = None
    highest: int | None = None


@dataclass(frozen=True)
class Manifest:
    """One consistent state of the lake.

    Attributes:
        id: number of the manifest, from 1.
        made_at: when it was published (UTC).
        tables: state of each table present, by name.
        quarantine: version of the quarantine table; None before the first entry.
        contract: version of the contract it was written with.
        same_as: number of an older manifest with the same rows of the contract's tables, where
            files alone were rewritten; None when rows came or went.
    """

    id: int
    made_at: datetime
    tables: Mapping[str, TableState] = field(default_factory=dict)
    quarantine: int | None = None
    contract: int = 1
    same_as: int | None = None

    @property
    def knowledge(self) -> int:
        """Number of the first manifest with these very rows: what is made of one holds for both."""
        return self.id if self.same_as is None else self.same_as

    def to_json(self) -> str:
        """The manifest as JSON text, keys sorted."""
        return json.dumps(asdict(self), default=_plain, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, content: str) -> Manifest:
        """Read what `to_json` wrote."""
        raw = json.loads(content)
        tables = {name: _state(state) for name, state in raw.pop("tables").items()}
        return cls(**{**raw, "made_at": datetime.fromisoformat(raw["made_at"])}, tables=tables)


def newest(folder: Path) -> Manifest | None:
    """The newest manifest in a lake's folder, or None when nothing was published yet.

    Raises:
        DataError: the file cannot be read.
    """
    found = numbers(folder)
    return load(folder, found[-1]) if found else None


def load(folder: Path, number: int) -> Manifest:
    """A manifest by its number.

    Raises:
        DataError: there is none of that number, it was retired, or it cannot be read.
    """
    path = folder / f"manifest-{number:06d}.json"
    if not path.exists() and (folder / RETIRED / path.name).exists():
        raise DataError("lake.manifest-retired", number=number)
    try:
        return Manifest.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("lake.manifest-unreadable", file=path.name, why=str(error)) from error


def numbers(folder: Path) -> list[int]:
    """Numbers of the manifests that can be read, ascending."""
    return sorted(int(path.stem.partition("-")[2]) for path in folder.glob("manifest-*.json"))


def retire(folder: Path, number: int) -> None:
    """Take a manifest out of use; what it pinned may go afterwards.

    Args:
        folder: the lake's folder.
        number: of the manifest, not the newest.
    """
    (folder / RETIRED).mkdir(exist_ok=True)
    name = f"manifest-{number:06d}.json"
    (folder / name).replace(folder / RETIRED / name)
    sync_folder(folder / RETIRED)
    sync_folder(folder)


def save(folder: Path, manifest: Manifest) -> None:
    """Publish a manifest: written aside, synced, renamed; never overwritten.

    Raises:
        DataError: a manifest of that number exists.
    """
    path = folder / f"manifest-{manifest.id:06d}.json"
    if path.exists():
        raise DataError("lake.manifest-exists", file=path.name)
    atomic_write(path, manifest.to_json())


def _plain(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not belong in a manifest")


def _state(raw: dict[str, Any]) -> TableState:
    return TableState(
        **{
            **raw,
            "first": _moment(raw["first"]),
            "last": _moment(raw["last"]),
            "last_known_at": _moment(raw["last_known_at"]),
            "coverage": tuple((since, until) for since, until in raw["coverage"]),
        }
    )


def _moment(text: str | None) -> Any:
    if text is None:
        return None
    return (
        date.fromisoformat(text)
        if len(text) == len("2020-01-01")
        else (datetime.fromisoformat(text))
    )
