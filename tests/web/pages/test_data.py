"""The page of data: who sees it, why a source is stale, quarantine masked, lake, generations."""

from __future__ import annotations

import csv
import io
import os
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from keepwell.core.errors import REASONS, KeepwellError
from keepwell.observe import freshness
from keepwell.observe.contract import TABLES
from keepwell.observe.folders import spotted
from keepwell.observe.freshness import REMEDIES, TITLES, WORDS
from keepwell.observe.ingest import ingest
from keepwell.observe.quarantine_view import form
from keepwell.observe.workspace import Workspace
from keepwell.trust.access.model import User
from keepwell.web.pages import data

MAPPING = """\
version: 1
name: Test broker
timezone: Asia/Shanghai
currency: CNY
sources:
  trades: {path: "in/*.csv"}
  people: {path: people.csv, allow_empty: true}
tables:
  trade:
    sql: >
      select trade_id, client_id, cast("at" as timestamptz) as at, 'buy' as side,
      cast(amount as varchar) as amount from trades
    covers: [["2026-01-01", null]]
  client:
    sql: >
      select client_id, opened as opened_on, cast(opened as timestamptz) as valid_from
      from people
"""


class Words(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.links.append(dict(attrs).get("href"))

    def handle_data(self, text):
        self.found.append(text)

    @property
    def text(self):
        return " ".join(" ".join(self.found).split())


def words(page):
    assert page.status_code == 200, page.text[:500]
    return Words(page.text).text


def fill(desk, last="2026-03-03", bad=(), name="a.csv"):
    """Files with a trade a day up to a day, and what is wrong; then an ingest."""
    root = desk.frame.workspace.root
    (root / "keepwell.yaml").write_text(MAPPING, "utf-8")
    (root / "in").mkdir(exist_ok=True)
    (root / "people.csv").write_text("client_id,opened\n", "utf-8")
    day = datetime.fromisoformat(last)
    rows = [f"t{n},c1,{(day - timedelta(days=n)).date()} 10:00:00+08:00,100.00" for n in range(40)]
    rows += [f"bad{n},{client},{at},{amount}" for n, (client, at, amount) in enumerate(bad)]
    file = root / "in" / name
    file.write_text("trade_id,client_id,at,amount\n" + "\n".join(rows) + "\n", "utf-8")
    desk.frame.workspace.__dict__.clear()
    reopened = Workspace.open(root)
    desk.frame.workspace.__dict__.update(reopened.__dict__)
    return file


def seen(file, at):
    os.utime(file, (at.timestamp(), at.timestamp()))


@pytest.fixture
def stocked(desk):
    desk.usual()
    return desk


def test_every_cause_and_reason_has_its_words():
    assert set(WORDS) == set(TITLES) == set(REMEDIES)
    assert set(data.REASON_TITLES) == set(REASONS)
    assert set(TABLES) <= set(data.NAMES)


@pytest.mark.parametrize("who", ["l1", "d1", "compliance", "analyst", "admin", "auditor"])
def test_who_may_read_data(stocked, who):
    with stocked.http(who) as http:
        for path in ("/data", "/data/quarantine", "/data/lake"):
            assert http.get(path).status_code == 200


@pytest.mark.parametrize("who", ["m1", "a1"])
def test_who_may_not(stocked, who):
    with stocked.http(who) as http:
        for path in ("/data", "/data/quarantine", "/data/quarantine.csv", "/data/lake"):
            assert http.get(path).status_code == 403


def test_nothing_was_read_in_yet(stocked):
    with stocked.http("admin") as http:
        said = words(http.get("/data"))
        assert "Nothing of it was ever read in." in said
        assert "Ask your administrator to run keepwell ingest." in said
        assert "The lake is empty" in words(http.get("/data/lake"))
        assert "every row that came kept the contract" in words(http.get("/data/quarantine"))


def test_fresh_then_no_new_file(stocked):
    desk = stocked
    file = fill(desk)
    seen(file, desk.now.at - timedelta(hours=4))
    ingest(desk.frame.workspace)
    with desk.http("l1") as http:
        said = words(http.get("/data"))
        assert "Fresh" in said
        assert "No new file" not in said
        assert "1 Mar" not in said
        assert "3 Mar 2026" in said
        desk.now.move(days=9)
        page = http.get("/data")
        said = words(page)
        assert "No new file since 4 Mar 2026 06:00: in/a.csv." in said
        assert "Ask whoever delivers it why nothing comes." in said
        assert "#table-trade" in Words(page.text).links
        only = words(http.get("/data?show=stale"))
        assert "Trades" in only


def test_a_new_file_that_nobody_read_in_and_one_without_news(stocked):
    desk = stocked
    seen(fill(desk, "2026-02-20"), desk.now.at - timedelta(days=8))
    ingest(desk.frame.workspace)
    late = fill(desk, "2026-02-20", name="b.csv")
    seen(late, datetime.now(UTC) + timedelta(minutes=5))
    with desk.http("l1") as http:
        assert "has not been read in yet: in/b.csv" in words(http.get("/data"))
    seen(late, desk.now.at - timedelta(hours=4))
    with desk.http("l1") as http:
        said = words(http.get("/data"))
    assert "The newest file, of 06:00, was read in and holds nothing after 20 Feb 2026." in said


def test_an_old_file_that_came_again_does_not_hide_that_no_later_one_came(stocked):
    desk = stocked
    seen(fill(desk, "2026-02-20", name="2026-02-20.csv"), desk.now.at - timedelta(days=8))
    ingest(desk.frame.workspace)
    seen(
        desk.frame.workspace.root / "in" / "2026-02-20.csv", datetime.now(UTC) + timedelta(hours=1)
    )
    with desk.http("l1") as http:
        said = words(http.get("/data"))
        assert "No file of a later day has come (last: 20 Feb 2026; trading days since: " in said
        assert "has not been read in yet: in/2026-02-20.csv" in said
        only = words(http.get("/data?cause=files-end"))
        assert "Trades" in only.split("Comes from")[1].split("Events on the way")[0]
        assert words(http.get("/data?cause=nothing-such"))


@pytest.mark.parametrize(
    ("name", "day"),
    [("2026-03-01.csv", "20260301"), ("t_20260301_v2.csv", "20260301"), ("a2026030199.csv", ""),
     ("from-2026-01-01-to-2026-01-31.csv", "20260131"), ("2026-13-01.csv", "")],
)  # fmt: skip
def test_the_day_in_a_files_name(tmp_path, name, day):
    (tmp_path / name).write_text("x", "utf-8")
    assert spotted(tmp_path, "*.csv").last_day == day
    assert spotted(tmp_path, name).last_day == day


def test_a_failed_ingest_says_why_and_a_good_one_forgets_it(stocked):
    desk = stocked
    file = fill(desk)
    ingest(desk.frame.workspace)
    whole = file.read_text("utf-8")
    file.write_text("trade_id,client_id\nt1,c1\n", "utf-8")
    with pytest.raises(KeepwellError):
        ingest(desk.frame.workspace)
    with desk.http("l1") as http:
        assert "Ingest failed" in words(http.get("/data"))
        assert "The last ingest," in words(http.get("/data"))
        file.write_text(whole, "utf-8")
        ingest(desk.frame.workspace)
        assert "Ingest failed" not in words(http.get("/data"))


def test_a_file_that_is_gone(stocked):
    desk = stocked
    file = fill(desk)
    ingest(desk.frame.workspace)
    file.unlink()
    with desk.http("l1") as http:
        assert "There is no file in/*.csv." in words(http.get("/data"))


BAD = [("c1", "2026-03-01 10:00:00+08:00", "12x5"), ("c1", "2027-03-01 10:00:00+08:00", "1.00")]


def test_quarantine_shows_personal_values_by_their_form(stocked):
    desk = stocked
    fill(desk, bad=BAD)
    ingest(desk.frame.workspace)
    with desk.http("analyst") as http:
        page = http.get("/data/quarantine")
        said = words(page)
        assert "12x5" not in page.text
        assert "99x9" in said, "an amount is personal"
        assert "is after the moment of this ingest" in said
        assert "2 rows in all" in said
        one = words(http.get("/data/quarantine?reason=row.in-future&table=trade&source=trades"))
        assert "99x9" not in one.split("Row by row")[1]
        assert "Nothing fits" in words(http.get("/data/quarantine?source=other"))
        file = http.get("/data/quarantine.csv")
        assert "12x5" not in file.text
        rows = list(csv.DictReader(io.StringIO(file.text.removeprefix("\ufeff"))))
        assert {row["table"] for row in rows} == {"trade"}
        assert {row["column"] for row in rows} == {"amount", "at"}
        assert "Rows in quarantine, missing here" in words(http.get("/data"))
    with desk.http("admin") as http:
        assert http.get("/data/quarantine.csv").status_code == 403, "needs client:export"
        assert "Download as CSV" not in http.get("/data/quarantine").text


def test_quarantine_in_pages_and_hostile_values(stocked):
    desk = stocked
    evil = "<script>alert(1)</script>"
    bad = [("c1", f"{evil}{n}", "1.00") for n in range(60)]
    fill(desk, bad=bad)
    root = desk.frame.workspace.root
    text = MAPPING.replace('cast("at" as timestamptz) as at', '"at"')
    text = text.replace('"in/*.csv"}', '"in/*.csv", columns: {at: instant}}')
    (root / "keepwell.yaml").write_text(text, "utf-8")
    desk.frame.workspace.__dict__.update(Workspace.open(root).__dict__)
    ingest(desk.frame.workspace)
    with desk.http("l1") as http:
        first = http.get("/data/quarantine")
        assert "<script>alert" not in first.text
        following = next(link for link in Words(first.text).links if "after=" in (link or ""))
        second = http.get(following)
        assert "From the beginning" in words(second)
        assert first.text.count("kd-value") == 50
        assert second.text.count("kd-value") == 10


def test_form_hides_every_letter_and_digit():
    assert form("<b>王 A1</b>") == "<x>x X9</x>"


def test_lake_and_manifests(stocked):
    desk = stocked
    fill(desk)
    ingest(desk.frame.workspace)
    fill(desk, "2026-03-04", name="b.csv")
    ingest(desk.frame.workspace)
    with desk.http("l1") as http:
        said = words(http.get("/data/lake"))
    assert "Trades +40" in said
    assert "Trades +" in said.split("Data versions (manifests)")[1]


def test_generations(stocked):
    stocked.publish([{"client_id": "c9"}], model_version="next-model", scored=1)
    with stocked.http("l1") as http:
        said = words(http.get("/data"))
    assert "next-model" in said
    assert "In force" in said


def test_events_that_wait_for_the_lake_are_named(stocked):
    desk = stocked
    fill(desk)
    ingest(desk.frame.workspace)
    rows = [{"trade_id": "e1", "client_id": "c1", "at": "2026-03-04T01:00:00Z", "side": "buy"}]
    with desk.http("integration") as http:
        body = {"source": "app", "batch": "b1", "table": "trade", "rows": rows}
        assert http.post("/api/v1/events", json=body).status_code == 202
    with desk.http("l1") as http:
        said = words(http.get("/data"))
    assert "Not in the lake yet: Trades" in said
    assert "Batches of events that wait for the lake: 1" in said


def test_in_chinese(stocked):
    desk = stocked
    fill(desk, "2026-02-02", bad=BAD)
    ingest(desk.frame.workspace)
    with desk.tx() as tx:
        tx.session.get_one(User, "user_l1").locale = "zh"
    with desk.http("l1") as http:
        said = words(http.get("/data"))
        assert "问题与处理办法" in said
        for message in {*WORDS.values(), *TITLES.values(), *data.STANDINGS.values()}:
            assert message.split("{")[0] not in said
        assert "隔离区" in words(http.get("/data/quarantine"))


def test_files_are_looked_at_again_when_one_comes(stocked):
    desk = stocked
    fill(desk)
    assert freshness.files(desk.frame.workspace)["trades"].count == 1
    fill(desk, name="b.csv")
    assert freshness.files(desk.frame.workspace)["trades"].count == 2
