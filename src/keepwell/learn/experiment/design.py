"""An experiment as data, and who gets which arm of it.

The lots are those of the hold-out (`keepwell.learn.holdout.policy.Lot`), drawn for the experiment's
own id: two experiments, and an experiment and the hold-out, share nothing but the secret.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Any, Final, NamedTuple

from keepwell.core.errors import UsageError, nearest
from keepwell.learn.holdout.policy import WHOLE, Lot, millionths

UNITS: Final = ("client", "household")
KINDS: Final = ("mean", "proportion", "ratio")
GOALS: Final = ("lower", "higher")
BLOCKS: Final = ("manager", "tier")


@dataclass(frozen=True)
class Metric:
    """What is measured on each unit.

    Attributes:
        name: the column of the data; of a ratio, its numerator.
        kind: 'mean', 'proportion' (0 or 1) or 'ratio' (numerator over denominator, both summed).
        goal: 'lower' or 'higher', the direction that is good.
        denominator: column; of a ratio only.
        covariates: columns known before the draw, used to cut variance (CUPED).
        winsor: quantile of all arms together at which values, and their covariates, are cut, such
            as 0.99; None: never.
        both_tails: cut below at 1 - winsor, too, for amounts that can be negative.

    Raises:
        UsageError: `experiment.value-wrong`.
    """

    name: str
    kind: str = "mean"
    goal: str = "higher"
    denominator: str | None = None
    covariates: tuple[str, ...] = ()
    winsor: float | None = None
    both_tails: bool = False

    def __post_init__(self) -> None:
        _check("name", bool(self.name), "a name", self.name)
        _check("kind", self.kind in KINDS, " | ".join(KINDS), self.kind)
        _check("goal", self.goal in GOALS, " | ".join(GOALS), self.goal)
        named = self.denominator is not None
        _check("denominator", named == (self.kind == "ratio"), "given for a ratio", self.kind)
        cut = self.winsor is None or (0.5 < self.winsor < 1 and self.kind == "mean")
        _check("winsor", cut, "0.5 < winsor < 1, for a mean", self.winsor)


@dataclass(frozen=True)
class Guardrail:
    """A metric that the actions may not harm.

    Attributes:
        metric: its goal says which direction is harm.
        margin: difference to the control, in the metric's unit, that is still borne; >= 0.

    Raises:
        UsageError: `experiment.value-wrong`.
    """

    metric: Metric
    margin: float = 0.0

    def __post_init__(self) -> None:
        _check("margin", 0 <= self.margin < math.inf, ">= 0", self.margin)


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        name: such as 'contact'.
        share: of the units, 0 < share < 1; the draw takes it in millionths.
    """

    name: str
    share: float


