"""Train as one would have, then look: expanding windows in time, with nothing known too early.

A model that is tested at t is trained only on rows whose label was mature, and known, by t less
the embargo. Its inputs are those that can be seen at t. Baselines stand beside it, on the same
rows, with paired intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.days import day_number, to_date
from keepwell.core.errors import DataError
from keepwell.observe.engines.base import Engine
from keepwell.observe.indicators.needs import SINCE_WINDOW
from keepwell.warn.calibrate import Calibration, fit_calibration, out_of_fold
from keepwell.warn.dataset import Dataset, Progress, build_dataset
from keepwell.warn.drift import drifted
from keepwell.warn.label import LabelDefinition
from keepwell.warn.metrics import Bin, Evaluation, calibration_bins, evaluate, lift_curve, wilson
from keepwell.warn.models import Contributions, Model, create
from keepwell.warn.models.base import sigmoid
from keepwell.warn.models.logistic import CLUMPINESS, RFM
from keepwell.warn.rfm import rfm_inputs
from keepwell.warn.score import Capacity, ScoreMap, fit_score
from keepwell.warn.tier import Tier, tiers_of

Array = npt.NDArray[np.float64]

CHAMPION: Final = "catboost"
BASELINES: Final = ("recency", "rfm", "rfm-clumpiness")
MARKET_DATES: Final = 24
"""Training dates from which the market's own inputs say more than which date it is."""

OLDER: Final = 0.3
"""Weight of the rows of older dates: what drove leaving changes from half-year to half-year."""

SEEN: Final = 0.05
"""Share of the clients who must have an input at the test for the model to use it."""

RFM_COLUMNS: Final = (*RFM, CLUMPINESS)
"""Inputs that only baselines may use."""


@dataclass(frozen=True)
class Trained:
    """A model with its calibration and its score, as one thing.

    Attributes:
        model: fitted on all training rows.
        calibration: of its log-odds.
        score_map: of the calibrated log-odds.
        base_rate: share who left at the newest training date.
        dates: training dates.
        rows: training rows.
        left: of them with the label.
        capacity: from which the score's knots came.
    """

    model: Model
    calibration: Calibration
    score_map: ScoreMap
    base_rate: float
    dates: tuple[datetime, ...]
    rows: int
    left: int
    capacity: Capacity

    @property
    def names(self) -> tuple[str, ...]:
        """The model's inputs."""
        return self.model.names

    def log_odds(self, X: Array, names: Sequence[str]) -> Array:
        """Calibrated log-odds, float64 [n]."""
        return self.calibration.log_odds(self.model.log_odds(X, names))

    def predict(self, X: Array, names: Sequence[str]) -> Array:
        """Calibrated probability of leaving, float64 [n]."""
        return sigmoid(self.log_odds(X, names))

    def score(self, log_odds: Array) -> Array:
        """Scores 0..100 of calibrated log-odds, float64 [n]."""
        return self.score_map.score(log_odds)

    def contributions(self, X: Array, names: Sequence[str]) -> Contributions:
        """Contributions to the calibrated log-odds."""
        return self.calibration.contributions(self.model.contributions(X, names))


def model_inputs(names: Sequence[str]) -> list[str]:
    """The inputs that the champion may use: no baseline inputs, none kept for other purposes.

    What a client told the broker for suitability or display (age, risk level, assessment) is held
    for that purpose and does not feed the model.
    """
    from keepwell.observe.indicators import INDICATORS

    kept = []
    for name in names:
        known = INDICATORS.get(name)
        if name in RFM_COLUMNS or (known and _withheld(known.reads)):
            continue
        kept.append(name)
    return kept


def usable_inputs(learnt: Dataset, now: Dataset) -> list[str]:
    """The inputs that a champion trained on some rows may use to rank others.

    Those it may use at all, that enough of the clients to be ranked have, and that have not
    drifted away since the newest training date.

    Args:
        learnt: training rows.
        now: rows to be ranked, at one date.
    """
    seen = set(now.present(SEEN)) & set(learnt.present())
    names = [name for name in model_inputs(learnt.names) if name in seen]
    lost = set(drifted(learnt, now, names))
    return [name for name in names if name not in lost]


def directions(names: Sequence[str]) -> dict[str, int]:
    """Inputs whose direction the catalogue declares: 1 when high is a warning, -1 when low is.

    Those that compare the positions of two dates are left free: who trims may be leaving, or may
    only be busy, and the busy stay.
    """
    from keepwell.observe.indicators import INDICATORS

    sign = {"high": 1, "low": -1}
    return {
        name: sign[INDICATORS[name].direction]
        for name in names
        if name in INDICATORS
        and INDICATORS[name].direction in sign
        and not any(_compares_positions(need) for need in INDICATORS[name].reads)
    }


def _compares_positions(need: Any) -> bool:
    moved = need.stat in SINCE_WINDOW and need.stat != "first_since"
    return bool(need.table == "position" and (moved or need.ago > 0 or need.stat == "left"))


