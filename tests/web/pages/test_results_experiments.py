"""Results: experiments, from the calculator to the verdict, by forms alone."""

from __future__ import annotations

import re
import shutil
from html import unescape

import pytest

from tests.learn.experiment.lake import arms, leave, opened, publish

HOME = "/results/experiments"
FORM = {
    "title": "Calls for silent clients", "hypothesis": "A call keeps half.", "about": "churn",
    "arm1": "call", "share1": "50", "action1": "service-call@1", "control": "usual",
    "unit": "client", "horizon": "90", "looks": "2", "base": "40", "effect": "35", "least": "20",
}  # fmt: skip


@pytest.fixture
def lake_desk(sqlite_template, tmp_path):
    root = tmp_path / "ws"
    (root / ".keepwell").mkdir(parents=True)
    file = root / ".keepwell" / "desk.sqlite"
    shutil.copy(sqlite_template, file)
    made = opened(root, f"sqlite:///{file}")
    publish(made)
    yield made
    made.close()


def words(page) -> str:
    assert page.status_code == 200, page.text
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text)))


def press(http, place, verb, **fields):
    """Send the page's own form of a verb."""
    version = re.search(r'name="version" value="(\d+)"', http.get(place).text)
    return http.post(f"{place}/{verb}", data={"version": version[1], **fields})


def test_the_calculator_answers_without_a_script(sqlite_desk):
    sqlite_desk.usual()
    with sqlite_desk.http("analyst") as http:
        told = words(http.get(HOME + "/new"))
        # The book's mean chance to leave stands in the form already.
        assert 'name="base" value="20"' in http.get(HOME + "/new").text
        assert "Clients in question in the book 8" in told
        assert "do not suffice" in told
        # Matos, Ferreira & Belo 2018: 11 % fewer of 17.2 %, in halves, one look.
        one = http.get(HOME + "/new?base=17.2&effect=11&looks=1&control=50")
        assert "Clients needed 11,932" in words(one)
        two = http.get(HOME + "/new?base=17.2&effect=nonsense")
        assert "do not fit together" in words(two)
    with sqlite_desk.http("l1") as http:
        page = http.get(HOME + "/new")
        assert "Power calculator" in words(page)
        assert 'name="hypothesis"' not in page.text


def test_an_experiment_by_its_forms(lake_desk):
    with lake_desk.http("analyst") as http:
        http.follow_redirects = False
        made = http.post(HOME + "/new", data=FORM)
        assert made.status_code == 303, words(made)
        place = made.headers["location"]
        assert "A draft can still be changed" in words(http.get(place))
        assert press(http, place, "register").status_code == 303
        assert press(http, place, "draws").status_code == 303
        early = press(http, place, "looks", kind="planned")
        assert early.status_code == 409
        assert "No outcome that is asked for is known before" in early.text
        leave(lake_desk, arms(lake_desk, place.rsplit("/", 1)[1]), {"usual": 2, "call": 4})
        lake_desk.now.move(days=91)
        assert press(http, place, "looks", kind="planned").status_code == 303
        page = http.get(place)
        told = words(page)
        assert "Stop: call does better than usual" in told
        assert "Passed: Share of clients who left is at least 20% lower" in told
        assert "Complaints per client – – – Not known: the data do not tell" in told
        assert "<svg" in page.text
        listed = words(http.get(HOME))
        assert "Calls for silent clients Done" in listed
        assert "The hold-out, which always runs" in listed
        assert "Not known" not in listed
    with lake_desk.http("l1") as http:
        assert 'value="planned"' not in http.get(place).text
        # Who may not read the hold-out does not see it here either.
        assert "The hold-out, which always runs" not in words(http.get(HOME))


def test_a_form_that_does_not_fit_comes_back(sqlite_desk):
    sqlite_desk.usual()
    with sqlite_desk.http("analyst") as http:
        again = http.post(HOME + "/new", data={**FORM, "share1": "100"})
        assert again.status_code == 422
        assert "must leave something for the control" in again.text
        assert "Calls for silent clients" in again.text
        gone = http.post(HOME + "/new", data={**FORM, "action1": "no-such@1"})
        assert gone.status_code == 422
