"""A person at a browser: opens pages, reads them, and notices every error of the console."""

from __future__ import annotations

from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import CHROMIUM, Bench


@contextmanager
def chromium():
    """A Chromium; ended with the test."""
    assert CHROMIUM, "Chromium is missing: 'make browser' installs it"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """One person in one language.

    Args:
        browser: Chromium.
        bench: the workbench.
        login: log-in name.
        locale: 'en' or 'zh'.
        width: of the window.
        dark: dark colours.
    """

    def __init__(self, browser, bench: Bench, login: str, locale: str, width=1280, dark=False):
        self.bench, self.login, self.locale = bench, login, locale
        self.faults: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            locale="zh-CN" if locale == "zh" else "en-GB",
            color_scheme="dark" if dark else "light",
            timezone_id="Asia/Shanghai",
        )
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", self._miss)

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"{self.page.url}: {message.text}")

    def _miss(self, request):
        # What a page still loads when it is left ends with it, as its stream does.
        if "/live" not in request.url and request.failure != "net::ERR_ABORTED":
            self.faults.append(f"{request.url} failed: {request.failure}")

    def enter(self):
        """Log in, in one's language."""
        self.page.goto(self.bench.address + "/login")
        self.page.locator(f"button[name=locale][value={self.locale}]").click()
        self.page.fill("#login", self.login)
        self.page.fill("#password", self.bench.passwords[self.login])
        self.page.locator("main form button.btn-primary").click()
        self.page.wait_for_url(lambda url: "/login" not in url)
        return self

    def open(self, path: str) -> Page:
        """Open a page by its address; it must be there."""
        answer = self.page.goto(self.bench.address + path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        return self.page

    def wide(self) -> int:
        """Pixels by which the page is wider than the window."""
        root = "document.documentElement"
        return self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")

    def leave(self):
        """Close the browser window; nothing may have gone wrong in it."""
        self.context.close()
        assert not self.faults, "\n".join(self.faults)
