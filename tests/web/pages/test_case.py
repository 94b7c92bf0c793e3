"""The page of a case: who sees it, its forms without a script, conflicts, both languages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from sqlalchemy import select

from keepwell.core.text import catalogue
from keepwell.intervene.case import service, work
from keepwell.intervene.case.model import Case, CaseTask
from keepwell.intervene.case.policy import State
from keepwell.intervene.case.story import LINES
from keepwell.intervene.contact.policy import AIM_TITLES, CHANNEL_TITLES, DIRECTION_TITLES
from keepwell.intervene.exit import service as exits
from keepwell.trust.access.model import User
from keepwell.web.pages import case_words
from tests.intervene.case.helpers import open_case

PDF = b"%PDF-1.7 test"
HOSTILE = "<script>alert(1)</script>\" onload='x' {{ 7*7 }}"
LATER = {"follow_redirects": False}


class Read(HTMLParser):
    """A page: its words, links, and forms with what they hold."""

    def __init__(self, answer):
        super().__init__()
        self.status = answer.status_code
        self.source = answer.text
        self.words, self.links, self.tags, self.unfolded = [], [], [], set()
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] | None = None
        self._field, self._select = "", ""
        self.feed(answer.text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "a":
            self.links.append(given.get("href") or "")
        elif tag == "details" and "open" in given:
            self.unfolded.add(given.get("id", ""))
        elif tag == "form":
            self._form = self.forms.setdefault(given.get("action", ""), {})
        elif self._form is None:
            return
        elif tag == "input" and given.get("type") not in ("checkbox", "file", "submit"):
            self._form[given["name"]] = given.get("value") or ""
        elif tag == "textarea":
            self._field = given["name"]
            self._form[self._field] = ""
        elif tag == "select":
            self._select = given["name"]
            self._form[self._select] = ""
        elif tag == "option" and self._select and "selected" in given:
            self._form[self._select] = given["value"]

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._field = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data):
        if self._field and self._form is not None:
            self._form[self._field] += data
        self.words.append(data)

    def filled(self, action, **fields):
        return {**self.forms[action], **fields}


@pytest.fixture
def case(desk):
    desk.usual()
    return open_case(desk)


def page(desk, case_id, who="m1", **more):
    with desk.http(who) as http:
        return Read(http.get(f"/cases/{case_id}", **more))


def send(desk, case_id, action, who="m1", files=None, read=None, **fields):
    """Fill in a form of the page as it was read, and send it; the page that follows."""
    path = f"/cases/{case_id}/{action}"
    with desk.http(who) as http:
        seen = read or Read(http.get(f"/cases/{case_id}"))
        return Read(http.post(path, data=seen.filled(path, **fields), files=files))


def test_the_list_of_cases_is_the_day(desk):
    desk.usual()
    with desk.http("m1") as http:
        answer = http.get("/cases", **LATER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/today")


def test_who_sees_the_client_sees_the_case_and_nobody_else(desk, case):
    people = ("m1", "a1", "l1", "d1", "compliance", "analyst", "auditor", "m2", "m4", "l3", "admin")
    seen = {who: page(desk, case, who).status for who in people}
    inside = dict.fromkeys(("m1", "a1", "l1", "d1", "compliance", "analyst", "auditor"), 200)
    assert seen == {**inside, "m2": 404, "m4": 404, "l3": 404, "admin": 403}


def test_who_only_reads_gets_no_form(desk, case):
    for who in ("compliance", "analyst", "auditor"):
        ours = [a for a in page(desk, case, who).forms if a.startswith("/cases/")]
        assert not ours
    adviser = page(desk, case, "a1")
    assert f"/cases/{case}/contacts" in adviser.forms
    assert f"/cases/{case}/close" not in adviser.forms
    with desk.http("a1") as http:
        assert http.post(f"/cases/{case}/close", data={"version": "1"}).status_code == 403
        assert http.post(f"/cases/{case}/clocks/x/pause", data={}).status_code == 403


def test_evidence_is_linked_for_those_who_may_read_it(desk, case):
    link = f"/evidence?subject={case}"
    assert link in page(desk, case, "auditor").links
    assert link not in page(desk, case, "m1").links


def test_the_top_says_who_why_how_grave_and_what_next(desk, case):
    desk.settle()
    shown = page(desk, case)
    assert "C**" in shown.text
    assert "Client c1" not in shown.text
    for words in ("Risk of leaving", "Moderate", "Next step", "Record a contact", "First touch"):
        assert words in shown.text
    assert "contact" in shown.unfolded
    steps = [a for t, a in shown.tags if t == "li" and a.get("aria-current") == "step"]
    assert len(steps) == 1


def test_a_contact_moves_the_case_on_and_stands_in_the_story(desk, case):
    after = send(
        desk, case, "contacts", contact_result="reached", contact_note=HOSTILE,
        contact_channel="wecom",
    )  # fmt: skip
    assert "Contact recorded." in after.text
    assert "We contacted the client (WeCom): Reached" in after.text
    assert HOSTILE in after.text
    assert "<script>alert" not in after.source
    assert "plan" in after.unfolded


def test_a_form_sent_twice_does_a_thing_once(desk, case):
    seen = page(desk, case)
    for _ in range(2):
        send(desk, case, "notes", read=seen, note_text="Only once")
    assert page(desk, case).text.count("Only once") == 1


def test_the_gate_speaks_first_and_is_asked_again(desk, case):
    desk.now.move(hours=12)  # 22:00 in Shanghai
    seen = page(desk, case)
    assert "Do not contact the client now to keep them." in seen.text
    assert "quiet time" in seen.text
    first = send(
        desk, case, "contacts", contact_aim="retention", contact_result="reached", contact_note="Hm"
    )
    assert first.status == 409
    assert "contact" in first.unfolded
    assert first.forms[f"/cases/{case}/contacts"]["contact_note"] == "Hm"
    assert "Not recorded: quiet hours, 21:00 to 08:00. Call after 08:00;" in first.text
    boxes = [[a for _, a in p.tags if a.get("name") == "contact_happened"] for p in (seen, first)]
    assert [len(found) for found in boxes] == [0, 1]  # only once it was refused
    second = send(desk, case, "contacts", read=first, contact_happened="1")
    assert "on record as a breach" in second.text


def test_a_no_is_honoured_and_no_step_pushes_after_it(desk, case):
    after = send(desk, case, "contacts", contact_result="refused")
    assert "nobody may contact the client to keep them" in after.text
    assert "Service only: do not try to keep the client" in after.text
    assert "close" in after.unfolded


def test_two_people_at_once_the_second_sees_what_changed_and_keeps_their_words(desk, case):
    hers = page(desk, case, "l1")
    send(desk, case, "plan", plan_text="Fees on Monday", plan_agreed="1")
    late = send(desk, case, "plan", "l1", read=hers, plan_text="Visit on Friday")
    assert late.status == 412
    assert "Changed since you opened the page" in late.text
    assert "Person m1" in late.text
    assert "It now says: Fees on Monday" in late.text
    form = late.forms[f"/cases/{case}/plan"]
    assert form["plan_text"] == "Visit on Friday"
    done = send(desk, case, "plan", "l1", read=late)
    assert done.status == 200
    assert page(desk, case).forms[f"/cases/{case}/plan"]["plan_text"] == "Visit on Friday"


def test_news_bring_the_story_and_the_top_without_a_form(desk, case):
    send(desk, case, "notes", note_text="Something new")
    news = {"headers": {"hx-request": "true"}, "params": {"seen": 1}}
    part = page(desk, case, "l1", **news)
    assert "<html" not in part.source
    assert "Something new" in part.text
    assert "The case has changed since you opened the page" in part.text
    assert not part.forms
    assert any(a.get("hx-swap-oob") for _, a in part.tags)


def test_a_note_is_corrected_by_another(desk, case):
    send(desk, case, "notes", note_text="On Tuesdy")
    link = next(a for a in page(desk, case).links if "correct=" in a)
    with desk.http("m1") as http:
        seen = Read(http.get(link.partition("#")[0]))
    assert seen.forms[f"/cases/{case}/notes"]["note_text"] == "On Tuesdy"
    after = send(desk, case, "notes", read=seen, note_text="On Tuesday")
    assert "Note corrected" in after.text
    assert "Corrected since" in after.text
    assert len([a for a in after.links if "correct=" in a]) == 1
    assert send(desk, case, "notes", note_text="").status == 422


def test_tasks_are_added_changed_done_and_opened_again(desk, case):
    added = send(
        desk, case, "tasks", task_title="Send the fee table", task_due_at="2026-03-05T10:00",
        task_assignee_id="a1",
    )  # fmt: skip
    assert "Person a1" in added.text
    with desk.tx() as tx:
        task = tx.session.scalars(select(CaseTask)).one()
        task_id, number = task.task_id, task.number
        assert task.due_at.isoformat() == "2026-03-05T02:00:00+00:00"
    send(desk, case, f"tasks/{task_id}", number=str(number), **{
        f"task{number}_title": "Send both tables", f"task{number}_due_at": "",
        f"task{number}_assignee_id": "m1",
    })  # fmt: skip
    done = send(desk, case, f"tasks/{task_id}", done="yes")
    assert "Task done." in done.text
    stale = send(desk, case, f"tasks/{task_id}", read=added, done="no")
    assert stale.status == 412
    send(desk, case, f"tasks/{task_id}", done="no")
    with desk.tx() as tx:
        task = tx.session.scalars(select(CaseTask)).one()
        assert (task.title, task.due_at, task.assignee_id) == ("Send both tables", None, "m1")
        assert task.done_at is None
    strange = send(desk, case, "tasks", task_title="Look", task_assignee_id="m4")
    assert strange.status == 422
    assert strange.forms[f"/cases/{case}/tasks"]["task_title"] == "Look"
    assert "never" not in send(desk, case, "tasks", task_title="x", task_due_at="never").text


def test_files_come_in_checked_and_out_as_downloads(desk, case):
    file = {"file": (f"C:\\x\\{HOSTILE}.pdf", PDF, "text/html")}
    after = send(desk, case, "files", files=file)
    assert "File attached." in after.text
    assert "<script>alert" not in after.source
    link = next(a for a in after.links if "/files/" in a)
    with desk.http("m1") as http:
        answer = http.get(link)
    assert answer.content == PDF
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    program = send(desk, case, "files", files={"file": ("a.pdf", b"MZ\x00\x00", "application/pdf")})
    assert program.status == 422
    assert "acceptable types" in program.text
    assert send(desk, case, "files", files={"file": ("", b"", "text/plain")}).status == 422
    with desk.http("m2") as http:
        assert http.get(link).status_code == 404
        assert http.post(f"/cases/{case}/files", files=file).status_code == 404


def test_a_file_up_to_the_limit_of_attachments_comes_through(desk, case):
    large = send(desk, case, "files", files={"file": ("a.pdf", PDF + b" " * 9_000_000, "")})
    assert "File attached." in large.text
    over = {"file": ("b.pdf", PDF + b" " * 11_000_000, "")}
    with desk.http("m1") as http:
        answer = http.post(f"/cases/{case}/files", files=over)
    assert answer.status_code == 413
    assert "That is too large" in answer.text


def test_clocks_are_paused_and_run_on(desk, case):
    desk.settle()
    seen = page(desk, case)
    path = next(a for a in seen.forms if a.endswith("/pause"))
    action = path.removeprefix(f"/cases/{case}/")
    assert send(desk, case, action, pause_note="Hm").status == 422
    paused = send(desk, case, action, pause_reason="waiting-for-client", pause_note="Signs later")
    assert "clock paused" in paused.text
    assert "Signs later" in paused.text
    assert "Waiting for the client" in paused.text
    again = send(desk, case, action, read=seen, pause_reason="system-outage")
    assert again.status == 412
    assert "Changed since you opened the page" in again.text
    runs = send(desk, case, action.replace("/pause", "/resume"))
    assert "clock runs again" in runs.text


def test_a_case_moves_ends_and_is_reopened(desk, case):
    moved = send(desk, case, "move", move_state="saving")
    assert "Open → Saving under way" in moved.text
    assert f"/cases/{case}/move" not in moved.forms
    for_nothing = send(desk, case, "close", close_note="Stays")
    assert for_nothing.status == 422
    assert for_nothing.forms[f"/cases/{case}/close"]["close_note"] == "Stays"
    assert "#close" in moved.links
    assert any("No talk" in a.get("data-ask", "") for _, a in moved.tags)
    groups = [a["label"] for t, a in moved.tags if t == "optgroup"]
    assert groups == ["Recovered", "Lost", "False alarm"]
    ended = send(
        desk, case, "close", close_reason="recovered/service-fixed", close_note="It arrived"
    )
    assert "Case closed: Recovered" in ended.text
    assert "The cause was mended" in ended.text
    assert not {f"/cases/{case}/{a}" for a in ("close", "plan", "move", "tasks")} & {*ended.forms}
    back = send(desk, case, "reopen")
    assert "Case reopened" in back.text
    assert f"/cases/{case}/close" in back.forms
    desk.now.move(minutes=1)
    send(desk, case, "close", close_reason="lost/not-reached", close_note="Gone")
    desk.now.move(days=31)
    assert f"/cases/{case}/reopen" not in page(desk, case).forms
    later = open_case(desk, number="a2")
    assert f"/cases/{case}" in page(desk, later).links


def test_the_title_and_the_way_back_from_the_address_of_a_form(desk, case):
    titled = send(desk, case, "title", title_text="Wants lower fees")
    assert "Wants lower fees" in titled.text
    assert send(desk, case, "title", title_text=" ").status == 422
    with desk.http("m1") as http:
        answer = http.get(f"/cases/{case}/title", **LATER)
    assert answer.headers["location"] == f"/cases/{case}"


def test_a_long_story_comes_in_pages(desk, case):
    with desk.tx() as tx:
        for n in range(LINES + 5):
            work.add_note(tx, desk.actors["m1"], case, f"Note {n}.")
    newest = page(desk, case)
    assert f"Note {LINES + 4}." in newest.text
    assert "Note 3." not in newest.text
    link = next(a for a in newest.links if "upto=" in a)
    with desk.http("m1") as http:
        older = Read(http.get(link.partition("#")[0]))
    assert "Case opened: Risk of leaving" in older.text
    assert f"Note {LINES + 4}." not in older.text
    told = re.findall(r"Note (\d+)\.", newest.text + older.text)
    assert len(told) == len(set(told)) == LINES + 5


def test_a_service_case_does_not_ask_to_keep_anybody(desk):
    desk.usual()
    shown = page(desk, open_case(desk, reason="complaint-overdue"))
    assert "serve, do not try to keep them" in shown.text
    form = next(f for a, f in shown.forms.items() if a.endswith("/contacts"))
    assert form["contact_aim"] == "service"


def test_a_case_about_leaving_says_what_was_asked_until_it_is_done(desk):
    desk.usual()
    with desk.tx() as tx:
        exits.request_exit(tx, desk.actors["m1"], client_id="c1", kind="transfer")
    desk.settle()
    with desk.tx() as tx:
        case_id = tx.session.scalar(select(Case.case_id).where(Case.reason == "exit-request"))
    shown = page(desk, case_id)
    assert "Transfer securities to another broker. The request is open." in shown.text
    assert "One contact left" not in shown.text
    assert "/clients/c1#exits" in shown.links


def test_in_chinese_no_english_is_left(desk, case):
    with desk.tx() as tx:
        tx.session.get_one(User, "user_m1").locale = "zh"
        work.add_task(tx, desk.actors["m1"], case, "费率表", None, "a1")
        work.add_note(tx, desk.actors["m1"], case, "备注")
        service.move(tx, desk.actors["m1"], case, 1, State.PLAN)
    desk.settle()
    shown = page(desk, case)
    for words in ("下一步", "工单经过", "承诺时限", "流失风险"):
        assert words in shown.text
    told = re.sub(r"Person \w+", "", shown.text)  # people, not a word
    english = {
        m for m in catalogue() if len(m) > 3 and re.search(r"\b" + re.escape(m) + r"\b", told)
    }
    assert not english


def test_every_word_of_the_story_has_its_chinese():
    tables = (
        AIM_TITLES, CHANNEL_TITLES, DIRECTION_TITLES, case_words.LEVEL_ROLES,
        case_words.RETENTION_WORDS,
    )  # fmt: skip
    said = {words for table in tables for words in table.values()}
    said |= {words for _, words in case_words._PLAIN.values() if words}
    assert said <= {*catalogue()}
