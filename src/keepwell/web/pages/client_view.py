"""What the page of a client shows: the desk's own rows, the panels, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from keepwell.core.ids import new_id
from keepwell.core.money import minor_exponent
from keepwell.frame.database import Tx
from keepwell.intervene.case.policy import REASON_TITLES, SCORE_REASONS, STATE_TITLES
from keepwell.intervene.case.show import choices
from keepwell.intervene.context import history as desk
from keepwell.intervene.context import repo as names
from keepwell.intervene.context.history import Entry
from keepwell.intervene.context.schema import ContextOut
from keepwell.intervene.context.service import context
from keepwell.intervene.exit import policy as exit_policy
from keepwell.learn.panel.read import Panels
from keepwell.learn.panel.schema import ClientMonth, Fact, ScorePoint
from keepwell.learn.panel.words import fact_words
from keepwell.observe.monitors.words import TITLES as MONITORS
from keepwell.trust.access.mask import sees_bands
from keepwell.trust.access.policy import Actor
from keepwell.trust.consent.policy import TITLES as PURPOSE_TITLES
from keepwell.trust.consent.policy import Purpose
from keepwell.warn.risk import NOTES
from keepwell.warn.tier import CUTS, TITLES, Tier
from keepwell.web.pages.client_charts import assets_chart, flows_chart, score_chart
from keepwell.web.pages.tongue import Tongue

FIRST: Final = 30
"""Entries of the history shown at first; each time more are asked for, twice as many."""
MOST: Final = 960
"""Entries of the history that the page ever shows."""
_CONTACTS: Final = 5
_WEEK: Final = timedelta(days=7)
_AFTER: Final = timedelta(days=60)
"""Events so long after the newest score still stand on its chart."""

DATA: Final = "data"
"""Kind of entries that come from the broker's data."""

TABLES: Final[dict[str, str]] = {
    "account": "Accounts", "balance": "Balances", "cash_flow": "Cash flows",
    "client": "Client file", "complaint": "Complaints", "contact": "Contacts from clients",
    "consent": "Consents",
    "custody_transfer": "Custody transfers", "exit_request": "Exit requests", "holding": "Holdings",
    "instrument": "Products", "margin": "Margin loans", "order": "Orders", "price": "Prices",
    "service": "Service relations", "session": "App visits", "subscription": "Subscriptions",
    "survey": "Surveys", "touch": "Touches", "trade": "Trades", "view": "Page views",
}  # fmt: skip
"""Tables of the contract as the page calls them, in English."""

SCORED: Final[dict[str, str]] = {
    **TABLES, "first_purchase": "First purchases", "index_price": "Index prices",
}  # fmt: skip
"""Tables that a score may rest on, some of which say nothing of one client."""

_FLAGGED: Final = ("contact", "touch", "touch_replied", "touch_unreached", "touch_refused")


KINDS: Final[dict[str, str]] = {**desk.KINDS, DATA: "From the broker's data"}
"""Kinds of entries by which the history can be narrowed, in English."""


def page(
    tx: Tx, actor: Actor, client_id: str, tongue: Tongue, kind: str = "", entries: int = FIRST
) -> dict[str, Any]:
    """What the whole page needs.

    Args:
        tx: the unit of work.
        actor: who reads.
        client_id: about whom.
        tongue: the reader's language.
        kind: a key of `KINDS` to narrow the history to; '': all.
        entries: entries of the history to show.

    Raises:
        NotFound: there is no such client, or they are not the actor's to see.
    """
    told = context(tx, actor, client_id)
    panels = Panels.open(tx.frame.workspace)
    view = _View(tx, actor, tongue, told, panels, desk.history(tx, actor, client_id, MOST + 1))
    lines = view.lines(entries + 1, kind)
    sources = view.freshness()
    return {
        **view.head(),
        **view.score(),
        **view.money(),
        "contacts": view.contacts(),
        "purposes": view.purposes(),
        "exits": told.exits,
        "kind_options": _named(exit_policy.KIND_TITLES, tongue),
        "hold_options": _named(exit_policy.HOLD_TITLES, tongue),
        "open_reasons": [
            (choice.code, choice.title)
            for choice in choices(actor.locale).reasons
            if not (view.refused and choice.code in SCORE_REASONS)
        ],
        "lines": lines[:entries],
        "kind": kind if kind in KINDS else "",
        "kinds": KINDS,
        "more": min(entries * 2, MOST) if len(lines) > entries and entries < MOST else 0,
        "sources": sources,
        "fresh": view.fresh(sources),
        "tables": TABLES,
        "purpose_titles": PURPOSE_TITLES,
        "once": lambda: new_id("form", tx.at),
        # After a form that failed the address is the form's; language and filters need the page's.
        "here": "/clients",
        "address": f"/clients/{client_id}",
    }


