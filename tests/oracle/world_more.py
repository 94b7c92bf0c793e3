"""The rest of a random world: every table that the first draw leaves out, from a seed of its own.

A seed of its own, so that the tables of :mod:`tests.oracle.world` stay as they are when a table is
added here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import _Draw

Row = dict[str, Any]
STAFF = ("m1", "m2", "m3", None)


def enrich(draw: _Draw, rows: dict[str, list[Row]]) -> None:
    """Gives instruments a maturity and some clients an end; shortens some sessions."""
    for row in rows["instrument"]:
        if draw.chance(0.7):
            row["maturity_on"] = _date(draw.day("") + draw.whole(0, 60))
    for row in rows["session"]:
        if draw.chance(0.25):
            row["seconds"] = draw.whole(0, 45)  # short ones would be too few by chance
    for row in rows["holding"]:
        if row["revision"]:
            row["cost"], row["value"] = draw.whole(1, 10**7), draw.whole(1, 10**7)
    for row in rows.get("client", []):
        row["closed_on"] = _date(draw.day("")) if draw.chance(0.2) else None


def more(draw: _Draw) -> None:
    """Draws the tables that the first draw leaves out."""
    for step in (
        _custody, _exits, _margin, _subscriptions, _views, _complaints, _surveys, _touches,
        _accounts, _service, _relations, _news, _outages,
    ):  # fmt: skip
        step(draw)


def _date(day: int) -> Any:
    from .world import date_of

    return date_of(day)


def _events(
    draw: _Draw, table: str, key: str, counts: tuple[int, ...], content: Any, clients: bool = True
) -> None:
    """Rows with an instant, some of them corrected; `content` draws what they say."""
    from .world import _corrected

    number = 0
    for client in draw.clients if clients else [""]:
        for _ in range(draw.pick(counts)):
            number += 1
            at = draw.instant(client)
            row = {key: f"{table[:2]}{number:05d}", "at": at, **content(at)}
            if clients:
                row["client_id"] = client
            _corrected(draw, table, {**row, "known_at": draw.known(at)}, content(at), 0.3)


def _custody(draw: _Draw) -> None:
    def content(at: Any) -> Row:
        return {
            "direction": draw.pick(("in", "out", "out")),
            "instrument_id": draw.pick((*draw.instruments, None)),
            "quantity": draw.whole(1, 500) * 10**8,
        }

    _events(draw, "custody_transfer", "transfer_id", (0, 2, 9), content)


def _exits(draw: _Draw) -> None:
    def content(at: Any) -> Row:
        return {
            "kind": draw.pick(("close", "transfer", "revoke_designation")),
            "blockers": draw.pick((None, "position", "position,margin", "a,b,c")),
            "completed_at": draw.pick((None, None, at + timedelta(days=draw.whole(0, 20)))),
        }

    _events(draw, "exit_request", "request_id", (0, 4, 9), content)


def _subscriptions(draw: _Draw) -> None:
    for client in draw.clients:
        for at in sorted({draw.instant(client) for _ in range(draw.pick((0, 8, 20)))}):

            def content() -> Row:
                kind = draw.pick(("ipo", "ipo", "advice", "market_data", "plan", None))
                states = ("applied", "won", "lost", "unpaid") if kind == "ipo" else ()
                return {"kind": kind, "state": draw.pick((*states, "active", "ended", "applied"))}

            row = {"client_id": client, "product": draw.pick(("p1", "p2")), "at": at, **content()}
            known = draw.known(at)
            # The instant is part of the key here, so that a correction cannot move it.
            draw.add("subscription", {**row, "known_at": known})
            if draw.chance(0.15):
                later = known + timedelta(seconds=draw.whole(1, 10**6))
                draw.add("subscription", {**row, **content(), "known_at": later, "revision": 1})


def _views(draw: _Draw) -> None:
    topics = (
        "instrument",
        "instrument",
        "feature",
        "transfer_help",
        "close_help",
        "compare",
        "fee",
    )

    def content(at: Any) -> Row:
        return {"topic": draw.pick(topics), "subject": draw.pick((*draw.instruments, None))}

    _events(draw, "view", "view_id", (0, 6, 30), content)


def _complaints(draw: _Draw) -> None:
    def content(at: Any) -> Row:
        return {
            "topic": draw.pick(("fee", "app", "advice", None)),
            "status": draw.pick(("open", "answered", "closed", "withdrawn", None)),
            "closed_at": draw.pick((None, None, at + timedelta(days=draw.whole(0, 20)))),
        }

    _events(draw, "complaint", "complaint_id", (0, 4, 11), content)


def _surveys(draw: _Draw) -> None:
    def content(at: Any) -> Row:
        return {
            "kind": draw.pick(("nps", "csat", "ces")),
            "score": draw.whole(1, 7) if draw.chance(0.9) else None,
        }

    _events(draw, "survey", "survey_id", (0, 5, 16), content)


def _touches(draw: _Draw) -> None:
    def content(at: Any) -> Row:
        names = ("delivered", "opened", "replied", "refused")
        return {name: draw.pick((True, False, None)) for name in names}

    _events(draw, "touch", "touch_id", (0, 5, 20), content)


def _news(draw: _Draw) -> None:
    def content(at: Any) -> Row:
        tone = draw.pick((-1.0, -0.3, -0.25, round(float(draw.rng.uniform(-1, 1)), 3), None))
        return {"subject": draw.pick(("own", "rival", "market")), "sentiment": tone}

    _events(draw, "news", "news_id", (400,), content, clients=False)


def _outages(draw: _Draw) -> None:
    def content(at: Any) -> Row:
        ended = at + timedelta(seconds=draw.whole(0, 400_000))
        severity = draw.pick(("low", "medium", "high", "high", None))
        return {"severity": severity, "ended_at": draw.pick((None, ended, ended))}

    _events(draw, "outage", "outage_id", (200,), content, clients=False)


def _margin(draw: _Draw) -> None:
    from .world import _corrected

    for client in draw.clients:
        for day in sorted({draw.day(client) for _ in range(draw.pick((0, 5, 50, 90)))}):
            row = {
                "client_id": client,
                "day": _date(day),
                "currency": draw.currency,
                **_debt(draw, day),
            }
            row["known_at"] = draw.close_known(day)
            _corrected(draw, "margin", row, _debt(draw, day))


def _debt(draw: _Draw, day: int) -> Row:
    return {
        "debt": draw.pick((0, draw.whole(1, 10**7), draw.whole(1, 10**7), None)),
        "credit_limit": draw.pick((0, draw.whole(1, 10**7), 10**7, None)),
        "maintenance_ratio": draw.pick((None, *[draw.whole(110, 400) / 100] * 6)),
        "rate": 0.07,
        "due_on": draw.pick((None, _date(day + draw.whole(-20, 200)))),
    }


def _accounts(draw: _Draw) -> None:
    number = 0
    for client in draw.clients:
        for _ in range(draw.pick((0, 1, 2, 4))):
            number += 1

            def content() -> Row:
                return {
                    "kind": draw.pick(("ordinary", "margin", "option", "fund", "pension", None)),
                    "permissions": draw.pick((None, "a", "a,b", "a,b,c,d")),
                    "fee_rate": draw.pick((None, 0.0003, 0.00025, 0.001, 0.0, 0.002)),
                    "state": draw.pick(("open", "open", "dormant", "closed", None)),
                }

            row = {"account_id": f"a{number:04d}", "client_id": client, **content()}
            _changed(draw, "account", row, content, client)


def _changed(draw: _Draw, table: str, row: Row, content: Any, client: str) -> None:
    """A row of a state, and often a change of it, known later."""
    known = draw.instant(client)
    draw.add(table, {**row, "known_at": known})
    if draw.chance(0.4):
        later = max(draw.instant(client), known + timedelta(seconds=1))
        draw.add(table, {**row, **content(), "known_at": later, "revision": 1})


def _service(draw: _Draw) -> None:
    for client in draw.clients:
        for at in sorted({draw.instant(client) for _ in range(draw.pick((0, 1, 4, 9)))}):

            def content() -> Row:
                return {
                    "manager_id": draw.pick(STAFF),
                    "adviser_id": draw.pick(STAFF),
                    "wecom": draw.pick((True, False, True, False, None)),
                }

            row = {"client_id": client, "valid_from": at, **content()}
            known = draw.known(at)
            draw.add("service", {**row, "known_at": known})
            if draw.chance(0.15):
                later = known + timedelta(seconds=draw.whole(1, 10**6))
                draw.add("service", {**row, **content(), "known_at": later, "revision": 1})


def _relations(draw: _Draw) -> None:
    strangers = [*draw.clients, "nobody"]
    for client in draw.clients:
        kinds = ("household", "referrer", "joint")
        for other, kind in sorted(
            {(draw.pick(strangers), draw.pick(kinds)) for _ in range(draw.pick((0, 1, 3)))}
        ):

            def content() -> Row:
                return {"since": _date(draw.day("")) if draw.chance(0.8) else None}

            row = {"client_id": client, "other_id": other, "kind": kind, **content()}
            _changed(draw, "relation", row, content, client)
