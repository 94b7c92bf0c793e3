"""The two-weekly report: by itself every second Monday, in both languages, nobody's name in it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from sqlalchemy import text

from keepwell.core.digest import digest_of
from keepwell.core.text import catalogue
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.alert.service import raise_alert
from keepwell.intervene.exit.service import request_exit
from keepwell.intervene.kpi import making, reports
from keepwell.intervene.kpi.report_page import render
from keepwell.trust.access.policy import SYSTEM
from tests.desk import Desk
from tests.intervene.kpi.test_kpi_desk import evidence, missed

V1 = "/api/v1"


def busy(desk: Desk) -> None:
    """A desk with something of everything."""
    desk.usual()
    with desk.tx() as tx:
        raise_alert(
            tx, SYSTEM, client_id="c1", reason=AlertReason.COMPLAINT_OVERDUE, tier="severe",
            facts={},
        )  # fmt: skip
        request_exit(tx, SYSTEM, client_id="c4", request_id="exit-1", kind="close", at=tx.at)
    desk.settle()
    missed(desk)


def texts(page: str, language: str) -> list[str]:
    """What one language's half of the file shows."""
    start = page.index(f'<article class="page" lang="{language}')
    half = page[start : page.index("</article>", start)]
    return [t.strip() for t in re.split(r"<[^>]*>", half) if t.strip()]


