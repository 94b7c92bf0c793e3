"""Key figures over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.problem import also
from keepwell.frame.text import Code, Id
from keepwell.intervene.kpi import reports, service
from keepwell.intervene.kpi.schema import (
    CloseIn,
    KpiDetail,
    KpisOut,
    NoteIn,
    ReportOut,
    ReviewDetail,
    ReviewOut,
    TargetIn,
)
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.export import CSV, Format, download
from keepwell.trust.access.policy import Permission

router = APIRouter(tags=["key figures"])

KpiId = Annotated[Code, Path(description="The key figure's id.")]
ReviewId = Annotated[Id, Path(description="The review's number.")]
ReportId = Annotated[Id, Path(description="The report's number.")]


@router.get(
    "/kpis", response_model=KpisOut, operation_id="list_kpis", responses=CSV,
    summary="Key figures in four dimensions, with targets, owners and reviews",
)  # fmt: skip
def list_kpis(format: Format = "json", call: Call = allow(Permission.KPI_READ)) -> Response:
    """Totals of the whole broker by complete month; the file holds every month."""
    if format == "csv":
        return download(call, service.export, service.HEADS, "kpis")
    return call.answer(service.list_kpis)


@router.get(
    "/kpis/{kpi_id}", response_model=KpiDetail, operation_id="read_kpi",
    summary="A key figure with its months and what was set",
)  # fmt: skip
def read_kpi(kpi_id: KpiId, call: Call = allow(Permission.KPI_READ)) -> Response:
    """A month without a value says why; it is never zero instead."""
    return call.answer(lambda tx, actor: service.read_kpi(tx, actor, kpi_id))


@router.post(
    "/kpis/{kpi_id}/targets", response_model=KpiDetail, status_code=201,
    operation_id="set_kpi_target", summary="Set owner and target of a key figure",
)  # fmt: skip
def set_target(kpi_id: KpiId, body: TargetIn, call: Call = allow(Permission.KPI_WRITE)) -> Response:
    """From a month on; what was set before stays on record."""
    return call.perform(lambda tx, actor: service.set_target(tx, actor, kpi_id, body), 201)


@router.get(
    "/kpi-reviews", response_model=Page[ReviewOut], operation_id="list_kpi_reviews",
    summary="Reviews of key figures that missed their targets",
)  # fmt: skip
def list_reviews(
    kpi: Annotated[Code | None, Query(description="Only of this key figure.")] = None,
    state: Annotated[Literal["open", "closed"] | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.KPI_READ),
) -> Response:
    """The newest first."""
    return call.answer(lambda tx, actor: service.list_reviews(tx, actor, kpi, state, limit, cursor))


@router.get(
    "/kpi-reviews/{review_id}", response_model=ReviewDetail, operation_id="read_kpi_review",
    summary="A review with its notes",
)  # fmt: skip
def read_review(review_id: ReviewId, call: Call = allow(Permission.KPI_READ)) -> Response:
    """The ETag is the version that closing it must name."""
    return call.answer(lambda tx, actor: service.read_review(tx, actor, review_id))


@router.post(
    "/kpi-reviews/{review_id}/notes", response_model=ReviewDetail, status_code=201,
    operation_id="add_kpi_note", summary="Write a note into a review", responses=also(409),
)  # fmt: skip
def add_note(
    review_id: ReviewId, body: NoteIn, call: Call = allow(Permission.KPI_WRITE)
) -> Response:
    """Write no names of clients."""
    return call.perform(lambda tx, actor: service.add_note(tx, actor, review_id, body.text), 201)


@router.post(
    "/kpi-reviews/{review_id}/close", response_model=ReviewDetail,
    operation_id="close_kpi_review", summary="Close a review", responses=also(409, 412, 428),
)  # fmt: skip
def close_review(
    review_id: ReviewId, body: CloseIn, call: Call = allow(Permission.KPI_WRITE)
) -> Response:
    """With what was found and what changes."""
    return call.perform(
        lambda tx, actor: service.close_review(
            tx, actor, review_id, call.expected_version(), body.findings, body.changes
        )
    )


@router.get(
    "/kpi-reports", response_model=Page[ReportOut], operation_id="list_kpi_reports",
    summary="Two-weekly reports",
)  # fmt: skip
def list_reports(
    limit: Limit = 50, cursor: Cursor = None, call: Call = allow(Permission.KPI_READ)
) -> Response:
    """The newest first."""
    return call.answer(lambda tx, actor: reports.list_reports(tx, actor, limit, cursor))


@router.get(
    "/kpi-reports/{report_id}", operation_id="read_kpi_report", response_model=None,
    summary="A two-weekly report as one HTML file",
    responses={200: {"content": {"text/html": {}}}},
)  # fmt: skip
def read_report(
    report_id: ReportId,
    language: Annotated[Literal["en", "zh"] | None, Query(description="Shown first.")] = None,
    call: Call = allow(Permission.KPI_READ),
) -> Response:
    """Both languages are in the file; it needs nothing else."""
    return call.answer(lambda tx, actor: reports.file(tx, actor, report_id, language))
