"""What the report of a run shows: plain values, no formatting.

Whoever fills a `ReportData` takes every number from the run itself. Shares and probabilities are
fractions 0..1, money is int64 minor units of `ReportData.currency`, days are dates in the
exchange's zone, instants are timezone-aware. `None` means not known or not measured, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from keepwell.core.days import local_day, midnight, to_date

TIERS = ("severe", "moderate", "mild", "none")
"""Tier codes, gravest first; 'none' is below every cut."""

SMALL_CELL = 20
"""A cell of fewer clients than this is marked: its rate says little."""


@dataclass(frozen=True, slots=True)
class Words:
    """One text in both languages, for words that come from a run and not from the catalogue."""

    en: str
    zh: str

    @classmethod
    def same(cls, text: str) -> Words:
        """The same text in both languages, such as a value from the broker's own data."""
        return cls(text, text)

    def of(self, locale: str) -> str:
        """The text in a language ('en' or 'zh')."""
        return self.zh if locale == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % interval; bounds are None where none was computed."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class AsOf:
    """An as-of instant, and the day by which people name it.

    Attributes:
        at: the instant, timezone-aware.
        day: the day that people name.
        point: 'close' or 'start' of that day, or an 'instant' within it.
        zone: the exchange's zone, IANA name.
    """

    at: datetime
    day: date
    point: Literal["close", "start", "instant"]
    zone: str

    @classmethod
    def of(cls, at: datetime, zone: ZoneInfo, *, start: bool = False) -> AsOf:
        """Name an instant: local midnight is the close of the day before.

        Args:
            at: timezone-aware instant.
            zone: the exchange's zone.
            start: name local midnight as the start of its own day instead.

        Example:
            >>> from zoneinfo import ZoneInfo
            >>> zone = ZoneInfo("Europe/Athens")
            >>> asof = AsOf.of(datetime(2022, 1, 1, tzinfo=zone), zone)
            >>> asof.day.isoformat(), asof.point
            ('2021-12-31', 'close')
        """
        number = local_day(at, zone)
        day = to_date(number)
        if midnight(number, zone) != at:
            return cls(at, day, "instant", zone.key)
        if start:
            return cls(at, day, "start", zone.key)
        return cls(at, day - timedelta(days=1), "close", zone.key)


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One contract table of the lake as the run read it.

    Attributes:
        table: contract name.
        version: Delta version.
        rows: rows in that version.
        first: first day with a fact; None for tables without a clock.
        last: last such day.
        coverage: [from, until) days for which the table is declared complete; until None = open.
    """

    table: str
    version: int
    rows: int
    first: date | None = None
    last: date | None = None
    coverage: tuple[tuple[date, date | None], ...] = ()


@dataclass(frozen=True, slots=True)
class DataVersions:
    """The lake's manifest that a run was pinned to."""

    manifest: int
    tables: tuple[TableVersion, ...]


@dataclass(frozen=True, slots=True)
class Unscored:
    """Clients without a score, by reason ('closed', 'unfunded', 'new' or another code)."""

    reason: str
    clients: int


@dataclass(frozen=True, slots=True)
class Population:
    """Who exists at as_of and who of them is scored."""

    clients: int
    scored: int
    unscored: tuple[Unscored, ...] = ()


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier now, and how the same tier turned out in the backtest.

    Attributes:
        code: one of `TIERS`.
        cut: lowest score of the tier (0 for 'none').
        clients: clients in it now.
        share: of the scored, 0..1.
        expected: expected leavers, the sum of probabilities.
        assets: their assets, minor units; None when assets cannot be valued.
        realised: share who left, of the clients that the backtest put in this tier.
        tested: how many those were.
    """

    code: str
    cut: float
    clients: int
    share: float
    expected: float | None = None
    assets: int | None = None
    realised: Interval | None = None
    tested: int = 0


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """What is predicted.

    Attributes:
        name: label definition, such as 'exit' or 'silence'.
        by: how it is counted, such as 'units' or 'value'; '' when it has no variants.
        horizon: span such as '6mo' or '90d'.
        gap: span between as_of and the start of the horizon, such as '0d'.
        definition: the definition in one sentence, in both languages.
    """

    name: str
    by: str
    horizon: str
    gap: str
    definition: Words


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model on the test date; metrics by code (see `words.METRICS`)."""

    code: str
    champion: bool
    metrics: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Difference:
    """Champion minus baseline on one metric, paired bootstrap by client."""

    metric: str
    baseline: str
    value: Interval


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Of the `share` of clients with the highest scores: the share of all leavers found there."""

    share: float
    found: float

    @property
    def lift(self) -> float:
        """How many times as many leavers as in a random choice of the same size."""
        return self.found / self.share if self.share > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One model's curve; points ordered by share."""

    code: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Clients of similar probability: mean predicted, and the share who left."""

    predicted: float
    observed: Interval
    clients: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """How the model would have done on a date it did not see.

    Attributes:
        as_of: the test date.
        until: end of the test horizon.
        trained_on: training dates; the labels of all were known at the test date.
        clients: at-risk clients tested.
        left: how many left.
        base_rate: share who left, with interval.
        models: champion first, then the baselines.
        differences: champion minus each baseline.
        curves: lift curves, same codes as `models`.
        calibration: bins of the champion.
    """

    as_of: AsOf
    until: AsOf
    trained_on: tuple[AsOf, ...]
    clients: int
    left: int
    base_rate: Interval
    models: tuple[ModelResult, ...]
    differences: tuple[Difference, ...] = ()
    curves: tuple[Curve, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()


@dataclass(frozen=True, slots=True)
class Histogram:
    """Scores of the scored clients: `counts[i]` of them in [edges[i], edges[i+1])."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReasonStat:
    """How often a reason is among a client's top reasons; `clients` by tier code."""

    code: str
    words: Words
    clients: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rate:
    """Share who left of a number of clients at risk; `small` marks a cell that says little."""

    clients: int
    left: int
    share: Interval

    @property
    def small(self) -> bool:
        """Whether fewer than `SMALL_CELL` clients stand behind the share."""
        return self.clients < SMALL_CELL


