"""Administration: tabs by permission, versions, secrets once, hostile words, both languages."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from keepwell.core.calendars import from_spans
from keepwell.core.text import catalogue
from keepwell.frame.settings import Settings
from keepwell.frame.settings_shown import listed
from keepwell.intervene.clock import policies
from keepwell.intervene.clock.calendars import unusual
from keepwell.jobs.model import Job, JobState
from keepwell.trust.access import passwords
from keepwell.trust.access.model import Staff, User, UserSession
from keepwell.trust.access.policy import GRANTS
from keepwell.trust.evidence.model import EvidenceEntry
from keepwell.web.pages.admin_frame import TABS

HOSTILE = "<script>alert(1)</script>\"'><b>"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Cheap hashes: what they cost is not tested here."""
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(1, 8, 1))
    monkeypatch.setattr(passwords, "_nobody", [])


@pytest.fixture
def people(desk):
    desk.staff_up()
    return desk


def post(http, path, **form):
    return http.post(path, data=form, follow_redirects=False)


def field(page, name):
    return re.search(rf'name="{name}" value="([^"]*)"', page.text)[1]


def kinds(desk):
    with desk.frame.read() as tx:
        return [entry.kind for entry in tx.session.query(EvidenceEntry)]


# Who sees what


@pytest.mark.parametrize("name", ["m1", "a1", "l1", "d1", "compliance", "analyst", "admin",
                                  "auditor", "integration"])  # fmt: skip
def test_each_tab_only_with_its_permission(people, name):
    role = people.actors[name].role
    http = people.http(name)
    open_to = [tab for tab in TABS if tab.needs in GRANTS[role].permissions]
    for tab in TABS:
        page = http.get(tab.path)
        assert page.status_code == (200 if tab in open_to else 403), tab.path
        if tab in open_to:
            shown = re.search(r'<nav class="kw-tabs".*?</nav>', page.text)[0]
            assert re.findall(r'href="([^"]+)"', shown) == [t.path for t in open_to]
    first = http.get("/admin", follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, open_to[0].path)


def test_nobody_and_managers_change_nothing(people):
    paths = [
        "/admin/users/new", "/admin/users/user_m2", "/admin/users/user_m2/active",
        "/admin/users/user_m2/sessions", "/admin/users/user_m2/password",
        "/admin/users/user_m2/tokens", "/admin/staff", "/admin/staff/m2", "/admin/teams",
        "/admin/tokens/token_m2/revoke", "/admin/webhooks/new", "/admin/webhooks/hook_1",
        "/admin/webhooks/hook_1/approve", "/admin/webhooks/hook_1/rotate",
        "/admin/clocks/first-touch", "/admin/clocks/first-touch/activate",
        "/admin/jobs/job_1/retry",
    ]  # fmt: skip
    for path in paths:
        assert post(people.http("m1"), path, name="x").status_code == 403, path
        assert post(people.http(), path, name="x").headers["location"] == "/login", path
    assert people.http("admin").get("/admin/users/user_none").status_code == 404


# Users


def make(http, **more):
    form = {"login": "wang.li", "name": "Wang Li", "role": "manager", "staff_id": "m9",
            "locale": "zh", "scope": ""} | more  # fmt: skip
    return http.post("/admin/users/new", data={"once": "form_1", **form})


def member(desk, staff_id="m9"):
    with desk.tx() as tx:
        more = {"team_id": "tn1", "branch_id": "bn", "region_id": "north", "version": 1}
        row = Staff(staff_id=staff_id, name=staff_id, role="manager", active=True, **more)
        tx.session.add(row)


def test_a_user_is_made_with_a_password_shown_once(people):
    member(people)
    http = people.http("admin")
    page = make(http)
    password = re.search(r'readonly value="([^"]+)"', page.text)[1]
    again = make(http)
    assert (again.status_code, password in again.text) == (409, False)
    assert "user.created" in kinds(people)
    theirs = people.http()
    done = post(theirs, "/login", login="wang.li", password=password)
    assert done.headers["location"] == "/account/password"
    with people.frame.read() as tx:
        user = tx.session.query(User).filter_by(login="wang.li").one()
        assert (user.must_change, user.locale, user.scope) == (True, "zh", "own")


def test_a_user_that_cannot_be_keeps_what_was_typed(people):
    http = people.http("admin")
    page = make(http, name=HOSTILE)
    assert page.status_code == 422
    assert "no member of staff" in page.text
    assert HOSTILE not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert make(http, login="Wang Li", once="2").status_code == 422
    taken = make(http, login="m1", staff_id="", role="analyst", once="3")
    assert (taken.status_code, "There is a user" in taken.text) == (409, True)


