"""What the panels give, as plain values.

Money is int64 minor units of `Panels.currency`, quantities are int64 in units of 10^-8, days are
dates in the exchange's zone, months their first days, instants timezone-aware. `None` means not
known, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Basis = Literal["balance", "positions"]
By = Literal["branch", "manager", "segment"]


@dataclass(frozen=True, slots=True)
class Source:
    """One table of the lake as the panels read it.

    Attributes:
        table: contract name.
        version: Delta version.
        rows: rows in that version, corrections included.
        last: day of its last fact; None for tables without a clock.
        known_until: when its newest knowledge arrived; None for an empty table.
    """

    table: str
    version: int
    rows: int
    last: date | None
    known_until: datetime | None


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """A client's score at an instant, by today's model: not what the desk said then.

    Attributes:
        at: the instant.
        score: 0..100.
        probability: of leaving, 0..1.
        tier: 'none', 'mild', 'moderate' or 'severe', by the score alone.
    """

    at: datetime
    score: float
    probability: float
    tier: str


@dataclass(frozen=True, slots=True)
class ClientMonth:
    """One month of one client.

    A value is None where the source is missing or says nothing of that month.

    Attributes:
        month: its first day.
        assets: at the month's end, or at as_of in the newest month.
        deposits: cash paid in.
        withdrawals: cash taken out.
        transfers_in: securities moved in from other brokers, at that day's prices.
        transfers_out: moved out to other brokers.
        buys: value bought.
        sells: value sold.
        trades: how many.
        sessions: visits to the app, the site or a terminal.
    """

    month: date
    assets: int | None
    deposits: int | None
    withdrawals: int | None
    transfers_in: int | None
    transfers_out: int | None
    buys: int | None
    sells: int | None
    trades: int | None
    sessions: int | None


@dataclass(frozen=True, slots=True)
class Holding:
    """One position of one client.

    Attributes:
        instrument_id: code.
        name: its name, if known.
        category: such as 'stock', if known.
        quantity: units held, 10^-8.
        value: at the newest price.
        cost: what it cost, where the source says so of just this quantity.
        weight: share of the value of all positions, 0..1; None while one of them has no value.
        day: day at whose close this was held: the last one before as_of.
    """

    instrument_id: str
    name: str | None
    category: str | None
    quantity: int
    value: int | None
    cost: int | None
    weight: float | None
    day: date


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened with a client; `words.fact_words` says it in a language.

    Attributes:
        at: when; of what is told by the day, the last instant of it.
        kind: a key of `words.KINDS`.
        detail: a code or the broker's own word: topic, product, other broker, cause of failure.
        amount: money that moved.
        text: what was said or written.
        channel: the broker's own word for it.
        number: a score given, or how many; what it means follows from `kind`.
    """

    at: datetime
    kind: str
    detail: str | None
    amount: int | None
    text: str | None
    channel: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class DayMovement:
    """How assets moved on a day: closing = opening + inflow - outflow + market, exactly.

    Attributes:
        day: the day; days on which nothing moved anywhere are left out.
        opening: assets at the close before.
        inflow: cash and securities brought in; with basis 'positions' what was bought.
        outflow: taken out; with basis 'positions' what was sold.
        market: the rest: prices, income, costs.
        closing: assets at the close.
        clients: with assets at the close.
        basis: 'balance' (cash and securities) or 'positions' (securities alone).
    """

    day: date
    opening: int
    inflow: int
    outflow: int
    market: int
    closing: int
    clients: int
    basis: Basis


@dataclass(frozen=True, slots=True)
class Group:
    """The clients of one branch, manager or segment now.

    Attributes:
        key: its name; None for clients who have none.
        clients: whose account is not closed.
        active: of them, those who did something in the last 90 days.
        net_inflow: inflow less outflow of the last 90 days, as in `ClientMonth`; bought less sold
            where the data carry no cash flows; None where neither.
        assets: theirs; None where nothing could be valued.
        at_risk_assets: of those in a tier.
        followed: clients at risk one gap and horizon ago whose outcome is known.
        kept: of them, those who did not leave.
    """

    key: str | None
    clients: int
    active: int
    net_inflow: int | None
    assets: int | None
    at_risk_assets: int | None
    followed: int
    kept: int


@dataclass(frozen=True, slots=True)
class ChurnCell:
    """Who left, of the clients at risk at the start of a month.

    Attributes:
        month: its first day, at whose beginning the label's gap starts.
        segment: the segment, branch or manager as known at as_of; None for clients without.
        left: how many left by the workspace's label.
        followed: how many have a known outcome.
    """

    month: date
    segment: str | None
    left: int
    followed: int


@dataclass(frozen=True, slots=True)
class Share:
    """A rate or a ratio with its 95 % interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Tenth:
    """One tenth of the tested clients, by score.

    Attributes:
        number: 1 is the tenth with the highest scores.
        clients: how many; tenths may differ by a fraction, since ties are shared out.
        left: of them.
        lift: rate over the rate of all.
    """

    number: int
    clients: float
    left: float
    lift: Share


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """Clients of similar probability: predicted, and what came of it."""

    predicted: float
    observed: Share
    clients: int


@dataclass(frozen=True, slots=True)
class TierRate:
    """How the clients that the test put in a tier turned out.

    Attributes:
        tier: code.
        cut: lowest score.
        clients: how many the test put there.
        realised: share who left; None without clients.
    """

    tier: str
    cut: float
    clients: int
    realised: Share | None


@dataclass(frozen=True, slots=True)
class Quality:
    """How the model did on a date that it had not seen.

    Attributes:
        test_at: the test's as-of instant.
        until: end of its horizon.
        trained_on: training dates of the tested model, oldest first.
        clients: tested.
        left: of them.
        base_rate: share who left.
        auc: of the model in force; None where it was not measured.
        lift_top10: lift of the tenth with the highest scores, its interval by bootstrap.
        tenths: highest scores first.
        calibration: lowest probability first.
        tiers: gravest first.
        data_en: data and split in one sentence, in English.
        data_zh: the same in Chinese.
    """

    test_at: datetime
    until: datetime
    trained_on: tuple[datetime, ...]
    clients: int
    left: int
    base_rate: Share
    auc: Share | None
    lift_top10: Share | None
    tenths: tuple[Tenth, ...]
    calibration: tuple[CalibrationPoint, ...]
    tiers: tuple[TierRate, ...]
    data_en: str
    data_zh: str

    def data(self, locale: str) -> str:
        """Data and split in one sentence, in a language ('en' or 'zh')."""
        return self.data_zh if locale == "zh" else self.data_en
