"""Alerts over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.problem import also
from keepwell.frame.text import ClientId, Id, Moment
from keepwell.intervene.alert import service
from keepwell.intervene.alert.policy import AlertReason, Decision, Status
from keepwell.intervene.alert.schema import (
    AlertDetail,
    AlertOut,
    CeilingOut,
    Shown,
    SnoozeIn,
    TierCode,
    TreatmentOut,
)
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.export import CSV, Format, download
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["alerts"])

AlertId = Annotated[Id, Path(description="The alert's id.")]
_FIELDS = tuple(AlertOut.model_fields)


@router.get(
    "/alerts", response_model=Page[AlertOut], operation_id="list_alerts",
    summary="Alerts of one's clients", responses=CSV,
)  # fmt: skip
def list_alerts(
    status: Annotated[
        list[Shown] | None, Query(description="Default: all that are live.", max_length=5)
    ] = None,
    tier: Annotated[list[TierCode] | None, Query(max_length=4)] = None,
    reason: Annotated[list[AlertReason] | None, Query(max_length=5)] = None,
    owner: Annotated[Id | None, Query(description="Staff number of the owner.")] = None,
    client: Annotated[ClientId | None, Query(description="The client's number.")] = None,
    since: Annotated[Moment | None, Query(description="Raised then or later.")] = None,
    sort: Annotated[
        str, Query(max_length=40, description="urgency or raised_at; - before it descends.")
    ] = "-urgency",
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = "json",
    call: Call = allow(Permission.ALERT_READ),
) -> Response:
    """Urgency is the tier, then score times assets. What the ceiling holds back is for leads."""
    chosen = service.AlertFilter(
        tuple(Status(s) for s in status or ()), tuple(tier or ()), tuple(reason or ()),
        owner, client, since,
    )  # fmt: skip
    if format == "csv":
        return download(
            call, lambda tx, actor: service.export_alerts(tx, actor, chosen, sort),
            service.ALERT_HEADS, "alerts",
        )  # fmt: skip

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        rows, more = service.list_alerts(tx, actor, chosen, sort, limit, cursor)
        return {"items": [{n: getattr(row, n) for n in _FIELDS} for row in rows], "next": more}

    return call.answer(verb)


@router.get(
    "/alerts/ceiling", response_model=Page[CeilingOut], operation_id="list_ceilings",
    summary="Ceilings of managers: capacity, shown today, held back",
)  # fmt: skip
def list_ceilings(
    limit: Limit = 50, cursor: Cursor = None, call: Call = allow(Permission.ALERT_READ)
) -> Response:
    """A manager sees the own ceiling, a lead the team's."""
    return call.answer(lambda tx, actor: service.list_ceilings(tx, actor, limit, cursor))


@router.get(
    "/alerts/{alert_id}", response_model=AlertDetail, operation_id="read_alert",
    summary="An alert with its signals",
)  # fmt: skip
def read_alert(alert_id: AlertId, call: Call = allow(Permission.ALERT_READ)) -> Response:
    """The ETag is the version that changes must name."""
    return call.answer(lambda tx, actor: service.read_alert(tx, actor, alert_id))


@router.post(
    "/alerts/{alert_id}/acknowledge", response_model=AlertDetail,
    operation_id="acknowledge_alert", summary="Acknowledge an alert",
    responses=also(412, 428),
)  # fmt: skip
def acknowledge(alert_id: AlertId, call: Call = allow(Permission.ALERT_ACT)) -> Response:
    """Say that you have seen it; a sleeping alert wakes to it."""
    return call.perform(
        lambda tx, actor: service.acknowledge(tx, actor, alert_id, call.expected_version())
    )


@router.post(
    "/alerts/{alert_id}/snooze", response_model=AlertDetail, operation_id="snooze_alert",
    summary="Put an alert to sleep until a date or an event", responses=also(412, 428),
)  # fmt: skip
def snooze(alert_id: AlertId, body: SnoozeIn, call: Call = allow(Permission.ALERT_ACT)) -> Response:
    """It still takes signals; a higher tier wakes it."""
    return call.perform(
        lambda tx, actor: service.snooze(
            tx, actor, alert_id, call.expected_version(),
            until=body.until, event=body.event, reason=body.reason,
        )
    )  # fmt: skip


@router.post(
    "/alerts/{alert_id}/wake", response_model=AlertDetail, operation_id="wake_alert",
    summary="Wake a sleeping alert", responses=also(412, 428),
)  # fmt: skip
def wake(alert_id: AlertId, call: Call = allow(Permission.ALERT_ACT)) -> Response:
    """It is shown again at once."""
    return call.perform(
        lambda tx, actor: service.wake_alert(tx, actor, alert_id, call.expected_version())
    )


@router.get(
    "/treatments", response_model=Page[TreatmentOut], operation_id="list_treatments",
    summary="Log of treatments and non-treatments", tags=["hold-out"], responses=CSV,
)  # fmt: skip
def list_treatments(
    decision: Annotated[list[Decision] | None, Query(max_length=8)] = None,
    client: Annotated[ClientId | None, Query(description="The client's number.")] = None,
    period: Annotated[str | None, Query(pattern=r"^\d{4}$")] = None,
    since: Annotated[Moment | None, Query(description="Decided then or later.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = "json",
    call: Call = allow(Permission.HOLDOUT_READ),
) -> Response:
    """Every decision to show or not to show an alert, and what people did by hand, newest first."""
    chosen = service.TreatmentFilter(tuple(decision or ()), client, period, since)
    if format == "csv":
        return download(
            call, lambda tx, actor: service.export_treatments(tx, actor, chosen),
            service.TREATMENT_HEADS, "treatments",
        )  # fmt: skip
    return call.answer(lambda tx, actor: service.list_treatments(tx, actor, chosen, limit, cursor))