def date_constants(data: Dataset) -> list[str]:
    """Inputs that are the same for every client of a date, while the dates are few.

    With few dates such an input (a market index, say) only names the date: a model would learn
    that date's share of leavers by heart and carry it into any market that looks alike.
    """
    if len(data.dates) >= MARKET_DATES:
        return []
    same = np.ones(len(data.names), np.bool_)
    for i in range(len(data.dates)):
        rows = data.X[data.date == i]
        if len(rows):
            first = rows[0]
            same &= ((rows == first) | (np.isnan(rows) & np.isnan(first))).all(axis=0)
    return [name for name, constant in zip(data.names, same, strict=True) if constant]


def _withheld(needs: Sequence[Any]) -> bool:
    allowed = "tenure_days"
    return any(need.table == "client" and need.stat != allowed for need in needs)


def train(
    data: Dataset,
    name: str = CHAMPION,
    params: Mapping[str, Any] | None = None,
    *,
    inputs: Sequence[str] | None = None,
    capacity: Capacity | None = None,
    folds: int = 3,
    older: float = OLDER,
) -> Trained:
    """Fit, calibrate, set the score's knots.

    A model that takes a parameter `monotone` is held to the catalogue's directions unless it is
    given its own: what is declared a warning may not lower the risk, however the past fell out.

    Args:
        data: labelled rows.
        name: the model.
        params: its parameters.
        inputs: columns to use; default: those of `model_inputs` with any value. Columns without
            any value are left out either way, and `date_constants`.
        capacity: of the staff.
        folds: groups of clients for the out-of-fold calibration.
        older: weight of the rows of older dates against those of the newest.

    Raises:
        DataError: no inputs are left, or only one class.
    """
    wanted = model_inputs(data.names) if inputs is None else list(inputs)
    present = set(data.present()) - set(date_constants(data))
    kept = [n for n in wanted if n in present]
    if not kept:
        raise DataError("model.inputs-absent", model=name)
    data = data.columns(kept)
    newest = data.date == len(data.dates) - 1
    data = replace(data, weight=data.weight * np.where(newest, 1.0, older))
    settings = dict(params or {})
    if "monotone" in create(name).params:
        settings.setdefault("monotone", directions(data.names))
    held_out = out_of_fold(data, name, settings, folds)
    calibration = fit_calibration(held_out.log_odds, held_out.y)
    base_rate = float(held_out.y.mean())
    capacity = capacity or Capacity()
    score_map = fit_score(calibration.log_odds(held_out.log_odds), base_rate, capacity)
    model = create(name, **settings).fit(data.X, data.y, data.names, data.weight)
    return Trained(
        model, calibration, score_map, base_rate, data.dates, len(data), int(data.y.sum()), capacity
    )


@dataclass(frozen=True, slots=True)
class TierResult:
    """How one tier turned out on the test.

    Attributes:
        tier: the tier.
        clients: how many were in it.
        share: of all tested, 0..1.
        left: how many left.
        rate: left / clients; NaN when nobody was in it.
        low: Wilson's 95 % bounds of the rate.
        high: the upper one.
        expected: mean probability.
    """

    tier: Tier
    clients: int
    share: float
    left: int
    rate: float
    low: float
    high: float
    expected: float


@dataclass(frozen=True)
class Backtest:
    """One test date.

    Attributes:
        as_of: the test date.
        ends_at: end of its horizon.
        trained: the champion.
        test: the test rows.
        log_odds: model -> calibrated log-odds, float64 [n].
        scores: of the champion, float64 [n].
        evaluation: all models on the at-risk rows.
        tiers: gravest first.
        bins: calibration of the champion.
        curves: model -> shares of clients, shares of leavers found.
    """

    as_of: datetime
    ends_at: datetime
    trained: Trained
    test: Dataset
    log_odds: dict[str, Array]
    scores: Array
    evaluation: Evaluation
    tiers: list[TierResult]
    bins: list[Bin]
    curves: dict[str, tuple[Array, Array]] = field(repr=False)

    @property
    def probability(self) -> Array:
        """Champion's probability, float64 [n]."""
        return sigmoid(self.log_odds[self.evaluation.champion])


def training_dates(
    definition: LabelDefinition,
    candidates: Sequence[datetime],
    known_by: datetime,
    zone: Any,
    embargo: timedelta = timedelta(),
) -> list[datetime]:
    """The candidates whose label is mature by an instant, less the embargo, oldest first."""
    limit = known_by - embargo
    return sorted(t for t in set(candidates) if definition.matures_at(t, zone) <= limit)


def date_series(first: datetime, until: datetime, every: str, zone: Any) -> list[datetime]:
    """Instants from `first` on, `every` 'Nd' or 'Nmo' apart, not after `until`."""
    from keepwell.core.days import add_span

    number, unit = int(every.rstrip("dmo")), "mo" if every.endswith("mo") else "d"
    out: list[datetime] = []
    while True:
        at = add_span(first, f"{len(out) * number}{unit}", zone)
        if at > until:
            return out
        out.append(at)


