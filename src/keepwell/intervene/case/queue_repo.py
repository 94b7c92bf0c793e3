"""Queries of the queue: live cases and alerts without a case, in the order in which they call.

The order is that of `urgency.place`: the step of the time left, then score times assets. One
statement picks the ids of a page, narrow rows only, and joins what is shown of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)

from keepwell.core.ids import new_id
from keepwell.frame.database import Instant, Tx
from keepwell.frame.paging import prepared_page
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.alert.policy import SEEN, Status
from keepwell.intervene.alert.repo import managers_in_scope
from keepwell.intervene.case.model import Case, CaseEvent
from keepwell.intervene.case.policy import NOT_DUE
from keepwell.intervene.case.urgency import Due, Edges
from keepwell.intervene.clock.model import Clock
from keepwell.intervene.clock.state import LIVE
from keepwell.trust.access.model import Staff
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import Shape, current_generation, scoped_as, shape_of, values

NARROWING: Final = ("tier", "reason", "state", "owner", "mine")
"""What narrows a queue besides its part; 'mine': owned by somebody, or by nobody yet."""


class Part:
    """Parts of a queue that can be looked at by themselves."""

    OVERDUE: Final = "overdue"
    TODAY: Final = "today"
    WEEK: Final = "week"
    WAITING: Final = "waiting"
    FRESH: Final = "new"
    CALLED: Final = "called"
    ASLEEP: Final = "asleep"


WHOLE: Final = "whole"
"""All parts together, for counting."""

PARTS: Final = (
    Part.OVERDUE, Part.TODAY, Part.WEEK, Part.WAITING, Part.FRESH, Part.CALLED, Part.ASLEEP,
)  # fmt: skip


MOST: Final = 2_000
"""Rows of a wide scope that are sorted by what is at risk: those whose clocks end first.

