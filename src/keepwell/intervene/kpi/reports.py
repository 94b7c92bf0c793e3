"""Verbs of the two-weekly report: gather its figures, keep them, give the file."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any, Final

from keepwell.core.days import day_number, local_day, midnight, to_date
from keepwell.core.digest import digest_of
from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import NotFound
from keepwell.intervene.kpi import proven, repo, report_repo, service
from keepwell.intervene.kpi.model import KpiReport
from keepwell.intervene.kpi.report_page import render
from keepwell.intervene.kpi.schema import KpiOut, ReportOut
from keepwell.trust.access.call import Reply
from keepwell.trust.access.policy import SYSTEM, Actor, Permission
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

FORMAT: Final = 1
DAYS: Final = 14
"""Least days that a report by itself tells of."""

PAST: Final = 12
"""Months of a key figure that the report draws."""


def write_due(tx: Tx) -> KpiReport | None:
    """Write the report that ends with the newest Monday, if two weeks have passed since the last.

    Repeated for the same Monday it does nothing. After a pause it tells of all the time since.

    Args:
        tx: a writing unit of work.
    """
    today = to_date(local_day(tx.at, tx.frame.zone))
    until = today - timedelta(days=today.weekday())
    last = next(iter(repo.reports(tx, 1)), None)
    since = last.until if last else until - timedelta(days=DAYS)
    return write(tx, since, until) if (until - since).days >= DAYS else None


def write(tx: Tx, since: date, until: date, actor: Actor = SYSTEM) -> KpiReport:
    """Gather the figures of a span and keep them.

    Args:
        tx: a writing unit of work.
        since: first day, of the exchange.
        until: the day after the last; no other report ends with it.
        actor: who had it written.
    """
    figures = gather(tx, since, until)
    report = KpiReport(
        report_id=new_id("report", tx.at), since=since, until=until, made_at=tx.at,
        digest=digest_of(figures), figures=figures,
    )  # fmt: skip
    tx.session.add(report)
    tx.session.flush()
    told(tx, actor, report.report_id, figures, report.digest)
    return report


def told(tx: Tx, actor: Actor, subject: str, figures: dict[str, Any], digest: str) -> None:
    """Put into the evidence log that a report was written.

    Args:
        tx: a writing unit of work.
        actor: who had it written.
        subject: its number; 'file' for one that is not kept on the desk.
        figures: what it tells.
        digest: of them.
    """
    data = {"since": figures["since"], "until": figures["until"], "digest": digest}
    record(tx, actor, EvidenceKind.REPORT_MADE, subject=subject, data=data)


def gather(tx: Tx, since: date, until: date) -> dict[str, Any]:
    """All that a report tells, as plain JSON: codes and numbers, nobody's name.

    Args:
        tx: the unit of work.
        since: first day.
        until: the day after the last.
    """
    zone = tx.frame.zone
    span = midnight(day_number(since), zone), midnight(day_number(until), zone)
    happened = {
        name: getattr(report_repo, name)(tx, *span)
        for name in ("alerts", "cases", "clocks", "contacts", "complaints", "exits")
    }
    figures = {
        "format": FORMAT, "workspace": tx.frame.workspace.mapping.name,
        "currency": tx.frame.currency, "zone": zone.key, "since": since.isoformat(),
        "until": until.isoformat(), "made_at": tx.at.isoformat(), "happened": happened,
        "kpis": [_kpi(tx, out) for out in service.list_kpis(tx, SYSTEM).items],
        "reviews": _reviews(tx, since, until),
        "kept": proven.kept(tx), "experiments": proven.experiments(tx),
    }  # fmt: skip
    # Through JSON and back: what is kept is what was digested, on both databases.
    plain: dict[str, Any] = json.loads(json.dumps(figures, ensure_ascii=False))
    return plain


def _kpi(tx: Tx, out: KpiOut) -> dict[str, Any]:
    months = service.read_kpi(tx, SYSTEM, out.kpi_id).months[:PAST]
    newest = out.newest.model_dump(mode="json") if out.newest else None
    return {
        "kpi_id": out.kpi_id, "version": out.version, "owner_role": out.owner_role,
        "named": out.owner_id is not None, "review": out.review_id is not None,
        "newest": newest and {n: newest[n] for n in _TOLD},
        "target": out.target,
        "past": [[m.month.isoformat(), m.value] for m in reversed(months)],
    }  # fmt: skip


_TOLD: Final = ("month", "value", "low", "high", "n", "absent", "target", "missed")


def _reviews(tx: Tx, since: date, until: date) -> dict[str, Any]:
    found = repo.reviews(tx)
    zone = tx.frame.zone
    low, high = day_number(since), day_number(until)
    closed = [r for r in found if r.closed_at and low <= local_day(r.closed_at, zone) < high]
    return {
        "open": [
            {
                "kpi_id": r.kpi_id, "since": r.since.isoformat(), "until": r.until.isoformat(),
                "due_on": r.due_on.isoformat(), "late": until > r.due_on,
            }
            for r in found if r.state == "open"
        ],
        "closed": len(closed),
    }  # fmt: skip


def list_reports(tx: Tx, actor: Actor, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of reports, the newest first."""
    del actor
    found = repo.reports_page(tx, limit, cursor)
    last = found[limit - 1] if len(found) > limit else None
    return {
        "items": [ReportOut.model_validate(r, from_attributes=True) for r in found[:limit]],
        "next": encode_cursor([last.made_at, last.report_id]) if last else None,
    }


def file(tx: Tx, actor: Actor, report_id: str, language: str | None) -> Reply:
    """A report as one HTML file.

    Args:
        tx: the unit of work.
        actor: whose language is shown first.
        report_id: which.
        language: 'en' or 'zh', instead of the actor's.

    Raises:
        NotFound: there is none.
    """
    report = read(tx, report_id)
    body = render(visible(report.figures, actor), report.digest, language or actor.locale)
    name = f"keepwell-{report.since:%Y%m%d}-{report.until:%Y%m%d}.html"
    return Reply(
        body.encode(), headers={"Content-Disposition": f'attachment; filename="{name}"'},
        media_type="text/html; charset=utf-8",
    )  # fmt: skip


def visible(figures: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """The figures that a reader may see: what was kept only with its own permission.

    Args:
        figures: the report's.
        actor: the reader.
    """
    return figures if actor.may(Permission.PROOF_READ) else figures | {"kept": None}


def read(tx: Tx, report_id: str) -> KpiReport:
    """A report.

    Raises:
        NotFound: there is none.
    """
    report = repo.report(tx, report_id)
    if report is None:
        raise NotFound("kpi.report-unknown")
    return report
