"""Each role's day at the workbench, in a real browser and in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from keepwell.core.text import tr
from tests.e2e.broker import STORE
from tests.e2e.conftest import PICTURES
from tests.e2e.visitor import Visitor, chromium

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


class Day:
    """A visitor whose pages are looked at closely."""

    def __init__(self, browser, bench, login, locale, **window):
        self.visitor = Visitor(browser, bench, login, locale, **window).enter()
        self.page = self.visitor.page
        self.locale = locale

    def look(self, path: str = "", picture: str = "") -> None:
        """Open a page if one is named; it fits the window, and axe finds nothing serious."""
        if path:
            self.visitor.open(path)
        assert self.visitor.wide() <= 0, f"{self.page.url} is wider than the window"
        if self.locale == "en":  # the same elements stand in both languages
            self._judge()
        if picture and STORE:
            PICTURES.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=PICTURES / f"{picture}-{self.locale}.png")

    def _judge(self) -> None:
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response
        grave = [
            (v["id"], [n["target"] for n in v["nodes"]][:3])
            for v in found["violations"]
            if v["impact"] in SERIOUS
        ]
        assert not grave, f"{self.page.url}: {grave}"

    def say(self, words: str, **fields) -> str:
        return tr(words, self.locale, **fields)

    def go_round(self, pictures=None) -> list[str]:
        """Every page of the navigation, one after the other."""
        paths = self.page.locator(".kw-nav a").evaluate_all("all => all.map(a => a.pathname)")
        for path in paths:
            self.look(path, picture=(pictures or {}).get(path, ""))
        return paths

    def end(self) -> None:
        self.visitor.leave()


@pytest.fixture(params=["en", "zh"])
def locale(request):
    return request.param


def test_a_managers_day(browser, bench, locale):
    day = Day(browser, bench, "demo-manager", locale)
    page = day.page
    assert page.url.endswith("/today")
    shown = {"/today": "today", "/clients": "clients"}
    assert day.go_round(shown) == list(shown)
    # By keyboard: the first row, open it.
    day.look("/today")
    page.keyboard.press("j")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    case = page.url
    assert "/cases/" in case
    day.look(picture="case")
    note = "<b>打电话</b> & asked about fees"
    page.evaluate("for (const d of document.querySelectorAll('main details')) d.open = true")
    form = page.locator("form[action$='/notes']").first
    form.locator("textarea[name=note_text]").fill(note)
    with page.expect_navigation():
        form.locator("button").first.click()
    assert note in page.locator("main").inner_text()
    day.look()
    client = page.locator("main a[href^='/clients/']").first.get_attribute("href").split("#")[0]
    day.look(client, picture="client")
    assert page.locator(".kw-chart svg").count() >= 1, "a chart is drawn"
    day.look(f"/panel{client}", picture="panel")
    day.end()


def test_pages_on_a_phone(browser, bench, locale):
    day = Day(browser, bench, "demo-manager", locale, width=390, dark=True)
    day.look("/today", picture="phone")
    row = day.page.locator("[data-rows] [data-href]").first.get_attribute("data-href")
    day.look(row)
    client = day.page.locator("main a[href^='/clients/']").first.get_attribute("href")
    day.look(client.split("#")[0])
    day.end()


def test_a_leads_day(browser, bench, locale):
    day = Day(browser, bench, "demo-lead", locale)
    page = day.page
    day.look("/team", picture="team")
    people = page.locator("[data-rows] tr[data-href]").evaluate_all(
        "rows => rows.filter(r => Number(r.querySelector('meter').value) > 1)"
        ".map(r => r.dataset.href)"
    )
    day.look(people[0])
    boxes = page.locator("input[data-row]")
    number = min(boxes.count(), 10)
    for place in range(number):
        boxes.nth(place).check()
    page.locator("input[name=taker]").first.check()
    with page.expect_navigation():
        page.locator("main form button.btn-primary").last.click()
    assert "/team/plan/" in page.url
    day.look(picture="reassign")
    with page.expect_navigation():
        page.locator("main form button.btn-primary").first.click()
    assert "/team/batch/" in page.url
    day.look()
    with page.expect_navigation():
        page.locator("form[action$='/undo'] button").click()
    assert day.say("Undone") in page.locator("h1").inner_text()
    day.end()


@pytest.mark.parametrize(
    ("login", "pictures"),
    [
        ("demo-director", {"/insight": "insight"}),
        ("demo-analyst", {"/data": "data"}),
        ("demo-compliance", {"/evidence": "evidence"}),
        ("demo-auditor", {}),
        ("demo-adviser", {}),
        ("demo-admin", {}),
    ],
)
def test_the_round_of_the_others(browser, bench, locale, login, pictures):
    day = Day(browser, bench, login, locale)
    visited = day.go_round(pictures)
    assert set(pictures) <= set(visited)
    if login == "demo-admin":
        day.look("/admin")
        tabs = day.page.locator(".kw-tabs a").evaluate_all("all => all.map(a => a.pathname)")
        for path in tabs:
            day.look(path)
    day.look("/account")
    day.end()


def test_news_arrive_without_a_reload(browser, bench):
    """A colleague opens a case; it stands in the manager's list, and her half-filled form stays."""
    manager = Day(browser, bench, "demo-manager", "en")
    page = manager.page
    page.goto(bench.address + "/clients?sort=score")
    link = page.locator("[data-rows] a[href^='/clients/']").first.get_attribute("href")
    client = link.rsplit("/", 1)[1]
    manager.look("/today")
    box = page.locator("input[data-row]").first
    box.check()
    lead = Day(browser, bench, "demo-lead", "en")
    body = {"client_id": client, "title": "Wants lower fees"}
    status = lead.page.evaluate(
        """body => fetch("/api/v1/cases", {method: "POST", body: JSON.stringify(body),
        headers: {"content-type": "application/json"}}).then(answer => answer.status)""",
        body,
    )
    assert status == 201
    lead.end()
    page.get_by_text(client).first.wait_for(timeout=20_000)
    assert box.is_checked()
    manager.end()


def test_the_pages_are_stored_where_the_docs_look():
    shown = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-workbench.md"
    for line in shown.read_text("utf-8").splitlines():
        if line.startswith("!["):
            name = line.split("(")[1].rstrip(")")
            assert (shown.parent / name).is_file(), name
