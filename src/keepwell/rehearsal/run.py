"""The rehearsal: warm up, train once, then a year with keepwell, with its rivals, and without."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from keepwell.core.days import day_number
from keepwell.core.digest import digest_of
from keepwell.core.errors import UsageError
from keepwell.core.files import atomic_write
from keepwell.core.version import __version__
from keepwell.frame.context import Frame
from keepwell.intervene.publish import publish_run
from keepwell.learn import run as job
from keepwell.learn.holdout.policy import period_of
from keepwell.learn.kept.service import prove_kept
from keepwell.learn.ranking import rank
from keepwell.learn.report.build import report_data
from keepwell.learn.run import RunResult
from keepwell.learn.value.retained import ASSETS
from keepwell.rehearsal.beside import Beside
from keepwell.rehearsal.desk import Desk
from keepwell.rehearsal.future import Future
from keepwell.rehearsal.plan import KEEPWELL, Plan, steps
from keepwell.rehearsal.rivals import MINUTES as CALL
from keepwell.rehearsal.verdict import Flags, Measures, Verdict, estimate, judge
from keepwell.world.files.daily import LivingWorld
from keepwell.world.simulate import World

MARKER: Final = "rehearsal.json"
"""Says that a folder is a rehearsal of ours, and what came of it."""

Tell = Callable[[str, int, int], None]
"""Told what is being lived, days done and days in all."""

Prepare = Callable[[Frame], Any]
"""Called with the desk when its first alerts are raised: makes teams and people."""


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal found.

    Attributes:
        root: the workspace of the broker with keepwell.
        begin: first day of the loop.
        end: the day after its last one.
        verdicts: by policy.
        client: one drawn by lot among those contacted, whose ledger can be looked at.
        seconds: how long it took.
    """

    root: Path
    begin: date
    end: date
    verdicts: tuple[Verdict, ...]
    client: str | None
    seconds: float


def rehearse(plan: Plan, root: Path, tell: Tell, prepare: Prepare) -> Rehearsed:
    """Live the loop and judge every policy.

    Args:
        plan: what to rehearse.
        root: folder; a rehearsal that is there is replaced.
        tell: told how far it is.
        prepare: makes the people of the desk.

    Raises:
        UsageError: `world.folder-taken`: the folder holds something else.
        DataError: there is nothing to train on.
    """
    began = time.monotonic()
    today = datetime.now(UTC).date()
    begin = plan.begins(today)
    root = _cleared(root)
    future = _warmed_up(plan, today, root, tell)
    first = job.run(future.workspace, begin)
    future.begin()
    desk = Desk.open(plan, future)
    with Beside.of(plan, future, desk.service, first) as beside:
        try:
            arms = _with_desk(plan, desk, first, begin, tell, prepare, beside)
            proved = _ending(desk, first, arms)
            client = desk.anybody()
        finally:
            desk.frame.close()
            future.living.delivered()
            future.living.close()
        until = future.morning(day_number(begin) + plan.days)
        start = day_number(begin)
        beside.wait(lambda name, step: tell(name, step.first + step.days - start, plan.days))
        verdicts = [judge(KEEPWELL, future, beside.baseline, arms, desk.spent, proved)]
        verdicts += beside.verdicts(arms, until)
    done = Rehearsed(
        root, begin, date.fromordinal(begin.toordinal() + plan.days), tuple(verdicts), client,
        time.monotonic() - began,
    )  # fmt: skip
    atomic_write(root / MARKER, _told(plan, done).encode())
    return done


def _cleared(root: Path) -> Path:
    root = root.absolute()
    for folder in (root, *root.parent.glob(f"{root.name}.*.part")):
        if folder.is_dir() and any(folder.iterdir()):
            if folder == root and not (folder / MARKER).is_file():
                raise UsageError("world.folder-taken", folder=folder)
            shutil.rmtree(folder)
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).write_text("{}\n", "utf-8")
    return root


