"""Why this client: contributions grouped into reason codes, with the client's own numbers.

Contributions are exact and in calibrated log-odds, before any clipping of the score. Those of one
code are added up; codes that push the score up most are the reasons. Each is told by its indicator
that pushes most, against the client's own normal where there is one, else against the median of
those at risk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core import text
from keepwell.core.text import tr
from keepwell.observe.indicators import INDICATORS
from keepwell.warn.models import Contributions
from keepwell.warn.reason_codes import Cause, ReasonCode, code_of

Array = npt.NDArray[np.float64]

MOST: Final = 4
"""Reasons given for one client."""

ALIKE: Final = 0.01
"""Share by which a number must differ from the median to be told as a reason."""

LEAST: Final = 0.02
"""Log-odds below which a push is not worth a word."""

_WINDOWED = re.compile(r"(?P<stem>.+)_(?P<days>\d+)d")
_BASELINES: Final = (365, 366, 180)


@dataclass(frozen=True, slots=True)
class Fact:
    """One number of a client.

    Attributes:
        indicator: id.
        value: in the indicator's unit.
        normal: the client's own normal over an equal span; None where there is none.
        typical: median of those at risk; None where nobody has the number.
    """

    indicator: str
    value: float
    normal: float | None = None
    typical: float | None = None

    def words(self, locale: str | None = None, currency: str = "") -> str:
        """Such as 'trades in 90 days 1, normally 6', in a language."""
        of = locale or text.current_locale()
        if self.normal is not None:
            said, unit = _sentence(self.indicator, "{name}: {value}, normally {other}", of)
            other = _amount(self.normal, unit, of, currency)
        elif self.typical is not None:
            said, unit = _sentence(self.indicator, "{name}: {value}, most clients {other}", of)
            other = _amount(self.typical, unit, of, currency)
        else:
            said, unit = _sentence(self.indicator, "{name}: {value}", of)
            other = ""
        return said.format(value=_amount(self.value, unit, of, currency), other=other)


@lru_cache
def _sentence(indicator: str, message: str, locale: str) -> tuple[str, str]:
    """A message about an indicator in a language, its values left out, and the unit of these."""
    known = INDICATORS.get(indicator)
    name = (known.title(locale) if known else indicator).replace("{", "{{").replace("}", "}}")
    said = tr(message, locale, name=name, value="{value}", other="{other}")
    return said, known.unit if known else ""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of one client.

    Attributes:
        code: what the data show.
        push: log-odds by which all indicators of the code raise the risk.
        fact: the number that tells it.
    """

    code: ReasonCode
    push: float
    fact: Fact

    @property
    def cause(self) -> Cause:
        """The cause class."""
        return self.code.cause

    def words(self, locale: str | None = None, currency: str = "") -> str:
        """Such as 'Trades less (trades in 90 days: 1, normally 6)', in a language."""
        return tr(
            "{title} ({fact})", locale,
            title=self.code.title(locale), fact=self.fact.words(locale, currency),
        )  # fmt: skip


@dataclass(frozen=True)
class Explanation:
    """Why one client has its score.

    Attributes:
        client: id.
        reasons: what pushes the score up, strongest first, at most four.
        client_part: log-odds from the client's own numbers, against the base.
        market_part: log-odds from the market, the same for everybody up to interactions.
        base: log-odds of a client about whom nothing is said.
    """

    client: str
    reasons: tuple[Reason, ...]
    client_part: float
    market_part: float
    base: float


def amount(value: float, unit: str, locale: str | None = None, currency: str = "") -> str:
    """A number in an indicator's unit, as people read it.

    Args:
        value: the number.
        unit: a key of `observe.indicators.UNITS`.
        locale: 'en' or 'zh'.
        currency: ISO 4217 code for money.

    Example:
        >>> amount(0.25, "share", "en"), amount(3.0, "days", "en")
        ('25%', '3 days')
    """
    return _amount(value, unit, locale or text.current_locale(), currency)


@lru_cache(maxsize=65_536)
def _amount(value: float, unit: str, locale: str, currency: str) -> str:
    """What is usual, counts and days repeat in a long list of reasons."""
    if unit == "money":
        if not currency:
            return text.number(value / 100, locale)
        return text.money(round(value), currency, locale, compact=abs(value) >= 1e7)
    if unit == "share":
        return text.percent(value, locale, 0)
    if unit == "change":
        sign = "+" if value > 0 else ""
        return sign + text.percent(value, locale, 0)
    if unit == "ratio":
        return text.number(value, locale, 2) + "×"
    if unit in ("days", "years", "hours", "seconds", "milliseconds"):
        digits = 0 if abs(value) >= 10 or value == round(value) else 1
        return tr(_SPANS[unit], locale, n=text.number(value, locale, digits))
    digits = 0 if value == round(value) else (2 if abs(value) < 10 else 1)
    return text.number(value, locale, digits)


_SPANS: Final = {
    "days": "{n} days",
    "years": "{n} years",
    "hours": "{n} hours",
    "seconds": "{n} s",
    "milliseconds": "{n} ms",
}


