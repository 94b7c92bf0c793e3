"""Does a world behave as the source says that brokers' clients do? Each fact, with its band.

A fact holds when the measured value lies in its band; a small world is held to `consistent`, which
allows for the sample. Where the source contradicts itself the page written by
benchmarks/world_fidelity.py says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from keepwell.core.days import to_date
from keepwell.world.fidelity.spells import Leavers, Spells, leavers_of, spells_of
from keepwell.world.fidelity.watch import YEAR, Flags, Floats, Lived, groups_of
from keepwell.world.terms import (
    ADVICE,
    ANOMALY,
    ASSESSMENT,
    AT_ONCE,
    CAUSES,
    DEAD,
    DRIFT,
    DROPPED,
    EXIT,
    FEINT,
    LIFE,
    MARKET,
    OPEN,
    PRICE,
    PROBING,
    PRODUCT,
    SERVICE,
    STAGED,
    STAGES,
    TECHNOLOGY,
    TRUST,
)

_RICHEST: Final = 1e7
"""CNY; what one client takes away counts up to here: above, single clients decide the mean."""

_AHEAD: Final = {ANOMALY: 215, PROBING: 110, ASSESSMENT: 80, EXIT: 50}
"""Days that must still be watched after a stage begins, so that practically all ends are seen."""


@dataclass(frozen=True)
class Fact:
    """A figure of the source, and what a world has instead.

    Attributes:
        key: short name.
        title: what is measured.
        source: section of the source, or why there is a band without one.
        target: the source's figure; None where it has none.
        low, high: the band in which the world must be.
        reason: why the band is as wide as it is.
        measured: in the world.
        error: standard error of `measured` from the number of clients; the market's and the news'
            luck, which all clients share, is not in it.
        unit: 'share', 'days', 'CNY' or 'ratio'.
    """

    key: str
    title: str
    source: str
    target: float | None
    low: float
    high: float
    reason: str
    measured: float
    error: float
    unit: str = "share"

    @property
    def holds(self) -> bool:
        """The measured value lies in the band."""
        return self.low <= self.measured <= self.high

    def consistent(self, k: float) -> bool:
        """A value within `k` standard errors of the measured one lies in the band."""
        return self.low - k * self.error <= self.measured <= self.high + k * self.error


def facts(lived: Lived) -> list[Fact]:
    """All facts, of the first year of a watched world.

    Args:
        lived: at least a year and half of another.
    """
    spells = spells_of(lived)
    gone = leavers_of(lived, spells, YEAR)
    return [
        *_rates(lived, gone),
        *_who_leaves(lived, gone),
        *_quarters(lived, gone),
        *_reasons(gone),
        *_stages(lived, spells),
        *_ends(lived, spells, gone),
        *_kinds(lived, spells, gone),
        *_young_and_wealthy(lived, spells, gone),
        _anomaly(lived),
    ]


def _share(of: Flags) -> tuple[float, float]:
    """A share and its standard error (binomial)."""
    share = float(of.mean()) if len(of) else math.nan
    return share, math.sqrt(max(share * (1.0 - share), 0.0) / max(len(of), 1))


def _mean(of: Floats) -> tuple[float, float]:
    """A mean and its standard error."""
    if len(of) < 2:
        return math.nan, math.nan
    return float(of.mean()), float(of.std(ddof=1) / math.sqrt(len(of)))


def _rate(count: int, exposed: float) -> tuple[float, float]:
    """A yearly rate and its standard error (Poisson)."""
    return count / max(exposed, 1e-9), math.sqrt(count) / max(exposed, 1e-9)


def _rates(lived: Lived, gone: Leavers) -> list[Fact]:
    tenth = "a tenth either way: the source gives one year, and years differ by markets and news"
    wanted = (
        ("all", "churn", "§2.1", 0.157, 0.150, 0.160, "wanted: 15-16 %"),
        ("aged 25-35", "rate-25-35", "§10.1", 0.201, 0.181, 0.221, tenth),
        ("assets above 500k", "rate-wealthy", "§10.1", 0.185, 0.166, 0.204, tenth),
        ("city tiers 1-2", "rate-large-cities", "§2.2", 0.18, 0.162, 0.198, tenth),
        ("city tiers 3-4", "rate-small-cities", "§2.2", 0.10, 0.09, 0.11, tenth),
    )
    groups = groups_of(lived.people)
    out = []
    for group, key, source, target, low, high, reason in wanted:
        mine = groups[group][gone.client] if group in groups else np.ones(len(gone.client), bool)
        exposed = float(lived.open[group][:YEAR].mean())
        name = "Leavers a year" + ("" if group == "all" else f", {group}")
        value = _rate(int(mine.sum()), exposed)
        out.append(Fact(key, name, source, target, low, high, reason, *value))
    return out


def _who_leaves(lived: Lived, gone: Leavers) -> list[Fact]:
    why = "points either way: shares and rates of the source are rounded and do not quite agree"
    wanted = (
        ("aged 25-35", "share-25-35", 0.62, 0.04),
        ("aged 36-45", "share-36-45", 0.28, 0.04),
        ("assets 100-500k", "share-middling", 0.55, 0.04),
        ("assets above 500k", "share-wealthy", 0.15, 0.03),
    )
    groups = groups_of(lived.people)
    return [
        Fact(
            key, f"Of leavers: {group}", "§2.2", target, target - room, target + room,
            f"{100 * room:.0f} {why}", *_share(groups[group][gone.client]),
        )
        for group, key, target, room in wanted
    ]  # fmt: skip


def quarter_rates(lived: Lived, gone: Leavers) -> tuple[Floats, Floats]:
    """Yearly rates of leaving by calendar quarter of the first year, and their standard errors."""
    dates = [to_date(lived.start + t) for t in range(YEAR)]
    quarter = np.array([(d.month - 1) // 3 for d in dates])
    exposed = np.bincount(quarter, lived.open["all"][:YEAR], 4) / YEAR
    left = np.bincount(quarter[gone.day], minlength=4)
    return left / exposed, np.sqrt(left) / exposed


def _quarters(lived: Lived, gone: Leavers) -> list[Fact]:
    rate, error = quarter_rates(lived, gone)
    peak, trough = int(rate[[0, 3]].argmin()) * 3, 1 + int(rate[[1, 2]].argmax())
    ratio = float(rate[peak] / rate[trough])
    apart = ratio * math.hypot(error[peak] / rate[peak], error[trough] / rate[trough])
    worst = int(rate.argmax())
    return [
        Fact(
            "season", "Lower of quarters 1 and 4 over the higher of quarters 2 and 3", "§2.1", None,
            1.15, 2.2, "peaks in Q1 and Q4 without sizes; clearly above 1", ratio, apart, "ratio",
        ),
        Fact(
            "worst-quarter", "Leavers a year at the pace of the worst quarter", "§2.1", 0.20,
            0.20, 0.26, "above 20 %; far above does not go together with 15-16 % a year",
            float(rate[worst]), float(error[worst]),
        ),
    ]  # fmt: skip


def _reasons(gone: Leavers) -> list[Fact]:
    out = []
    near = "4 points either way: chances of naming are fitted to it"
    for cause, target in ((SERVICE, 0.73), (ADVICE, 0.68), (TECHNOLOGY, 0.42)):
        value = _share((gone.named >> cause) & 1 == 1)
        out.append(
            Fact(
                f"named-{CAUSES[cause]}", f"Of leavers: name {CAUSES[cause]} among their reasons",
                "§2.3", target, target - 0.04, target + 0.04, near, *value,
            )
        )  # fmt: skip
    likely = (
        (SERVICE, 0.27), (ADVICE, 0.22), (TECHNOLOGY, 0.14), (PRODUCT, 0.12), (PRICE, 0.09),
        (TRUST, 0.06), (MARKET, 0.05), (LIFE, 0.04),
    )  # fmt: skip
    why = "assumption: order of the reasons named; the source has no first reasons"
    for cause, share in likely:
        room = max(0.03, 0.2 * share)
        out.append(
            Fact(
                f"cause-{CAUSES[cause]}", f"Of leavers: {CAUSES[cause]} is the true first cause",
                "assumed", None, share - room, share + room, why, *_share(gone.cause == cause),
            )
        )  # fmt: skip
    return out


def _stages(lived: Lived, spells: Spells) -> list[Fact]:
    wanted = (
        (ANOMALY, "§2.4", None, 60.0, 90.0, "2-3 months"),
        (PROBING, "assumed", None, 25.0, 31.0, "about 4 weeks; the source has no length"),
        (ASSESSMENT, "assumed", None, 15.0, 20.0, "about 2.5 weeks; the source has no length"),
        (EXIT, "assumed", None, 7.5, 10.5, "about 1.3 weeks; the source has no length"),
    )
    out = []
    for stage, source, target, low, high, reason in wanted:
        mine = (spells.path == STAGED) & (spells.stage == stage) & spells.went_on
        mine &= spells.day < min(YEAR, lived.days - _AHEAD[stage])
        value = _mean(spells.days[mine].astype(np.float64))
        name = f"Mean length of the stage {STAGES[stage]}, when it goes on"
        key = f"days-{STAGES[stage]}"
        out.append(Fact(key, name, source, target, low, high, reason, *value, "days"))
    return out


def _ends(lived: Lived, spells: Spells, gone: Leavers) -> list[Fact]:
    staged = spells.path == STAGED
    last = staged & (spells.stage == EXIT) & (spells.day < lived.days - _AHEAD[EXIT])
    early = staged & (spells.stage == PROBING) & (spells.day < lived.days - 170)
    return [
        Fact(
            "after-large-transfer", "Of those who make the first large transfer out: leave", "§2.4",
            0.85, 0.82, 0.88, "3 points either way: worse experience and contagion move it",
            *_share(spells.left[last]),
        ),
        Fact(
            "probing-left-alone", "Of those who begin to probe: leave when left alone", "assumed",
            None, 0.60, 0.70,
            "60 % of them are keepable (§2.4), so that more than half would leave otherwise",
            *_share(spells.left[early]),
        ),
        Fact(
            "taken", "Mean assets taken by a leaver; above 10 M CNY counts as 10 M", "§2.5",
            380_000.0, 304_000.0, 456_000.0,
            "a fifth either way: a heavy tail, and prices move in the year",
            *_mean(np.minimum(gone.taken, _RICHEST)), "CNY",
        ),
    ]  # fmt: skip


def _kinds(lived: Lived, spells: Spells, gone: Leavers) -> list[Fact]:
    exposed = float(lived.open["all"][:YEAR].mean())
    year = lived.step_day < YEAR
    status = lived.steps["status"]
    feints = int(((spells.path == FEINT) & (spells.day < YEAR)).sum())
    return [
        Fact(
            "at-once", "Of leavers: at once, without earlier stages", "assumed", None, 0.055, 0.105,
            "about 8 %", *_share(gone.path == AT_ONCE),
        ),
        Fact(
            "drift", "Of leavers: drift off without a word", "assumed", None, 0.085, 0.145,
            "about 11 %", *_share(gone.path == DRIFT),
        ),
        Fact(
            "feints", "Spells a client-year that only look like leaving", "assumed", None, 0.11,
            0.17, "0.16 for those in no stage", *_rate(feints, exposed),
        ),
        _returns(lived),
        Fact(
            "deaths", "Deaths a year", "assumed", None, 0.0024, 0.0036, "0.3 % (people.death)",
            *_rate(int((year & (status == DEAD)).sum()), exposed),
        ),
        Fact(
            "dropped", "Closed by the broker a year", "assumed", None, 0.0007, 0.0013,
            "0.1 % (people.drop)", *_rate(int((year & (status == DROPPED)).sum()), exposed),
        ),
    ]  # fmt: skip


def _returns(lived: Lived) -> Fact:
    """Of leavers: back within half a year; by Kaplan and Meier (1958), as many are still away."""
    order = np.lexsort((lived.step_day, lived.steps["client"]))
    step, day = lived.steps[order], lived.step_day[order]
    follows = np.append(step["client"][1:] == step["client"][:-1], False)
    away = step["way"] > 0
    back = away & follows & np.append(step["status"][1:] == OPEN, False)
    after = np.where(back, np.append(day[1:], 0) - day, lived.days - day)[away]
    back = back[away]
    stays, variance = 1.0, 0.0
    for t in np.unique(after[back & (after <= YEAR // 2)]):
        risk, events = int((after >= t).sum()), int((back & (after == t)).sum())
        stays *= 1.0 - events / risk
        variance += events / (risk * max(risk - events, 1))  # Greenwood's formula
    return Fact(
        "returns", "Of leavers: back within half a year", "assumed", None, 0.035, 0.065,
        "7 % come back at all, after 150 days in the mean", 1.0 - stays,
        stays * math.sqrt(variance),
    )  # fmt: skip


def _young_and_wealthy(lived: Lived, spells: Spells, gone: Leavers) -> list[Fact]:
    groups = groups_of(lived.people)
    young = groups["aged 25-35"] & ~groups["assets above 500k"]
    wealthy = groups["assets above 500k"]
    whole = (spells.stage == ANOMALY) & (spells.path == STAGED) & spells.left
    whole &= spells.day < lived.days - 330 if lived.days > YEAR + 330 else spells.day < 150
    fast = _mean(spells.left_after[whole & young[spells.client]].astype(np.float64))
    slow = _mean(spells.left_after[whole & wealthy[spells.client]].astype(np.float64))
    features = np.isin(gone.cause, (PRODUCT, TECHNOLOGY))
    service = np.isin(gone.cause, (SERVICE, ADVICE))
    mine, theirs = young[gone.client], wealthy[gone.client]
    why = "§2.4 gives the order without sizes: clearly apart from 1"
    return [
        Fact(
            "young-fast", "Days from first anomaly to leaving: aged 25-35 over above 500k", "§2.4",
            None, 0.5, 0.9, why, *_over(fast, slow), "ratio",
        ),
        Fact(
            "young-features", "Share leaving over product or technology: 25-35 over above 500k",
            "§2.4", None, 1.3, 6.0, why, *_over(_share(features[mine]), _share(features[theirs])),
            "ratio",
        ),
        Fact(
            "wealthy-service", "Share leaving over service or advice: above 500k over 25-35",
            "§2.4", None, 1.2, 4.0, why, *_over(_share(service[theirs]), _share(service[mine])),
            "ratio",
        ),
    ]  # fmt: skip


def _over(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """A ratio of two estimates and its standard error (delta method)."""
    if not (a[0] > 0.0 and b[0] > 0.0):
        return math.nan, math.nan
    ratio = a[0] / b[0]
    return ratio, ratio * math.hypot(a[1] / a[0], b[1] / b[0])


def _anomaly(lived: Lived) -> Fact:
    """Trading in the anomaly stage over own normal, as a ratio of sums."""
    calm, odd = lived.calm, lived.anomaly
    # A tenth of an average client's year of trading in no stage says what is normal for her.
    mine = (odd.days > 0.0) & (calm.days > 0.1 * calm.days.max())
    normal = calm.trades[mine] / calm.days[mine] * odd.days[mine]
    seen = odd.trades[mine].astype(np.float64)
    ratio = float(seen.sum() / max(float(normal.sum()), 1e-9))
    rest = seen - ratio * normal
    error = math.sqrt(float((rest**2).sum())) / max(float(normal.sum()), 1e-9)
    return Fact(
        "anomaly-trading", "Trading in the anomaly stage over own normal", "§2.4", 0.70, 0.35, 0.70,
        "at least 30 % below; bursts under way, and moves into money funds, count as trading",
        ratio, error, "ratio",
    )  # fmt: skip


def commission_ratio(lived: Lived) -> tuple[float, float]:
    """Commission of the first year's leavers over everybody's, and its standard error.

    Both while in no stage, per day with a session: what a broker earned before it began.

    Args:
        lived: what was seen.
    """
    calm = lived.calm
    known = calm.days > 0.1 * calm.days.max()
    rate = np.divide(calm.commission, calm.days, out=np.zeros(len(known)), where=known)
    gone = np.zeros(len(known), bool)
    gone[lived.steps["client"][(lived.steps["way"] > 0) & (lived.step_day < YEAR)]] = True
    return _over(_mean(rate[known & gone]), _mean(rate[known]))