def configured_dates(workspace: Any, until: datetime) -> list[datetime]:
    """The training dates that keepwell.yaml lists or describes, not after `until`."""
    from keepwell.core.days import midnight

    train_on, zone = workspace.mapping.dates.train, workspace.zone
    if isinstance(train_on, list):
        found = [midnight(day_number(d), zone) for d in train_on]
        return sorted(t for t in found if t <= until)
    start = midnight(day_number(train_on.start), zone)
    last = (
        until if train_on.until is None else min(until, midnight(day_number(train_on.until), zone))
    )
    return date_series(start, last, train_on.every, zone)


def backtest(
    engine: Engine,
    definition: LabelDefinition,
    dates: Sequence[datetime],
    test_at: datetime,
    *,
    champion: str = CHAMPION,
    params: Mapping[str, Any] | None = None,
    rivals: Sequence[str] = BASELINES,
    inputs: Sequence[str] | None = None,
    capacity: Capacity | None = None,
    embargo: timedelta = timedelta(),
    newcomers: bool = False,
    replicates: int = 1000,
    progress: Progress | None = None,
) -> Backtest:
    """Train on what was known at `test_at`, then test there.

    Args:
        engine: gives indicators and positions.
        definition: the label.
        dates: candidates for training; those not mature in time are left out.
        test_at: the test's as-of instant.
        champion: the model under test.
        params: its parameters.
        rivals: baselines and challengers.
        inputs: the champion's inputs; default: see `usable_inputs`.
        capacity: of the staff.
        embargo: time between the last training label and the test.
        newcomers: train and test on clients too young for a score as well.
        replicates: of the bootstrap.
        progress: called with a line of text per step.

    Raises:
        DataError: no training date is mature, or the test's label is not known yet.
    """
    zone = engine.workspace.zone
    learnt = build_dataset(
        engine, training_dates(definition, dates, test_at, zone, embargo), definition,
        known_by=test_at, newcomers=newcomers, extra=rfm_inputs, progress=progress,
    )  # fmt: skip
    test = build_dataset(
        engine, [test_at], definition, newcomers=newcomers, extra=rfm_inputs, progress=progress
    )
    names = usable_inputs(learnt, test) if inputs is None else list(inputs)

    def fit(name: str, own: Mapping[str, Any] | None) -> Trained:
        if progress:
            progress(name)
        columns = RFM_COLUMNS if name in BASELINES else names
        return train(learnt, name, own, inputs=columns, capacity=capacity)

    trained = fit(champion, params)
    log_odds = {champion: trained.log_odds(test.X, test.names)}
    for rival in rivals:
        if rival != champion:
            log_odds[rival] = fit(rival, None).log_odds(test.X, test.names)
    return _result(definition, test_at, zone, trained, test, log_odds, replicates)


def _result(
    definition: LabelDefinition,
    test_at: datetime,
    zone: Any,
    trained: Trained,
    test: Dataset,
    log_odds: dict[str, Array],
    replicates: int,
) -> Backtest:
    champion = next(iter(log_odds))
    scores = trained.score(log_odds[champion])
    p = sigmoid(log_odds[champion])
    return Backtest(
        as_of=test_at,
        ends_at=definition.matures_at(test_at, zone),
        trained=trained,
        test=test,
        log_odds=log_odds,
        scores=scores,
        evaluation=evaluate(
            test.y, log_odds, test.clients, champion=champion,
            capacity=trained.capacity.mild, replicates=replicates,
        ),
        tiers=tier_results(test.y, p, scores),
        bins=calibration_bins(test.y, p),
        curves={name: lift_curve(test.y, z) for name, z in log_odds.items()},
    )  # fmt: skip


def expanding(
    engine: Engine,
    definition: LabelDefinition,
    dates: Sequence[datetime],
    tests: Sequence[datetime],
    **settings: Any,
) -> list[Backtest]:
    """A backtest at every test date, each trained on all that was mature by then.

    Args:
        engine: gives indicators and positions.
        definition: the label.
        dates: candidates for training.
        tests: test dates; those before any label is mature are left out.
        **settings: as in `backtest`.
    """
    embargo = settings.get("embargo", timedelta())
    zone = engine.workspace.zone
    return [
        backtest(engine, definition, dates, at, **settings)
        for at in sorted(tests)
        if training_dates(definition, dates, at, zone, embargo)
    ]


def tier_results(y: Array, p: Array, scores: Array) -> list[TierResult]:
    """Share and realised rate of each tier, gravest first.

    Args:
        y: [n], 0 or 1.
        p: [n], probabilities.
        scores: [n], 0..100.
    """
    tiers = tiers_of(scores)
    out = []
    for tier in sorted(Tier, reverse=True):
        inside = tiers == int(tier)
        n, left = int(inside.sum()), int(y[inside].sum())
        low, high = wilson(left, n)
        out.append(
            TierResult(
                tier, n, n / max(len(y), 1), left, left / n if n else float("nan"),
                float(low), float(high), float(p[inside].mean()) if n else float("nan"),
            )
        )  # fmt: skip
    return out


def label_day(instant: datetime, zone: Any) -> str:
    """The local date of an instant, ISO."""
    from keepwell.core.days import local_day

    return to_date(local_day(instant, zone)).isoformat()