def test_users_are_found_and_hostile_names_are_words(people):
    with people.tx() as tx:
        tx.session.get_one(User, "user_m1").name = HOSTILE
        tx.session.get_one(User, "user_m2").active = False
    http = people.http("admin")
    page = http.get("/admin/users?search=m&role=manager&state=active")
    found = re.findall(r"<strong>([^<]+)</strong></a>", page.text)
    assert found == ["m1", "m3", "m4"]
    assert "<script>alert" not in page.text
    assert "<script>alert" not in http.get("/admin/users/user_m1").text
    nothing = http.get("/admin/users?search=%25")
    assert "No user fits" in nothing.text


def test_a_change_needs_the_version_that_was_read(people):
    http = people.http("admin")
    form = {"version": field(http.get("/admin/users/user_l1"), "version"), "name": "New name",
            "role": "lead", "scope": "own", "staff_id": "l1", "locale": "zh"}  # fmt: skip
    assert post(http, "/admin/users/user_l1", **form).status_code == 303
    stale = post(http, "/admin/users/user_l1", **form | {"name": "Typed too late"})
    assert stale.status_code == 412
    assert 'value="Typed too late"' in stale.text
    assert field(stale, "version") == "2"
    with people.frame.read() as tx:
        user = tx.session.get_one(User, "user_l1")
        assert (user.name, user.scope, user.locale) == ("New name", "own", "zh")
    wide = post(http, "/admin/users/user_l1", **form | {"version": "2", "scope": "all"})
    assert wide.status_code == 422
    usual = post(http, "/admin/users/user_l1", **form | {"version": "2", "scope": ""})
    assert usual.status_code == 303
    with people.frame.read() as tx:
        assert tx.session.get_one(User, "user_l1").scope == "team"


def test_a_user_is_logged_out_switched_off_and_on(people):
    with people.tx() as tx:
        tx.session.get_one(User, "user_m1").password_hash = passwords.hash_password("x" * 12)
    theirs = people.http()
    post(theirs, "/login", login="m1", password="x" * 12)
    http = people.http("admin")
    assert post(http, "/admin/users/user_m1/sessions").status_code == 303
    assert theirs.get("/account", follow_redirects=False).status_code == 303
    page = http.post("/admin/users/user_m1/password", data={"once": "a"})
    given = re.search(r'readonly value="([^"]+)"', page.text)[1]
    assert post(theirs, "/login", login="m1", password=given).status_code == 303
    version = field(http.get("/admin/users/user_m1"), "version")
    assert post(http, "/admin/users/user_m1/active", active="false", version=version)
    with people.frame.read() as tx:
        assert tx.session.query(UserSession).count() == 0
    assert people.http("m1").get("/api/v1/me").status_code == 401
    assert "Switched off" in http.get("/admin/users/user_m1").text
    version = field(http.get("/admin/users/user_m1"), "version")
    assert post(http, "/admin/users/user_m1/active", active="true", version=version)
    last = post(http, "/admin/users/user_admin/active", active="false", version="1")
    assert (last.status_code, "Nobody would be left" in last.text) == (409, True)
    own = post(http, "/admin/users/user_admin/password")
    assert own.headers["location"] == "/account/password"


def test_a_program_gets_a_token_and_all_tokens_can_be_revoked(people):
    http = people.http("admin")
    form = {"name": "feed", "permissions": ["event:write"], "expires_at": "2026-04-01"}
    page = http.post("/admin/users/user_integration/tokens", data=form)
    secret = re.search(r'readonly value="(kw_[^"]+)"', page.text)[1]
    program = people.http(Authorization=f"Bearer {secret}")
    assert program.get("/api/v1/me").json()["permissions"] == ["event:write"]
    person = http.post("/admin/users/user_m1/tokens", data=form)
    assert person.status_code == 403
    listed_page = http.get("/admin/tokens").text
    assert secret not in listed_page
    place = re.search(r"/admin/tokens/(token_01[^/]+)/revoke", listed_page)[0]
    assert post(http, place).status_code == 303
    assert program.get("/api/v1/me").status_code == 401
    assert ">integration</a>" in listed_page


# Staff and places