@dataclass(frozen=True, slots=True)
class ChurnDate:
    """Churn of everyone at risk at one as-of date over one horizon."""

    as_of: AsOf
    rate: Rate


@dataclass(frozen=True, slots=True)
class Segment:
    """Churn of one segment value."""

    value: Words
    rate: Rate


@dataclass(frozen=True, slots=True)
class Dimension:
    """Churn along one way of cutting the clients, such as age band."""

    code: str
    name: Words
    as_of: AsOf
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class ClientReason:
    """One reason of one client, with the client's own numbers."""

    code: str
    words: Words


@dataclass(frozen=True, slots=True)
class TopClient:
    """One line of the ranking; `coverage` is the share of indicators that could be computed."""

    client: str
    manager: str | None
    score: float
    tier: str
    probability: float
    assets: int | None
    coverage: float
    last_activity: date | None
    reasons: tuple[ClientReason, ...]


@dataclass(frozen=True, slots=True)
class ManagerBook:
    """One manager's scored clients; `tiers` by code, `assets` of the clients above the cuts."""

    manager: str
    clients: int
    tiers: Mapping[str, int]
    expected: float | None = None
    assets: int | None = None


@dataclass(frozen=True, slots=True)
class AbsentSource:
    """A contract table the workspace does not map, and how many indicators that costs."""

    table: str
    indicators: int


@dataclass(frozen=True, slots=True)
class Visibility:
    """What could and could not be seen.

    Attributes:
        indicators: indicators in the catalogue.
        present: of them, those with any value at as_of.
        mean_coverage: mean over scored clients of the share of indicators computed.
        absent: tables that are not mapped.
    """

    indicators: int
    present: int
    mean_coverage: float
    absent: tuple[AbsentSource, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The model version behind the scores.

    Attributes:
        version: registry folder's name.
        kind: model code, such as 'catboost'.
        trained_on: training dates of the deployed model.
        rows: training rows.
        left: of them with the label.
        indicators: inputs of the model.
        manifest: lake manifest of the training set.
        package: keepwell version that trained it.
        parameters: the model's main parameters.
    """

    version: str
    kind: str
    trained_on: tuple[AsOf, ...]
    rows: int
    left: int
    indicators: int
    manifest: int
    package: str
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportData:
    """All that the report of one run shows.

    Attributes:
        workspace: the workspace's name.
        created: when the run ended.
        as_of: the ranking's date.
        currency: ISO 4217 code of all money.
        label: what is predicted.
        versions: data read.
        population: who is scored.
        tiers: in the order of `TIERS`.
        histogram: the score distribution.
        reasons: most frequent first.
        churn: by date, oldest first.
        dimensions: by segment.
        top: clients with the highest scores, highest first.
        managers: books, most severe clients first.
        visibility: coverage.
        model: the model version.
        backtest: None when the data carry no test date.
        notes: remarks of the workspace, such as that books are synthetic.
        attribution: the data's origin and licence, when they ask for it.
    """

    workspace: str
    created: datetime
    as_of: AsOf
    currency: str
    label: LabelFacts
    versions: DataVersions
    population: Population
    tiers: tuple[Tier, ...]
    histogram: Histogram
    reasons: tuple[ReasonStat, ...]
    churn: tuple[ChurnDate, ...]
    dimensions: tuple[Dimension, ...]
    top: tuple[TopClient, ...]
    managers: tuple[ManagerBook, ...]
    visibility: Visibility
    model: ModelCard
    backtest: Backtest | None = None
    notes: tuple[Words, ...] = ()
    attribution: Words | None = None

    def tier(self, code: str) -> Tier:
        """The tier of a code.

        Raises:
            KeyError: no such tier in this report.
        """
        for tier in self.tiers:
            if tier.code == code:
                return tier
        raise KeyError(code)