@dataclass(frozen=True)
class Experiment:
    """An experiment as it was registered before the first unit was drawn.

    Attributes:
        id: names it for ever; the draw hangs on it.
        arms: two or more; their shares add up to 1.
        control: name of the arm that the others are compared with.
        primary: the metric that decides.
        unit: 'client' or 'household': what is drawn.
        blocks: what the draw is balanced within: of 'manager' and 'tier'.
        horizon_days: days after the draw until an outcome counts.
        secondary: further metrics; they decide nothing.
        guardrails: watched at every look.
        looks: shares of the planned information at which the primary metric is looked at.
        alpha: chance of a false alarm over all looks, both sides.
        power: chance to show the effect that the experiment was sized for.

    Raises:
        UsageError: `experiment.arms-wrong`, `experiment.looks-wrong`, `experiment.metric-twice`,
            `experiment.value-wrong`.

    Example:
        >>> test = Experiment(
        ...     "calls-2026", (Arm("call", 0.8), Arm("none", 0.2)), "none",
        ...     Metric("left", "proportion", "lower"))
        >>> assign(test, b"a secret of the desk", "client 18").arm
        'call'
    """

    id: str
    arms: tuple[Arm, ...]
    control: str
    primary: Metric
    unit: str = "client"
    blocks: tuple[str, ...] = BLOCKS
    horizon_days: int = 90
    secondary: tuple[Metric, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    looks: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        _check("id", bool(self.id) and "\0" not in self.id, "a name", repr(self.id))
        _check("unit", self.unit in UNITS, " | ".join(UNITS), self.unit)
        _check("blocks", set(self.blocks) <= set(BLOCKS), ", ".join(BLOCKS), self.blocks)
        _check("horizon_days", self.horizon_days >= 1, ">= 1", self.horizon_days)
        _check("alpha", 0 < self.alpha < 0.5, "0 < alpha < 0.5", self.alpha)
        _check("power", 0 < self.power < 1, "0 < power < 1", self.power)
        shares = [arm.share for arm in self.arms]
        names = [arm.name for arm in self.arms]
        if (
            len(names) < 2
            or len(set(names)) < len(names)
            or self.control not in names
            or not all(0 < share < 1 for share in shares)
            or abs(sum(shares) - 1) > 1e-9
            or min(self.millionths) < 1
        ):
            told = ", ".join(f"{arm.name} {arm.share:g}" for arm in self.arms)
            raise UsageError("experiment.arms-wrong", arms=told, control=self.control)
        increasing = all(a < b for a, b in pairwise((0.0, *self.looks)))
        if not increasing or self.looks[-1:] != (1.0,):
            raise UsageError("experiment.looks-wrong", looks=self.looks)
        seen: set[str] = set()
        for metric in self.metrics:
            if metric.name in seen:
                raise UsageError("experiment.metric-twice", metric=metric.name)
            seen.add(metric.name)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Primary, secondary, guardrails."""
        return (self.primary, *self.secondary, *(rail.metric for rail in self.guardrails))

    @property
    def treated(self) -> tuple[str, ...]:
        """The arms but the control."""
        return tuple(arm.name for arm in self.arms if arm.name != self.control)

    @cached_property
    def millionths(self) -> tuple[int, ...]:
        """The arms' shares in millionths; they add up to a million, thirds too."""
        ends = [millionths(end) for end in accumulate(arm.share for arm in self.arms)]
        return tuple(end - begin for begin, end in pairwise([0, *ends]))

    def share(self, arm: str) -> float:
        """The planned share of an arm.

        Raises:
            UsageError: `experiment.arm-unknown`.
        """
        for one, share in zip(self.arms, self.millionths, strict=True):
            if one.name == arm:
                return share / WHOLE
        known = [one.name for one in self.arms]
        raise UsageError(
            "experiment.arm-unknown", arm=arm, nearest=nearest(arm, known), known=", ".join(known)
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Experiment:
        """From what `to_dict` gave, through JSON or not.

        Raises:
            UsageError: as on construction.
        """
        fields = dict(data)
        fields["arms"] = tuple(Arm(**arm) for arm in fields["arms"])
        fields["primary"] = _metric(fields["primary"])
        fields["secondary"] = tuple(_metric(one) for one in fields.get("secondary", ()))
        fields["guardrails"] = tuple(
            Guardrail(_metric(one["metric"]), one["margin"]) for one in fields.get("guardrails", ())
        )
        for name in ("blocks", "looks"):
            if name in fields:
                fields[name] = tuple(fields[name])
        return cls(**fields)


class Assignment(NamedTuple):
    """A unit's arm.

    Attributes:
        arm: name.
        propensity: the chance with which the draw gave this arm.
        stratum: the block it was drawn in; '' when drawn alone.
    """

    arm: str
    propensity: float
    stratum: str = ""


@dataclass(frozen=True)
class Candidate:
    """A client who may enter an experiment: not held out, and fit for its actions.

    Attributes:
        client_id: who.
        manager_id: whose book; '' for nobody's.
        tier: at the draw; '' for none.
        household_id: None for a client who is her own household.
    """

    client_id: str
    manager_id: str = ""
    tier: str = ""
    household_id: str | None = None


def assign(experiment: Experiment, secret: bytes, unit_id: str) -> Assignment:
    """The arm of one unit drawn alone: a function of secret, experiment and unit and nothing else.

    Args:
        experiment: which.
        secret: of the desk.
        unit_id: id of the client, or of the household.
    """
    place = _lot(experiment, secret).of(unit_id) % WHOLE
    for arm, share in zip(experiment.arms, experiment.millionths, strict=True):
        if place < share:
            return Assignment(arm.name, share / WHOLE)
        place -= share
    raise AssertionError("shares add up to one")


def assign_block(
    experiment: Experiment, secret: bytes, stratum: str, units: Collection[str]
) -> dict[str, Assignment]:
    """Draw units together, so that every arm gets its share of them, rounded up or down.

    The hold-out's systematic draw, arm after arm from those whom no earlier arm took. The result
    does not depend on the units' order; it depends on who is in the block, so it is stored.

    Args:
        experiment: which.
        secret: of the desk.
        stratum: name of the block, such as '<manager>/<tier>/<batch>'; drawn once.
        units: all of it.
    """
    return _block(experiment, _lot(experiment, secret), stratum, units)


def _block(
    experiment: Experiment, lot: Lot, stratum: str, units: Collection[str]
) -> dict[str, Assignment]:
    drawn: dict[str, Assignment] = {}
    left, rest, reach = list(units), WHOLE, 1.0
    for arm, wanted in zip(experiment.arms[:-1], experiment.millionths[:-1], strict=True):
        share = round(wanted * WHOLE / rest)
        taken = lot.block(f"{stratum}\0{arm.name}", left, share)
        chance = reach * share / WHOLE
        # One assignment serves all units of the arm: it is the same for them.
        one = Assignment(arm.name, chance, stratum)
        drawn |= {unit: one for unit, yes in taken if yes}
        left = [unit for unit, yes in taken if not yes]
        rest -= wanted
        reach *= 1 - share / WHOLE
    return drawn | dict.fromkeys(left, Assignment(experiment.arms[-1].name, reach, stratum))


def assign_all(
    experiment: Experiment,
    secret: bytes,
    candidates: Iterable[Candidate],
    known: Mapping[str, Assignment] | None = None,
    batch: str = "1",
) -> dict[str, Assignment]:
    """The arm of every candidate's unit, drawn in blocks; a unit keeps its arm for ever.

    A household's block is that of its candidate with the first id.

    Args:
        experiment: which.
        secret: of the desk.
        candidates: clients; those in the hold-out must not be among them.
        known: earlier assignments by unit id (`unit_of`); they win.
        batch: names this draw: blocks of a later one are other blocks.

    Returns:
        Assignments by unit id, of the candidates' units only.
    """
    before = known or {}
    kept: dict[str, Assignment] = {}
    blocks: dict[str, list[str]] = {}
    seen: set[str] = set()
    for one in sorted(candidates, key=attrgetter("client_id")):
        unit = unit_of(experiment, one)
        if unit in seen:
            continue
        seen.add(unit)
        if unit in before:
            kept[unit] = before[unit]
            continue
        parts = {"manager": one.manager_id, "tier": one.tier}
        stratum = "/".join([*(parts[name] for name in experiment.blocks), batch])
        blocks.setdefault(stratum, []).append(unit)
    lot = _lot(experiment, secret)
    for stratum in sorted(blocks):
        kept |= _block(experiment, lot, stratum, blocks[stratum])
    return kept


def unit_of(experiment: Experiment, one: Candidate) -> str:
    """The id of what is drawn for a client: her own, or her household's."""
    if experiment.unit == "client":
        return one.client_id
    # Ids of clients and of households may be alike.
    return f"client:{one.client_id}" if one.household_id is None else one.household_id


def _lot(experiment: Experiment, secret: bytes) -> Lot:
    return Lot(secret, f"experiment\0{experiment.id}")


def _metric(data: Mapping[str, Any]) -> Metric:
    return Metric(**{**data, "covariates": tuple(data.get("covariates", ()))})


def _check(name: str, fits: bool, expected: str, value: object) -> None:
    if not fits:
        raise UsageError("experiment.value-wrong", name=name, expected=expected, value=value)
