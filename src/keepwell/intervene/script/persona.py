"""Personas: whom a script speaks to. They choose words, never what is offered or at what price."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keepwell.core.money import minor_exponent
from keepwell.intervene.script.phrases import fault
from keepwell.observe.mapping_yaml import read_yaml_file

_FILE: Final = Path(__file__).parent / "personas.yaml"


class Persona(StrEnum):
    """Whom a script speaks to."""

    YOUNG_GROWTH = "young-growth"
    MATURE = "mature"
    HIGH_NET_WORTH = "high-net-worth"
    DORMANT = "dormant"
    DEFAULT = "default"


PERSONA_TITLES: Final[dict[Persona, str]] = {
    Persona.YOUNG_GROWTH: "Young and growing",
    Persona.MATURE: "Mature",
    Persona.HIGH_NET_WORTH: "High net worth",
    Persona.DORMANT: "Dormant",
    Persona.DEFAULT: "Everybody else",
}
"""Personas, in English."""


class CutOff(BaseModel):
    """Who is a persona; what is not given does not matter.

    Attributes:
        persona: which.
        age_from: least age in years.
        age_to: greatest age in years.
        assets_from: least assets, whole units of the currency.
        assets_below: assets are below it.
        idle_days: least days without any activity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    persona: Persona
    age_from: Annotated[int, Field(ge=0)] | None = None
    age_to: Annotated[int, Field(ge=0)] | None = None
    assets_from: Annotated[int, Field(ge=0)] | None = None
    assets_below: Annotated[int, Field(ge=0)] | None = None
    idle_days: Annotated[int, Field(ge=1)] | None = None

    def fits(self, age: int | None, assets: float | None, idle: int | None) -> bool:
        """Whether a client is one; what is not known fits no bound."""
        return (
            _within(age, self.age_from, None if self.age_to is None else self.age_to + 1)
            and _within(assets, self.assets_from, self.assets_below)
            and _within(idle, self.idle_days, None)
        )


class CutOffs(BaseModel):
    """All cut-offs, first fit counts.

    Attributes:
        currency: in which assets are told (ISO 4217).
        personas: in order of precedence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str
    personas: list[CutOff]


def _within(value: float | None, low: float | None, below: float | None) -> bool:
    if low is None and below is None:
        return True
    if value is None:
        return False
    return (low is None or value >= low) and (below is None or value < below)


@lru_cache(maxsize=1)
def shipped_cut_offs() -> CutOffs:
    """The cut-offs that come with keepwell."""
    return read_cut_offs(_FILE)


def read_cut_offs(path: Path) -> CutOffs:
    """Cut-offs from a file.

    Raises:
        UsageError: it is not acceptable, with its line.
    """
    document = read_yaml_file(path)
    try:
        return CutOffs.model_validate(document.value or {})
    except ValidationError as error:
        raise fault(error, document) from None


def cut_offs(folder: Path | None = None) -> CutOffs:
    """The cut-offs of a workspace: its scripts/personas.yaml, else those that come with keepwell.

    Args:
        folder: the workspace's folder `scripts`.

    Raises:
        UsageError: the file is not acceptable, with its line.
    """
    path = folder / "personas.yaml" if folder else None
    return read_cut_offs(path) if path and path.is_file() else shipped_cut_offs()


def persona_of(
    age: int | None = None,
    assets: int | None = None,
    currency: str = "CNY",
    idle_days: int | None = None,
    cut_offs: CutOffs | None = None,
) -> Persona:
    """A client's persona.

    Args:
        age: in whole years.
        assets: minor units.
        currency: of the assets; in another than that of the cut-offs they are as if not known.
        idle_days: days since the last activity of any kind.
        cut_offs: default: those that come with keepwell.

    Example:
        >>> persona_of(30, 20_000_000).value, persona_of(30, 300_000_000).value
        ('young-growth', 'high-net-worth')
    """
    cuts = cut_offs or shipped_cut_offs()
    major = None
    if assets is not None and currency == cuts.currency:
        major = assets / 10 ** minor_exponent(currency)
    found = (cut.persona for cut in cuts.personas if cut.fits(age, major, idle_days))
    return next(found, Persona.DEFAULT)
