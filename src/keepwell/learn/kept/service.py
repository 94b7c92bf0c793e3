"""Verbs of proofs: compute what was kept, read what was proved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from keepwell.core.days import add_span, local_day, parse_as_of, to_date
from keepwell.core.digest import digest_of
from keepwell.core.ids import new_id
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotFound
from keepwell.jobs.service import enqueue
from keepwell.learn.holdout import repo as holdout
from keepwell.learn.holdout.policy import period_of
from keepwell.learn.kept import gather, repo
from keepwell.learn.kept.gather import Cohort
from keepwell.learn.kept.model import KeptProof
from keepwell.learn.kept.policy import Fault, complete_until, span_of
from keepwell.learn.kept.readout import read_out
from keepwell.learn.value.flows import Basis
from keepwell.observe.engines.base import Engine
from keepwell.trust.access.policy import SYSTEM, Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record
from keepwell.warn.label import LabelDefinition

JOB: Final = "kept.prove"
"""Kind and key of the job that makes a proof."""

FORMAT: Final = 1
"""Version of a proof's record."""


def prove_kept(
    frame: Frame,
    engine: Engine,
    *,
    period: str | None = None,
    until: datetime | date | str | None = None,
    actor: Actor = SYSTEM,
) -> KeptProof:
    """Compute what was kept since a period's first draw, and store it with its evidence.

    By assignment: everybody drawn with the whole book counts in the arm drawn, contacted or not.
    Who was drawn later, or alone, began on another day and is left out, counted. First of all the
    shares of the arms are checked, over everybody drawn; where they are not those that were
    planned, nothing is read out and the proof says so. The same finding again is not stored again.

    The lake is read outside of any transaction. It may take a minute for a million clients.

    Args:
        frame: the desk.
        engine: whose lake is read, pinned to its manifest.
        period: of the hold-out, such as '2026'; default: the newest.
        until: end of the span, brought back to whole days from the draw; default: the newest day
            that the lake is complete for.
        actor: who asked for it.

    Raises:
        NotFound: no such period was drawn.
        Conflict: nobody was drawn or held out, no whole day has passed that the lake is complete
            for, or the span would end after it.
        DataError: outcomes or movements cannot be read from the lake; fewer than two managers.
    """
    now = frame.now()
    with frame.read() as tx:
        cohort = _cohort(tx, period)
    end, days = _span(engine, cohort, until, now)
    with frame.read() as tx:
        touched = gather.touched_between(tx, cohort, end)
    stopped = _fault(cohort)
    found: dict[str, Any] = _about(engine, cohort, end, days)
    if stopped is None:
        found |= _found(frame, engine, cohort, end, touched)
    with frame.write() as tx:
        return _store(tx, actor, engine, cohort, end, days, stopped, found)


def _cohort(tx: Tx, period: str | None) -> Cohort:
    row = holdout.period_row(tx, period) if period else holdout.latest(tx)
    if row is None:
        raise NotFound("holdout.period-unknown", period=period or period_of(tx.at, tx.frame.zone))
    cohort = gather.cohort_of(tx, row)
    if cohort is None or cohort.share == 0:
        raise Conflict("kept.nobody-drawn", period=row.period)
    return cohort


def _span(
    engine: Engine, cohort: Cohort, until: datetime | date | str | None, now: datetime
) -> tuple[datetime, int]:
    zone, bound = engine.zone, complete_until(engine, now)
    end, days = span_of(engine, cohort.since, bound)
    if days < 1:
        raise Conflict(
            "kept.span-empty", since=cohort.since.astimezone(zone).date(),
            until=to_date(bound),
        )  # fmt: skip
    if until is None:
        return end, days
    asked = local_day(parse_as_of(until, zone), zone) - local_day(cohort.since, zone)
    if not 1 <= asked <= days:
        raise Conflict(
            "kept.span-outside", until=parse_as_of(until, zone).astimezone(zone).date(),
            first=to_date(local_day(cohort.since, zone) + 1),
            last=end.astimezone(zone).date(),
        )  # fmt: skip
    return add_span(cohort.since, f"{asked}d", zone).astimezone(UTC), asked


def _fault(cohort: Cohort) -> Fault | None:
    if cohort.lost:
        return Fault.ARMS_LOST
    return Fault.RATIO if cohort.check.stop else None