def test_staff_are_made_changed_and_found(people):
    http = people.http("admin")
    form = {"staff_id": "m9", "name": HOSTILE, "role": "manager", "team_id": "tn1",
            "branch_id": "bn", "capacity": "7", "active": "true"}  # fmt: skip
    assert post(http, "/admin/staff", **form).status_code == 303
    page = http.get("/admin/staff?team_id=tn1&role=manager&active=true")
    assert re.findall(r"<strong>([^<]+)</strong></a>", page.text) == ["m1", "m2", "m9"]
    assert "<script>alert" not in page.text
    missing = post(http, "/admin/staff", **form | {"staff_id": "m10", "team_id": "t99"})
    assert (missing.status_code, 'value="m10"' in missing.text) == (422, True)
    assert post(http, "/admin/staff", **form).status_code == 409
    change = {"version": "1", "name": "Li", "role": "manager", "team_id": "", "capacity": ""}
    assert post(http, "/admin/staff/m9", **change).status_code == 303
    with people.frame.read() as tx:
        row = tx.session.get_one(Staff, "m9")
        assert (row.team_id, row.branch_id, row.capacity, row.active) == (None, None, None, False)
    stale = post(http, "/admin/staff/m9", **change | {"name": "Late"})
    assert (stale.status_code, 'value="Late"' in stale.text) == (412, True)


@pytest.mark.parametrize(
    ("path", "key", "above"),
    [("teams", "team_id", {"branch_id": "bn"}), ("branches", "branch_id", {"region_id": "north"}),
     ("regions", "region_id", {})],
)  # fmt: skip
def test_places_are_made_and_changed(people, path, key, above):
    http = people.http("admin")
    assert post(http, f"/admin/{path}", **{key: "x1", "name": "Pudong", **above}).status_code == 303
    assert "Pudong" in http.get(f"/admin/{path}").text
    page = http.get(f"/admin/{path}/x1")
    done = post(http, f"/admin/{path}/x1", version=field(page, "version"), name="Puxi", **above)
    assert done.status_code == 303
    assert "Puxi" in http.get(f"/admin/{path}/x1").text
    assert post(http, f"/admin/{path}/x1", version="2", name="", **above).status_code == 422
    assert http.get(f"/admin/{path}/none").status_code == 404


# Webhooks


def hook(desk, **more):
    form = {"url": "https://93.184.216.34/in", "patterns": ["case.*"], "description": "CRM"} | more
    return desk.http("admin").post("/admin/webhooks/new", data={"once": "form_1", **form})


def test_a_webhook_is_made_approved_tested_and_replayed(people):
    page = hook(people, description=HOSTILE)
    secret = re.search(r'readonly value="(whsec_[^"]+)"', page.text)[1]
    assert "<script>alert" not in page.text
    place = re.search(r'action="(/admin/webhooks/hook_[^/"]+)/active"', page.text)[1]
    admin, compliance = people.http("admin"), people.http("compliance")
    assert secret not in admin.get(place).text
    assert "/approve" not in admin.get(place).text
    assert post(admin, f"{place}/approve", version="1").status_code == 403
    assert post(admin, f"{place}/test").status_code == 409
    assert "/rotate" not in compliance.get(place).text
    assert post(compliance, f"{place}/approve", version="1").status_code == 303
    assert "Person compliance" not in admin.get(place).text
    assert "· compliance" in admin.get(place).text
    assert post(admin, f"{place}/test").status_code == 303
    message = re.search(rf'href="({place}/messages/[^"]+)"', admin.get(place).text)[1]
    assert "webhook.ping" in admin.get(message).text
    assert post(admin, f"{message}/replay").status_code == 409
    assert compliance.get(message).status_code == 403
    assert post(admin, f"{place}/replay", since="2026-03-04T00:00").status_code == 303
    assert post(admin, f"{place}/replay", since="").status_code == 422


def test_a_change_of_the_address_needs_a_new_approval(people):
    page = hook(people)
    place = re.search(r'action="(/admin/webhooks/hook_[^/"]+)/active"', page.text)[1]
    admin = people.http("admin")
    post(people.http("compliance"), f"{place}/approve", version="1")
    form = {"version": "2", "url": "https://93.184.216.34/in", "patterns": ["case.*"]}
    assert post(admin, place, **form, description="CRM 2").status_code == 303
    assert "Waits for compliance" not in admin.get(place).text, "the purpose alone changes nothing"
    form["version"] = "3"
    assert post(admin, place, **form | {"patterns": ["case.*", "alert.*"]}).status_code == 303
    assert "Waits for compliance" in admin.get(place).text
    late = post(people.http("compliance"), f"{place}/approve", version="3")
    assert late.status_code == 412, "what was read is approved, nothing else"
    off = post(admin, f"{place}/active", active="false", version="4")
    assert off.status_code == 303
    assert "Switched off by hand" in admin.get(place).text
    new = admin.post(f"{place}/rotate", data={"version": "5", "once": "r"})
    assert "whsec_" in new.text
    assert post(admin, f"{place}/delete", version="6").status_code == 303
    assert admin.get(place).status_code == 404


