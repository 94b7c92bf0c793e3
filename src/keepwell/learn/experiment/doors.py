"""What other rooms lend to experiments: counts for guardrails, and which actions there are.

Experiments belong to learning, which may not look into the rooms that act on clients. Those rooms
say here what they count, when they are loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from keepwell.frame.database import Tx

Counter = Callable[[Tx, datetime, datetime], dict[str, float]]
"""Counts by client from an instant until another (UTC); one who is not named has none."""

COUNTERS: Final[dict[str, Counter]] = {}
"""Metric name to what counts it."""

ActionCheck = Callable[[Tx, str, int], None]
"""Refuses a version of an action that is not in the catalogue."""

ACTIONS: Final[list[ActionCheck]] = []


def counts(metric: str) -> Callable[[Counter], Counter]:
    """Decorator: a function that counts a guardrail of the standard ones from the desk's tables.

    Args:
        metric: such as 'exit_delay_days'.
    """

    def register(counter: Counter) -> Counter:
        COUNTERS[metric] = counter
        return counter

    return register


def checks_actions(check: ActionCheck) -> ActionCheck:
    """Decorator: a function that refuses actions that are not in the catalogue."""
    ACTIONS.append(check)
    return check
