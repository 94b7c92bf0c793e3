"""What an experiment changed: differences to the control by intention to treat.

Every unit counts in the arm it was drawn into, whatever reached it. CUPED (Deng, Xu, Kohavi &
Walker 2013, "Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data") takes from each value what was known before the draw; ratios are linearised
(the delta method; Deng, Knoblich & Lu 2018, "Applying the delta method in metric analytics").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from keepwell.core.errors import DataError, UsageError, nearest
from keepwell.learn.experiment.design import Metric
from keepwell.learn.experiment.intervals import Estimate, Floats, Means
from keepwell.learn.experiment.layout import Layout, lay_out
from keepwell.learn.experiment.multiple import benjamini_hochberg

Columns = Mapping[str, Any]
"""Column name to values by unit; numpy arrays, lists or Arrow arrays."""


@dataclass(frozen=True)
class Effect:
    """What one arm changed in one metric.

    Attributes:
        metric: read out.
        arm: treated.
        control: compared with.
        units: in the arm, in the control.
        means: of the arm, of the control, as compared: winsorised and adjusted.
        difference: arm less control, with its interval.
        relative: difference over the control's mean, Fieller's interval; nan where that mean is 0.
        raw: the difference neither winsorised nor adjusted; the same when neither was asked for.
        reduction: share of the raw variance that winsorising and CUPED took away.
        q: p-value of the difference, adjusted over all effects read out together
            (Benjamini-Hochberg); effects with q <= 0.05 hold at most 5 % false ones on average.
    """

    metric: Metric
    arm: str
    control: str
    units: tuple[int, int]
    means: tuple[float, float]
    difference: Estimate
    relative: Estimate
    raw: Estimate
    reduction: float
    q: float = math.nan
    _moments: Means | None = field(default=None, repr=False, compare=False)
    _places: tuple[int, int] = field(default=(0, 0), repr=False, compare=False)

    def at(self, level: float, few: str = "signs") -> Estimate:
        """The difference with an interval of another level.

        Args:
            level: 0 to 1, such as that of a look.
            few: 'signs' or 'clusters', for fewer than 30 clusters.
        """
        return self.contrast(1.0, -1.0, level, few)

    def contrast(self, arm: float, control: float, level: float, few: str = "signs") -> Estimate:
        """A weighted sum of the two means, such as 1 and -0.8 for 'less than 80 % of'."""
        moments, by = self._by(arm, control)
        return moments.contrast(by, level, few)

    def relative_at(self, level: float) -> Estimate:
        """The relative difference with an interval of another level."""
        moments, over = self._by(1.0, -1.0)
        return moments.quotient(over, self._by(0.0, 1.0)[1], level)

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON: the figures, without what other levels are computed from."""
        return {
            "metric": asdict(self.metric), "arm": self.arm, "control": self.control,
            "units": list(self.units), "means": list(self.means),
            "difference": self.difference.to_dict(), "relative": self.relative.to_dict(),
            "raw": self.raw.to_dict(), "reduction": self.reduction,
            "q": None if math.isnan(self.q) else self.q,
        }  # fmt: skip

    def _by(self, arm: float, control: float) -> tuple[Means, Floats]:
        assert self._moments is not None
        by = np.zeros(len(self._moments.mean))
        by[self._places[0]] += arm
        by[self._places[1]] += control
        return self._moments, by


@dataclass(frozen=True)
class ReadOut:
    """Everything read out at once.

    Attributes:
        effects: by metric, then by arm.
        units: by arm name.
        clusters: how many; 0 without.
        strata: compared within, small ones taken together.
        method: 'units', 'clusters' or 'signs' (see `keepwell.learn.experiment.intervals`).
    """

    effects: tuple[Effect, ...]
    units: Mapping[str, int]
    clusters: int
    strata: int
    method: str

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "effects": [one.to_dict() for one in self.effects], "units": dict(self.units),
            "clusters": self.clusters, "strata": self.strata, "method": self.method,
        }  # fmt: skip

    def effect(self, metric: str, arm: str | None = None) -> Effect:
        """One effect.

        Args:
            metric: its name.
            arm: default: the only treated one, else the first.

        Raises:
            UsageError: `experiment.metric-unknown`.
        """
        for one in self.effects:
            if one.metric.name == metric and arm in (None, one.arm):
                return one
        known = sorted({one.metric.name for one in self.effects})
        raise UsageError(
            "experiment.metric-unknown", metric=metric, nearest=nearest(metric, known),
            known=", ".join(known),
        )  # fmt: skip