def _warmed_up(plan: Plan, today: date, root: Path, tell: Tell) -> Future:
    world = World(plan.dated(today), plan.seed, plan.clients, plan.warm_up + plan.days + 1)
    living = LivingWorld(world, root)
    with (root / "keepwell.yaml").open("a", encoding="utf-8") as file:
        file.write(_capacity(plan))
    future = Future.of(living)
    (root / "desk.yaml").write_text(_settings(plan), "utf-8")
    for day in range(plan.warm_up):
        future.live()
        tell("", day + 1, plan.warm_up)
    future.read()
    return future


def _settings(plan: Plan) -> str:
    """The desk of a rehearsal: as it ships, but for its hold-out.

    The secret comes from the seed, so that whoever repeats a rehearsal draws the same hold-out.
    """
    secret = digest_of({"rehearsal": plan.seed})
    return (
        f"secret: '{secret}'\nholdout: {{share: {plan.share}}}\n"
        # Nobody settles exit requests here, and compliance need not be told every week.
        "clock: {exit_settle_days: 250}\nkept: {days: 84}\n"
    )


def _capacity(plan: Plan) -> str:
    """Tiers of more than three times what staff can call in four weeks.

    A fifth is held out, every third wants no calls, and some are not worth them.
    """
    book = plan.scenario.people.staff.per_manager
    mild = min(0.2, 3.5 * plan.minutes * 4 / CALL / book)
    return f"capacity: {{severe: {mild / 4:.4f}, moderate: {mild / 2:.4f}, mild: {mild:.4f}}}\n"


def _with_desk(
    plan: Plan,
    desk: Desk,
    first: RunResult,
    begin: date,
    tell: Tell,
    prepare: Prepare,
    beside: Beside,
) -> tuple[Flags, Flags]:
    arms: tuple[Flags, Flags] | None = None
    first_day = day_number(begin)
    for step in steps(plan, begin):
        desk.publish(first, step)
        if arms is None:
            prepare(desk.frame)
            desk.hire()
            arms = desk.arms()
        desk.step(step, lambda day: tell(KEEPWELL, day - first_day + 1, plan.days))
        beside.step(step, arms[0])
    assert arms is not None
    return arms


def _ending(desk: Desk, first: RunResult, arms: tuple[Flags, Flags]) -> Measures:
    """Read the last days, publish them with panels for the pages, and prove what was kept."""
    future = desk.future
    until = future.morning(future.today)
    # Still within the year, so that the hold-out shown is the one that was drawn.
    at = future.morning(future.today - 1)
    future.end()
    engine = future.read()
    ranking = rank(engine, first.version.trained, first.version.definition, at)
    planned = job.plan(future.workspace, engine, at.astimezone(engine.zone).date())
    data = report_data(
        future.workspace, engine, planned, ranking, first.version, None
    )  # fmt: skip
    publish_run(desk.frame, RunResult(data, ranking, None, first.version, (), engine), weeks=(0, 1))
    desk.run_jobs()
    period = period_of(desk.clock.at, desk.frame.zone)
    desk.clock.to(future.morning(future.today))
    proof = prove_kept(desk.frame, engine, period=period, until=until)
    found: Measures = proof.record.get("measures", {})
    return found if ASSETS in found else estimate(future, engine, arms, first.ranking, until)


def _told(plan: Plan, done: Rehearsed) -> str:
    about = {
        "keepwell": __version__, "scenario": plan.scenario.title.en, "seed": plan.seed,
        "clients": plan.clients, "begin": str(done.begin), "end": str(done.end),
        "share": plan.share, "minutes": plan.minutes, "step": plan.step,
        "warm_up": plan.warm_up, "client": done.client,
        "policies": [verdict.as_dict() for verdict in done.verdicts],
        "seconds": round(done.seconds, 1),
    }  # fmt: skip
    return json.dumps(about, indent=2, ensure_ascii=False) + "\n"
