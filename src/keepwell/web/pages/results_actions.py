"""Actions: what the gate refused in the recommendations stored, and the catalogue in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from keepwell.core.text import money
from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor
from keepwell.intervene.action import refusals, service, show
from keepwell.intervene.action.catalogue import Need
from keepwell.intervene.action.gate import STAGE_TITLES, Stage
from keepwell.intervene.action.repo import Wanted
from keepwell.intervene.contact.policy import CHANNEL_TITLES
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.consent.policy import TITLES as PURPOSE_TITLES
from keepwell.trust.consent.policy import Purpose
from keepwell.warn.tier import TITLES as TIER_TITLES
from keepwell.warn.tier import Tier
from keepwell.web.pages.results_frame import framed
from keepwell.web.pages.tongue import Tongue
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/results/actions"
ROWS: Final = 30
PERIODS: Final = {"7": "7 days", "30": "30 days", "90": "90 days", "all": "All of it"}
"""Spans that can be chosen, with their English names."""
USUAL: Final = "30"
EVERY: Final = "every"
"""Stage that stands for all, also for what does not fit the client."""

_Text = Annotated[str, Query(max_length=80)]


@router.get(PATH)
def actions_page(
    days: _Text = USUAL,
    code: _Text = "",
    stage: _Text = "",
    cursor: Cursor = None,
    visit: Visit = visiting(Permission.ACTION_READ),
) -> Response:
    """What the gate refused within the reader's scope, by code and one by one; the catalogue."""
    asked = {"days": days if days in PERIODS else USUAL, "code": code, "stage": stage}

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        tongue = visit.tongue(actor)
        return {
            **_refusals(tx, actor, asked, cursor),
            "catalogue": _catalogue(tx, tongue),
            "periods": PERIODS,
            "stages": {s.value: title for s, title in STAGE_TITLES.items()} | {EVERY: "Any"},
            "asked": asked, "export": actor.may(Permission.CLIENT_EXPORT),
            "cases": actor.may(Permission.CASE_READ),
        }  # fmt: skip

    return visit.show("results/actions.html", framed(verb))


def _refusals(tx: Tx, actor: Actor, asked: Mapping[str, str], cursor: str | None) -> dict[str, Any]:
    since = _since(tx, asked["days"])
    stage = asked["stage"] if asked["stage"] in set(Stage) else None
    # Most of the catalogue is not meant for a client at all; that is listed when it is asked for.
    besides = None if stage or asked["code"] or asked["stage"] == EVERY else Stage.ELIGIBLE.value
    wanted = Wanted(since, None, asked["code"] or None, stage, besides)
    rows, more = refusals.list_refusals(tx, actor, wanted, ROWS, cursor)
    counts = refusals.count_refusals(tx, actor, replace(wanted, code=None))
    titles = {known.action.name: known.action.title for known in service.list_actions(tx)}

    def named(name: str) -> str:
        return titles[name].say(actor.locale) if name in titles else name

    told = [show.refused_out(row, actor.locale) for row in rows]
    return {
        "counts": [
            (show.count_out(counted, actor.locale), _address(asked, code=counted.code))
            for counted in counts
        ],
        "rows": [(row, [named(name) for name in row.actions]) for row in told],
        "next": _address(asked, cursor=more) if more else "",
        "first": _address(asked) if cursor else "",
        "every": _address(asked, code="", stage=""),
        "csv": _csv(wanted),
    }  # fmt: skip


def _since(tx: Tx, days: str) -> datetime | None:
    """The beginning of the first day of the span, in the exchange's zone."""
    if days == "all":
        return None
    today: date = tx.at.astimezone(tx.frame.zone).date()
    return datetime.combine(today - timedelta(days=int(days) - 1), time(), tx.frame.zone)


def _address(asked: Mapping[str, str], **other: str) -> str:
    told = {name: value for name, value in {**asked, **other}.items() if value}
    if told.get("days") == USUAL:
        del told["days"]
    return PATH + ("?" + urlencode(told) if told else "")


def _csv(wanted: Wanted) -> str:
    given = {
        "format": "csv", "since": wanted.since.isoformat() if wanted.since else "",
        "code": wanted.code or "", "stage": wanted.stage or "",
    }  # fmt: skip
    return "/api/v1/refusals?" + urlencode({k: v for k, v in given.items() if v})


def _catalogue(tx: Tx, tongue: Tongue) -> list[dict[str, Any]]:
    found = []
    for known in service.list_actions(tx):
        out = show.action_out(known, tongue.locale, tx.frame.currency)
        found.append(
            {
                "out": out,
                "assumed_cost": known.assumed,
                "cost": money(out.cost, out.cost_currency, tongue.locale),
                "channels": [tongue.names(CHANNEL_TITLES, channel) for channel in out.channels],
                "tiers": [tongue.names(_TIERS, tier) for tier in out.tiers],
                "needs": _needs(out, tongue),
            }
        )
    return found


_TIERS: Final = {tier.code: TIER_TITLES[tier] for tier in Tier}


def _needs(out: Any, tongue: Tongue) -> list[str]:
    """What suitability and consent must say first."""
    found = []
    if out.need is Need.PRODUCT:
        found.append(tongue.t("product to {level}", level=out.level))
    elif out.need is Need.LEVERAGE:
        found.append(tongue.t("new leverage"))
    consents = [tongue.names(PURPOSE_TITLES, Purpose(purpose)) for purpose in out.purposes]
    return found + [tongue.t("consent: {purpose}", purpose=words) for words in consents]
