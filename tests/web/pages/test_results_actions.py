"""The page Actions: refusals with words and cases, periods, the catalogue, both languages."""

from __future__ import annotations

import re

from sqlalchemy import update

from keepwell.intervene.action.catalogue import Catalogue
from keepwell.trust.access.model import User
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from tests.intervene.action.test_recommendation import AT, ask
from tests.intervene.action.test_refusals import filled, get


def read(desk, who="m1", query=""):
    with desk.http(who) as http:
        answer = http.get("/results/actions" + query)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_refusals_are_shown_with_words_rules_and_the_way_to_the_case(sqlite_desk):
    desk = sqlite_desk
    told = filled(desk)
    source = read(desk, query="?stage=every")
    for item in get(desk, "refusals/counts"):
        assert f"<code>{item['code']}</code>" in source
    assert "above the client&#39;s level C1" in source
    assert f'href="/cases/{told[0]["case_id"]}#advice"' in source
    # What is not meant for the client at all is listed when it is asked for.
    usual = read(desk)
    assert "gate.reason-other" in source
    assert "gate.reason-other" not in usual
    assert "suitability.level-above" in usual
    one = read(desk, query="?code=suitability.level-above")
    rows = one.partition('id="one-by-one"')[2].partition("</section>")[0]
    title = Catalogue.shipped().version("maturing-talk", 1).title
    assert title.en in rows
    assert rows.count("SU-2</span>") == len(get(desk, "refusals", code="suitability.level-above"))
    assert "gate.cool-down" not in rows
    # Who may not export has no button, who may gets the same rows.
    assert "format=csv" not in source
    assert "format=csv" in read(desk, "compliance")
    with desk.tx() as tx:
        tx.session.execute(update(User).where(User.user_id == "user_m1").values(locale="zh"))
    chinese = read(desk)
    assert "R2高于客户的C1等级" in chinese
    assert title.zh in chinese
    assert "被拒绝的动作" in chinese


def test_a_period_leaves_out_what_is_older_and_a_scope_what_is_others(sqlite_desk):
    desk = sqlite_desk
    told = filled(desk)
    desk.now.move(days=10)
    assert "Nothing was refused" in read(desk, query="?days=7")
    assert "Nothing was refused" in read(desk, "m4")
    case = told[0]["case_id"]
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.MARKETING, True)
    ask(desk, case)
    assert case in read(desk, query="?days=7")
    assert "gate.cool-down" in read(desk, query="?days=nonsense&stage=nonsense")
    held = read(desk, query="?days=all&stage=suitable")
    assert set(re.findall(r"<code>([a-z]+\.[a-z-]+)</code>", held)) == {"suitability.level-above"}


def test_the_catalogue_says_who_what_it_costs_and_that_effects_are_assumed(sqlite_desk):
    desk = sqlite_desk
    desk.now.set(AT)
    desk.staff_up()
    source = read(desk, "auditor").partition('id="catalogue"')[2]
    for action in Catalogue.shipped().on(AT.date()):
        assert f"{action.id}@{action.version}</code>" in source
    assert "Relationship manager" in source
    assert 'kw-badge">assumed' in source
    assert "proven</span>" not in source