def read_out(
    metrics: Sequence[Metric],
    data: Columns,
    *,
    control: str,
    arm: str = "arm",
    stratum: str | None = None,
    cluster: str | None = None,
    propensity: str | None = None,
    level: float = 0.95,
) -> ReadOut:
    """Compare every arm with the control in every metric.

    Args:
        metrics: whose columns the data have. An outcome must be known for every unit; a covariate
            that is missing counts as its mean.
        data: a row per unit that was drawn, whatever became of it.
        control: name of the arm to compare with.
        arm: column of the arms' names.
        stratum: column of the draw's blocks.
        cluster: column of who shares luck, such as the manager (or the household, when households
            were drawn and managers are not given). Clients of no manager share nothing: name each
            after herself.
        propensity: column of the chance with which each unit got its arm, above 0; needed only
            when it differs between units of an arm.
        level: of the intervals.

    Raises:
        UsageError: `experiment.column-missing`, `experiment.arm-unknown`,
            `experiment.metric-twice`.
        DataError: `experiment.column-length`, `experiment.outcome-missing`,
            `experiment.arm-empty`, `experiment.value-wrong` for a propensity, for a proportion that
            is neither 0 nor 1, for a ratio whose denominator adds up to nothing in an arm.
    """
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise UsageError("experiment.metric-twice", metric=name)
    rows = len(_column(data, arm))
    arms = _arms(data, arm, control)
    optional = [None if name is None else _column(data, name, rows)
                for name in (stratum, cluster, propensity)]  # fmt: skip
    layout = lay_out(_column(data, arm), arms, *optional)
    known: dict[tuple[str, float | None], Floats] = {}
    effects: list[Effect] = []
    for metric in metrics:
        effects += _effects(layout, metric, data, known, level)
    adjusted = benjamini_hochberg([one.difference.p for one in effects])
    effects = [replace(one, q=q) for one, q in zip(effects, adjusted, strict=True)]
    sizes = dict(zip(arms, map(int, layout.sizes()), strict=True))
    method = effects[0].difference.method if effects else "units"
    return ReadOut(tuple(effects), sizes, layout.clusters, layout.strata, method)


def _effects(
    layout: Layout,
    metric: Metric,
    data: Columns,
    known: dict[tuple[str, float | None], Floats],
    level: float,
) -> list[Effect]:
    raw = outcome(data, metric, layout.n)
    under = None if metric.denominator is None else numbers(data, metric.denominator, layout.n)
    plain = _moments(layout, raw, under, None)
    adjusted = plain
    if metric.winsor is not None or metric.covariates:
        covariates = None
        if metric.covariates:
            for name in metric.covariates:
                if (name, metric.winsor) not in known:
                    known[name, metric.winsor] = winsorised(covariate(data, name, layout.n), metric)
            covariates = np.stack([known[name, metric.winsor] for name in metric.covariates])
        adjusted = _moments(layout, winsorised(raw, metric), under, covariates)
    sizes, last = layout.sizes(), len(layout.arms) - 1
    effects = []
    for place in range(last):
        by, under_by = np.zeros(last + 1), np.zeros(last + 1)
        by[place], by[last], under_by[last] = 1.0, -1.0, 1.0
        before = plain.contrast(by, level)
        after = before if adjusted is plain else adjusted.contrast(by, level)
        effects.append(Effect(
            metric=metric, arm=layout.arms[place], control=layout.arms[last],
            units=(int(sizes[place]), int(sizes[last])),
            means=(float(adjusted.mean[place]), float(adjusted.mean[last])),
            difference=after, relative=adjusted.quotient(by, under_by, level), raw=before,
            reduction=1 - (after.se / before.se) ** 2 if before.se else 0.0,
            _moments=adjusted, _places=(place, last),
        ))  # fmt: skip
    return effects