@pytest.mark.parametrize(
    "change", [{"url": "http://93.184.216.34/"}, {"url": "https://127.0.0.1/"}, {"patterns": []},
               {"patterns": ["weather.*"]}, {"url": ""}],
)  # fmt: skip
def test_a_webhook_that_cannot_be_is_refused_with_words(people, change):
    page = hook(people, **change)
    assert page.status_code == 422
    assert 'class="alert alert-danger' in page.text
    assert 'value="CRM"' in page.text


# Clocks


def clock_form(page):
    """The fields of the form for times as a browser would send them."""
    form = page.text.split('class="card kw-card kw-fold"')[1].split("</form>")[0]
    found = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', form))
    found |= dict(re.findall(r'<input[^>]*type="hidden" name="([^"]+)" value="([^"]*)"', form))
    for name, options in re.findall(
        r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL
    ):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    return found


def test_times_of_a_policy_are_changed_and_put_in_force(people):
    http = people.http("admin")
    page = http.get("/admin/clocks/first-touch")
    form = clock_form(page)
    assert (form["time-0-any"], form["warn-0"], form["at-0-0"]) == ("15", "50, 80", "100")
    same = post(http, "/admin/clocks/first-touch", **form)
    assert same.status_code == 303
    with people.frame.read() as tx:
        assert policies.listing(tx)["first-touch"][0] == 1, "nothing was changed"
    form |= {"time-0-any": "20", "time-0-severe": "10", "warn-0": "40，90", "at-0-1": "150",
             "to-0-1": "compliance", "note": HOSTILE}  # fmt: skip
    assert post(http, "/admin/clocks/first-touch", **form).status_code == 303
    with people.frame.read() as tx:
        version, body = policies.listing(tx)["first-touch"]
        spec = body.clocks[0]
        assert (version, spec.minutes) == (2, {"any": 20, "severe": 10})
        assert (spec.warn, [s.at for s in spec.escalate]) == ([0.4, 0.9], [1.0, 1.5])
        assert body.clocks[1:] == policies.shipped()["first-touch"].clocks[1:]
    page = http.get("/admin/clocks/first-touch")
    assert "<script>alert" not in page.text
    assert "a breach of the past is not rewritten" in page.text
    late = post(http, "/admin/clocks/first-touch", **form)
    assert late.status_code == 412
    assert post(http, "/admin/clocks/first-touch/activate", version="1").status_code == 412
    assert post(http, "/admin/clocks/first-touch/activate", version="2").status_code == 303
    with people.frame.read() as tx:
        assert policies.active_name(tx) == ("first-touch", 2)
    assert {"policy.changed", "policy.activated"} <= set(kinds(people))
    assert post(http, "/admin/clocks/exit/activate", version="1").status_code == 409


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("time-0-any", "0", "from 1 to 525600"),
        ("time-0-any", "", "Fill in at least one time"),
        ("time-2-moderate", "300", "from 1 to 250"),
        ("warn-0", "50, 50", "with commas between"),
        ("warn-0", "120", "with commas between"),
        ("at-0-0", "50", "from 100 to 2000"),
    ],
)
def test_a_time_that_cannot_be_is_told_at_its_field(people, name, value, words):
    http = people.http("admin")
    form = clock_form(http.get("/admin/clocks/first-touch")) | {name: value}
    page = post(http, "/admin/clocks/first-touch", **form)
    assert page.status_code == 422
    told = re.search(rf'<div id="h-{name}" class="invalid-feedback">([^<]*)<', page.text)
    assert words in told[1]


def test_readers_of_clocks_get_no_form(people):
    page = people.http("m1").get("/admin/clocks/first-touch")
    assert page.status_code == 200
    assert "/activate" not in page.text
    assert "kw-fold" not in page.text
    assert people.http("m1").get("/admin/clocks/none").status_code == 404


def test_calendars_say_what_is_open(people):
    page = people.http("admin").get("/admin/calendars").text
    assert "Open now" in page
    assert "09:30–11:30" in page
    assert "XSHG" in page


