"""The recommendation on the page of a case: words, refusals with rules, the form it fills."""

from __future__ import annotations

import re

from sqlalchemy import select, update

from keepwell.core.text import catalogue
from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.contact.model import Contact
from keepwell.trust.access.model import User
from tests.intervene.action.test_recommendation import begin, by_hand, warn
from tests.web.pages.test_case import page


def panel(read) -> str:
    """The source of the panel."""
    found = re.search(r'<section class="card kw-card" id="advice".*?(?=<div class="kc-columns">)',
                      read.source, re.DOTALL)  # fmt: skip
    return found[0] if found else ""


def test_the_panel_tells_what_to_do_what_to_say_and_why_nothing_else(desk):
    begin(desk)
    case = warn(desk)
    english = page(desk, case)
    shown = panel(english)
    assert Catalogue.shipped().version("service-call", 1).title.en in shown
    assert "assumed, not proven" in shown
    assert "Client value unknown" in shown
    assert "this is Person m1 of Test broker" in shown
    assert "王**" in shown
    assert "王小明" not in english.source
    # Refusals are folded; a rule of suitability stands there with its id.
    assert "<details><summary>" in shown
    assert re.search(r"above the client&#39;s level C1.*SU-2", shown, re.DOTALL)
    with desk.frame.read() as tx:
        assert len(tx.session.scalars(select(Recommended)).all()) == 1
    with desk.tx() as tx:
        tx.session.execute(update(User).where(User.user_id == "user_m1").values(locale="zh"))
    chinese = panel(page(desk, case))
    assert "建议动作" in chinese
    assert "参考话术" in chinese
    assert "为什么不是其他动作" in chinese
    assert "R2高于客户的C1等级" in chinese
    assert catalogue()["Record this action"] in chinese


def test_the_button_fills_the_contact_form_and_the_contact_is_linked(desk):
    begin(desk)
    case = warn(desk)
    links = [link for link in page(desk, case).links if "?use=" in link]
    assert f"/cases/{case}?use=service-call%401#contact" in links
    opened = page(desk, f"{case}?use=service-call@1")
    assert "contact" in opened.unfolded
    form = opened.forms[f"/cases/{case}/contacts"]
    assert (form["contact_use"], form["contact_channel"]) == ("service-call@1", "phone")
    assert form["contact_aim"] == "retention"
    with desk.http("m1") as http:
        sent = http.post(f"/cases/{case}/contacts", data={**form, "contact_result": "reached"})
    assert sent.status_code == 200, sent.text
    with desk.frame.read() as tx:
        made = tx.session.scalars(select(Contact)).one()
    assert (made.action_id, made.action_version) == ("service-call", 1)
    assert made.script_id == form["contact_script"]
    # What is not in the catalogue, or not an action at all, is left out of the form.
    for use in ("no-such@1", "service-call@99", "x", "<script>@1"):
        odd = page(desk, f"{case}?use={use}")
        assert odd.status == 200
        assert "contact_use" not in odd.forms[f"/cases/{case}/contacts"]


def test_an_action_that_the_gate_forbids_is_refused_with_its_rule_and_kept_in_the_form(desk):
    begin(desk)
    case = warn(desk)
    form = page(desk, f"{case}?use=maturing-talk@1").forms[f"/cases/{case}/contacts"]
    with desk.http("m1") as http:
        again = http.post(f"/cases/{case}/contacts", data={**form, "contact_result": "reached"})
    assert again.status_code == 409
    assert "SU-2" in again.text
    assert 'name="contact_use" value="maturing-talk@1"' in again.text
    assert 'name="contact_happened"' in again.text


def test_nothing_to_keep_who_is_held_out_and_both_arms_look_alike(desk):
    begin(desk)
    panels = []
    for client in ("c1", "c2"):
        case = by_hand(desk, client)
        panels.append(panel(page(desk, case)).replace(case, "case"))
    assert panels[0] == panels[1]
    assert "Nothing is recommended now" in panels[0]
    assert "hold-out" not in panels[0]


def test_a_closed_case_has_no_panel_and_readers_have_no_button(sqlite_desk):
    desk = sqlite_desk
    begin(desk)
    case = warn(desk)
    reader = panel(page(desk, case, "auditor"))
    assert "Why nothing else" in reader
    assert "?use=" not in reader
    assert "What to say" not in reader
    form = page(desk, case).forms[f"/cases/{case}/close"]
    given = {"close_reason": "lost/not-reached", "close_note": "No answer."}
    with desk.http("m1") as http:
        assert http.post(f"/cases/{case}/close", data={**form, **given}).status_code == 200
    assert panel(page(desk, case)) == ""
