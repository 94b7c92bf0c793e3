"""The contract suite of indicators: what every one must do, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import numpy as np

from keepwell.observe.accessor import Windows
from keepwell.observe.indicators.needs import Array, Need, sources_of
from keepwell.observe.indicators.registry import Indicator

N: Final = 6
AS_OF: Final = datetime(2021, 7, 1, tzinfo=UTC)
DAY: Final = 18809
Answers = Callable[[Need], Array]


def windows(answers: Answers) -> Windows:
    """Windows of `N` clients whose answers come from a function of the need."""
    return Windows(N, AS_OF, DAY, answers)


def numbers(seed: int, absent: frozenset[str] = frozenset()) -> Answers:
    """Plausible answers drawn from a need itself; NaN for the tables of `absent`."""

    def answer(need: Need) -> Array:
        if need.table in absent:
            return np.full(N, np.nan)
        text = f"{seed}/{need.table}/{need.stat}/{need.measure}/{need.prev}/{need.ago}"
        draw = np.random.default_rng([ord(letter) for letter in text])
        values = draw.integers(0, 5, N).astype(np.float64) * max(need.window, 1)
        return np.where(draw.random(N) < 0.2, np.nan, values)

    return answer


class IndicatorSuite:
    """Checks of one indicator; subclass it in a test module and say which.

    Example:
        >>> from keepwell.observe.indicators import get
        >>> class TestMine(IndicatorSuite):
        ...     indicator = get("trade_count_30d")
        >>> TestMine().test_absent_in_absent_out()
    """

    indicator: Indicator

    def test_absent_in_absent_out(self) -> None:
        """Nothing known gives nothing, one number per client."""
        values = self.indicator(windows(lambda _: np.full(N, np.nan)))
        assert values.shape == (N,)
        assert np.isnan(values).all(), self.indicator.id

    def test_zero_everywhere_is_finite_or_absent(self) -> None:
        """A division by 0 is absent, never infinite."""
        values = self.indicator(windows(lambda _: np.zeros(N)))
        assert not np.isinf(values).any(), self.indicator.id

    def test_numbers_in_numbers_out(self) -> None:
        """Numbers give numbers, and not always the same."""
        answers = [self.indicator(windows(numbers(seed))) for seed in range(5)]
        for values in answers:
            assert values.shape == (N,)
            assert values.dtype == np.float64
            assert not np.isinf(values).any(), self.indicator.id
        assert len({values.tobytes() for values in answers}) > 1, self.indicator.id

    def test_a_missing_source_makes_it_absent(self) -> None:
        """Without one of its sources it is absent; with `any_source`, without all."""
        tables = {need.table for need in self.indicator.needs}
        for table in tables:
            values = self.indicator(windows(numbers(1, frozenset([table]))))
            gone = bool(np.isnan(values).all())
            assert gone != self.indicator.any_source, (self.indicator.id, table)
        assert np.isnan(self.indicator(windows(numbers(1, frozenset(tables))))).all()

    def test_same_bits_every_time(self) -> None:
        """The same numbers give the same bits."""
        first = self.indicator(windows(numbers(3)))
        assert first.tobytes() == self.indicator(windows(numbers(3))).tobytes()

    def test_each_client_on_their_own(self) -> None:
        """A client's number does not depend on the other clients of the batch."""
        there = self.indicator(windows(numbers(2)))
        back = self.indicator(windows(lambda need: numbers(2)(need)[::-1].copy()))
        np.testing.assert_array_equal(there, back[::-1])

    def test_asks_nothing_but_its_needs(self) -> None:
        """What was found at registration is all that it asks, whatever the numbers are."""
        asked = set()

        def note(need: Need) -> Array:
            asked.add(need)
            return numbers(4)(need)

        self.indicator(windows(note))
        assert asked == set(self.indicator.needs), self.indicator.id
        assert self.indicator.sources == sources_of(self.indicator.reads)
        assert self.indicator.sources

    def test_metadata_is_json_safe(self) -> None:
        """What it says of itself can be sent as JSON, in both languages."""
        for locale in ("en", "zh"):
            known = self.indicator.describe(locale)
            assert json.loads(json.dumps(known, allow_nan=False)) == known

    def test_leaves_the_measures_as_they_were(self) -> None:
        """It never writes into the numbers that it is given."""

        def frozen(need: Need) -> Array:
            values = numbers(5)(need)
            values.flags.writeable = False
            return values

        self.indicator(windows(frozen))
