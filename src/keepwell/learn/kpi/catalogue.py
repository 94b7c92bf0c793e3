"""The catalogue of key figures: versioned data, each with the function that computes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from keepwell.frame.data_file import Part, Words, read_entries, wrong

SHIPPED: Final = Path(__file__).parent / "kpis.yaml"

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$")]


class Dimension(StrEnum):
    """The four sides from which the work is judged (四维评估)."""

    CLIENT = "client"
    SERVICE = "service"
    PRODUCT = "product"
    FINANCE = "finance"


DIMENSION_NAMES: Final[dict[Dimension, str]] = {
    Dimension.CLIENT: "Client side",
    Dimension.SERVICE: "Service side",
    Dimension.PRODUCT: "Product side",
    Dimension.FINANCE: "Financial side",
}
"""What each is called, in English."""


class Unit(StrEnum):
    """What a value is counted in."""

    SHARE = "share"
    POINTS = "points"
    PER_1000 = "per-1000"
    HOURS = "hours"
    NUMBER = "number"
    MONEY = "money"


UNIT_NAMES: Final[dict[Unit, str]] = {
    Unit.SHARE: "share, 0 to 1",
    Unit.POINTS: "points, −100 to 100",
    Unit.PER_1000: "per 1,000 clients",
    Unit.HOURS: "hours",
    Unit.NUMBER: "number",
    Unit.MONEY: "minor units a year",
}
"""What each unit means where values are given as plain numbers, in English."""


class Target(Part):
    """A level that the source names.

    Attributes:
        value: in the figure's unit.
        by_years: within how many years it is to be reached.
        source: where it comes from.
    """

    value: float
    by_years: Annotated[int, Field(ge=1, le=20)]
    source: Words


class Kpi(Part):
    """One version of one key figure.

    Attributes:
        id: stable, small letters and dashes.
        version: counts from 1; another formula is another version.
        added: day on which this version came into the catalogue.
        dimension: which of the four.
        title: its name.
        formula: what is computed, in words.
        compute: name of the function that does it.
        unit: of its values.
        better: which way is better.
        target: the source's level; None: the desk sets one.
        goal: what the source asks for where that is no level.
        owner: role of the owner until somebody is named.
        sources: tables it needs ('lake': those of the label; 'desk': cases, clocks and alerts).
    """

    id: Code
    version: Annotated[int, Field(ge=1)] = 1
    added: date
    dimension: Dimension
    title: Words
    formula: Words
    compute: str
    unit: Unit
    better: Literal["higher", "lower"]
    target: Target | None = None
    goal: Words | None = None
    owner: Literal["director", "analyst"]
    sources: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def name(self) -> str:
        """Id and version, such as 'nps@1'."""
        return f"{self.id}@{self.version}"


class Kpis(Mapping[str, Kpi]):
    """The newest version of every key figure by id, in the order of the file."""

    def __init__(self, versions: Iterable[Kpi]) -> None:
        self.versions = tuple(versions)
        self._newest = {kpi.id: kpi for kpi in self.versions}

    def __getitem__(self, kpi_id: str) -> Kpi:
        return self._newest[kpi_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._newest)

    def __len__(self) -> int:
        return len(self._newest)

    def of(self, dimension: Dimension) -> list[Kpi]:
        """Those of one dimension."""
        return [kpi for kpi in self.values() if kpi.dimension is dimension]


def read_kpis(text: str, file: str) -> Kpis:
    """The key figures of a file, checked.

    Args:
        text: its content.
        file: its name for error messages.

    Raises:
        UsageError: the first fault, with its line.
    """
    from keepwell.learn.kpi.formulas import FORMULAS

    newest: dict[str, Kpi] = {}
    found = []
    for kpi, loc, document in read_entries(text, file, "kpis", Kpi):
        if kpi.compute not in FORMULAS:
            known = ", ".join(sorted(FORMULAS))
            raise wrong(document, (*loc, "compute"), kpi.compute, f"one of {known}")
        earlier = newest.get(kpi.id)
        expected = earlier.version + 1 if earlier else 1
        if kpi.version != expected:
            words = f"version {expected}, the next of {kpi.id}"
            raise wrong(document, (*loc, "version"), kpi.version, words)
        newest[kpi.id] = kpi
        found.append(kpi)
    return Kpis(found)


@lru_cache(maxsize=1)
def shipped() -> Kpis:
    """The key figures that come with keepwell."""
    return read_kpis(SHIPPED.read_text("utf-8"), SHIPPED.name)
