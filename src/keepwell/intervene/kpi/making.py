"""Computing the values of complete months, and opening the reviews that they make due."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final

from keepwell.core.days import local_day, to_date
from keepwell.core.errors import DataError
from keepwell.core.ids import new_id
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.intervene.kpi import repo
from keepwell.intervene.kpi.model import KpiReview, KpiTarget, KpiValue
from keepwell.intervene.kpi.targets import in_force
from keepwell.intervene.notice.policy import NoticeKind
from keepwell.intervene.notice.service import notify_role, notify_user
from keepwell.learn.kpi.catalogue import Kpi, shipped
from keepwell.learn.kpi.estimate import Absent, Figure
from keepwell.learn.kpi.formula import DeskFacts, Month, Reading
from keepwell.learn.kpi.formulas import FORMULAS
from keepwell.learn.kpi.review import Reached, before, misses, run_of
from keepwell.observe.engines.base import Engine
from keepwell.observe.engines.local import LocalEngine
from keepwell.trust.access.policy import SYSTEM, Role
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

MONTHS: Final = 12
"""Complete months that are filled where values are missing."""

_HOUR: Final = 3600.0

Still = Callable[[], None]


def complete_months(frame: Frame, now: datetime, months: int = MONTHS) -> list[Month]:
    """The newest months whose delay has passed, oldest first.

    Args:
        frame: for the exchange's zone and the delay.
        now: the present.
        months: how many at most.
    """
    delay = frame.settings.kpi.delay_days
    today = to_date(local_day(now, frame.zone))
    newest = before(today.replace(day=1))
    if Month.of(newest, frame.zone, delay).known_by > now:
        newest = before(newest)
    return [Month.of(before(newest, i), frame.zone, delay) for i in reversed(range(months))]


def compute(
    frame: Frame, still: Still | None = None, again: bool = False, months: int = MONTHS
) -> int:
    """Compute what is missing of the complete months, then open reviews; how many values.

    A month is computed once. One without a figure is looked at again when the lake has a newer
    manifest. Every month's values are one transaction: repeated, nothing is stored twice.

    Args:
        frame: the desk.
        still: called between months, so that a long computing is not taken for a dead one.
        again: compute all of them anew; what differs becomes a revision.
        months: how many at most.
    """
    spans = complete_months(frame, frame.now(), months)
    pinned = frame.workspace.lake.manifest()
    manifest = pinned.id if pinned else None
    engine: Engine | None = None
    with frame.read() as tx:
        known = {(v.kpi_id, v.version, v.month): v for v in repo.values(tx, since=spans[0].first)}
    stored = 0
    for month in spans:
        wanted = [
            kpi for kpi in shipped().values()
            if again or _wanted(known.get((kpi.id, kpi.version, month.first)), manifest)
        ]  # fmt: skip
        if wanted:
            engine = engine or _engine(frame)
            stored += _compute_month(frame, month, wanted, engine)
        if still is not None:
            still()
    with frame.write() as tx:
        open_reviews(tx)
    return stored


def _engine(frame: Frame) -> Engine | None:
    try:
        return LocalEngine.open(frame.workspace)
    except DataError:
        return None


def _wanted(value: KpiValue | None, manifest: int | None) -> bool:
    return value is None or (value.absent is not None and value.manifest != manifest)


def _compute_month(frame: Frame, month: Month, wanted: Sequence[Kpi], engine: Engine | None) -> int:
    with frame.read() as tx:
        facts = desk_facts(tx, month)
    reading = Reading(month, facts, engine, frame.settings.kpi.core_amount)
    answers = [(kpi, FORMULAS[kpi.compute](reading)) for kpi in wanted]
    manifest = engine.manifest.id if engine else None
    with frame.write() as tx:
        known = {(v.kpi_id, v.version): v for v in repo.values(tx, month=month.first)}
        targets = _by_kpi(repo.targets(tx))
        return sum(
            _store(tx, kpi, month, answer, manifest, known.get((kpi.id, kpi.version)),
                   in_force(kpi, targets[kpi.id], month.first).target)
            for kpi, answer in answers
        )  # fmt: skip


def _by_kpi(found: Sequence[KpiTarget]) -> dict[str, list[KpiTarget]]:
    targets: dict[str, list[KpiTarget]] = defaultdict(list)
    for target in found:
        targets[target.kpi_id].append(target)
    return targets


def desk_facts(tx: Tx, month: Month) -> DeskFacts:
    """What the desk knew of a month when its delay had passed.

    Args:
        tx: the unit of work.
        month: which.
    """
    known_by = month.known_by
    responses = [
        (contacted - opened).total_seconds() / _HOUR
        if contacted is not None and contacted <= known_by else math.inf
        for opened, contacted in repo.responses(tx, month.start, month.end)
    ]  # fmt: skip
    clocks = []
    for client, due, late, ended in repo.clocks(tx, month.start, month.end):
        if due is not None and due <= known_by and (late or ended is None):
            clocks.append((str(client), False))
        elif ended is not None and ended <= known_by and not late:
            clocks.append((str(client), True))
    return DeskFacts(responses, clocks, repo.warned(tx, month.end))


def _store(
    tx: Tx, kpi: Kpi, month: Month, answer: Figure | Absent, manifest: int | None,
    last: KpiValue | None, target: float | None,
) -> bool:  # fmt: skip
    """Add a revision unless the last one says the same."""
    absent = answer.value if isinstance(answer, Absent) else None
    figure = None if isinstance(answer, Absent) else answer
    said = (figure.value, figure.low, figure.high, figure.n) if figure else (None, None, None, 0)
    if last is not None and _same(last, said, absent):
        return False
    tx.session.add(
        KpiValue(
            kpi_id=kpi.id, version=kpi.version, month=month.first,
            revision=last.revision + 1 if last else 1, value=said[0], low=said[1], high=said[2],
            n=said[3], absent=absent, target=target, known_by=month.known_by, manifest=manifest,
            computed_at=tx.at,
        )
    )  # fmt: skip
    tx.session.flush()
    return True


def _same(
    last: KpiValue, said: tuple[float | None, float | None, float | None, int], absent: str | None
) -> bool:
    pairs = zip((last.value, last.low, last.high), said[:3], strict=True)
    return last.absent == absent and last.n == said[3] and all(_close(a, b) for a, b in pairs)


def _close(one: float | None, other: float | None) -> bool:
    # Sums over threads may differ in the last bits.
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def open_reviews(tx: Tx) -> list[KpiReview]:
    """Open a review of every key figure whose newest months missed the target, once per run.

    Args:
        tx: the unit of work.

    Returns:
        Those opened now.
    """
    spans = complete_months(tx.frame, tx.at)
    values: dict[str, dict[date, KpiValue]] = defaultdict(dict)
    for value in repo.values(tx, since=spans[0].first):
        if (kpi := shipped().get(value.kpi_id)) and kpi.version == value.version:
            values[value.kpi_id][value.month] = value
    targets = _by_kpi(repo.targets(tx))
    opened = []
    for kpi in shipped().values():
        months = [
            Reached(m.first, found.value, in_force(kpi, targets[kpi.id], m.first).target)
            if (found := values[kpi.id].get(m.first)) else Reached(m.first, None, None)
            for m in spans
        ]  # fmt: skip
        review = _open(tx, kpi, months, targets[kpi.id])
        if review is not None:
            opened.append(review)
    return opened


def _open(
    tx: Tx, kpi: Kpi, months: Sequence[Reached], targets: Sequence[KpiTarget]
) -> KpiReview | None:
    run = run_of(months, kpi.better)
    if run is None:
        return None
    since, until = run
    if any(review.until >= since for review in repo.reviews(tx, kpi.id)):
        return None  # of this run there was one
    told = [
        {"month": m.month.isoformat(), "value": m.value, "target": m.target}
        for m in months if since <= m.month <= until and misses(m.value, m.target, kpi.better)
    ]  # fmt: skip
    owner = in_force(kpi, targets, until).owner_id
    due = to_date(local_day(tx.at, tx.frame.zone) + tx.frame.settings.kpi.review_days)
    review = KpiReview(
        review_id=new_id("review", tx.at), kpi_id=kpi.id, version=kpi.version, since=since,
        until=until, months=told, owner_id=owner, due_on=due, opened_at=tx.at,
    )  # fmt: skip
    tx.session.add(review)
    tx.session.flush()
    data = {
        "kpi": kpi.name, "since": since.isoformat(), "until": until.isoformat(), "months": told,
        "owner_id": owner, "due_on": due.isoformat(),
    }  # fmt: skip
    record(tx, SYSTEM, EvidenceKind.KPI_REVIEW_OPENED, subject=review.review_id, data=data)
    _tell(tx, kpi, review)
    return review


def _tell(tx: Tx, kpi: Kpi, review: KpiReview) -> None:
    """The owner hears of it; where nobody was named, everybody of the catalogue's role."""
    title = {"en": kpi.title.en, "zh": kpi.title.zh}
    data = {"title": title, "due_on": review.due_on.isoformat()}
    if review.owner_id is not None:
        notify_user(tx, review.owner_id, NoticeKind.KPI_REVIEW, review.review_id, data=data)
    else:
        notify_role(tx, Role(kpi.owner), NoticeKind.KPI_REVIEW, review.review_id, data=data)
