"""Incidents of data over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.problem import also
from keepwell.frame.text import Id
from keepwell.intervene.incident import service
from keepwell.intervene.incident.repo import Wanted
from keepwell.intervene.incident.schema import (
    AcknowledgeIn,
    CloseIn,
    IncidentDetail,
    IncidentOut,
)
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Permission

router = APIRouter(tags=["data"])

IncidentId = Annotated[Id, Path(description="The incident's id.")]


@router.get(
    "/incidents", response_model=Page[IncidentOut], operation_id="list_incidents",
    summary="What is or was wrong with the sources",
)  # fmt: skip
def list_incidents(
    live: Annotated[
        bool | None, Query(description="True: those that last; false: those that are over.")
    ] = None,
    source: Annotated[
        str | None, Query(max_length=200, description="Only of this source of keepwell.yaml.")
    ] = None,
    kind: Annotated[MonitorKind | None, Query(description="Only of this monitor.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.INCIDENT_READ),
) -> Response:
    """The newest first; without data:read only of sources that one answers for."""
    wanted = Wanted(live, source, kind.value if kind else None)
    return call.answer(lambda tx, actor: service.list_incidents(tx, actor, wanted, limit, cursor))


@router.get(
    "/incidents/{incident_id}", response_model=IncidentDetail, operation_id="read_incident",
    summary="An incident with the indicators and scores that rest on it",
)  # fmt: skip
def read_incident(
    incident_id: IncidentId, call: Call = allow(Permission.INCIDENT_READ)
) -> Response:
    """The ETag is the version that a change must name."""
    return call.answer(lambda tx, actor: service.read_incident(tx, actor, incident_id))


@router.post(
    "/incidents/{incident_id}/acknowledge", response_model=IncidentDetail,
    operation_id="acknowledge_incident", summary="Take an incident on",
    responses=also(409, 412, 428),
)  # fmt: skip
def acknowledge_incident(
    incident_id: IncidentId, body: AcknowledgeIn, call: Call = allow(Permission.INCIDENT_WRITE)
) -> Response:
    """By whoever answers for the source, or with incident:admin."""
    return call.perform(
        lambda tx, actor: service.acknowledge(
            tx, actor, incident_id, call.expected_version(), body.note
        )
    )


@router.post(
    "/incidents/{incident_id}/close", response_model=IncidentDetail,
    operation_id="close_incident", summary="Close an incident", responses=also(409, 412, 428),
)  # fmt: skip
def close_incident(
    incident_id: IncidentId, body: CloseIn, call: Call = allow(Permission.INCIDENT_WRITE)
) -> Response:
    """While the monitor still sees it, only by calling right what was found."""
    return call.perform(
        lambda tx, actor: service.close(
            tx, actor, incident_id, call.expected_version(), body.reason, body.right
        )
    )