Nobody works through more; who sees the work of so many narrows it. The bound keeps the page of a
region as fast as that of a manager."""


@dataclass(frozen=True, slots=True)
class Form:
    """What decides the form of a queue's statements, as against its values.

    Attributes:
        shape: of the reader's scope.
        given: which of `NARROWING` are asked for.
        alerts: whether the reader may see alerts.
        part: one of `PARTS`; None: all that is awake.
        paged: whether the page is one after a cursor.
    """

    shape: Shape
    given: frozenset[str]
    alerts: bool
    part: str | None = None
    paged: bool = False

    @property
    def wide(self) -> bool:
        """Whether the scope may hold more rows than can be looked at for one page."""
        return self.shape.scope in (Scope.BRANCH, Scope.REGION, Scope.ALL)


def form_of(
    tx: Tx,
    actor: Actor,
    given: Collection[str],
    alerts: bool,
    part: str | None,
    paged: bool = False,
) -> Form:
    """The form of the statements for a reader; see `Form`."""
    return Form(shape_of(tx, actor), frozenset(given), alerts, part, paged)


def page(
    tx: Tx,
    actor: Actor,
    form: Form,
    given: dict[str, Any],
    edges: Edges,
    since: datetime,
    after: Sequence[Any],
    limit: int,
) -> Sequence[Any]:
    """A page of the queue with all that is shown of it; one row longer.

    Args:
        tx: the unit of work.
        actor: whose scope.
        form: of the statement; paged where `after` is given.
        given: values of what narrows it.
        edges: of the instant as of which it is sorted.
        since: what came later is new.
        after: step, weight and id of the last row of the page before.
        limit: rows.
    """
    named = given | _named(tx, actor, edges, since)
    named |= {f"after_{i}": value for i, value in enumerate(after)} | {"page_rows": limit + 1}
    return tx.rows(_page(form), named)


def counts(
    tx: Tx, actor: Actor, form: Form, given: dict[str, Any], edges: Edges, since: datetime
) -> Any:
    """How many rows each part holds: columns `all`, those of `PARTS`, and `next_due_at`."""
    return tx.rows(_counts(form), given | _named(tx, actor, edges, since))[0]


def _named(tx: Tx, actor: Actor, edges: Edges, since: datetime) -> dict[str, Any]:
    steps = {f"edge_{name}": getattr(edges, name) for name in Edges.__slots__}
    return values(tx, actor) | steps | {"since": since, "me": actor.staff_id or ""}


def _edge(name: str) -> Any:
    return bindparam(f"edge_{name}", type_=Instant())


_SINCE: Final = bindparam("since", type_=Instant())
_STEP: Final = case(
    (Case.next_due_at < _edge("now"), int(Due.OVERDUE)),
    (Case.next_due_at < _edge("soon"), int(Due.SOON)),
    (Case.next_due_at < _edge("hour"), int(Due.HOUR)),
    (Case.next_due_at < _edge("today"), int(Due.TODAY)),
    (Case.next_due_at < _edge("week"), int(Due.WEEK)),
    (Case.next_due_at < NOT_DUE, int(Due.LATER)),
    else_=int(Due.NONE),
)
"""As `urgency.due_of`."""


_SPANS: Final = {
    Part.OVERDUE: (None, "now"), Part.TODAY: ("now", "today"), Part.WEEK: ("now", "week"),
}  # fmt: skip
"""Edges between which the clocks of a part end."""


def _weight() -> ColumnElement[float]:
    """Score times assets: as the newest alert says; of a case without any, as the book says."""
    book = (
        select(func.coalesce(Client.score, 0.0) * func.coalesce(Client.assets, 0))  # unscoped: as
        # the case that it weighs
        .where(Client.generation_id == current_generation(), Client.client_id == Case.client_id)
        .correlate(Case)
        .scalar_subquery()
    )
    known = case((Alert.weight.is_not(None), Alert.weight), else_=func.coalesce(book, 0.0))
    return type_coerce(known, Float())


def _of_cases(form: Form) -> Select[Any]:
    asleep = and_(Alert.status == Status.SNOOZED, Case.next_due_at >= _edge("now"))
    statement = (
        select(
            Case.case_id.label("id"), Case.case_id, Case.alert_id, Case.client_id,
            Case.owner_id, Case.next_due_at, type_coerce(_STEP, Integer()).label("step"),
            _weight().label("weight"),
            case((asleep, 1), else_=0).label("asleep"),
            case((Case.contacted_at.is_(None), 1), else_=0).label("waiting"),
            _fresh(or_(Case.opened_at > _SINCE, Alert.shown_at > _SINCE)),
            case((Case.escalated_to == bindparam("me"), 1), else_=0).label("called"),
        )
        .outerjoin(Alert, Alert.alert_id == Case.alert_id)
        .where(Case.live, scoped_as(form.shape, Case.client_id))
    )  # fmt: skip
    first, end = _SPANS.get(form.part or "", (None, None))  # for the index
    if first:
        statement = statement.where(Case.next_due_at >= _edge(first))
    if end:
        statement = statement.where(Case.next_due_at < _edge(end))
    same = {"tier": Case.tier, "reason": Case.reason, "state": Case.state, "owner": Case.owner_id}
    for name in sorted(form.given & same.keys()):
        statement = statement.where(same[name] == bindparam(name))
    if "mine" in form.given:
        mine = or_(Case.owner_id == bindparam("mine"), Case.owner_id.is_(None))
        statement = statement.where(mine)
    return statement


def _fresh(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0).label("fresh")


def _of_alerts(form: Form) -> Select[Any]:
    # Nobody has promised a time for it, but somebody should look at it before the day ends.
    asleep = Alert.status == Status.SNOOZED
    statement = select(
        Alert.alert_id.label("id"), type_coerce(null(), String()).label("case_id"),
        Alert.alert_id, Alert.client_id, Alert.owner_id,
        type_coerce(literal(NOT_DUE, Instant()), Instant()).label("next_due_at"),
        literal(int(Due.TODAY)).label("step"),
        Alert.weight, case((asleep, 1), else_=0).label("asleep"), literal(1).label("waiting"),
        _fresh(Alert.shown_at > _SINCE), literal(0).label("called"),
    ).where(
        Alert.case_id.is_(None), Alert.status.in_(list(SEEN)), Alert.shown_at.is_not(None),
        scoped_as(form.shape, Alert.client_id),
    )  # fmt: skip
    same = {"tier": Alert.tier, "reason": Alert.reason, "owner": Alert.owner_id}
    for name in sorted(form.given & same.keys()):
        statement = statement.where(same[name] == bindparam(name))
    if "state" in form.given:
        statement = statement.where(false())
    if "mine" in form.given:
        mine = or_(Alert.owner_id == bindparam("mine"), Alert.owner_id.is_(None))
        statement = statement.where(mine)
    return statement


def _all(form: Form) -> CTE:
    parts = [_of_cases(form), _of_alerts(form)] if form.alerts else [_of_cases(form)]
    if form.wide:
        parts = [_bounded(part, form.part) for part in parts]
    return (union_all(*parts) if form.alerts else parts[0]).cte("queue")


def _bounded(rows: Select[Any], part: str | None) -> Select[Any]:
    inner = rows.subquery()
    chosen = select(*inner.c).where(_in_part(inner.c, part))
    first = chosen.order_by(inner.c.next_due_at, inner.c.id).limit(MOST).subquery()
    return select(*first.c)


def _in_part(rows: Any, part: str | None) -> ColumnElement[bool]:
    awake = rows.asleep == 0
    conditions: dict[str | None, ColumnElement[bool]] = {
        None: awake,
        WHOLE: true(),
        Part.OVERDUE: rows.step == int(Due.OVERDUE),
        Part.TODAY: and_(awake, rows.step.between(int(Due.SOON), int(Due.TODAY))),
        Part.WEEK: and_(awake, rows.step.between(int(Due.SOON), int(Due.WEEK))),
        Part.WAITING: and_(awake, rows.waiting == 1),
        Part.FRESH: and_(awake, rows.fresh == 1),
        Part.CALLED: and_(awake, rows.called == 1),
        Part.ASLEEP: rows.asleep == 1,
    }
    return conditions[part]


_SHOWN: Final = (
    Case.reason, Case.tier, Case.state, Case.opened_at, Case.contacted_at, Case.retention,
    Case.level, Case.title, Case.version,
    Alert.reason.label("alert_reason"), Alert.tier.label("alert_tier"),
    Alert.status.label("alert_status"), Alert.version.label("alert_version"), Alert.shown_at,
    Alert.wake_at, Alert.wake_on, Alert.snooze_reason,
    Client.name, Client.phone, Client.birth_year, Client.opened_on, Client.region, Client.assets,
    Client.reasons, Client.score, Staff.name.label("owner_name"),
)  # fmt: skip


@lru_cache(maxsize=500)
def _page(form: Form) -> Select[Any]:
    queue = _all(form).c
    keys: Select[Any] = select(*queue).where(_in_part(queue, form.part))
    order = [(queue.step, False), (queue.weight, True), (queue.id, False)]
    keys = prepared_page(keys, order, form.paged)
    top = keys.cte("top")
    generation = current_generation()
    return (
        select(*top.c, *_SHOWN)  # unscoped: the ids were picked in scope
        .outerjoin(Case, Case.case_id == top.c.case_id)
        .outerjoin(Alert, Alert.alert_id == top.c.alert_id)
        .outerjoin(
            Client,
            and_(Client.generation_id == generation, Client.client_id == top.c.client_id),
        )
        .outerjoin(Staff, Staff.staff_id == top.c.owner_id)
        .order_by(top.c.step, top.c.weight.desc(), top.c.id)
    )


@lru_cache(maxsize=200)
def _counts(form: Form) -> Select[Any]:
    queue = _all(form).c
    awake = case((queue.asleep == 0, 1), else_=0)
    sums = [
        func.coalesce(func.sum(case((_in_part(queue, part), 1), else_=0)), 0).label(part)
        for part in PARTS
    ]
    ahead = case((queue.next_due_at >= _edge("now"), queue.next_due_at))
    soonest = type_coerce(func.min(ahead), Instant()).label("next_due_at")
    return select(func.coalesce(func.sum(awake), 0).label("all"), *sums, soonest)


def next_clocks(tx: Tx, case_ids: Collection[str]) -> Sequence[Any]:
    """Live clocks of cases that the reader has found: what they promise and how they stand."""
    return tx.rows(_CLOCKS, {"ids": list(case_ids)}) if case_ids else []


_CLOCKS: Final = select(  # unscoped: the cases were found in scope
    Clock.subject_id, Clock.code, Clock.policy_id, Clock.due_at, Clock.state, Clock.pause_reason
).where(
    Clock.subject_kind == "case",
    Clock.subject_id.in_(bindparam("ids", expanding=True)),
    Clock.state.in_([state.value for state in LIVE]),
)


def owners(tx: Tx, actor: Actor, limit: int) -> list[tuple[str, str]]:
    """Number and name of the managers whose work the actor sees, by name."""
    statement = (
        select(Staff.staff_id, Staff.name)  # unscoped: staff, narrowed by the place
        .where(managers_in_scope(actor), Staff.role == "manager", Staff.active)
        .order_by(Staff.name, Staff.staff_id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in tx.session.execute(statement)]


def done_since(tx: Tx, actor: Actor, at: datetime) -> dict[str, int]:
    """How often the actor did what since an instant, by kind of a case's history."""
    floor = new_id("caseev", at)[: len("caseev") + 11]  # ids begin with the time
    statement = (
        select(CaseEvent.kind, func.count())  # unscoped: one's own doings, as numbers
        .where(CaseEvent.event_id > floor, CaseEvent.actor_id == actor.user_id)
        .group_by(CaseEvent.kind)
    )
    return {row[0]: row[1] for row in tx.session.execute(statement)}
