"""What clients gained or lost by selling, at one moment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keepwell.core.days import midnight
from keepwell.observe import coverage
from keepwell.observe.engines.moment import Moment, Part
from keepwell.observe.indicators.needs import SALES, Need
from keepwell.observe.positions import NONE
from keepwell.observe.sales import Period, price_path, sales
from keepwell.observe.tile_build import POSITION
from keepwell.observe.tiles import BLANK

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class SalesWork:
    """The sales asked at one moment.

    Args:
        moment: what is visible.
        needs: what is asked; each statistic one of `SALES`.
        begin: per client code the day at whose close nothing was held for sure, or `NONE`.
        divisor: (10^-8 units * 10^-8 currency units) per minor unit.
    """

    def __init__(self, moment: Moment, needs: Sequence[Need], begin: Ints, divisor: float) -> None:
        self.moment, self.needs, self.begin = moment, needs, begin
        self.windows = sorted({need.window for need in needs})
        since = moment.day - self.windows[-1]
        days = np.arange(since, moment.day + 1, dtype=np.int64)
        spans = moment.reader.store.lake_manifest.tables["trade"].coverage
        earliest = [coverage.complete_from(spans, int(day)) - 1 for day in days]
        full = moment.reader.full_days(moment.known_by)
        start = midnight(moment.day, moment.reader.zone)
        priced = any(need.stat in SALES[7:] for need in needs)
        self.period = Period(
            moment.known, moment.day, moment.as_of > start, since, np.isin(days, full),
            int(max(full[full < since], default=NONE)), np.array(earliest, np.int64),
            _prices(moment, since, priced), divisor,
        )  # fmt: skip

    def answer(self, codes: Ints, parts: Sequence[Part] | None = None) -> dict[Need, Array]:
        """Every answer for a batch; float64 [n].

        Args:
            codes: client codes.
            parts: their position rows, where they are at hand.
        """
        out = {need: np.empty(len(codes)) for need in self.needs}
        for rows, low, high, places in parts or self.moment.visible(POSITION).parts(codes):
            begin = self.begin[codes[places]]
            found = sales(self.period, rows, low, high, begin, self.windows)
            for need, values in out.items():
                at = self.windows.index(need.window)
                values[places] = found[SALES.index(need.stat), at]
        return out


def _prices(moment: Moment, since: int, wanted: bool) -> Ints:
    """Latest close up to each day from `since` to D, per instrument code."""
    count = len(moment.reader.store.instruments)
    out = np.full((moment.day - since + 1, count), BLANK, np.int64)
    if not wanted or "price" not in moment.reader.store.base:
        return out
    codes = np.arange(count, dtype=np.int64)
    for rows, low, high, places in moment.visible("price").parts(codes):
        part = np.full((len(out), len(places)), BLANK, np.int64)
        price_path(moment.known, (since, moment.day), rows, (low, high), part)
        out[:, places] = part
    return out


__all__ = ["SalesWork"]
