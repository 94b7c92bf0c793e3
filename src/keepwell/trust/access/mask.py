"""Which fields of a client are shown to whom: one table, pure functions.

| field | contract | staff | analyst |
|---|---|---|---|
| name | personal | first character, the rest as ** | the same |
| phone | sensitive | first three and last four digits | the same |
| birth_year | personal | decade | decade |
| opened_on | personal | shown | year |
| region | personal | shown (a province) | shown |
| assets | internal | shown | band |
| value and its interval | made here | shown | left out |
| facts of reasons | internal | shown | left out |

What is masked can be seen with `client:unmask`, for a reason that is recorded. An export is
always masked. Everything else of the contract's client is internal and shown to `client:read`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, Protocol

from keepwell.core.money import minor_exponent
from keepwell.trust.access.policy import Actor, Role

Sensitivity = Literal["public", "internal", "personal", "sensitive"]

TREATED: Final[dict[str, Sensitivity]] = {
    "name": "personal", "phone": "sensitive", "birth_year": "personal", "opened_on": "personal",
    "region": "personal", "assets": "internal", "reasons": "internal",
}  # fmt: skip
"""Fields of a client that the table above speaks of, with the contract's sensitivity."""

UNMASKABLE: Final = ("name", "phone", "birth_year")
"""Fields that `client:unmask` shows."""

BANDED: Final = frozenset({Role.ANALYST})
"""Roles that work on many clients at once and need nobody's exact assets."""

EDGES: Final = (100_000, 500_000, 2_000_000)
BANDS: Final = ("under-100k", "100k-500k", "500k-2m", "over-2m")
"""Bands of assets, in major units of the workspace's currency, half-open [from, to)."""


class Profile(Protocol):
    """What is masked: a client of the book."""

    name: Any
    phone: Any
    birth_year: Any
    opened_on: Any
    region: Any
    assets: Any
    reasons: Any


@dataclass(frozen=True, slots=True)
class Shown:
    """A client's treated fields as one actor may see them.

    Attributes:
        name: masked, unless the actor sees everything.
        phone: masked likewise.
        birth_year: None when masked.
        birth_decade: first year of the decade of birth.
        opened_on: None for those who see the year only.
        opened_year: year in which the relationship was opened.
        region: province or region.
        assets: minor units; None for those who see bands.
        assets_band: one of `BANDS`; None when the assets cannot be valued.
        reasons: without facts for those who see bands.
        masked: fields of `UNMASKABLE` that are there and not shown whole.
    """

    name: str | None
    phone: str | None
    birth_year: int | None
    birth_decade: int | None
    opened_on: date | None
    opened_year: int | None
    region: str | None
    assets: int | None
    assets_band: str | None
    reasons: list[dict[str, Any]]
    masked: list[str]


def sees_bands(actor: Actor) -> bool:
    """Whether the actor sees assets in bands only."""
    return actor.role in BANDED


def show(actor: Actor, client: Profile, currency: str) -> Shown:
    """A client's treated fields as an actor may see them.

    Args:
        actor: who looks.
        client: row of the book.
        currency: ISO 4217 code of the assets.
    """
    clear, banded = actor.unmasked, sees_bands(actor)
    return Shown(
        name=client.name if clear else mask_name(client.name),
        phone=client.phone if clear else mask_phone(client.phone),
        birth_year=client.birth_year if clear else None,
        birth_decade=None if client.birth_year is None else client.birth_year // 10 * 10,
        opened_on=None if banded else client.opened_on,
        opened_year=None if client.opened_on is None else client.opened_on.year,
        region=client.region,
        assets=None if banded else client.assets,
        assets_band=band(client.assets, currency),
        reasons=_without_facts(client.reasons) if banded else client.reasons or [],
        masked=[] if clear else [f for f in UNMASKABLE if getattr(client, f) is not None],
    )


VALUES: Final = ("value", "value_low", "value_high", "value_lost")
"""What a client is worth, as the book has it."""


def worth(actor: Actor, client: Any) -> dict[str, int | None]:
    """A client's value, its interval and what leaving takes away; None for those who see bands.

    Args:
        actor: who looks.
        client: row of the book.
    """
    if sees_bands(actor):
        return dict.fromkeys(VALUES)
    return {name: getattr(client, name) for name in VALUES}


def mask_name(name: str | None) -> str | None:
    """The first character of a name, the rest hidden whatever its length.

    Example:
        >>> mask_name("王小明"), mask_name(None)
        ('王**', None)
    """
    return f"{name.strip()[:1]}**" if name else None


def mask_phone(phone: str | None) -> str | None:
    """The first three and last four digits; of a short number the last two.

    Example:
        >>> mask_phone("13812340000"), mask_phone("62345678")
        ('138****0000', '****78')
    """
    if not phone:
        return None
    digits = "".join(c for c in phone if c.isdigit())
    if len(digits) < 11:
        return f"****{digits[-2:]}" if len(digits) > 4 else "****"
    return f"{digits[:3]}****{digits[-4:]}"


def band(assets: int | None, currency: str) -> str | None:
    """The band of an amount in minor units.

    Example:
        >>> band(50_000_000, "CNY"), band(9_999_999, "CNY")
        ('500k-2m', 'under-100k')
    """
    if assets is None:
        return None
    unit = 10 ** minor_exponent(currency)
    return BANDS[sum(assets >= edge * unit for edge in EDGES)]


def _without_facts(reasons: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{k: v for k, v in reason.items() if k != "facts"} for reason in reasons or []]
