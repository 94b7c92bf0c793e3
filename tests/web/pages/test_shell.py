"""The frame of the pages: log-in and out, language, errors, security headers, files, streams."""

from __future__ import annotations

import pytest

from keepwell.trust.access.model import User
from keepwell.trust.access.passwords import hash_password
from keepwell.trust.preference import service
from keepwell.web.pages.assets import assets

PASSWORD = "a long enough secret"
HASHED = hash_password(PASSWORD)


@pytest.fixture
def browser(desk):
    """A browser: keeps cookies, follows nothing by itself."""
    desk.usual()
    with desk.tx() as tx:
        for login in ("m1", "admin"):
            tx.session.get_one(User, f"user_{login}").password_hash = HASHED
    with desk.http() as http:
        http.headers["sec-fetch-site"] = "same-origin"
        http.follow_redirects = False
        yield http


def log_in(browser, login="m1", **more):
    form = {"login": login, "password": PASSWORD, **more}
    return browser.post("/login", data=form)


def test_who_is_nobody_is_led_to_the_log_in_and_back(browser):
    first = browser.get("/notices")
    assert (first.status_code, first.headers["location"]) == (303, "/login?next=%2Fnotices")
    page = browser.get(first.headers["location"])
    assert 'name="next" value="/notices"' in page.text
    done = log_in(browser, next="/notices")
    assert (done.status_code, done.headers["location"]) == (303, "/notices")
    assert "httponly" in done.headers["set-cookie"].lower()
    assert browser.get("/notices").status_code == 200


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example", "/\\evil", "x"])
def test_the_log_in_leads_to_no_other_site(browser, place):
    assert log_in(browser, next=place).headers["location"] == "/"


def test_a_wrong_password_says_so_and_keeps_the_name(browser):
    page = browser.post("/login", data={"login": "m1", "password": "wrong"})
    assert page.status_code == 401
    assert 'value="m1"' in page.text
    assert "wrong" not in page.text.split("</form>")[0].split('id="password"')[1]


def test_log_out_ends_the_session(browser):
    log_in(browser)
    cookie = dict(browser.cookies)
    assert browser.post("/logout").status_code == 303
    browser.cookies.update(cookie)
    assert browser.get("/notices").status_code == 303


def test_forms_of_other_sites_are_refused(browser):
    log_in(browser)
    foreign = browser.post("/notices/read", headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert "<h1>" in foreign.text
    other = browser.post(
        "/language", data={"locale": "zh"}, headers={"sec-fetch-site": "cross-site"}
    )
    assert other.status_code == 403


def test_language_is_chosen_before_and_after_the_log_in(browser):
    browser.headers["accept-language"] = "en"
    assert "Log-in name" in browser.get("/login").text
    browser.post("/language", data={"locale": "zh", "next": "/login"})
    assert "登录名" in browser.get("/login").text
    assert 'name="locale" value="zh"' in browser.get("/login").text
    log_in(browser, locale="zh")
    assert "通知" in browser.get("/notices").text, "the pages speak as the log-in did"
    browser.post("/language", data={"locale": "en", "next": "/notices"})
    assert ">Notices<" in browser.get("/notices").text
    browser.cookies.delete("keepwell-language")
    assert ">Notices<" in browser.get("/notices").text, "it is the user's, not the browser's"


def test_colours_are_kept_by_the_browser(browser):
    log_in(browser)
    browser.post("/theme", data={"theme": "dark", "next": "/notices"})
    assert 'data-bs-theme="dark"' in browser.get("/notices").text
    browser.post("/theme", data={"theme": "", "next": "/notices"})
    assert "data-bs-theme" not in browser.get("/notices").text


def test_every_page_says_what_it_may_load(browser):
    log_in(browser)
    for path in ("/login", "/notices", "/nothing/here"):
        page = browser.get(path)
        policy = page.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"


def test_what_is_not_there_is_a_page_with_a_way_on(browser):
    page = browser.get("/nothing/here", headers={"accept-language": "zh"})
    assert page.status_code == 404
    assert "这里没有内容" in page.text
    assert 'href="/"' in page.text
    assert "req_" in page.text


def test_the_script_is_led_to_the_log_in_when_the_session_is_over(browser):
    answer = browser.get("/notices", headers={"hx-request": "true"})
    assert answer.headers["hx-redirect"].startswith("/login")


def test_files_are_kept_for_ever_by_their_content(browser):
    asset = assets()["keepwell.css"]
    answer = browser.get(asset.url)
    assert answer.text.encode() == asset.content
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get(asset.url.replace("/static/", "/static/0")).status_code == 404


def test_a_tip_that_was_closed_stays_away(browser, desk):
    log_in(browser)
    assert browser.post("/tips/today", data={"next": "/notices"}).headers["location"] == "/notices"
    with desk.frame.read() as tx:
        assert service.get(tx, desk.actors["m1"], service.TIPS, []) == ["today"]
        assert service.get(tx, desk.actors["m2"], service.TIPS, []) == []


def test_a_message_of_nobody_is_no_error(browser):
    log_in(browser)
    browser.cookies.set("keepwell-said", "rubbish")
    assert browser.get("/notices").status_code == 200