def _moments(
    layout: Layout, values: Floats, under: Floats | None, covariates: Floats | None
) -> Means:
    """Means of the arms: of a value or of a ratio, less what covariates tell."""
    if under is None:
        if covariates is not None:
            values = values - explained(layout, values, covariates)
        return layout.means(values)
    top, bottom = layout.means(values).mean, layout.means(under).mean
    if not (bottom > 0).all():
        raise DataError(
            "experiment.value-wrong", name="denominator", expected="> 0", value=float(bottom.min())
        )
    ratio = top / bottom
    # Linearised around each arm's own ratio, so that the linear values have the ratio as mean.
    places = layout.cell % len(layout.arms)
    linear = (values - ratio[places] * under) / bottom[places]
    told = np.zeros(layout.n)
    if covariates is not None:
        told = explained(layout, linear, covariates)
    return layout.means(linear + ratio[places] - told)


def explained(layout: Layout, values: Floats, covariates: Floats) -> Floats:
    """The part of values that covariates known before the draw explain, with mean 0 (CUPED).

    Args:
        layout: whose strata the coefficients are fitted within, all arms together.
        values: by unit [n].
        covariates: [k, n]; one that does not vary explains nothing.
    """
    inside = np.stack([layout.within(one) for one in covariates])
    scale = np.sqrt(np.mean(inside**2, axis=1))
    size = np.max(np.abs(covariates), axis=1)
    varies = scale > 1e-12 * np.maximum(size, 1e-300)
    if not varies.any():
        return np.zeros(layout.n)
    inside = inside[varies] / scale[varies, None]
    theta = np.linalg.lstsq(inside @ inside.T, inside @ values, rcond=1e-10)[0] / scale[varies]
    centred = covariates[varies] - covariates[varies].mean(axis=1, keepdims=True)
    return np.asarray(theta @ centred)


def winsorised(values: Floats, metric: Metric) -> Floats:
    """Values cut at the metric's quantile of all arms together; unchanged without one."""
    if metric.winsor is None:
        return values
    high = float(np.quantile(values, metric.winsor))
    low = float(np.quantile(values, 1 - metric.winsor)) if metric.both_tails else -math.inf
    return np.clip(values, low, high)


def outcome(data: Columns, metric: Metric, rows: int) -> Floats:
    """The values of a metric's column.

    Raises:
        DataError: `experiment.outcome-missing`; also when a proportion is neither 0 nor 1.
    """
    values = numbers(data, metric.name, rows)
    if metric.kind == "proportion":
        strange = values[(values != 0) & (values != 1)]
        if len(strange):
            raise DataError(
                "experiment.value-wrong", name=metric.name, expected="0 | 1", value=strange[0]
            )
    return values


def numbers(data: Columns, name: str, rows: int) -> Floats:
    """A column of finite numbers.

    Raises:
        UsageError: `experiment.column-missing`.
        DataError: `experiment.column-length`, `experiment.outcome-missing`.
    """
    values = _floats(_column(data, name, rows))
    missing = rows - int(np.isfinite(values).sum())
    if missing:
        raise DataError("experiment.outcome-missing", column=name, rows=missing)
    return values


def covariate(data: Columns, name: str, rows: int) -> Floats:
    """A column known before the draw; what is missing is taken as the mean of the rest.

    Raises:
        UsageError: `experiment.column-missing`.
        DataError: `experiment.column-length`.
    """
    values = _floats(_column(data, name, rows))
    fine = np.isfinite(values)
    if fine.all():
        return values
    return np.where(fine, values, values[fine].mean() if fine.any() else 0.0)


def _floats(column: Any) -> Floats:
    if isinstance(column, pa.Array | pa.ChunkedArray):
        column = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(column, np.float64)


def _column(data: Columns, name: str, rows: int | None = None) -> Any:
    if name not in data:
        known = [str(one) for one in data]
        raise UsageError(
            "experiment.column-missing", column=name, nearest=nearest(name, known),
            known=", ".join(known),
        )  # fmt: skip
    column = data[name]
    if rows is not None and len(column) != rows:
        got = len(column)
        raise DataError("experiment.column-length", column=name, rows=got, expected=rows)
    return column


def _arms(data: Columns, arm: str, control: str) -> tuple[str, ...]:
    """The arms' names in order, the control last."""
    column = _column(data, arm)
    if not isinstance(column, pa.Array | pa.ChunkedArray):
        column = pa.array(column)
    names = sorted(map(str, column.unique().to_pylist()))
    if control not in names:
        raise UsageError(
            "experiment.arm-unknown", arm=control, nearest=nearest(control, names),
            known=", ".join(names),
        )  # fmt: skip
    return (*(name for name in names if name != control), control)
