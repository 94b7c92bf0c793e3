"""Key figures on the desk: values by month, targets, reviews, the doors to them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from keepwell.intervene.kpi import making
from keepwell.intervene.kpi.model import KpiValue
from tests.desk import Desk

V1 = "/api/v1"


def fill(desk: Desk, kpi_id: str, months: dict[str, float | None], revision: int = 1) -> None:
    """Months of a key figure as if they had been computed."""
    with desk.tx() as tx:
        for month, value in months.items():
            tx.session.add(
                KpiValue(
                    kpi_id=kpi_id, version=1, month=date.fromisoformat(f"{month}-01"),
                    revision=revision, value=value, n=10, known_by=tx.at, manifest=1,
                    absent=None if value is not None else "no-rows", computed_at=tx.at,
                )
            )  # fmt: skip


def look(desk: Desk) -> int:
    with desk.tx() as tx:
        return len(making.open_reviews(tx))


def count(desk: Desk, sql: str) -> int:
    with desk.tx() as tx:
        return tx.session.execute(text(f"select count(*) from {sql}")).scalar_one()


def evidence(desk: Desk, kind: str) -> int:
    return count(desk, f"evidence_entry where kind = '{kind}'")


def missed(desk: Desk) -> str:
    """A review: satisfaction (target 0.9 by the source) far off in January and February."""
    desk.now.set(datetime(2026, 3, 10, tzinfo=UTC))
    fill(desk, "satisfaction", {"2025-12": 0.9, "2026-01": 0.8, "2026-02": 0.7})
    assert look(desk) == 1
    return desk.http("analyst").get(f"{V1}/kpi-reviews").json()["items"][0]["review_id"]


def test_months_count_when_their_delay_has_passed(sqlite_desk):
    def newest(at: datetime) -> date:
        return making.complete_months(sqlite_desk.frame, at)[-1].first

    # February ends on 1 March at midnight in Shanghai; five days later it counts.
    assert newest(datetime(2026, 3, 5, 15, 59, tzinfo=UTC)) == date(2026, 1, 1)
    assert newest(datetime(2026, 3, 5, 16, 0, tzinfo=UTC)) == date(2026, 2, 1)
    months = making.complete_months(sqlite_desk.frame, datetime(2026, 3, 5, 16, tzinfo=UTC))
    assert [m.first.month for m in months] == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2]


def test_what_was_computed_cannot_be_changed(desk):
    fill(desk, "nps", {"2026-01": 10.0})
    for statement in ("update kpi_value set value = 50", "delete from kpi_value"):
        with pytest.raises(DBAPIError, match="only grows"), desk.tx() as tx:
            tx.session.execute(text(statement))


def test_the_desk_tells_responses_and_promises_of_its_own_cases(desk):
    desk.usual()
    for client in ("c1", "c2", "c3"):
        made = desk.http("m1").post(
            f"{V1}/cases", json={"client_id": client, "reason": "manual", "tier": "severe"}
        )
        assert made.status_code == 201, made.text
        if client != "c3":
            desk.now.move(minutes=10 if client == "c1" else 90)
            done = desk.http("m1").post(
                f"{V1}/cases/{made.json()['case_id']}/contacts",
                json={"channel": "phone", "result": "reached"},
            )
            assert done.status_code == 201, done.text
    desk.now.move(days=40)
    making.compute(desk.frame, months=1)
    found = {k["kpi_id"]: k for k in desk.http("l1").get(f"{V1}/kpis").json()["items"]}
    response = found["first-response"]["newest"]
    assert (response["month"], response["value"], response["n"]) == ("2026-03-01", 1.5, 3)
    # Of the first-touch clocks only c1's was met within 15 minutes; plans were never agreed.
    promises = found["clocks-met"]["newest"]
    assert 0 < promises["value"] < 0.5
    assert promises["value"] * promises["n"] == pytest.approx(1)


def test_owner_and_target_hold_from_their_month_on(desk):
    desk.usual()
    desk.now.set(datetime(2026, 3, 10, tzinfo=UTC))
    fill(desk, "complaints", {"2026-01": 4.0, "2026-02": 4.0})
    http = desk.http("analyst")
    path = f"{V1}/kpis/complaints"
    for target, month in ((3.0, "2026-02-01"), (5.0, "2026-01-01"), (3.9, "2026-02-01")):
        sent = {"target": target, "owner_id": "user_d1", "from_month": month, "reason": "Agreed"}
        assert http.post(f"{path}/targets", json=sent).status_code == 201
        desk.now.move(seconds=1)
    read = http.get(path).json()
    assert [(m["month"], m["target"], m["missed"]) for m in read["months"]] == [
        ("2026-02-01", 3.9, False), ("2026-01-01", 5.0, False),
    ]  # fmt: skip
    assert (read["target"], read["target_by"], read["owner_id"]) == (3.9, "desk", "user_d1")
    assert len(read["targets"]) == 3
    assert evidence(desk, "kpi.changed") == 3


def test_targets_that_cannot_be_are_refused(sqlite_desk):
    sqlite_desk.usual()
    http = sqlite_desk.http("analyst")

    def answer(kpi: str, **given: object) -> tuple[int, str]:
        sent = http.post(f"{V1}/kpis/{kpi}/targets", json={"reason": "Why", **given})
        return sent.status_code, sent.json().get("type", "")

    assert answer("nps", owner_id="user_m1")[0] == 422  # a manager may not work on reviews
    assert "owner-unfit" in answer("nps", owner_id="user_nobody")[1]
    assert "target-share" in answer("satisfaction", target=90)[1]
    assert answer("nps", from_month="2026-03-02")[0] == 422
    assert answer("nothing")[0] == 404
    assert evidence(sqlite_desk, "kpi.changed") == 0
    lead = sqlite_desk.http("l1").post(f"{V1}/kpis/nps/targets", json={"reason": "Why"})
    assert lead.status_code == 403


def test_a_review_opens_once_per_run_with_owner_and_date(desk):
    desk.usual()
    review_id = missed(desk)
    http = desk.http("analyst")
    review = http.get(f"{V1}/kpi-reviews/{review_id}").json()
    assert (review["since"], review["until"]) == ("2026-01-01", "2026-02-01")
    assert review["due_on"] == "2026-03-24"
    assert [m["value"] for m in review["months"]] == [0.8, 0.7]
    assert look(desk) == 0
    # The run goes on, the review is closed meanwhile: no second one of the same run.
    closing = {"findings": "Late calls.", "changes": "Two people more."}
    etag = {"If-Match": http.get(f"{V1}/kpi-reviews/{review_id}").headers["etag"]}
    http.post(f"{V1}/kpi-reviews/{review_id}/close", json=closing, headers=etag)
    desk.now.set(datetime(2026, 4, 10, tzinfo=UTC))
    fill(desk, "satisfaction", {"2026-03": 0.6})
    assert look(desk) == 0
    # A good month ends it; two bad ones after it are another run.
    fill(desk, "satisfaction", {"2026-04": 0.95, "2026-05": 0.5, "2026-06": 0.5})
    desk.now.set(datetime(2026, 7, 10, tzinfo=UTC))
    assert look(desk) == 1
    assert evidence(desk, "kpi.review-opened") == 2


def test_a_review_is_told_worked_on_and_closed(desk):
    desk.usual()
    review_id = missed(desk)
    # Nobody was named: every director hears of it, in the words of the key figure.
    for who in ("d1", "d2"):
        notices = desk.http(who).get(f"{V1}/notices", headers={"Accept-Language": "zh"}).json()
        assert "客户满意度" in notices["items"][0]["title"]
    http = desk.http("d1")
    path = f"{V1}/kpi-reviews/{review_id}"
    assert http.post(f"{path}/notes", json={"text": "Two were ill."}).status_code == 201
    closing = {"findings": "Late calls.", "changes": "Two people more."}
    assert http.post(f"{path}/close", json=closing).status_code == 428
    stale = http.post(f"{path}/close", json=closing, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    done = http.post(f"{path}/close", json=closing, headers={"If-Match": '"1"'})
    assert (done.status_code, done.json()["state"], done.json()["closed_by"]) == (
        200, "closed", "user_d1",
    )  # fmt: skip
    assert http.post(f"{path}/notes", json={"text": "More."}).status_code == 409
    assert evidence(desk, "kpi.review-closed") == 1
    listed = http.get(f"{V1}/kpi-reviews", params={"state": "closed"}).json()["items"]
    assert [r["review_id"] for r in listed] == [review_id]
    assert http.get(f"{V1}/kpi-reviews", params={"state": "open"}).json()["items"] == []


def test_the_pages_show_and_set_in_both_languages(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    review_id = missed(desk)
    for language, words in (("en", "Churn of core clients, a year"), ("zh", "核心客户年化流失率")):
        with desk.tx() as tx:
            tx.session.execute(text("update app_user set locale = :l"), {"l": language})
        http = desk.http("analyst")
        page = http.get("/results/kpi").text
        assert words in page
        assert review_id in page
        for address in ("satisfaction", "revenue", f"reviews/{review_id}"):
            found = http.get(f"/results/kpi/{address}")
            assert found.status_code == 200, found.text[:300]
    assert "70.0%" in http.get("/results/kpi/satisfaction").text
    csv = http.get("/results/kpi.csv")
    assert csv.status_code == 200
    assert "satisfaction,1,client,2026-02-01,0.7" in csv.text
    assert desk.http("m1").get("/results/kpi").status_code == 403


def test_reviews_need_months_of_the_newest_complete_ones(sqlite_desk):
    sqlite_desk.now.set(datetime(2026, 3, 10, tzinfo=UTC))
    # A run that is over by now, and one with a month in which nothing is known.
    fill(sqlite_desk, "satisfaction", {"2025-09": 0.1, "2025-10": 0.1})
    fill(sqlite_desk, "dual-service", {"2025-12": 0.1, "2026-01": None, "2026-02": 0.1})
    fill(sqlite_desk, "nps", {"2026-01": -90.0, "2026-02": -90.0})  # no target
    assert look(sqlite_desk) == 0
