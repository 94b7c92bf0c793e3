"""The value of all clients at one date: ranking, margins and survival brought together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from keepwell.core.days import parse_as_of
from keepwell.core.errors import DataError, UsageError
from keepwell.core.text import tr
from keepwell.learn.proof import kept_proof
from keepwell.learn.ranking import Ranking, rank
from keepwell.learn.run import RANKED_AT, plan
from keepwell.learn.value.client_value import ClientValue, Interval, client_value
from keepwell.learn.value.margin import INCOME, Line, Margins, margins
from keepwell.learn.value.rates import Rates
from keepwell.learn.value.survival import Array, Doubt, SurvivalRule, months_of
from keepwell.observe.engines.base import Engine
from keepwell.observe.engines.local import LocalEngine
from keepwell.warn.registry import ModelStore, ModelVersion

if TYPE_CHECKING:
    from keepwell.observe.workspace import Workspace

Progress = Callable[[str], None]

MARGIN_UNKNOWN: Final = "margin"
"""Why a scored client has no value: no line of income is known of her."""


@dataclass(frozen=True)
class Group:
    """Clients of one tier or segment together.

    Attributes:
        code: of the tier or segment; None for clients without one.
        clients: how many.
        valued: of them with a value.
        margin: what these bring in a year, minor units.
        value: over the horizon, with its interval, minor units.
        at_stake: expected loss for leaving within the model's horizon, minor units.
    """

    code: str | None
    clients: int
    valued: int
    margin: float
    value: Interval
    at_stake: float


@dataclass(frozen=True)
class ValueBook:
    """What all clients are worth at one date.

    Attributes:
        as_of: the instant.
        zone: the exchange's.
        version: id of the model behind survival.
        rates: the broker's.
        rule: how survival goes on.
        ranking: every client, in the order of all arrays.
        margins: yearly, by line.
        values: with what an interval needs.
    """

    as_of: datetime
    zone: ZoneInfo
    version: str
    rates: Rates
    rule: SurvivalRule
    ranking: Ranking
    margins: Margins
    values: ClientValue

    @property
    def valued(self) -> npt.NDArray[np.bool_]:
        """Which clients have a value, bool [n]."""
        return ~np.isnan(self.values.value)

    def why_not(self) -> list[str | None]:
        """Why a client has no value: a note of the ranking, or `MARGIN_UNKNOWN`; None with one."""
        return [
            None if has else str(note) if np.isnan(p) else MARGIN_UNKNOWN
            for has, note, p in zip(
                self.valued, self.ranking.note, self.ranking.probability, strict=True
            )
        ]

    def groups(self, codes: Sequence[str | None]) -> list[Group]:
        """Clients by a code, the most valuable group first.

        Args:
            codes: of each client, such as `ranking.tiers()` or `margins.segment`.
        """
        names = np.array(["" if code is None else code for code in codes], object)
        found = []
        for name in sorted(set(names)):
            mine = names == name
            chosen = mine & self.valued
            found.append(
                Group(
                    name or None, int(mine.sum()), int(chosen.sum()),
                    float(self.margins.total[chosen].sum()), self.values.total(chosen),
                    float(self.values.at_stake[chosen].sum()),
                )
            )  # fmt: skip
        return sorted(found, key=lambda group: (-group.value.value, group.code or ""))

    def lines(self) -> Mapping[Line, tuple[float, int]]:
        """Line -> sum a year of clients with a value, minor units, and of how many it is known."""
        out = {}
        for line, values in self.margins.lines.items():
            chosen = values[self.valued]
            out[line] = (float(np.nansum(chosen)), int((~np.isnan(chosen)).sum()))
        return out

    def order(self) -> npt.NDArray[np.int64]:
        """Places of the clients with a value, the most at stake first; ties by id."""
        places = np.flatnonzero(self.valued)
        return places[np.argsort(-self.values.at_stake[places], kind="stable")]


def value_book(
    workspace: Workspace, as_of: str | date | None = None, progress: Progress | None = None
) -> ValueBook:
    """Value every client with the model in force.

    Args:
        workspace: where `run` was done before.
        as_of: the instant; default: that of the newest ranking.
        progress: called with a line of text per step.

    Raises:
        DataError: no model was trained yet, or no line of income is known.
        UsageError: the model knows more than was known at as_of.
    """
    say = progress or (lambda _: None)
    engine = LocalEngine.open(workspace)
    version = ModelStore(workspace.models).latest()
    if version is None:
        raise DataError("explain.model-missing")
    ranked = _ranked_at(workspace, engine, version)
    at = parse_as_of(as_of, workspace.zone) if as_of else ranked
    if at < ranked:
        days = [moment.astimezone(workspace.zone).date() for moment in (at, ranked)]
        raise UsageError("value.as-of-early", as_of=days[0], ranked=days[1])
    say(tr("Rank the clients"))
    ranking = rank(engine, version.trained, version.definition, at, explained=0)
    return value_ranking(workspace, engine, ranking, version, ranked, say)


def value_ranking(
    workspace: Workspace,
    engine: Engine,
    ranking: Ranking,
    version: ModelVersion,
    ranked: datetime | None = None,
    progress: Progress | None = None,
) -> ValueBook:
    """Value every client of a ranking; the one way for `keepwell value` and for a publication.

    Args:
        workspace: has the rates.
        engine: what the ranking was made from.
        ranking: every client, with the chance to leave.
        version: the model behind it.
        ranked: the instant that the model was trained to rank; default: that of the ranking.
        progress: called with a line of text per step.

    Raises:
        DataError: no line of income is known.
    """
    say = progress or (lambda _: None)
    say(tr("Read what clients bring in"))
    rates = Rates.of(workspace)
    found = margins(engine, ranking.as_of, rates, ranking.clients)
    if not any(line in found.lines for line in INCOME):
        raise DataError("value.income-unknown")
    rule = survival_rule(version, rates)
    say(tr("Value the clients"))
    values = client_value(
        ranking.probability, found.total, rule, rates.months, rates.discount,
        error=found.error, doubt=_doubt(workspace, engine, version, ranked or ranking.as_of),
    )  # fmt: skip
    return ValueBook(ranking.as_of, workspace.zone, version.id, rates, rule, ranking, found, values)


def survival_rule(version: ModelVersion, rates: Rates) -> SurvivalRule:
    """How the survival of a model's clients goes on.

    Args:
        version: its label has the horizon, its newest training date the observed share of leavers.
        rates: say what is taken for the time beyond.
    """
    definition = version.definition
    base = None if rates.constant_hazard else version.trained.base_rate
    return SurvivalRule(months_of(definition.horizon), months_of(definition.gap), base)


def _ranked_at(workspace: Workspace, engine: Engine, version: ModelVersion) -> datetime:
    if RANKED_AT in version.facts:
        return datetime.fromisoformat(version.facts[RANKED_AT])
    return plan(workspace, engine).rank_at


def _doubt(workspace: Workspace, engine: Engine, version: ModelVersion, ranked: datetime) -> Doubt:
    """Of the proof of this model, where it is kept; else of its training rows."""
    trained = version.trained
    per_date = trained.rows / len(trained.dates)
    simple = Doubt.of_training(trained.base_rate * per_date, per_date)
    planned = plan(workspace, engine, ranked.astimezone(workspace.zone).date())
    if planned.prove_at is None:
        return simple
    proof = kept_proof(
        engine, planned.definition, planned.dates, planned.prove_at, planned.capacity,
        workspace.state / "proofs",
    )  # fmt: skip
    if proof is None or not proof.result.calibration:
        return simple
    bins = proof.result.calibration

    def column(of: Callable[[int], float]) -> Array:
        return np.array([of(i) for i in range(len(bins))], np.float64)

    found = Doubt.of_proof(
        column(lambda i: bins[i].predicted),
        column(lambda i: bins[i].observed.value),
        column(lambda i: bins[i].clients),
    )
    return simple if found.source == "none" else found