def codes_of(names: Sequence[str]) -> list[ReasonCode]:
    """The reason code of each input."""
    found: list[ReasonCode] = []
    for name in names:
        known = INDICATORS.get(name)
        found.append(code_of(name, known.family if known else ""))
    return found


def explain(
    contributions: Contributions,
    X: Array,
    names: Sequence[str],
    clients: Sequence[str],
    typical: Array | None = None,
    most: int = MOST,
    coverage: Mapping[str, float] | None = None,
) -> list[Explanation]:
    """Explain clients.

    Args:
        contributions: of these clients, to the calibrated log-odds.
        X: float [n, k] of the whole catalogue, the client's numbers; more columns than the
            model's are welcome, they give the client's own normal.
        names: k indicator ids.
        clients: n ids.
        typical: [k] medians of those at risk; default: the medians of these rows.
        most: reasons per client.
        coverage: indicator -> covered share of its window (`IndicatorFrame.coverage`), by which
            the client's own normal is corrected; default: all covered.

    Returns:
        One explanation per client, in the same order.
    """
    at = {name: i for i, name in enumerate(names)}
    inputs = list(contributions.names)
    values = np.asarray(X, np.float64)[:, [at[name] for name in inputs]]
    middle = medians(X) if typical is None else np.asarray(typical, np.float64)
    codes = codes_of(inputs)
    kinds = sorted(set(codes))
    member = np.array([[code == kind for kind in kinds] for code in codes], np.float64)
    pushes = contributions.values @ member
    market = np.array([code == ReasonCode.MARKET_STRESS for code in codes])
    mute = np.isnan(values)
    if typical is not None:
        mute |= _alike(values, middle[[at[name] for name in inputs]]) & ~market
    # What is absent cannot be told as a reason, however much its absence pushes; nor can what is
    # no different from most, except of the market, which is the same for everybody.
    told = np.where(mute, -np.inf, contributions.values)
    best = np.stack([_strongest(told, member[:, j] > 0) for j in range(len(kinds))], axis=1)
    best[pushes < LEAST] = -1
    order = np.argsort(-pushes, axis=1, kind="stable")
    good = np.take_along_axis(best, order, 1) >= 0
    given = good & (np.cumsum(good, axis=1) <= most)
    parts = [np.ascontiguousarray(contributions.values[:, of]).sum(axis=1).tolist()
             for of in (~market, market)]  # fmt: skip
    out = []
    for row, client in enumerate(clients):
        reasons = []
        for j in order[row][given[row]].tolist():
            fact = _fact(inputs[best[row, j]], X[row], at, middle, coverage or {})
            reasons.append(Reason(kinds[j], float(pushes[row, j]), fact))
        out.append(
            Explanation(
                str(client), tuple(reasons), parts[0][row], parts[1][row], contributions.base
            )
        )
    return out


def _strongest(told: Array, among: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The input that pushes up most among some, for each row; -1 where none does; int64 [n]."""
    inputs = np.flatnonzero(among)
    some = told[:, inputs]
    first = np.argmax(some, axis=1)
    return np.where(some[np.arange(len(some)), first] > 0, inputs[first], -1)


def _alike(values: Array, usual: Array) -> npt.NDArray[np.bool_]:
    """Where a number is hardly different from the usual one, bool [n, k]."""
    scale = np.maximum(np.abs(values), np.abs(usual))
    return np.asarray(np.abs(values - usual) <= ALIKE * scale, np.bool_)


def medians(X: Array) -> Array:
    """Median of each column over the rows that have it; NaN for a column that nobody has."""
    columns = (np.asarray(column, np.float64) for column in np.asarray(X).T)
    told = (column[~np.isnan(column)] for column in columns)
    return np.array([np.median(some) if len(some) else np.nan for some in told], np.float64)


def _fact(
    name: str, row: Array, at: dict[str, int], middle: Array, coverage: Mapping[str, float]
) -> Fact:
    i = at[name]
    typical = None if np.isnan(middle[i]) else float(middle[i])
    return Fact(name, float(row[i]), _own_normal(name, row, at, coverage), typical)


def _own_normal(
    name: str, row: Array, at: dict[str, int], coverage: Mapping[str, float]
) -> float | None:
    """The client's rate over the covered days of a longer window, times the indicator's days.

    Only for counts and money of a window: sums that grow with it.
    """
    days, longer_ones = _longer(name)
    for longer, other in longer_ones:
        i, share = at.get(other), coverage.get(other, 1.0)
        if i is not None and share > 0 and not np.isnan(row[i]):
            return float(row[i]) * days / (longer * share)
    return None


@lru_cache
def _longer(name: str) -> tuple[int, tuple[tuple[int, str], ...]]:
    """An indicator's days, and the days and ids of the same over longer windows."""
    known: Any = INDICATORS.get(name)
    found = _WINDOWED.fullmatch(name)
    if not found or known is None or known.unit not in ("count", "money", "days"):
        return 0, ()
    if not any(need.stat in ("sum", "days") for need in known.needs):
        return 0, ()
    days = int(found["days"])
    return days, tuple((n, f"{found['stem']}_{n}d") for n in _BASELINES if n > days)