def _about(engine: Engine, cohort: Cohort, until: datetime, days: int) -> dict[str, Any]:
    """What the finding is about, whatever it is."""
    label = LabelDefinition.of(engine.workspace).to_json() | {"horizon": f"{days}d", "gap": "0d"}
    moved = "cash_flow" in engine.manifest.tables
    return {
        "format": FORMAT, "period": cohort.period, "share": cohort.share,
        "since": cohort.since.isoformat(), "until": until.isoformat(), "days": days,
        "manifest": engine.manifest.id, "currency": engine.currency, "label": label,
        "basis": str(Basis.MOVEMENTS if moved else Basis.POSITIONS),
        "drawn": len(cohort.drawn.clients), "alone": cohort.alone, "later": cohort.later,
        "lost": cohort.lost, "ratio": cohort.check.to_dict(),
    }  # fmt: skip


def _found(
    frame: Frame, engine: Engine, cohort: Cohort, until: datetime, touched: Any
) -> dict[str, Any]:
    workspace = frame.workspace
    trial, absent = gather.trial_from(workspace, engine, cohort, until, frame.now())
    found = read_out(trial, cohort.drawn.tier, gather.reached(cohort, touched))
    return {
        **found, "absent": found["absent"] | absent,
        "costs": gather.costs_of(workspace, cohort, touched),
        "revenue": gather.year_revenue(workspace, engine, cohort, until),
    }  # fmt: skip


def _store(
    tx: Tx, actor: Actor, engine: Engine, cohort: Cohort, until: datetime, days: int,
    stopped: Fault | None, found: dict[str, Any],
) -> KeptProof:  # fmt: skip
    digest = digest_of(found)
    known = repo.by_digest(tx, digest)
    if known is not None:
        return known
    treated = int(cohort.drawn.treated.sum())
    row = KeptProof(
        proof_id=new_id("proof", tx.at), at=tx.at, actor_id=actor.user_id, period=cohort.period,
        since=cohort.since, until=until, days=days, manifest=engine.manifest.id, treated=treated,
        held=len(cohort.drawn.clients) - treated, stopped=stopped.value if stopped else None,
        digest=digest, record=found,
    )  # fmt: skip
    tx.session.add(row)
    tx.session.flush()
    data = {
        "period": row.period, "since": row.since.isoformat(), "until": row.until.isoformat(),
        "manifest": row.manifest, "treated": row.treated, "held": row.held, "digest": digest,
        "stopped": row.stopped or "",
    }  # fmt: skip
    record(tx, actor, EvidenceKind.PROOF_MADE, subject=row.proof_id, data=data)
    return row


def ask(tx: Tx, actor: Actor, period: str | None = None) -> str | None:
    """Have a proof made by a job; its id, or None when one is at work already.

    Args:
        tx: a unit of work that writes.
        actor: who asks; the job itself is the desk's.
        period: of the hold-out; default: the newest.

    Raises:
        NotFound: no such period was drawn.
        Conflict: nobody is held out in it.
    """
    del actor
    row = holdout.period_row(tx, period) if period else holdout.latest(tx)
    if row is None:
        raise NotFound("holdout.period-unknown", period=period or period_of(tx.at, tx.frame.zone))
    if row.share == 0 or row.batches == 0:
        raise Conflict("kept.nobody-drawn", period=row.period)
    return enqueue(tx, JOB, {"period": row.period}, key=JOB)


def ask_if_due(tx: Tx) -> None:
    """Have a proof made when the newest one is older than the settings say."""
    days = tx.frame.settings.kept.days
    row = holdout.latest(tx)
    if not days or row is None or not row.share or tx.at < row.drawn_at + timedelta(days=1):
        return
    newest = repo.newest(tx)
    if newest is None or tx.at >= newest.at + timedelta(days=days):
        enqueue(tx, JOB, {"period": row.period}, key=JOB)


def read_proof(tx: Tx, actor: Actor, proof_id: str) -> KeptProof:
    """A proof. A figure over all clients drawn, whatever the reader's scope; it names none.

    Raises:
        NotFound: there is none.
    """
    del actor
    row = repo.proof(tx, proof_id)
    if row is None:
        raise NotFound("kept.proof-unknown")
    return row


def newest_proof(tx: Tx, actor: Actor) -> KeptProof | None:
    """The newest proof; None before the first."""
    del actor
    return repo.newest(tx)


def list_proofs(
    tx: Tx, actor: Actor, limit: int, cursor: str | None
) -> tuple[Sequence[KeptProof], str | None]:
    """Proofs, newest first, and the cursor of the next page."""
    del actor
    rows = repo.proofs(tx, limit, cursor)
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return rows[:limit], encode_cursor([last.at, last.proof_id]) if last else None
