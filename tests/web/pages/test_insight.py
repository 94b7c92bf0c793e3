"""Insight: who sees it and of whom, honest words, drills to the rows behind, files, languages."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter
from sqlalchemy import select

from keepwell.core.text import catalogue
from keepwell.learn.panel.read import Panels
from keepwell.learn.panel.schema import CalibrationPoint, Quality, Share, Tenth, TierRate
from keepwell.trust.access.model import Branch, Staff, User
from keepwell.trust.book import insight
from keepwell.trust.book.insight_repo import Published
from keepwell.web.pages import insight_files
from keepwell.web.pages.insight_view import share_of

HOSTILE = "<script>alert('x')</script>"
AS_OF = datetime(2026, 3, 3, 16, tzinfo=UTC)
LAST = date(2026, 3, 3)
MONTHS = [date(2025, 10, 1), date(2025, 11, 1)]


class Read(HTMLParser):
    """A page: words, links, charts."""

    def __init__(self, answer):
        super().__init__()
        self.status, self.source = answer.status_code, answer.text
        self.words, self.links, self.charts = [], [], []
        self._script = ""
        self.feed(answer.text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._script = given.get("class") or "" if tag == "script" else ""
        if tag == "a":
            self.links.append(given.get("href") or "")

    def handle_endtag(self, tag):
        self._script = ""

    def handle_data(self, data):
        if self._script == "kw-data":
            self.charts.append(json.loads(data))
        else:
            self.words.append(data)


def book(desk):
    """People and a book: m1 and m2 of team tn1, m3 of tn2, all of branch bn; m4 of bs."""
    desk.staff_up()
    rows = [
        ("c1", "m1", "bn", "severe", "app.less", 100_000_00),
        ("c2", "m1", "bn", "severe", "money.leaving", 200_000_00),
        ("c3", "m2", "bn", "mild", "app.less", None),
        ("c4", "m3", "bn", "moderate", "app.less", 400_000_00),
        ("c5", "m4", "bs", "severe", "app.less", 800_000_00),
        ("c6", "m4", "bs", "none", None, 1_600_000_00),
        ("c7", None, "bs", "mild", None, 3_200_000_00),
    ]
    return desk.publish(
        [
            {
                "client_id": c, "manager_id": m, "branch_id": b, "tier": t, "assets": a,
                "segment": "mass", "reasons": [{"code": r}] if r else [],
            }
            for c, m, b, t, r, a in rows
        ],
        as_of=AS_OF, model_version="model-7", manifest=12,
    )  # fmt: skip


def panels(desk, quality=True, segment="mass", basis="balance"):
    """Panels written by hand: a hundred clients to a manager, one in ten of whom left."""
    folder = desk.frame.workspace.state / "panels" / "p1"
    folder.mkdir(parents=True)
    who = [("m1", "bn"), ("m2", "bn"), ("m3", "bn"), ("m4", "bs"), (None, "bs")]
    moves, groups, churn = [], [], []
    for at, (manager, branch) in enumerate(who):
        opening = 1_000_000_00 * (at + 1)
        for day in range(40):
            row = {"opening": opening, "inflow": 500_00, "outflow": 200_00, "market": -100_00}
            opening += 200_00
            moves.append(
                {"manager_id": manager, "day": LAST - timedelta(days=39 - day), **row,
                 "closing": opening, "clients": 10, "basis": basis}
            )  # fmt: skip
        followed, kept = (12, 11) if manager == "m4" else (100, 90 + at)
        groups.append(
            {"manager_id": manager, "branch_id": branch, "segment": segment, "clients": 120,
             "active": 60, "net_inflow": 1_000_00 * (at - 2), "assets": 10_000_000_00,
             "at_risk_assets": 1, "followed": followed, "kept": kept}
        )  # fmt: skip
        churn += [
            {"month": month, "manager_id": manager, "branch_id": branch, "segment": name,
             "left": left, "followed": followed}
            for month in MONTHS
            for name, left, followed in ((segment, 10 + at, 100), ("tiny", 1, 2))
        ]  # fmt: skip
    for name, rows in (("movement", moves), ("groups", groups), ("churn", churn)):
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    if quality:
        share = Share(0.1, 0.08, 0.12)
        told = Quality(
            AS_OF - timedelta(days=200), AS_OF - timedelta(days=20), (AS_OF,), 1_000, 100, share,
            Share(0.81, 0.78, 0.84), Share(3.9, 3.5, 4.3),
            tuple(Tenth(n + 1, 100.0, 10.0, Share(4 - n / 3, 0.9, 4.5)) for n in range(10)),
            (CalibrationPoint(0.05, share, 500), CalibrationPoint(0.2, share, 500)),
            (TierRate("severe", 90.0, 40, share), TierRate("none", 0.0, 960, None)),
            "Tested on 1,000 clients.", "以 1,000 位客户检验。",
        )  # fmt: skip
        (folder / "quality.json").write_bytes(TypeAdapter(Quality).dump_json(told))
    about = {
        "as_of": AS_OF.isoformat(), "manifest": 12, "model": "model-7", "currency": "CNY",
        "written_at": AS_OF.isoformat(), "sources": [],
    }  # fmt: skip
    (folder / "about.json").write_text(json.dumps(about))
    (folder.parent / "current.json").write_text(json.dumps({"format": 1, "folder": "p1"}))
    assert Panels.open(desk.frame.workspace) is not None


@pytest.fixture
def full(desk):
    book(desk)
    panels(desk)
    return desk


def page(desk, who="d1", query="", **more):
    with desk.http(who) as http:
        return Read(http.get("/insight" + query, **more))


def file(desk, name, who="d1", query=""):
    with desk.http(who) as http:
        answer = http.get(f"/insight/{name}.csv{query}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_who_may_see_it(desk):
    desk.usual()
    people = ("m1", "a1", "l1", "d1", "compliance", "analyst", "admin", "auditor")
    seen = {who: page(desk, who).status for who in people}
    inside = dict.fromkeys(("l1", "d1", "analyst"), 200)
    assert seen == dict.fromkeys(people, 403) | inside


def test_before_the_first_publication_it_says_so(desk):
    desk.staff_up()
    assert "Nothing has been published yet" in page(desk).text


def test_without_panels_it_shows_what_the_book_knows_and_nothing_empty(desk):
    book(desk)
    shown = page(desk)
    assert "Warned clients by main reason" in shown.source
    for words in ("Daily asset movement", "Model quality", "Churn by segment", "compared"):
        assert words not in shown.text
    assert "appear after the next publication" in shown.text


def test_the_head_says_of_when_it_is_by_what_and_that_shares_are_out_of_time(full):
    text = page(full).text
    assert "Scores of 4 Mar 2026 00:00" in text or "Scores of 00:00" in text
    for words in ("Model model-7", "Manifest 12", "out of time", "it is not an effect of the staff",
                  "that proof comes with the learning loop"):  # fmt: skip
        assert words in text


def test_each_sees_the_managers_of_their_scope_alone(full):
    keys = {who: {row["key"] for row in file(full, "ranking", who)} for who in ("l1", "l2", "d1")}
    assert keys == {"l1": {"m1", "m2"}, "l2": {"m3"}, "d1": {"m1", "m2", "m3"}}
    assert {row["key"] for row in file(full, "ranking", "analyst")} == {"bn", "bs"}
    closing = {who: file(full, "movement", who)[-1]["closing"] for who in ("l1", "l2", "d2")}
    grown = 40 * 200_00
    assert closing == {
        "l1": str(3_000_000_00 + 2 * grown), "l2": str(3_000_000_00 + grown),
        "d2": str(4_000_000_00 + grown),
    }  # fmt: skip
    shown = page(full, "l1")
    for words in ("Person m3", "Person m4", "m3", "m4"):
        assert words not in re.findall(r"[\w ]*m\d", shown.text)


def test_a_branch_of_the_scope_can_be_looked_at_alone_and_no_other(full):
    with full.tx() as tx:
        tx.session.add(Branch(branch_id="bn2", name=HOSTILE, region_id="north"))
        tx.session.flush()
        tx.session.get(Staff, "m3").branch_id = "bn2"
    both = page(full, "d1")
    assert "Branches compared" in both.text
    assert HOSTILE in both.text
    assert HOSTILE not in both.source
    one = page(full, "d1", "?branch_id=bn2")
    assert (one.status, "Managers compared" in one.text) == (200, True)
    assert {r["key"] for r in file(full, "ranking", "d1", "?branch_id=bn2")} == {"m3"}
    assert page(full, "d1", "?branch_id=bs").status == 404
    assert page(full, "l1", "?branch_id=bn").status == 404
    assert page(full, "d1", "?branch_id=%00" + "x" * 300).status == 404
    assert page(full, "d1", "?days=nonsense&sort=-1").status == 200


def test_nobody_without_a_place_sees_anything(full):
    with full.tx() as tx:
        tx.session.get(Staff, "l1").team_id = None
        tx.session.get(Staff, "d1").region_id = None
        tx.session.get(Staff, "m3").branch_id = None
        tx.session.get(Branch, "bn").region_id = None
    for who in ("l1", "d1"):
        shown = page(full, who)
        assert shown.status == 200
        assert "compared" not in shown.text
        assert "No client of yours is warned of." in shown.text
        assert file(full, "reasons", who) == []


def test_opening_and_what_moved_make_the_closing(full):
    rows = file(full, "movement", "d1")
    assert len(rows) == 30
    assert len(file(full, "movement", "d1", "?days=60")) == 40
    for row in rows:
        moved = int(row["inflow"]) - int(row["outflow"]) + int(row["market"])
        assert int(row["opening"]) + moved == int(row["closing"])
    assert {row["basis"] for row in rows} == {"balance"}
    assert "By balances" in page(full).text


def test_movement_by_positions_says_that_it_has_no_cash(desk):
    book(desk)
    panels(desk, basis="positions")
    assert "By positions, without cash" in page(desk).text


def test_retention_has_its_interval_and_few_are_marked(full):
    rows = {row["key"]: row for row in file(full, "ranking", "l1")}
    share = share_of(91, 100)
    assert float(rows["m2"]["retention"]) == 0.91
    assert float(rows["m2"]["retention_low"]) == pytest.approx(share.low, abs=1e-6)
    assert float(rows["m2"]["retention_high"]) == pytest.approx(share.high, abs=1e-6)
    chart = next(c for c in page(full, "l1").charts if "points" in c)
    assert [p["low"] < p["value"] < p["high"] for p in chart["points"]] == [True, True]
    few = page(full, "d2")
    assert "fewer than 20 clients followed" in few.text
    assert "91.7% (64.6% to 98.5%) *" in few.text


def test_the_ranking_sorts_and_each_heading_says_so(full):
    order = {
        sort: [row["key"] for row in file(full, "ranking", "d1", f"?sort={sort}")]
        for sort in ("risk", "kept", "net")
    }
    assert order == {"risk": ["m3", "m1", "m2"], "kept": ["m1", "m2", "m3"],
                     "net": ["m3", "m2", "m1"]}  # fmt: skip
    assert 'aria-sort="ascending"' in page(full, "d1", "?sort=kept").source


def test_small_cells_of_churn_are_marked_not_hidden(full):
    rows = file(full, "churn", "l1")
    tiny = next(row for row in rows if row["segment"] == "tiny")
    assert (tiny["followed"], tiny["left"], tiny["small"]) == ("4", "2", "true")
    everybody = [row for row in rows if row["segment"] == "All segments"]
    assert [(row["left"], row["followed"]) for row in everybody] == [("23", "204")] * 2
    shown = page(full, "l1")
    assert re.search(r"50\.0%\s*\*\s*2 of 4", shown.text)
    assert "/clients?segment=tiny" in shown.links


def test_every_number_leads_to_its_clients(full):
    shown = page(full, "l1")
    links = [link for link in shown.links if link.startswith("/clients?")]
    links += [link for chart in shown.charts for s in chart.get("series", [])
              for link in s.get("links", []) if link]  # fmt: skip
    assert "/clients?tier=severe" in links
    assert "/clients?reason=app.less&tier=mild" in links
    assert "/clients?manager_id=m1&tier=severe" in links
    with full.http("l1") as http:
        for link in links:
            assert http.get(link).status_code == 200
        found = http.get("/clients?reason=app.less&tier=mild").text
    assert "c3" in found
    assert "c4" not in found
    inner = page(full, "analyst", "?branch_id=bs").links
    assert "/clients?branch_id=bs&tier=severe" in inner


def test_the_totals_of_the_book_are_those_of_its_rows(full):
    tiers = {row["tier"]: row for row in file(full, "tiers", "d1")}
    assert {t: (r["clients"], r["assets"], r["unvalued"]) for t, r in tiers.items()} == {
        "severe": ("2", "30000000", "0"), "moderate": ("1", "40000000", "0"),
        "mild": ("1", "0", "1"),
    }  # fmt: skip
    reasons = {row["reason"]: row["clients"] for row in file(full, "reasons", "analyst")}
    # Who sees everything finds no amounts, but also the client of nobody, without a reason.
    assert reasons == {"app.less": "4", "money.leaving": "1", "": "1"}
    assert {r["reason"]: r["clients"] for r in file(full, "reasons", "l1")} == {
        "app.less": "2", "money.leaving": "1",
    }  # fmt: skip


def test_who_sees_bands_gets_no_amount(full):
    shown = page(full, "analyst")
    assert "¥" not in shown.source
    assert "CNY" not in shown.text
    assert "Amounts are hidden from your role" in shown.text
    assert all(chart["unit"] != "amount" for chart in shown.charts)
    amounts = {"opening", "inflow", "outflow", "market", "closing", "net_inflow_90d", "assets",
               "assets_at_risk"}  # fmt: skip
    for name in insight_files.LISTS:
        for row in file(full, name, "analyst", "?sort=net"):
            assert not any(row[column] for column in amounts & row.keys()), name
    assert float(file(full, "movement", "analyst")[-1]["inflow_share"]) > 0


def test_who_may_not_take_lists_away_gets_no_file(full):
    with full.tx() as tx:
        user = tx.session.scalar(select(User).where(User.login == "m1"))
        assert user is not None
    with full.http("m1") as http:
        assert http.get("/insight/tiers.csv").status_code == 403
    with full.http("d1") as http:
        assert http.get("/insight/nothing.csv").status_code == 404
        assert http.get("/insight/tiers.csv?branch_id=bs").status_code == 404
    assert "/insight/ranking.csv" in page(full, "d1").links


def test_a_file_runs_nothing_in_a_spreadsheet(full):
    with full.tx() as tx:
        tx.session.get(Staff, "m1").name = "=1+1"
    names = {row["name"] for row in file(full, "ranking", "l1")}
    assert names == {"'=1+1", "Person m2"}


def test_hostile_names_are_words(desk):
    book(desk)
    panels(desk, segment=HOSTILE)
    with desk.tx() as tx:
        tx.session.get(Staff, "m1").name = HOSTILE
    shown = page(desk, "l1")
    assert HOSTILE in shown.text
    assert "<script>alert" not in shown.source


def test_the_quality_of_the_model_names_its_test(full):
    text = page(full, "l1").text
    for words in ("Tested on 1,000 clients.", "0.810 (0.780 to 0.840)", "Test date",
                  "Lift by tenth of the score", "What became of each tier"):  # fmt: skip
        assert words in text


def test_no_proof_no_quality(desk):
    book(desk)
    panels(desk, quality=False)
    assert "Model quality" not in page(desk).text


def test_totals_of_many_are_counted_once_for_a_while(desk, monkeypatch):
    number = book(desk)
    monkeypatch.setattr(insight, "MANY", 1)
    monkeypatch.setattr(insight, "_kept", {})
    counted = []
    real = insight.repo.warned
    monkeypatch.setattr(insight.repo, "warned", lambda *a: counted.append(1) or real(*a))

    def ask(who):
        with desk.tx() as tx:
            actor = desk.actors[who]
            where = insight.reach(tx, actor, None)
            told = insight.published(tx)
            assert isinstance(told, Published)
            assert told.number == number
            return sum(row.clients for row in insight.warned(tx, actor, where, told))

    assert [ask("l1"), ask("l1"), ask("l2"), ask("d1")] == [3, 3, 1, 4]
    assert len(counted) == 3
    desk.now.move(minutes=6)
    assert ask("l1") == 3
    assert len(counted) == 4


def test_a_client_lent_is_nobodys_total(full):
    from keepwell.trust.book.model import ClientGrant

    with full.tx() as tx:
        tx.session.add(ClientGrant(staff_id="l2", client_id="c1", source="case:x", until=None))
    assert {r["tier"]: r["clients"] for r in file(full, "tiers", "l2")} == {
        "severe": "0", "moderate": "1", "mild": "0",
    }  # fmt: skip


def test_the_chinese_page_has_no_english_left(full):
    with full.tx() as tx:
        for user in tx.session.scalars(select(User)):
            user.locale = "zh"
    for who in ("d1", "analyst", "l1", "d2"):
        shown = page(full, who)
        assert shown.status == 200
        english = [
            word.strip() for word in shown.words if word.strip() in catalogue()
            and catalogue()[word.strip()] != word.strip()
        ]  # fmt: skip
        assert not english
        assert "以 1,000 位客户检验。" in shown.text
        for chart in shown.charts:
            names = [s["name"] for s in chart.get("series", [])]
            assert not [n for n in names if n in catalogue()]
