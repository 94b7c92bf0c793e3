"""What a rehearsal is: which world, which year, how much time staff have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from keepwell.core.days import day_number
from keepwell.core.errors import UsageError
from keepwell.world.scenario import Scenario

KEEPWELL: Final = "keepwell"
RISK: Final = "risk"
RANDOM: Final = "random"
POLICIES: Final = (KEEPWELL, RISK, RANDOM)
"""Who may be rehearsed; the first draws the hold-out and is always."""

WEEK: Final = 7
SOLVED: Final = 10
"""Days until everything that a day brings is known."""


@dataclass(frozen=True)
class Plan:
    """A rehearsal.

    Attributes:
        scenario: of the world; its start is moved so that the loop begins with a calendar year,
            and with it a period of the hold-out.
        seed: the luck.
        clients: how many, newcomers included.
        days: length of the loop.
        warm_up: days lived before, from which the model learns.
        step: days between two publications.
        share: of the hold-out.
        minutes: that staff have a week for the clients of one manager, whoever of them spends
            them.
        policies: among `POLICIES`.
    """

    scenario: Scenario
    seed: int = 7
    clients: int = 100_000
    days: int = 365
    warm_up: int = 400
    step: int = 28
    share: float = 0.2
    minutes: int = 90
    policies: tuple[str, ...] = POLICIES

    def __post_init__(self) -> None:
        """Raises UsageError: `rehearsal.value-wrong`."""
        least = {"clients": 200, "days": 56, "warm_up": 330, "step": 7, "minutes": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if value < low:
                raise UsageError(
                    "rehearsal.value-wrong", name=name, value=value, expected=f">= {low}"
                )
        if not 0.01 <= self.share <= 0.5:
            raise UsageError(
                "rehearsal.value-wrong", name="share", value=self.share, expected="0.01 - 0.5"
            )

    def begins(self, today: date) -> date:
        """First day of the loop: of the newest calendar year in which all of it lies.

        Args:
            today: the loop ends before, for what lies in the future is refused by every ingest.
        """
        year = today.year
        while date(year, 1, 1) + timedelta(days=self.days + SOLVED) > today:
            year -= 1
        return date(year, 1, 1)

    def dated(self, today: date) -> Scenario:
        """The scenario, begun so that the loop begins as `begins` says."""
        start = self.begins(today) - timedelta(days=self.warm_up)
        return self.scenario.model_copy(update={"start": start})


@dataclass(frozen=True)
class Step:
    """A span between two publications.

    Attributes:
        number: from 0.
        first: day number of its first day.
        days: its length.
    """

    number: int
    first: int
    days: int

    @property
    def working(self) -> list[int]:
        """Day numbers of its days from Monday to Friday."""
        return [day for day in range(self.first, self.first + self.days) if works(day)]


def steps(plan: Plan, begin: date) -> Iterator[Step]:
    """The steps of a loop; the last one takes what is left."""
    first, left, number = day_number(begin), plan.days, 0
    while left > 0:
        # A rest too short to be worth a publication belongs to the step before.
        days = left if left < plan.step + plan.step // 2 else plan.step
        yield Step(number, first, days)
        first, left, number = first + days, left - days, number + 1


def works(day: int) -> bool:
    """Whether a day is from Monday to Friday.

    Example:
        >>> works(day_number(date(2025, 1, 3))), works(day_number(date(2025, 1, 4)))
        (True, False)
    """
    return (day + 3) % WEEK < 5
