"""The two-weekly report as one HTML file: both languages, no network, no script."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from keepwell.core.text import current_locale
from keepwell.intervene.case.policy import STATE_TITLES
from keepwell.intervene.contact.policy import CHANNEL_TITLES, RESULT_TITLES
from keepwell.learn.kpi.catalogue import DIMENSION_NAMES, Kpi, shipped
from keepwell.learn.kpi.words import (
    MISSING,
    OWNER_ROLES,
    absent_words,
    distance_words,
    interval_words,
    value_words,
)
from keepwell.learn.report.render import LANGUAGE_TAGS
from keepwell.learn.report.speaker import Speaker
from keepwell.learn.value.retained import CLIENTS, MEASURE_NAMES
from keepwell.warn.tier import Tier

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STATES: Final = {state.value: words for state, words in STATE_TITLES.items()}
_CHANNELS: Final = {channel.value: words for channel, words in CHANNEL_TITLES.items()}
_RESULTS: Final = {result.value: words for result, words in RESULT_TITLES.items()}


EXPERIMENT_STATES: Final = {
    "running": "under way",
    "done": "finished",
    "stopped": "ended early",
}
"""States of experiments that have begun, in English."""

VERDICTS: Final = {
    "continue": "goes on",
    "stop for benefit": "benefit shown",
    "stop for harm": "harm shown",
    "stop for ratio": "shares of the arms are wrong",
    "finished": "neither benefit nor harm shown",
}
"""What follows from a look, in English."""


def render(figures: dict[str, Any], digest: str, locale: str | None = None) -> str:
    """The report's HTML, in both languages, with a switch between them.

    Args:
        figures: of `reports.gather`; codes and numbers.
        digest: SHA-256 of the figures, shown at the foot.
        locale: the language shown first; default: the current one.
    """
    css = files("keepwell.learn.report").joinpath("templates", "report.css").read_text("utf-8")
    own = (_TEMPLATES / "report.css").read_text("utf-8")
    return _environment().get_template("report.html.j2").render(
        pages={name: Page(figures, name) for name in LANGUAGE_TAGS},
        tags=LANGUAGE_TAGS, default=locale or current_locale(), digest=digest,
        css=Markup(css + own),  # noqa: S704 - the package's own
        workspace=figures["workspace"],
    )  # fmt: skip


class Page:
    """What the template places, in one language.

    Args:
        figures: the report's.
        locale: 'en' or 'zh'.
    """

    def __init__(self, figures: dict[str, Any], locale: str) -> None:
        self.figures = figures
        self.say = Speaker(locale, figures["currency"])
        self.happened = figures["happened"]

    @property
    def title(self) -> str:
        """The document's title."""
        return self.say.t("{workspace}: two weeks until {day}",
                          workspace=self.figures["workspace"], day=self.last_day)  # fmt: skip

    @property
    def span(self) -> str:
        """First and last day told of."""
        since = date.fromisoformat(self.figures["since"])
        return self.say.t("{low} to {high}", low=self.say.day(since), high=self.last_day)

    @property
    def last_day(self) -> str:
        """The last day told of."""
        until = date.fromisoformat(self.figures["until"])
        return self.say.day(date.fromordinal(until.toordinal() - 1))

    @property
    def made(self) -> str:
        """When it was written, in the exchange's zone."""
        at = datetime.fromisoformat(self.figures["made_at"])
        return self.say.instant(at.astimezone(ZoneInfo(self.figures["zone"])),
                                self.figures["zone"])  # fmt: skip

    @property
    def headline(self) -> str:
        """What happened, in one sentence."""
        alerts, cases = self.happened["alerts"], self.happened["cases"]
        missed = sum(1 for row in self.figures["kpis"] if row["newest"] and row["newest"]["missed"])
        return self.say.t(
            "{alerts} alerts raised, {opened} cases opened and {closed} closed; {missed} key "
            "figures are more than 10 % off their targets.",
            alerts=self.say.n(sum(alerts["raised"].values())), opened=self.say.n(cases["opened"]),
            closed=self.say.n(sum(cases["closed"].values())), missed=self.say.n(missed),
        )  # fmt: skip

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Anchors and names for the contents."""
        t = self.say.t
        return [
            ("headline", t("In one sentence")), ("happened", t("What happened in these weeks")),
            ("kpis", t("Key figures")), ("reviews", t("Reviews")),
            *([("kept", t("What was kept"))] if self.figures["kept"] else []),
            *([("experiments", t("Experiments"))] if self.figures["experiments"] else []),
            ("method", t("How to read this")),
        ]  # fmt: skip

    def counts(self, found: dict[str, int], names: dict[str, str]) -> str:
        """Counts by code in words: 'Phone 12, E-mail 3'."""
        parts = [
            f"{self.say.t(names.get(code, code))} {self.say.n(n)}" for code, n in found.items()
        ]
        return ("、" if self.say.locale == "zh" else ", ").join(parts) or MISSING

    @property
    def rows(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What happened: of each subject its lines."""
        t, n, what = self.say.t, self.say.n, self.happened
        tiers = {tier.code: tier.title(self.say.locale) for tier in Tier}
        raised = what["alerts"]["raised"]
        return [
            (t("Alerts"), [
                (t("Alerts raised"), n(sum(raised.values()))),
                (t("By tier"), self.counts(raised, tiers)),
                (t("Shown to managers"), n(what["alerts"]["shown"])),
                (t("Alerts closed"), n(what["alerts"]["closed"])),
                (t("Open at the end"), n(what["alerts"]["open"])),
            ]),
            (t("Cases"), [
                (t("Cases opened"), n(what["cases"]["opened"])),
                (t("Closed, as staff say"), self.counts(what["cases"]["closed"], _STATES)),
                (t("Live when this was written"), self.counts(what["cases"]["live"], _STATES)),
            ]),
            (t("Promises of time"), [
                (t("Clocks begun"), n(what["clocks"]["begun"])),
                (t("Met in time"), n(what["clocks"]["kept"])),
                (t("Run out"), n(what["clocks"]["late"])),
            ]),
            (t("Contacts"), [
                (t("Made by us"), n(what["contacts"]["ours"])),
                (t("By channel"), self.counts(what["contacts"]["channel"], _CHANNELS)),
                (t("By result"), self.counts(what["contacts"]["result"], _RESULTS)),
                (t("Begun by clients"), n(what["contacts"]["theirs"])),
            ]),
            (t("Complaints"), [
                (t("Complaints made"), n(what["complaints"]["made"])),
                (t("Complaints closed"), n(what["complaints"]["closed"])),
                (t("Became overdue"), n(what["complaints"]["overdue"])),
                (t("Open at the end"), n(what["complaints"]["open"])),
            ]),
            (t("Requests to leave"), [
                (t("Requests made"), n(what["exits"]["asked"])),
                (t("Carried out"), n(what["exits"]["done"])),
                (t("Taken back"), n(what["exits"]["back"])),
                (t("Open when this was written"), n(what["exits"]["open"])),
            ]),
        ]  # fmt: skip

    @property
    def dimensions(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Key figures by dimension; one that this version no longer has is left out."""
        known = shipped()
        by = {
            dimension: [
                self._kpi(known[row["kpi_id"]], row) for row in self.figures["kpis"]
                if row["kpi_id"] in known and known[row["kpi_id"]].dimension is dimension
            ]
            for dimension in DIMENSION_NAMES
        }  # fmt: skip
        return [(self.say.t(DIMENSION_NAMES[d]), rows) for d, rows in by.items()]

    def _kpi(self, kpi: Kpi, row: dict[str, Any]) -> dict[str, Any]:
        say, currency, newest = self.say, self.say.currency, row["newest"]
        shown = newest or {"value": None, "low": None, "high": None, "target": row["target"]}
        why = ""
        if newest is None:
            why = say.t("not computed yet")
        elif newest["absent"]:
            why = absent_words(newest["absent"], say.locale)
        return {
            "title": kpi.title.say(say.locale), "month": self.month(newest and newest["month"]),
            "value": value_words(kpi.unit, shown["value"], currency, say.locale),
            "interval": interval_words(kpi.unit, shown["low"], shown["high"], currency, say.locale),
            "target": value_words(kpi.unit, shown["target"], currency, say.locale)
            if shown["target"] is not None else say.t("not set"),
            "distance": distance_words(kpi, shown["value"], shown["target"], currency, say.locale),
            "missed": bool(newest and newest["missed"]), "review": row["review"], "why": why,
            "owner": say.t("named on the desk") if row["named"]
            else say.t(OWNER_ROLES.get(row["owner_role"], row["owner_role"])),
            "line": sparkline([value for _, value in row["past"]]),
        }  # fmt: skip

    @property
    def reviews(self) -> list[dict[str, Any]]:
        """Open reviews."""
        known = shipped()
        return [
            {
                "title": known[r["kpi_id"]].title.say(self.say.locale)
                if r["kpi_id"] in known else r["kpi_id"],
                "months": self.say.t("{low} to {high}", low=self.month(r["since"]),
                                     high=self.month(r["until"])),
                "due": self.say.day(date.fromisoformat(r["due_on"])), "late": r["late"],
            }
            for r in self.figures["reviews"]["open"]
        ]  # fmt: skip

    @property
    def kept(self) -> list[tuple[str, str, str, str]]:
        """What was kept: name, estimate, interval, and whether chance can be ruled out."""
        t, found = self.say.t, self.figures["kept"]["measures"]
        rows = []
        for name in [n for n in MEASURE_NAMES if n in found]:
            one = found[name]
            ends = [self._amount(name, one[end]) for end in ("low", "high")]
            sure = t("beyond chance") if one["shown"] else t("not beyond chance")
            rows.append(
                (
                    t(MEASURE_NAMES[name]), self._amount(name, one["value"]),
                    t("{low} to {high}", low=ends[0], high=ends[1]), sure,
                )
            )  # fmt: skip
        return rows

    def _amount(self, name: str, value: float | None) -> str:
        if value is None:
            return MISSING
        if name == CLIENTS:
            return self.say.n(value, 1)
        return self.say.money(round(value), compact=True)

    @property
    def kept_lead(self) -> str:
        """Of which days and clients the proof is."""
        found, say = self.figures["kept"], self.say
        return say.t(
            "Newest proof, {since} to {until}: {treated} clients who may be contacted against "
            "{held} held out, by assignment. Manifest {manifest}.",
            since=say.day(date.fromisoformat(found["since"])),
            until=say.day(date.fromisoformat(found["until"])), treated=say.n(found["treated"]),
            held=say.n(found["held"]), manifest=say.n(found["manifest"]),
        )  # fmt: skip

    @property
    def experiments(self) -> list[tuple[str, str, str, str]]:
        """Experiments: title as typed, state, looks, what followed from the newest."""
        say = self.say
        zone = ZoneInfo(self.figures["zone"])
        rows = []
        for one in self.figures["experiments"]:
            looked = one["looked_at"] and datetime.fromisoformat(one["looked_at"]).astimezone(zone)
            verdict = say.t(VERDICTS[one["verdict"]]) if one["verdict"] in VERDICTS else MISSING
            words = f"{say.day(looked.date())} · {verdict}" if looked else MISSING
            state = say.t(EXPERIMENT_STATES.get(one["state"], one["state"]))
            rows.append((one["title"], state, say.n(one["looks"]), words))
        return rows

    def month(self, text: str | None) -> str:
        """A month in words, or a dash."""
        return month_words(date.fromisoformat(text), self.say.locale) if text else MISSING


def month_words(month: date, locale: str) -> str:
    """A month: 'Nov 2026', '2026年11月'."""
    from babel.dates import format_date

    return format_date(
        month, "MMM y" if locale == "en" else "y年M月",
        locale="en_GB" if locale == "en" else "zh_Hans_CN",
    )  # fmt: skip


def sparkline(values: list[float | None], width: int = 96, height: int = 20) -> Markup:
    """Values as a small line, with gaps where there is none; the table beside says the newest.

    Args:
        values: oldest first.
        width: of the drawing, pixels.
        height: likewise.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    low, high = min(known), max(known)
    step = width / max(1, len(values) - 1)
    scale = (height - 4) / (high - low) if high > low else 0.0
    path, pen = [], "M"
    for i, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = height - 2 - (value - low) * scale if scale else height / 2
        path.append(f"{pen}{i * step:.1f} {y:.1f}")
        pen = "L"
    return Markup(
        '<svg class="spark" width="{0}" height="{1}" viewBox="0 0 {0} {1}" aria-hidden="true">'
        '<path d="{2}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    ).format(width, height, " ".join(path))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