def panel(tx: Tx, actor: Actor, client_id: str, tongue: Tongue) -> dict[str, Any]:
    """What the narrow side panel needs.

    Args:
        tx: the unit of work.
        actor: who reads.
        client_id: about whom.
        tongue: the reader's language.

    Raises:
        NotFound: there is no such client, or they are not the actor's to see.
    """
    told = context(tx, actor, client_id)
    view = _View(tx, actor, tongue, told, Panels.open(tx.frame.workspace))
    return {**view.head(), "reasons": view.reasons()[:3], "contacts": view.contacts()[:3]}


class _View:
    """One client for one reader."""

    def __init__(
        self, tx: Tx, actor: Actor, tongue: Tongue, told: ContextOut, panels: Panels | None,
        entries: Sequence[Entry] = (),
    ) -> None:  # fmt: skip
        self.tx, self.actor, self.tongue = tx, actor, tongue
        self.told, self.panels = told, panels
        self.client = told.client
        self.banded = sees_bands(actor)
        word = next((w for w in told.consents if w.purpose == Purpose.PROFILING), None)
        self.refused = told.client.note == "refused" or (word is not None and not word.granted)
        self.facts = panels.facts(told.client.client_id, 200) if panels else []
        self.entries = entries

    def head(self) -> dict[str, Any]:
        client = self.client
        staff, branch = names.names_of(
            self.tx, (client.manager_id, client.adviser_id), client.branch_id
        )
        alerts = self.told.alerts
        if self.refused:
            alerts = [alert for alert in alerts if str(alert.reason) not in SCORE_REASONS]
        return {
            "client": client, "told": self.told, "refused": self.refused, "staff": staff,
            "branch": branch, "alerts": alerts, "note": self._note(), "source": self.source,
            **self._origins(),
            "state_titles": STATE_TITLES, "case_reasons": REASON_TITLES,
            "kind_titles": exit_policy.KIND_TITLES, "hold_titles": exit_policy.HOLD_TITLES,
        }  # fmt: skip

    def score(self) -> dict[str, Any]:
        """Score, reasons, what changed, and the chart; nothing of who refuses profiling."""
        if self.refused or self.client.score is None:
            return {"points": [], "chart": None, "marks": [], "gain": None, "reasons": []}
        points = self.panels.scores(self.client.client_id) if self.panels else []
        marks = self._marks(points)
        drawn = len(points) > 1
        chart = score_chart(points, marks, self._cuts(), self.tongue) if drawn else None
        return {
            "points": list(reversed(points)), "chart": chart, "marks": marks,
            "gain": self._gain(points), "reasons": self.reasons(), "stale": self.told.stale,
            "table_names": SCORED, "monitor_titles": MONITORS,
        }  # fmt: skip

    def reasons(self) -> list[dict[str, Any]]:
        """Reasons in words, each with how it moved in a week."""
        if self.refused:
            return []
        told = []
        for reason, words in zip(self.client.reasons, self.told.why, strict=True):
            known = None if self.banded else (reason.get("facts") or {}).get("indicator")
            told.append({"words": words, "change": _change(reason), "indicator": known})
        return told

    def money(self) -> dict[str, Any]:
        """Holdings and months; left out for those who see bands of assets only."""
        nothing: dict[str, Any] = {
            "holdings": [], "months": [], "assets_chart": None, "flows_chart": None, "has": set(),
        }  # fmt: skip
        if self.panels is None or self.banded:
            return nothing
        months = self.panels.months(self.client.client_id)
        has = {name for name in _MONTHLY if any(getattr(m, name) is not None for m in months)}
        unit = 10 ** minor_exponent(self.panels.currency)
        return {
            "holdings": self.panels.holdings(self.client.client_id),
            "months": list(reversed(months)), "has": has,
            "assets_chart": assets_chart(months, unit, self.tongue),
            "flows_chart": flows_chart(months, unit, self.tongue),
        }  # fmt: skip

    def contacts(self) -> list[Entry]:
        """The newest contacts, recorded here or told by the broker's systems."""
        own = [
            Entry(row.at, "contact", desk.contact_title(row, self.actor.locale), row.note,
                  row.staff_id or "", row.case_id)
            for row in self.told.contacts
        ]  # fmt: skip
        theirs = [self._fact(fact) for fact in self.facts if fact.kind in _FLAGGED]
        return sorted([*own, *theirs], key=lambda line: line.at, reverse=True)[:_CONTACTS]

    def purposes(self) -> list[dict[str, Any]]:
        """Every purpose with the client's newest word on it."""
        words = {word.purpose: word for word in self.told.consents}
        told = []
        for purpose in Purpose:
            word = words.get(purpose)
            where = desk.source_words(word.source, self.actor.locale) if word else ""
            told.append({"code": purpose.value, "word": word, "source": where})
        return told

    def lines(self, limit: int, kind: str) -> list[Entry]:
        """The newest entries of everything, narrowed to a kind."""
        found = [entry for entry in self.entries if kind not in KINDS or kind == entry.kind]
        if kind not in KINDS or kind == DATA:
            found += [self._fact(fact) for fact in self._others()]
        found.sort(key=lambda line: line.at, reverse=True)
        return found[:limit]

    def freshness(self) -> list[dict[str, Any]]:
        """The tables behind the page, each with its newest day."""
        if self.panels is None:
            return []
        return [
            {"table": name, "last": source.last}
            for name, source in sorted(self.panels.sources.items())
            if name in TABLES and source.last is not None
        ]

    def fresh(self, sources: Sequence[dict[str, Any]]) -> str:
        """Of when scores and data are, in one line."""
        moment = self.tongue.moment(self.told.as_of)
        if not sources:
            return self.tongue.t("Scores of {moment}", moment=moment)
        day = self.tongue.day(max(source["last"] for source in sources))
        return self.tongue.t("Scores of {moment}, newest data {day}", moment=moment, day=day)

    def source(self, *tables: str) -> str:
        """Where a value comes from and of when it is, such as 'Balances, Holdings · 3 Mar 2026'."""
        if self.panels is None:
            return self.tongue.t("Last run · {day}", day=self.tongue.day(self.told.as_of))
        known = [name for name in tables if name in self.panels.sources]
        days = [day for name in known if (day := self.panels.sources[name].last) is not None]
        words = self.tongue.t(", ").join(self.tongue.t(TABLES[name]) for name in known)
        day = max(days) if days else self.told.as_of
        return f"{words} · {self.tongue.day(day)}" if words else self.tongue.day(day)

    def _origins(self) -> dict[str, Sequence[str]]:
        """Tables behind values that may come from several, as the main job reads them."""
        known = self.panels.sources if self.panels else {}
        return {
            "worth": ("balance",) if "balance" in known else ("holding", "trade", "price"),
            "served": ("service",) if "service" in known else ("client",),
        }

    def _note(self) -> str:
        note = NOTES.get(self.client.note)  # type: ignore[call-overload]
        return self.tongue.t(note) if note else ""

    def _gain(self, points: Sequence[ScorePoint]) -> float | None:
        """Points of score won in the week before the newest, if one of then is known."""
        if len(points) < 2:
            return None
        newest, before = points[-1], points[-2]
        near = abs(newest.at - before.at - _WEEK) <= timedelta(days=1)
        return newest.score - before.score if near else None

    def _cuts(self) -> list[tuple[float, str]]:
        tiers = (Tier.MILD, Tier.MODERATE, Tier.SEVERE)
        return [(cut, self.tongue.t(TITLES[tier])) for cut, tier in zip(CUTS, tiers, strict=True)]

    def _marks(self, points: Sequence[ScorePoint]) -> list[Entry]:
        """Events for the chart, oldest first, within its span."""
        if not points:
            return []
        since = points[0].at
        until = points[-1].at + _AFTER
        found = [e for e in self.entries if e.mark and since <= e.at <= until]
        for fact in self._others():
            mark = _MARKS.get(fact.kind)
            if mark and since <= fact.at <= until:
                found.append(Entry(fact.at, DATA, self._words(fact), mark=mark))
        return sorted(found, key=lambda line: line.at)

    def _others(self) -> Iterable[Fact]:
        """Facts that the desk's own history does not tell: it follows exit requests itself."""
        told = {entry.at for entry in self.entries if entry.kind == "exit"}
        return [f for f in self.facts if not (f.kind.startswith("exit_") and f.at in told)]

    def _fact(self, fact: Fact) -> Entry:
        return Entry(fact.at, DATA, self._words(fact), "" if self.banded else fact.text or "")

    def _words(self, fact: Fact) -> str:
        # Without a currency amounts are left out: some see bands only.
        currency = "" if self.banded or self.panels is None else self.panels.currency
        return fact_words(fact, self.actor.locale, currency)


def _named(titles: dict[Any, str], tongue: Tongue) -> list[tuple[str, str]]:
    return [(str(code), tongue.t(title)) for code, title in titles.items()]


_MARKS: Final = {
    "complaint": "complaint", "contact": "contact", "exit_close": "exit", "exit_transfer": "exit",
    "exit_revoke_designation": "exit",
}  # fmt: skip
"""Facts that stand on the chart of the score."""

_MONTHLY: Final = tuple(name for name in ClientMonth.__slots__ if name != "month")


def _change(reason: dict[str, Any]) -> str:
    """How a reason moved since a week ago, in English; '' where that is not known."""
    change = reason.get("change")
    if change is None:
        return ""
    push = float(reason["points"])
    before = push - change
    if before < _LEAST <= push:
        return "new since last week"
    if abs(change) < max(_LEAST, abs(before) * _SAME):
        return "as a week ago"
    return "stronger than a week ago" if change > 0 else "weaker than a week ago"


_LEAST: Final = 0.02
_SAME: Final = 0.1
"""Share of a push by which it must move to be called stronger or weaker."""