def test_it_writes_itself_every_second_monday(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    desk.settle()

    def after(days: int) -> list[tuple[str, str]]:
        desk.later(days=days)
        items = desk.http("analyst").get(f"{V1}/kpi-reports").json()["items"]
        return [(r["since"], r["until"]) for r in items]

    # The desk began on Wednesday, 4 March 2026.
    assert after(4) == []
    first = [("2026-02-23", "2026-03-09")]
    assert after(1) == first
    assert after(13) == first
    assert after(1) == [("2026-03-09", "2026-03-23"), *first]
    assert evidence(desk, "report.made") == 2
    with desk.tx() as tx:
        assert reports.write_due(tx) is None


def test_after_a_pause_it_tells_of_all_the_time_since(sqlite_desk):
    with sqlite_desk.tx() as tx:
        reports.write_due(tx)
    sqlite_desk.now.move(days=40)
    with sqlite_desk.tx() as tx:
        report = reports.write_due(tx)
    assert (report.since.isoformat(), report.until.isoformat()) == ("2026-03-02", "2026-04-13")


def test_it_counts_what_happened(desk):
    busy(desk)
    desk.now.set(datetime(2026, 3, 16, 1, tzinfo=UTC))
    desk.settle()
    with desk.tx() as tx:
        figures = reports.gather(tx, date(2026, 3, 2), date(2026, 3, 16))
        before = reports.gather(tx, date(2026, 2, 2), date(2026, 3, 2))
    happened = figures["happened"]
    assert happened["alerts"]["raised"] == {"moderate": 1, "severe": 1}
    assert happened["cases"]["opened"] == sum(happened["cases"]["live"].values()) == 2
    assert happened["exits"] == {"asked": 1, "done": 0, "back": 0, "open": 1}
    assert happened["clocks"]["begun"] >= 2
    assert (happened["clocks"]["kept"], happened["clocks"]["late"] >= 1) == (0, True)
    assert sum(before["happened"]["alerts"]["raised"].values()) == 0
    assert [r["kpi_id"] for r in figures["reviews"]["open"]] == ["satisfaction"]
    assert (figures["kept"], figures["experiments"]) == (None, [])


def test_it_is_the_same_whenever_it_is_opened_and_its_digest_is_in_the_log(desk):
    busy(desk)
    desk.now.set(datetime(2026, 3, 16, 1, tzinfo=UTC))
    with desk.tx() as tx:
        report = reports.write_due(tx)
        report_id, digest = report.report_id, report.digest
    http = desk.http("auditor")
    first = http.get(f"{V1}/kpi-reports/{report_id}")
    desk.now.move(days=3)
    desk.settle()
    assert http.get(f"{V1}/kpi-reports/{report_id}").content == first.content
    assert digest in first.text
    with desk.tx() as tx:
        again = reports.read(tx, report_id)
        assert digest_of(again.figures) == digest
        data = tx.session.execute(
            text("select body from evidence_entry where kind = 'report.made'")
        ).scalar_one()
        assert digest in str(data)
    shown = http.get(f"/results/kpi/reports/{report_id}")
    assert shown.status_code == 200
    assert "script" not in shown.headers["content-security-policy"]
    assert (
        "filename"
        in http.get(f"/results/kpi/reports/{report_id}?keep=1").headers["content-disposition"]
    )
    assert http.get(f"{V1}/kpi-reports/report_none").status_code == 404


def full(desk: Desk) -> dict:
    """Figures in which every part of the page is there."""
    busy(desk)
    making.compute(desk.frame, months=1)
    with desk.tx() as tx:
        found = reports.gather(tx, date(2026, 3, 2), date(2026, 3, 16))
    one = {"value": 1234.5, "low": -2.0, "high": 3000.0, "shown": False}
    found["kept"] = {
        "since": "2026-01-02", "until": "2026-03-01", "treated": 95, "held": 5, "stopped": False,
        "manifest": 3, "digest": "0" * 64, "waiting": 1,
        "measures": {"clients": one, "assets": one, "value": one, "revenue": one | {"shown": True}},
    }  # fmt: skip
    found["experiments"] = [
        {"title": "试验 7", "state": state, "looks": 2, "looked_at": "2026-03-03T00:00:00+00:00",
         "verdict": verdict, "fraction": 0.5}
        for state, verdict in (
            ("running", "continue"), ("done", "finished"), ("done", "stop for benefit"),
            ("stopped", "stop for harm"), ("stopped", "stop for ratio"), ("running", None),
        )
    ]  # fmt: skip
    found["happened"]["contacts"] = {
        "ours": 3, "theirs": 1, "channel": {"phone": 2, "wecom": 1},
        "result": {"reached": 2, "no-answer": 1},
    }  # fmt: skip
    found["happened"]["cases"]["closed"] = {"recovered": 1, "lost": 1, "false-alarm": 1}
    return found


def test_both_languages_are_whole(sqlite_desk):
    page = render(full(sqlite_desk), "f" * 64, "zh")
    english, chinese = texts(page, "en"), texts(page, "zh")
    assert len(english) == len(chinese)
    assert not [t for t in english if re.search(r"[\u4e00-\u9fff]", t) and "试验" not in t]
    words = catalogue()
    left = [
        t for t in chinese
        if (t in words and words[t] != t)
        or (re.search(r"[a-z]{3,} [a-z]{2,}", t) and "Test broker" not in t)
    ]  # fmt: skip
    assert left == []


def test_it_names_nobody(sqlite_desk):
    page = render(full(sqlite_desk), "f" * 64, "en")
    shown = " ".join(texts(page, "en") + texts(page, "zh"))
    with sqlite_desk.tx() as tx:
        people = tx.session.execute(text("select name from app_user")).scalars().all()
        clients = tx.session.execute(text("select client_id from client")).scalars().all()
    for name in [*people, *clients, "exit-1", "user_"]:
        assert not re.search(rf"\b{re.escape(name)}\b", shown), name


def test_what_was_kept_needs_its_own_permission(sqlite_desk):
    figures = full(sqlite_desk)
    may, may_not = sqlite_desk.actors["analyst"], sqlite_desk.actors["l1"]
    assert "Newest proof" in render(reports.visible(figures, may), "f" * 64, "en")
    assert "Newest proof" not in render(reports.visible(figures, may_not), "f" * 64, "en")


def test_text_from_the_data_is_escaped(sqlite_desk):
    figures = full(sqlite_desk)
    figures["experiments"][0]["title"] = "<script>alert(1)</script>"
    assert "<script" not in render(figures, "f" * 64, "en")
