"""The broker's rates as arithmetic wants them: shares a year, minor units; and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keepwell.core.money import minor_exponent
from keepwell.core.text import tr
from keepwell.observe.mapping_value import Value

if TYPE_CHECKING:
    from keepwell.observe.workspace import Workspace

BPS: Final = 1e-4

SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "commission": ("commission_kept", "commission_tiers"),
    "asset_fee": ("asset_fee_bps",),
    "margin_interest": ("margin_spread_bps",),
    "cash_spread": ("cash_spread_bps",),
    "cost_to_serve": ("cost_to_serve",),
}
"""Line of margin -> settings behind it."""

OTHERS: Final = "default"
"""Key of the cost to serve of every segment that is not named."""


@dataclass(frozen=True)
class Rates:
    """Rates of one broker; published tariffs, the same for everybody in the same place.

    Attributes:
        currency: of the amounts, ISO 4217.
        months: how far ahead margins are counted.
        discount: yearly rate.
        constant_hazard: beyond the model's horizon each client's own rate of leaving goes on.
        history: days of trades behind a year's commission.
        level: days over which cash and debt are averaged.
        commission_kept: share of the commission kept.
        commission_tiers: (least yearly turnover in minor units, share of turnover), ascending.
        asset_fee: category of instrument -> share of value a year.
        margin_spread: share of debt a year.
        cash_spread: share of cash a year.
        cost_to_serve: segment -> minor units a year; `OTHERS` for all not named.
        yours: settings that stand in keepwell.yaml; the others are keepwell's defaults.
    """

    currency: str
    months: int
    discount: float
    constant_hazard: bool
    history: int
    level: int
    commission_kept: float
    commission_tiers: tuple[tuple[float, float], ...]
    asset_fee: Mapping[str, float]
    margin_spread: float
    cash_spread: float
    cost_to_serve: Mapping[str, float]
    yours: frozenset[str]

    @classmethod
    def of(cls, workspace: Workspace) -> Rates:
        """The rates of a workspace's keepwell.yaml."""
        return cls.from_settings(workspace.mapping.value, workspace.currency)

    @classmethod
    def from_settings(cls, value: Value, currency: str) -> Rates:
        """The rates of a section `value`.

        Args:
            value: the section.
            currency: of its amounts, ISO 4217.
        """
        minor = 10.0 ** minor_exponent(currency)
        return cls(
            currency=currency,
            months=max(1, round(value.horizon_years * 12)),
            discount=value.discount_rate,
            constant_hazard=value.after == "constant",
            history=value.history_days,
            level=value.level_days,
            commission_kept=value.commission_kept,
            commission_tiers=tuple(
                (tier.turnover_from * minor, tier.bps * BPS) for tier in value.commission_tiers
            ),
            asset_fee={name: bps * BPS for name, bps in value.asset_fee_bps.items()},
            margin_spread=value.margin_spread_bps * BPS,
            cash_spread=value.cash_spread_bps * BPS,
            cost_to_serve={name: cost * minor for name, cost in value.cost_to_serve.items()},
            yours=frozenset(value.model_fields_set),
        )

    def serving(self, segment: str | None) -> float | None:
        """Yearly cost of serving a client of a segment, minor units; None where none is given."""
        return self.cost_to_serve.get(segment or "", self.cost_to_serve.get(OTHERS))

    def is_yours(self, line: str) -> bool:
        """Whether a setting behind a line of margin stands in keepwell.yaml.

        Args:
            line: a key of `SETTINGS`.
        """
        return any(setting in self.yours for setting in SETTINGS[line])

    def whose(self, setting: str, locale: str | None = None) -> str:
        """Whether a setting is the broker's own or keepwell's assumption, in words.

        Args:
            setting: a key of the section `value`.
            locale: 'en' or 'zh'.
        """
        return tr("yours" if setting in self.yours else "default, not yours", locale)
