"""The guardrails that every experiment with clients has: harm that no benefit outweighs.

Each is a mean over all clients drawn, so a client to whom nothing happened counts as 0. The margin
is 0: any harm that is certain stops the experiment. That is a choice, not a finding; a desk may
bear more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from keepwell.learn.experiment.design import Guardrail, Metric


class Standard(NamedTuple):
    """A guardrail with its name for people.

    Attributes:
        guardrail: metric and margin.
        title: English, the key of its Chinese.
    """

    guardrail: Guardrail
    title: str


def _lower(name: str, title: str, winsor: float | None = None) -> Standard:
    return Standard(Guardrail(Metric(name, goal="lower", winsor=winsor)), title)


STANDARD: Final = (
    _lower("complaints", "Complaints per client"),
    _lower("opt_outs", "Refusals of further contact per client"),
    # A few clients trade a thousand times as much as others.
    _lower("trades", "Trades per client", winsor=0.99),
    _lower("suitability_breaches", "Breaches of suitability per client"),
    _lower("exit_delay_days", "Days that exits took beyond their time limit, per client"),
)
"""Columns: counts within the horizon; of `exit_delay_days`, trading days."""


def standard() -> tuple[Guardrail, ...]:
    """The standard guardrails, to give to an experiment."""
    return tuple(one.guardrail for one in STANDARD)
