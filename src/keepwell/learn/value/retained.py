"""What treatment kept, beside the hold-out: clients, assets at opening prices, value, revenue.

Always by assignment (intention to treat): who was to be treated counts as treated, reached or not,
so that choosing whom to reach cannot flatter. What was kept is the difference per client times the
clients assigned.

Money is told twice. *Raw* is the plain difference. *Adjusted* is cut at the 99 % quantile of both
arms together and rid of what was known before the assignment (CUPED). The rule is fixed; which of
the two looks better does not decide.

The adjusted interval is the one to rely on, and it speaks of the outcomes as cut: what the few
largest clients kept beyond the limit is not in it. A single client may hold half of all the money
that was kept; then no interval of the raw sum can be relied on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import UsageError
from keepwell.learn.value.estimate import (
    WINSOR,
    Array,
    Effect,
    Estimator,
    Flags,
    adjusted,
    clustered_difference,
    coded,
    winsorised,
)

CLIENTS: Final = "clients"
ASSETS: Final = "assets"
VALUE: Final = "value"
REVENUE: Final = "revenue"

MEASURE_NAMES: Final[dict[str, str]] = {
    CLIENTS: "clients kept",
    ASSETS: "assets kept, at opening prices",
    VALUE: "value kept",
    REVENUE: "revenue kept",
}


@dataclass(frozen=True)
class Trial:
    """Two arms and what became of them; arrays [n], one element per client.

    Attributes:
        treated: assigned to treatment; the others are held out; bool.
        manager: the manager at the assignment; intervals are clustered by it.
        stayed: 1 stayed, 0 left, NaN not known.
        opening: assets at the assignment, minor units, NaN unknown.
        net: net flow since, at opening prices, minor units, NaN unknown (see `flows`).
        predicted: probability of leaving as scored at the assignment; NaN unknown.
        past: net flow over the days before the assignment, minor units; None when not asked for.
        worth: what the client would take away by leaving, as of the assignment
            (`ClientValue.lost`), minor units; NaN unknown.
        revenue: line -> revenue within the span, minor units.
    """

    treated: Flags
    manager: npt.NDArray[Any]
    stayed: Array
    opening: Array
    net: Array
    predicted: Array
    past: Array | None = None
    worth: Array | None = None
    revenue: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = [self.manager, self.stayed, self.opening, self.net, self.predicted,
                 *(a for a in (self.past, self.worth) if a is not None),
                 *self.revenue.values()]  # fmt: skip
        counts = {len(array) for array in (self.treated, *given)}
        if len(counts) != 1:
            raise UsageError("value.lengths-differ", counts=", ".join(map(str, sorted(counts))))

    @property
    def before(self) -> Array:
        """What was known at the assignment, for CUPED: assets, flow, predicted churn; [n, k]."""
        facts = [self.opening, self.predicted]
        if self.past is not None:
            facts.append(self.past)
        return np.column_stack(facts).astype(np.float64)


@dataclass(frozen=True)
class Retained:
    """One measure of what was kept.

    Attributes:
        measure: 'clients', 'assets', 'value', 'revenue' or 'revenue.<line>'.
        raw: difference per client, as it is; of clients a share, of the others minor units.
        adjusted: the same winsorised (not of clients) and with CUPED.
        treated: clients assigned to treatment whose outcome is known.
        held: the same of the hold-out.
        unknown: clients left out, by arm (treated, held out), since their outcome is not known.
        limit: where outcomes were cut, minor units; None of clients.
        opening: known opening assets of the treated, minor units.
    """

    measure: str
    raw: Effect
    adjusted: Effect
    treated: int
    held: int
    unknown: tuple[int, int]
    limit: float | None
    opening: float

    @property
    def share(self) -> Effect | None:
        """Kept money, adjusted, as a share of the treated clients' opening assets; not of clients.

        A ratio of sums: a mean of shares would count a client of 100 like one of a million.
        """
        if self.measure == CLIENTS or not self.opening > 0:
            return None
        return self.total.times(1.0 / self.opening)

    @property
    def raw_total(self) -> Effect:
        """Kept in all, raw: clients, or minor units."""
        return self.raw.times(self.treated)

    @property
    def total(self) -> Effect:
        """Kept in all, adjusted: clients, or minor units."""
        return self.adjusted.times(self.treated)


def retained(
    trial: Trial, estimator: Estimator = clustered_difference, confidence: float = 0.95
) -> dict[str, Retained]:
    """Everything that was kept, by measure.

    Args:
        trial: the arms and what became of them.
        estimator: compares two arms; default: difference of means, clustered by manager.
        confidence: of the two-sided intervals.

    Raises:
        DataError: an arm is empty, or there are fewer than two managers.
    """
    trial = replace(
        trial, manager=coded(np.asarray(trial.manager))[0]
    )  # sorted once, not each time
    return {
        name: measure(name, y, trial, estimator, confidence)
        for name, y in outcomes_of(trial).items()
    }


def outcomes_of(trial: Trial) -> dict[str, Array]:
    """What is compared, by measure; float64 [n] each, NaN where not known.

    Args:
        trial: the arms and what became of them.
    """
    outcomes: dict[str, Array] = {CLIENTS: trial.stayed, ASSETS: trial.net}
    if trial.worth is not None:
        # What a client is worth was known before the assignment: only the staying is an outcome.
        outcomes[VALUE] = trial.worth * trial.stayed
    for line, values in trial.revenue.items():
        outcomes[f"{REVENUE}.{line}"] = values
    if trial.revenue:
        outcomes[REVENUE] = np.sum(list(trial.revenue.values()), axis=0)
    return {name: np.asarray(y, np.float64) for name, y in outcomes.items()}


def measure(
    name: str,
    y: Array,
    trial: Trial,
    estimator: Estimator = clustered_difference,
    confidence: float = 0.95,
) -> Retained:
    """What was kept by one measure.

    Args:
        name: what it is called.
        y: outcome; float64 [n], NaN where not known.
        trial: the arms, and what was known before.
        estimator: compares two arms.
        confidence: of the two-sided intervals.

    Raises:
        DataError: an arm is empty, or there are fewer than two managers.
    """
    known = ~np.isnan(y)
    treated, manager, seen, before = trial.treated, trial.manager, y, trial.before
    if not known.all():
        treated, manager, seen, before = treated[known], manager[known], y[known], before[known]
    raw = estimator(seen, treated, manager, confidence)
    cut, limit = (seen, None) if name == CLIENTS else winsorised(seen, WINSOR)
    better = estimator(adjusted(cut, treated, before), treated, manager, confidence)
    lost = (int((~known & trial.treated).sum()), int((~known & ~trial.treated).sum()))
    opening = float(np.nansum(trial.opening[known & trial.treated]))
    return Retained(
        name, raw, better, int(treated.sum()), int((~treated).sum()), lost, limit, opening
    )
