"""Key figures: the four dimensions, one figure with its months, reviews, two-weekly reports."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.text import Code, Id
from keepwell.intervene.kpi import reports, service
from keepwell.intervene.kpi.schema import CloseIn, NoteIn, TargetIn
from keepwell.trust.access.call import Reply
from keepwell.trust.access.export import download
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages import results_kpi_view as view
from keepwell.web.pages.form import FormError, parse
from keepwell.web.pages.results_frame import framed
from keepwell.web.pages.visit import Context, Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/results/kpi"
READ: Final = Permission.KPI_READ
WRITE: Final = Permission.KPI_WRITE

KpiId = Annotated[Code, Path()]
Number = Annotated[Id, Path()]

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""A report brings its own style and nothing else."""


@router.get(PATH)
def kpis_page(visit: Visit = visiting(READ)) -> Response:
    """The four dimensions, open reviews, reports."""
    return visit.show(
        "results/kpi.html",
        framed(lambda tx, actor: view.everything(tx, actor, visit.tongue(actor))),
    )


@router.get(PATH + ".csv")
def kpis_file(visit: Visit = visiting(READ)) -> Response:
    """Every month of every key figure as a file; the download is recorded."""
    return download(visit, service.export, service.HEADS, "kpis")


@router.get(PATH + "/reviews/{review_id}")
def review_page(review_id: Number, visit: Visit = visiting(READ)) -> Response:
    """A review with its notes and what may be done."""
    return visit.show(*_review(visit, review_id))


@router.post(PATH + "/reviews/{review_id}/notes")
def add_note(review_id: Number, visit: Visit = visiting(WRITE)) -> Response:
    """Write a note."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        given = parse(NoteIn, {"text": visit.text("text")})
        return service.add_note(tx, actor, review_id, given.text)

    return visit.act(
        verb, _review_place(review_id), said="The note was kept.", again=_review(visit, review_id)
    )


@router.post(PATH + "/reviews/{review_id}/close")
def close_review(review_id: Number, visit: Visit = visiting(WRITE)) -> Response:
    """Close it with what was found and what changes."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        given = parse(CloseIn, {n: visit.text(n) for n in ("findings", "changes")})
        version = visit.expected_version()
        return service.close_review(tx, actor, review_id, version, given.findings, given.changes)

    return visit.act(
        verb, _review_place(review_id), said="The review was closed.",
        again=_review(visit, review_id),
    )  # fmt: skip


@router.get(PATH + "/reports/{report_id}")
def report_page(
    report_id: Number,
    keep: Annotated[str, Query(pattern="^1?$")] = "",
    visit: Visit = visiting(READ),
) -> Response:
    """A two-weekly report as it was written, to look at or to keep."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        made = reports.file(tx, actor, report_id, None)
        headers = {**((made.headers or {}) if keep else {}), "Content-Security-Policy": POLICY}
        return Reply(made.content, headers=headers, media_type=made.media_type, anew=True)

    return visit.answer(verb)


@router.get(PATH + "/{kpi_id}")
def kpi_page(kpi_id: KpiId, visit: Visit = visiting(READ)) -> Response:
    """One key figure: formula, months, owner and target."""
    return visit.show(*_kpi(visit, kpi_id))


@router.post(PATH + "/{kpi_id}/targets")
def set_target(kpi_id: KpiId, visit: Visit = visiting(WRITE)) -> Response:
    """Set owner and target from a month on."""

    def verb(tx: Tx, actor: Actor) -> Any:
        kpi = service.kpi_of(kpi_id)
        given = {
            "target": view.plain_value(kpi, visit.text("target"), tx.frame.currency),
            "owner_id": visit.text("owner_id"), "reason": visit.text("reason"),
            "from_month": _month(visit.text("from_month")),
        }  # fmt: skip
        return service.set_target(tx, actor, kpi_id, parse(TargetIn, given))

    return visit.act(
        verb, f"{PATH}/{quote(kpi_id, safe='')}", said="Owner and target were set.",
        again=_kpi(visit, kpi_id),
    )  # fmt: skip


def _month(text: str) -> str:
    """What a field for months holds ('2026-11'), as the first day of it."""
    if not text:
        return ""
    try:
        return date.fromisoformat(f"{text}-01").isoformat()
    except ValueError:
        raise FormError({"from_month": "Choose a month."}) from None


def _kpi(visit: Visit, kpi_id: str) -> tuple[str, Context]:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        found = view.one(tx, actor, visit.tongue(actor), kpi_id)
        return found | {"once": new_id("once", tx.at), "path": PATH}

    return "results/kpi_one.html", framed(verb)


def _review(visit: Visit, review_id: str) -> tuple[str, Context]:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        found = view.review(tx, actor, visit.tongue(actor), review_id)
        return found | {"once": new_id("once", tx.at), "path": _review_place(review_id)}

    return "results/kpi_review.html", framed(verb)


def _review_place(review_id: str) -> str:
    return f"{PATH}/reviews/{quote(review_id, safe='')}"
