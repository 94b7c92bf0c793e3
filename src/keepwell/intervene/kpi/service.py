"""Verbs of key figures: what they are now, their targets and owners, their reviews."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from keepwell.core.days import local_day, to_date
from keepwell.core.ids import new_id
from keepwell.frame.data_file import Words
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.kpi import repo
from keepwell.intervene.kpi.model import KpiNote, KpiReview, KpiTarget, KpiValue
from keepwell.intervene.kpi.schema import (
    Both,
    KpiDetail,
    KpiOut,
    KpisOut,
    MissedOut,
    MonthOut,
    NoteOut,
    ReviewDetail,
    ReviewOut,
    TargetIn,
    TargetOut,
)
from keepwell.intervene.kpi.targets import in_force
from keepwell.learn.kpi.catalogue import Kpi, shipped
from keepwell.learn.kpi.review import misses
from keepwell.trust.access.call import Reply, check_version
from keepwell.trust.access.policy import GRANTS, Actor, Permission
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

SHOWN: Final = 24
"""Months of one key figure that are told."""

OWNER_ROLES: Final = tuple(
    role.value for role, grant in GRANTS.items() if Permission.KPI_WRITE in grant.permissions
)
"""Roles whose users can answer for a key figure."""

WRITE: Final = Permission.KPI_WRITE
"""What setting targets and working on reviews needs."""

HEADS: Final = (
    "kpi_id", "version", "dimension", "month", "value", "low", "high", "unit", "n", "absent",
    "target", "missed", "revision", "known_by", "computed_at",
)  # fmt: skip
"""Columns of the file."""


def kpi_of(kpi_id: str) -> Kpi:
    """A key figure.

    Raises:
        NotFound: there is none of this id.
    """
    found = shipped().get(kpi_id)
    if found is None:
        raise NotFound("kpi.unknown", id=kpi_id)
    return found


def list_kpis(tx: Tx, actor: Actor) -> KpisOut:
    """Every key figure with its newest month; totals of the whole broker, no client's.

    Args:
        tx: the unit of work.
        actor: may see key figures.
    """
    del actor
    return KpisOut(items=[_kpi_out(kpi, *found) for kpi, found in _everything(tx)])


def read_kpi(tx: Tx, actor: Actor, kpi_id: str) -> KpiDetail:
    """A key figure with its months and what was set.

    Raises:
        NotFound: there is none of this id.
    """
    del actor
    kpi = kpi_of(kpi_id)
    values, targets = _values(tx, kpi), repo.targets(tx, kpi_id)
    out = _kpi_out(kpi, values, targets, repo.reviews(tx, kpi_id, "open"))
    months = [month_out(kpi, value, targets) for value in reversed(values)][:SHOWN]
    told = [TargetOut.model_validate(target, from_attributes=True) for target in reversed(targets)]
    return KpiDetail(**out.model_dump(), months=months, targets=told)


def export(tx: Tx, actor: Actor) -> Iterator[Sequence[Any]]:
    """Rows of the file: every month of every key figure, revisions in force."""
    del actor
    for kpi, (values, targets, _) in _everything(tx):
        for value in values:
            out = month_out(kpi, value, targets)
            plain = out.model_dump() | {
                "kpi_id": kpi.id, "version": kpi.version, "dimension": kpi.dimension.value,
                "unit": kpi.unit.value,
            }  # fmt: skip
            yield [plain[name] for name in HEADS]


_Found = tuple[list[KpiValue], Sequence[KpiTarget], Sequence[KpiReview]]


def _everything(tx: Tx) -> Iterator[tuple[Kpi, _Found]]:
    values, targets, reviews = repo.values(tx), repo.targets(tx), repo.reviews(tx, state="open")
    for kpi in shipped().values():
        mine = [v for v in values if (v.kpi_id, v.version) == (kpi.id, kpi.version)]
        yield kpi, (
            mine, [t for t in targets if t.kpi_id == kpi.id],
            [r for r in reviews if r.kpi_id == kpi.id],
        )  # fmt: skip


def _values(tx: Tx, kpi: Kpi) -> list[KpiValue]:
    return [v for v in repo.values(tx, kpi.id) if v.version == kpi.version]


def _kpi_out(
    kpi: Kpi,
    values: Sequence[KpiValue],
    targets: Sequence[KpiTarget],
    reviews: Sequence[KpiReview],
) -> KpiOut:
    now = in_force(kpi, targets, date.max)
    by = "none" if now.target is None else "source" if now.by_source else "desk"
    return KpiOut(
        kpi_id=kpi.id, version=kpi.version, dimension=kpi.dimension.value,
        title=Both(**kpi.title.model_dump()), formula=Both(**kpi.formula.model_dump()),
        unit=kpi.unit.value, better=kpi.better, target=now.target, target_by=by,
        owner_id=now.owner_id, owner_role=kpi.owner,
        newest=month_out(kpi, values[-1], targets) if values else None,
        review_id=reviews[0].review_id if reviews else None,
    )  # fmt: skip


def month_out(kpi: Kpi, value: KpiValue, targets: Sequence[KpiTarget]) -> MonthOut:
    """A month with the target that holds in it now: it may have been set later.

    Args:
        kpi: the key figure.
        value: of the month.
        targets: of the key figure.
    """
    target = in_force(kpi, targets, value.month).target
    return MonthOut(
        month=value.month, value=value.value, low=value.low, high=value.high, n=value.n,
        absent=value.absent, target=target, missed=misses(value.value, target, kpi.better),
        revision=value.revision, known_by=value.known_by, manifest=value.manifest,
        computed_at=value.computed_at,
    )  # fmt: skip


def set_target(tx: Tx, actor: Actor, kpi_id: str, given: TargetIn) -> KpiDetail:
    """Set owner and target of a key figure from a month on; what was set before is kept.

    Args:
        tx: a writing unit of work.
        actor: who sets them.
        kpi_id: of which key figure.
        given: what to set.

    Raises:
        NotFound: there is no such key figure.
        Unprocessable: the owner cannot answer for it, or a share beyond 0 and 1.
    """
    kpi = kpi_of(kpi_id)
    if given.owner_id is not None:
        owner = repo.active_user(tx, given.owner_id)
        if owner is None or owner.role not in OWNER_ROLES:
            raise Unprocessable("kpi.owner-unfit", owner_id=given.owner_id)
    if given.target is not None and kpi.unit.value == "share" and abs(given.target) > 1:
        raise Unprocessable("kpi.target-share", target=given.target)
    month = given.from_month or to_date(local_day(tx.at, tx.frame.zone)).replace(day=1)
    row = KpiTarget(
        target_id=new_id("target", tx.at), kpi_id=kpi_id, from_month=month, target=given.target,
        owner_id=given.owner_id, reason=given.reason, set_by=actor.user_id, set_at=tx.at,
    )  # fmt: skip
    tx.session.add(row)
    tx.session.flush()
    data = {
        "kpi": kpi.name, "from_month": month.isoformat(), "target": given.target,
        "owner_id": given.owner_id,
    }  # fmt: skip
    record(tx, actor, EvidenceKind.KPI_CHANGED, subject=kpi_id, data=data)
    return read_kpi(tx, actor, kpi_id)


def list_reviews(
    tx: Tx, actor: Actor, kpi_id: str | None, state: str | None, limit: int, cursor: str | None
) -> dict[str, Any]:
    """A page of reviews, the newest first.

    Args:
        tx: the unit of work.
        actor: may see key figures.
        kpi_id: only of this key figure.
        state: only open or closed ones.
        limit: rows.
        cursor: of the page before.
    """
    del actor
    found = repo.reviews_page(tx, kpi_id, state, limit, cursor)
    last = found[limit - 1] if len(found) > limit else None
    return {
        "items": [review_out(review) for review in found[:limit]],
        "next": encode_cursor([last.opened_at, last.review_id]) if last else None,
    }


def review_out(review: KpiReview) -> ReviewOut:
    """A review as the API tells it."""
    return ReviewOut(**_plain(review))


def _plain(review: KpiReview) -> dict[str, Any]:
    names = [n for n in ReviewOut.model_fields if n not in ("months", "version_of_row")]
    return {n: getattr(review, n) for n in names} | {
        "months": [MissedOut.model_validate(m) for m in review.months],
        "version_of_row": review.row_version,
    }


def read_review(tx: Tx, actor: Actor, review_id: str) -> Reply:
    """A review with its notes.

    Raises:
        NotFound: there is none.
    """
    del actor
    review = repo.review(tx, review_id)
    if review is None:
        raise NotFound("kpi.review-unknown")
    return _review_reply(tx, review)


def _review_reply(tx: Tx, review: KpiReview, status: int | None = None) -> Reply:
    notes = [
        NoteOut.model_validate(note, from_attributes=True)
        for note in repo.notes(tx, review.review_id)
    ]
    detail = ReviewDetail(**_plain(review), notes=notes)
    return Reply(detail, status=status, version=review.row_version)


def add_note(tx: Tx, actor: Actor, review_id: str, text: str) -> Reply:
    """Write a note into an open review.

    Raises:
        NotFound: there is no such review.
        Conflict: it is closed.
    """
    review = _open_review(tx, review_id)
    number = repo.newest_note(tx, review_id) + 1
    tx.session.add(
        KpiNote(review_id=review_id, number=number, text=text, author_id=actor.user_id, at=tx.at)
    )
    tx.session.flush()
    return _review_reply(tx, review, 201)


def close_review(
    tx: Tx, actor: Actor, review_id: str, expected: int, findings: str, changes: str
) -> Reply:
    """Close a review with what was found and what changes.

    Args:
        tx: a writing unit of work.
        actor: who closes it.
        review_id: which.
        expected: version that the actor read.
        findings: why the target was missed.
        changes: what changes because of it.

    Raises:
        NotFound: there is no such review.
        Stale: somebody changed it meanwhile.
        Conflict: it is closed already.
    """
    review = _open_review(tx, review_id, expected)
    review.state, review.closed_at, review.closed_by = "closed", tx.at, actor.user_id
    review.findings, review.changes = findings, changes
    review.row_version += 1
    tx.session.flush()
    late = to_date(local_day(tx.at, tx.frame.zone)) > review.due_on
    data = {"kpi": f"{review.kpi_id}@{review.version}", "late": late,
            "notes": repo.newest_note(tx, review_id)}  # fmt: skip
    record(tx, actor, EvidenceKind.KPI_REVIEW_CLOSED, subject=review_id, data=data)
    return _review_reply(tx, review)


def _open_review(tx: Tx, review_id: str, expected: int | None = None) -> KpiReview:
    review = repo.review(tx, review_id, lock=True)
    if review is None:
        raise NotFound("kpi.review-unknown")
    if expected is not None:
        check_version(review.row_version, expected)
    if review.state != "open":
        raise Conflict("kpi.review-closed")
    return review


def owners(tx: Tx) -> list[tuple[str, str]]:
    """Who can be named as an owner: user and log-in name."""
    return [(user.user_id, user.login) for user in repo.owners(tx, OWNER_ROLES)]


def kpi_version(kpi_id: str) -> int | None:
    """The present version of a key figure; None for one that is no more."""
    found = shipped().get(kpi_id)
    return found.version if found else None


def title_of(kpi_id: str) -> Words:
    """The name of a key figure; the id of one that is no more."""
    found = shipped().get(kpi_id)
    return found.title if found else Words(en=kpi_id, zh=kpi_id)


def owner_role(kpi_id: str) -> str:
    """The role that answers for a key figure until somebody is named."""
    found = shipped().get(kpi_id)
    return found.owner if found else "director"
