"""Experiments on stored potential outcomes, where the truth is known; and how fast they are read.

A small simulated brokerage lives to the day of a decision; then every client's future is lived
twice, treated and left alone. An assignment picks which of the two is seen, so thousands of
experiments cost no further simulation, and the average effect over the very same clients is known.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import binom

from keepwell.learn.experiment.design import (
    Arm,
    Candidate,
    Experiment,
    Guardrail,
    Metric,
    assign_all,
)
from keepwell.learn.experiment.looks import Look, Verdict, look
from keepwell.learn.experiment.ratio import check
from keepwell.learn.experiment.readout import read_out
from keepwell.world.outcomes import potential
from keepwell.world.scenario import Scenario
from keepwell.world.simulate import World

ACTION = "complaint_fast"
BEFORE, HORIZON, SEED = 45, 100, 5
# A crisis of trust at a broker whose clients decide quickly: much happens within the horizon.
CRISIS = {
    "hazard": 0.012, "days": (30.0, 14.0, 9.0, 5.0), "at_peace": 1.0,
    "go_on": (0.62, 0.82, 0.90, 0.85),
}  # fmt: skip
BOOKS = {"per_adviser": 40.0, "per_manager": 40.0, "per_branch": 400.0}
ALONE = {"household": 0.0, "referrer": 0.0, "adviser": 0.0}

LEFT = Metric("left", "proportion", "lower", covariates=("worth",))
KEPT = Metric("kept", covariates=("worth",), winsor=0.99)
DESIGN = Experiment(
    "loop", (Arm("contact", 0.8), Arm("hold-out", 0.2)), "hold-out", LEFT, secondary=(KEPT,),
    horizon_days=HORIZON,
)  # fmt: skip
WATCHED = Experiment(
    "loop-watched", DESIGN.arms, "hold-out", LEFT, guardrails=(Guardrail(KEPT),),
    horizon_days=HORIZON,
)  # fmt: skip
RAW = "raw (no claim: amounts too skewed for the size)"
"""Not winsorised: the few richest decide, and normal theory does not hold yet."""
WAYS: dict[str, Any] = {
    "clients, blocked": {"stratum": "stratum"},
    "managers, blocked": {"stratum": "stratum", "cluster": "manager"},
}


@dataclass(frozen=True)
class Stored:
    """Both futures of every client.

    Attributes:
        book: the clients, blocked by manager and by a quarter of assets in place of a tier.
        left: left within the horizon, left alone and treated, 0 or 1 [2, n].
        kept: currency units still held at the end, left alone and treated [2, n].
        worth: currency units held before [n].
        manager: by client [n].
    """

    book: list[Candidate]
    left: Any
    kept: Any
    worth: Any
    manager: Any

    def truth(self, metric: Metric, raw: bool = False) -> tuple[float, float]:
        """The average effect of treating everybody, and that over the mean when left alone.

        Args:
            metric: winsorised where all clients under the design's shares would be.
            raw: not winsorised.
        """
        none, treated = getattr(self, metric.name)
        if metric.winsor is not None and not raw:
            mixed = np.concatenate([np.tile(treated, 4), none])
            cut = np.quantile(mixed, metric.winsor)
            none, treated = np.minimum(none, cut), np.minimum(treated, cut)
        effect = float((treated - none).mean())
        return effect, effect / float(none.mean())

    def seen(self, experiment: Experiment, secret: bytes, effect: bool = True) -> dict[str, Any]:
        """What one draw shows; without an effect everybody is left alone whatever the arm."""
        drawn = assign_all(experiment, secret, self.book)
        arms = [drawn[one.client_id] for one in self.book]
        arm = np.array([one.arm for one in arms])
        place = ((arm == "contact") & effect).astype(int)
        rows = np.arange(len(arm))
        return {
            "arm": arm, "stratum": np.array([one.stratum for one in arms]),
            "manager": self.manager, "worth": self.worth,
            "left": self.left[place, rows], "kept": self.kept[place, rows],
        }  # fmt: skip


def store(clients: int, seed: int = SEED) -> Stored:
    """Live the brokerage and both futures."""
    scenario = Scenario().with_(
        contagion=ALONE, leaving=CRISIS, help={"effects": 2.0}, people={"staff": BOOKS}
    )
    world = World(scenario, seed, clients, BEFORE + HORIZON, cores=1)
    for _ in range(BEFORE):
        world.pass_day()
    found = potential(world, HORIZON, ("leave_alone", ACTION))
    here = world.state[found.clients]
    worth = here["worth"] / 100.0
    quarter = np.searchsorted(np.quantile(worth, (0.25, 0.5, 0.75)), worth)
    manager = np.array([f"m{one}" for one in here["manager"]])
    book = [
        Candidate(f"c{client}", name, f"q{part}")
        for client, name, part in zip(found.clients, manager, quarter, strict=True)
    ]
    left = np.stack([found.leaves(action) for action in found.actions]).astype(float)
    return Stored(book, left, found.kept / 100.0, worth, manager)


@dataclass(frozen=True)
class Counted:
    """How often something happened.

    Attributes:
        what: in words.
        times: it happened.
        of: how often it could have.
        wanted: share: at least (coverage, faults) or at most (false alarms).
        least: whether `wanted` is the least.
    """

    what: str
    times: int
    of: int
    wanted: float
    least: bool = True

    @property
    def bounds(self) -> tuple[int, int]:
        """Counts that a true share of `wanted` allows, 99 %."""
        low, high = binom.interval(0.99, self.of, self.wanted)
        return int(low), int(high)

    @property
    def fine(self) -> bool:
        """Whether the count does not contradict `wanted`."""
        low, high = self.bounds
        return self.times >= low if self.least else self.times <= high


def covered(stored: Stored, draws: int, first: int = 0) -> list[Counted]:
    """How often intervals hold the truth, over redrawn assignments."""
    hits: dict[str, int] = {}
    for draw in range(first, first + draws):
        data = stored.seen(DESIGN, draw.to_bytes(8, "big"))
        for way, columns in WAYS.items():
            read = read_out(DESIGN.metrics, data, control="hold-out", **columns)
            for one in read.effects:
                truth, relative = stored.truth(one.metric)
                told = [(one.difference, truth, "difference"), (one.relative, relative, "relative")]
                if one.metric is KEPT:
                    told.append((one.raw, stored.truth(KEPT, raw=True)[0], RAW))
                for interval, at, what in told:
                    key = f"{one.metric.name}, {what}, {way}"
                    hits[key] = hits.get(key, 0) + int(interval.low <= at <= interval.high)
    return [
        Counted(f"interval holds the truth: {key}", times, draws, 0.0 if RAW in key else 0.95)
        for key, times in hits.items()
    ]


def alarms(stored: Stored, draws: int, first: int = 0) -> list[Counted]:
    """How often four looks stop an experiment in which the arms do nothing."""
    primary = guardrail = ratio = 0
    for draw in range(first, first + draws):
        data = stored.seen(WATCHED, draw.to_bytes(8, "big"), effect=False)
        order = np.random.default_rng(draw).permutation(len(data["arm"]))
        last = _watch({name: column[order] for name, column in data.items()})
        ratio += last.verdict is Verdict.RATIO
        stopped = last.verdict in (Verdict.BENEFIT, Verdict.HARM)
        guardrail += stopped and last.because == KEPT.name
        primary += stopped and last.because == LEFT.name
    return [
        Counted("false alarm in four looks: primary metric", primary, draws, 0.05, False),
        Counted("false alarm in four looks: guardrail", guardrail, draws, 0.05, False),
        Counted("false alarm in four looks: sample ratio", ratio, draws, 0.008, False),
    ]


def _watch(data: dict[str, Any]) -> Look:
    """The last look; clients come in the order of the rows."""
    done: list[float] = []
    for fraction in WATCHED.looks:
        till = round(fraction * len(data["arm"]))
        part = {name: column[:till] for name, column in data.items()}
        ratio = check(WATCHED, part["arm"], part["manager"])
        read = read_out(
            WATCHED.metrics, part, control="hold-out", stratum="stratum", cluster="manager"
        )
        found = look(WATCHED, done, fraction, read, ratio)
        if found.verdict is not Verdict.CONTINUE:
            return found
        done.append(fraction)
    raise AssertionError("the last look ends it")


def faults(stored: Stored, draws: int, first: int = 0) -> list[Counted]:
    """How often arms that something happened to are stopped."""
    rng = np.random.default_rng([SEED, first])
    managers = np.unique(stored.manager)
    found: dict[str, int] = {}
    for draw in range(first, first + draws):
        data = stored.seen(DESIGN, draw.to_bytes(8, "big"))
        arm, manager = data["arm"], data["manager"]
        luck = rng.random(len(arm))
        held = arm == "hold-out"
        lost = ~held & (data["left"] == 1)
        loud = np.isin(manager, rng.choice(managers, len(managers) // 4, replace=False))
        for what, arms, kept in (
            ("treated leavers missing from the data", arm, ~lost),
            ("a third of the hold-out contacted and booked as such",
             np.where(held & (luck < 1 / 3), "contact", arm), luck >= 0),
            ("a quarter of the managers call everybody",
             np.where(loud, "contact", arm), luck >= 0),
        ):  # fmt: skip
            found[what] = found.get(what, 0) + check(DESIGN, arms[kept], manager[kept]).stop
    return [Counted(f"fault stopped: {what}", n, draws, 0.95) for what, n in found.items()]


@dataclass(frozen=True)
class Timed:
    """One way to read out, timed.

    Attributes:
        what: in words.
        seconds: least of the rounds, wall clock.
        cpu: of that round.
    """

    what: str
    seconds: float
    cpu: float


def wide(units: int, metrics: int) -> tuple[dict[str, Any], list[Metric]]:
    """A large experiment: 2,000 managers, skewed amounts, one proportion, one ratio."""
    rng = np.random.default_rng(SEED)
    before = rng.lognormal(10, 2, units)
    manager = rng.integers(0, 2_000, units)
    data: dict[str, Any] = {
        "arm": np.where(rng.random(units) < 0.2, "hold-out", "contact"),
        "manager": manager, "stratum": manager * 4 + rng.integers(0, 4, units), "before": before,
        "left": (rng.random(units) < 0.1).astype(float), "sessions": 1.0 + rng.poisson(5, units),
    }  # fmt: skip
    data["orders"] = data["sessions"] * rng.random(units)
    for k in range(metrics - 2):
        data[f"kept{k}"] = before * rng.lognormal(0, 0.5, units)
    return data, [
        Metric("left", "proportion", "lower", covariates=("before",)),
        Metric("orders", "ratio", denominator="sessions"),
        *(Metric(f"kept{k}", covariates=("before",)) for k in range(metrics - 2)),
    ]


def speed(units: int, metrics: int, rounds: int) -> list[Timed]:
    """Read-out times, with tea-tasting's in the same rounds where it is installed."""
    data, plain = wide(units, metrics)
    cut = [replace(m, winsor=0.99) if m.kind == "mean" else m for m in plain]
    books: Any = {"stratum": "stratum", "cluster": "manager"}
    ways: dict[str, Callable[[], Any]] = {
        "keepwell, CUPED": lambda: read_out(plain, data, control="hold-out"),
        "keepwell, CUPED, winsorised, blocked, clustered": lambda: read_out(
            cut, data, control="hold-out", **books
        ),
    }
    peer = _tea_tasting(data, plain)
    if peer is not None:
        ways["tea-tasting, CUPED"] = peer
    best: dict[str, Timed] = {}
    for _ in range(rounds):
        for what, run in ways.items():
            begun, cpu = time.perf_counter(), time.process_time()
            run()
            took = Timed(what, time.perf_counter() - begun, time.process_time() - cpu)
            if what not in best or took.seconds < best[what].seconds:
                best[what] = took
    return list(best.values())


def _tea_tasting(data: dict[str, Any], metrics: list[Metric]) -> Callable[[], Any] | None:
    """The same metrics by tea-tasting from an Arrow table; None where it is not installed."""
    try:
        tt = importlib.import_module("tea_tasting")
    except ImportError:
        return None
    import pyarrow as pa

    table = pa.table(data)
    asked = {
        m.name: tt.RatioOfMeans(m.name, m.denominator)
        if m.denominator
        else tt.Mean(m.name, m.covariates[0])
        for m in metrics
    }
    return lambda: tt.Experiment(asked, variant="arm").analyze(table, control="hold-out")