def test_days_that_are_not_as_usual():
    off = {date(2026, 10, 1), date(2026, 10, 2)}
    calendar = from_spans(
        ZoneInfo("Asia/Shanghai"), [(time(9), time(12)), (time(13), time(18))],
        lambda day: (day.weekday() < 5 and day not in off) or day == date(2026, 10, 10),
        date(2026, 10, 31),
    )  # fmt: skip
    found = unusual(calendar, date(2026, 9, 28), 60)
    assert [(u.kind, u.first, u.last) for u in found] == [
        ("off", date(2026, 10, 1), date(2026, 10, 4)),
        ("worked", date(2026, 10, 10), date(2026, 10, 10)),
    ]
    assert found[1].sessions[0][0] == datetime(2026, 10, 10, 9, tzinfo=ZoneInfo("Asia/Shanghai"))


# Settings and jobs


def test_settings_say_value_origin_and_meaning_but_no_secret(people, monkeypatch):
    monkeypatch.setenv("KEEPWELL_HOLDOUT__SHARE", "0.05")
    page = people.http("admin").get("/admin/settings").text
    assert "Environment" in page
    assert "ceiling of new alerts" in page.lower()
    given = Settings(secret="geheim", database_url="postgresql://kw:geheim@h/x?password=geheim",
                     case={"reopen_days": 9}, port=1)  # fmt: skip
    shown = {(s.part, s.name): s for s in listed(given, {"case": {"reopen_days": 9}}, {})}
    assert not [s for s in shown.values() if "geheim" in s.value]
    assert shown["case", "reopen_days"].origin == "file"
    assert shown["", "port"].origin == "start"
    assert shown["session", "hours"].origin == "default"
    by_part = {(s.part, s.name): s for s in listed(given, {}, {"keepwell_session": "{}"})}
    assert by_part["session", "hours"].origin == "environment"
    assert all(s.meaning in catalogue() for s in shown.values())


def test_dead_jobs_run_again(people):
    with people.tx() as tx:
        for state in (JobState.DEAD, JobState.WAITING):
            tx.session.add(Job(kind="clock.tick", lane="inside", key=None, payload={}, state=state,
                               due_at=tx.at, attempts=8, max_attempts=8, created_at=tx.at,
                               error="Timeout"))  # fmt: skip
    http = people.http("admin")
    page = http.get("/admin/jobs")
    assert "No worker is alive" in page.text
    job = re.search(r"/admin/jobs/(job_\d+)/retry", page.text)
    assert len(re.findall("/retry", page.text)) == 1
    assert post(http, job[0]).status_code == 303
    assert "No job is dead" in http.get("/admin/jobs").text
    again = post(http, job[0])
    assert again.status_code == 409
    assert len(re.findall(r"<td>job_\d+", http.get("/admin/jobs?state=waiting").text)) == 2


# Both languages


class Words(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.quiet = [], 0

    def handle_starttag(self, tag, attrs):
        self.quiet += tag in ("script", "code")
        names = ("title", "aria-label", "placeholder", "data-ask")
        self.found += [value for name, value in attrs if name in names and value]

    def handle_endtag(self, tag):
        self.quiet -= tag in ("script", "code")

    def handle_data(self, data):
        if not self.quiet:
            self.found.append(data)


def test_the_chinese_pages_have_no_english_message(people):
    with people.tx() as tx:
        for name in ("admin", "compliance"):
            tx.session.get_one(User, f"user_{name}").locale = "zh"
    hook(people)
    http = people.http("admin")
    place = re.search(r'href="(/admin/webhooks/hook_[^"]+)"', http.get("/admin/webhooks").text)[1]
    paths = ["/account", "/account/password", "/account/tokens", "/admin/users/new",
             "/admin/users/user_m1", "/admin/users/user_integration", "/admin/staff/m1",
             "/admin/teams", "/admin/branches", "/admin/regions", "/admin/webhooks/new", place,
             "/admin/clocks/first-touch", "/admin/clocks/exit",
             *(tab.path for tab in TABS)]  # fmt: skip
    names = {"English", "Webhook", "desk.yaml"}
    for path in paths:
        page = http.get(path)
        assert page.status_code == 200, path
        reader = Words()
        reader.feed(page.text)
        loose = {w.strip() for w in reader.found if w.strip() in catalogue()} - names
        assert not {w for w in loose if catalogue()[w] != w}, path
