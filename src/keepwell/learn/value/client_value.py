"""What clients are worth: discounted margin for as long as they stay, with an interval.

    V = sum over months k of (1 + r)^(-k/12) * S(k) * margin / 12

S is the survival of `survival`, margin the yearly one of `margin`, taken to stay as it is: neither
markets nor habits are foreseen (Gupta, Lehmann & Stuart 2004, "Valuing customers", without growth).

The interval is of the *expected* value, by the delta method: a client's own luck, whether she
stays, is not in it. Two kinds of error are kept apart, for they add up differently over a segment:
that of a client's margin averages out, that of the calibration is common to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import UsageError
from keepwell.learn.value.survival import Array, Doubt, SurvivalRule, checked, normal_quantile

_BLOCK = 65_536
# Clients per block: its working arrays stay in the processor's cache.


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; low and high are NaN where no error is known.

    Attributes:
        value: the estimate.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClientValue:
    """Values of clients, minor units; all arrays float64 [n], NaN where not known.

    Attributes:
        value: discounted margin over the horizon of years.
        kept: the same if the client certainly stays through the model's horizon.
        lost: what a client who leaves within that horizon takes away, midway through it on
            average: `kept` less half of the margin until its end.
        own: standard error from the client's own margin.
        per_log_odds: change of value per unit of common shift of log-odds.
        per_base: change of value per unit of the share who leave, beyond the horizon.
        doubt: of the calibration.
    """

    value: Array
    kept: Array
    lost: Array
    own: Array
    per_log_odds: Array
    per_base: Array
    doubt: Doubt

    @property
    def at_stake(self) -> Array:
        """What is expected to be lost for leaving within the model's horizon, float64 [n]."""
        return self.kept - self.value

    @property
    def error(self) -> Array:
        """Standard error of each value, float64 [n]; NaN where the calibration's is not known."""
        common = np.hypot(self.per_log_odds * self.doubt.log_odds, self._base(self.per_base))
        return np.hypot(self.own, common)

    def interval(self, confidence: float = 0.95) -> tuple[Array, Array]:
        """Lower and upper end for each client, float64 [n] each.

        Args:
            confidence: of the two-sided interval.
        """
        half = normal_quantile(confidence) * self.error
        return self.value - half, self.value + half

    def total(
        self, chosen: npt.NDArray[np.bool_] | Sequence[int] | None = None, confidence: float = 0.95
    ) -> Interval:
        """Sum over some clients with a value; common errors add, own ones average out.

        Args:
            chosen: mask or places; default: all.
            confidence: of the two-sided interval.
        """
        places = np.arange(len(self.value)) if chosen is None else np.asarray(chosen)
        if places.dtype == np.bool_:
            places = np.flatnonzero(places)
        places = places[~np.isnan(self.value[places])]
        value = float(self.value[places].sum())
        common = np.hypot(
            float(self.per_log_odds[places].sum()) * self.doubt.log_odds,
            self._base(float(self.per_base[places].sum())),
        )
        error = float(np.hypot(np.sqrt(np.sum(self.own[places] ** 2)), common))
        half = normal_quantile(confidence) * error
        return Interval(value, value - half, value + half)

    def _base(self, per_base: Array | float) -> Array | float:
        # Where everybody keeps an own rate the base does not enter, known or not.
        if not np.any(self.per_base):
            return per_base * 0.0
        return per_base * self.doubt.base


def client_value(
    probability: Array,
    margin: Array,
    rule: SurvivalRule,
    months: int,
    discount: float,
    *,
    error: Array | float = 0.0,
    doubt: Doubt | None = None,
) -> ClientValue:
    """Value every client.

    Args:
        probability: calibrated, of leaving within the rule's horizon; float64 [n], NaN unknown.
        margin: minor units a year; float64 [n], NaN unknown, may be negative.
        rule: how survival goes on.
        months: how far ahead.
        discount: yearly rate, as a share.
        error: standard error of the margins; float64 [n] or one for all.
        doubt: of the calibration; default: none is known, and there is no interval.

    Raises:
        UsageError: arrays of different lengths, a probability or rate out of range, no month.

    Example:
        >>> rule = SurvivalRule(horizon=1.0)
        >>> got = client_value(np.array([0.5]), np.array([1200.0]), rule, 2, 0.0)
        >>> got.value.round(6).tolist(), got.kept.round(6).tolist()
        ([75.0], [150.0])
    """
    p, yearly = checked(probability), np.asarray(margin, np.float64)
    if p.ndim != 1 or p.shape != yearly.shape:
        raise UsageError("value.lengths-differ", counts=f"{p.shape}, {yearly.shape}")
    if months < 1 or not discount >= 0:
        raise UsageError("value.horizon-invalid", months=months, discount=discount)
    out = np.empty((6, len(p)))
    errors = np.broadcast_to(np.asarray(error, np.float64), p.shape)
    for low in range(0, len(p), _BLOCK):
        part = slice(low, low + _BLOCK)
        out[:, part] = _block(p[part], yearly[part], errors[part], rule, months, discount)
    value, kept, lost, own, per_log_odds, per_base = out
    doubt = doubt or Doubt(np.nan, np.nan, "none")
    return ClientValue(value, kept, lost, own, per_log_odds, per_base, doubt)


def _block(
    p: Array, yearly: Array, errors: Array, rule: SurvivalRule, months: int, discount: float
) -> Array:
    """Value, if kept, lost by leaving, own error, slopes by log-odds and by base; [6, n]."""
    near, far = rule.near(p), rule.far(p)
    # Sums over months of discount * S, of months within * it, of months beyond * it; and of the
    # discounted survival of who certainly stays through what the model foresees.
    annuity, within, beyond, certain = np.zeros((4, len(p)))
    alive, safe = np.ones(len(p)), np.ones(len(p))
    steps: dict[tuple[float, float], tuple[Array, Array]] = {}
    before, foreseen = (0.0, 0.0), np.zeros(len(p))
    for month in range(1, months + 1):
        spent = rule.spent(month)
        step = (round(spent[0] - before[0], 12), round(spent[1] - before[1], 12))
        if step not in steps:
            later = np.exp(-far * step[1])
            steps[step] = (np.exp(-near * step[0]) * later, later)
        alive *= steps[step][0]
        safe *= steps[step][1]
        weight = (1.0 + discount) ** (-month / 12)
        annuity += weight * alive
        within += weight * spent[0] * alive
        beyond += weight * spent[1] * alive
        certain += weight * safe
        foreseen += weight * step[0] * safe
        before = spent
    monthly = yearly / 12
    # d rate / d log-odds = p / horizon, since rate = -ln(1 - p) / horizon.
    own_rate = p / rule.horizon
    if rule.base is None:
        slope = -(within + beyond) * own_rate * monthly
        base = np.where(np.isnan(slope), np.nan, 0.0)
    else:
        slope = -within * own_rate * monthly
        base = -beyond * monthly / ((1.0 - rule.base) * rule.horizon)
    kept = certain * monthly
    lost = kept - foreseen * monthly / 2
    return np.stack([annuity * monthly, kept, lost, annuity * errors / 12, slope, base])
