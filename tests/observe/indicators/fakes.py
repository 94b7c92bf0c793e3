"""A stand-in for the engine: answers every question from a function, as the accessor does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from keepwell.observe.accessor import Windows
from keepwell.observe.indicators.needs import Array, Need

N = 6
AS_OF = datetime(2021, 7, 1, tzinfo=UTC)
DAY = 18809


def windows(answers: Callable[[Need], Array]) -> Windows:
    """Windows of N clients whose answers come from a function of the need."""
    return Windows(N, AS_OF, DAY, answers)


def numbers(seed: int, absent: frozenset[str] = frozenset()) -> Callable[[Need], Array]:
    """Plausible answers drawn from a need itself; NaN for the tables of `absent`."""

    def answer(need: Need) -> Array:
        if need.table in absent:
            return np.full(N, np.nan)
        text = f"{seed}/{need.table}/{need.stat}/{need.measure}/{need.prev}/{need.ago}"
        draw = np.random.default_rng([ord(letter) for letter in text])
        values = draw.integers(0, 5, N).astype(np.float64) * max(need.window, 1)
        return np.where(draw.random(N) < 0.2, np.nan, values)

    return answer
