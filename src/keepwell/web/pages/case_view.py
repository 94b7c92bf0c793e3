"""What the page of a case shows, gathered from the rooms with the reader's scope and masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.problem import NotFound
from keepwell.intervene.alert import policy as alert_policy
from keepwell.intervene.alert.service import AlertFilter, list_alerts
from keepwell.intervene.case import policy, repo, show, work
from keepwell.intervene.case.story import Story, tell_story
from keepwell.intervene.clock.policy import PAUSE_TITLES
from keepwell.intervene.clock.schema import ClockView
from keepwell.intervene.clock.state import LIVE as CLOCK_LIVE
from keepwell.intervene.clock.state import ClockState
from keepwell.intervene.contact import policy as contact_policy
from keepwell.intervene.contact.policy import Aim, Verdict, may_contact
from keepwell.intervene.contact.service import facts_of, forbidden
from keepwell.intervene.context.service import why
from keepwell.intervene.context.stale import stale
from keepwell.intervene.exit import policy as exit_policy
from keepwell.intervene.exit import service as exits
from keepwell.intervene.outcome import service as outcomes
from keepwell.intervene.outcome.show import words_of
from keepwell.observe.monitors.words import TITLES as MONITORS
from keepwell.trust.access.mask import show as masked
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book.service import get_client
from keepwell.web.pages.case_advice import advice_context
from keepwell.web.pages.case_words import LEVEL_ROLES, RETENTION_WORDS, Entry, timeline
from keepwell.web.pages.client_view import SCORED
from keepwell.web.pages.tongue import Tongue
from keepwell.web.pages.visit import Visit

MOST: Final = 60
"""Tasks, files and alerts on the page."""
MOST_REASONS: Final = 4

_ALERTS: Final = (*alert_policy.SEEN, alert_policy.Status.CLOSED)
_SOON: Final = "contact.quiet-hours"


def case_context(
    tx: Tx, actor: Actor, visit: Visit, case_id: str, upto: int | None = None,
    seen: int | None = None, correct: str = "", use: str = "",
) -> dict[str, Any]:  # fmt: skip
    """What the template needs.

    Args:
        tx: the unit of work.
        actor: who reads.
        visit: the request; a form that was refused says what its sender had seen.
        case_id: the case.
        upto: number of the newest line of the history wanted; None: from the newest on.
        seen: number of the newest line when the page was opened.
        correct: id of the note that a new one shall correct.
        use: id and version of the action that a contact shall carry out.

    Raises:
        NotFound: no such case in scope.
    """
    case = show.read_reply(tx, actor, case_id).content
    tongue = visit.tongue(actor)
    clocks = _clocks(case["clocks"], tongue)
    titles = {clock["clock_id"]: clock["title"] for clock in clocks}
    story = tell_story(tx, actor, case_id, titles, upto)
    entries = timeline(story, titles, tongue)
    last = max((line.number for line, _ in story.lines), default=0)
    verdicts = _verdicts(tx, actor, case)
    since = _since(entries, visit)
    advice: dict[str, Any] = {"advice": None, "using": None}
    if not visit.wants_part:
        advice = advice_context(tx, actor, case, tongue, visit.text("contact_use") or use)
    return {
        "case": case, "place": "/cases/" + quote(case_id, safe=""), "clocks": clocks,
        **_client(tx, actor, case), "asked": _asked(tx, actor, case, tongue),
        "reason": tongue.names(policy.REASON_TITLES, case["reason"]),
        "steps": _steps(case, story, tongue), "reopens": _reopens(tx, actor, case),
        "people": repo.staff_names(tx, [case["escalated_to"]]),
        "level": tongue.t(LEVEL_ROLES[case["level"]]) if case["level"] in LEVEL_ROLES else "",
        "ending": _ending(case, tongue), "verdicts": verdicts,
        "matured": _matured(tx, actor, case, tongue),
        "next": _next(actor, case, clocks, verdicts, tongue),
        "entries": entries, "earlier": story.earlier, "upto": upto, "last": last,
        "changed": seen is not None and upto is None and last > seen, "since": since,
        "alerts": _alerts(tx, actor, case, tongue),
        "opened_form": visit.text("form") or ("contact" if use else ""),
        "correcting": next((e for e in entries if correct and e.note_id == correct), None),
        "limits": tx.frame.settings.case, "zone": tx.frame.zone,
        "quiet": tx.frame.settings.contact,
        "can": _can(actor), **_choices(tx, actor, case, tongue), **advice,
    }  # fmt: skip


def _can(actor: Actor) -> dict[str, bool]:
    return {
        "write": actor.may(Permission.CASE_WRITE), "close": actor.may(Permission.CASE_CLOSE),
        "pause": actor.may(Permission.CLOCK_PAUSE),
        "evidence": actor.may(Permission.EVIDENCE_READ),
    }  # fmt: skip


def _client(tx: Tx, actor: Actor, case: dict[str, Any]) -> dict[str, Any]:
    """The client, masked, and why the score warns of them, where the case came from that."""
    try:
        client = get_client(tx, actor, case["client_id"])
    except NotFound:
        return {"client": None, "why": [], "stale": []}  # no longer in the book; the case stays
    currency = tx.frame.currency
    scored = case["reason"] in policy.SCORE_REASONS
    told = why(client, actor, currency)[:MOST_REASONS] if scored else []
    return {
        "client": masked(actor, client, currency), "why": told,
        "stale": stale(tx, actor, client) if told else [], "table_names": SCORED,
        "monitor_titles": MONITORS,
    }  # fmt: skip


def _asked(tx: Tx, actor: Actor, case: dict[str, Any], tongue: Tongue) -> list[dict[str, Any]]:
    """What the client of a live case about leaving has asked for and not yet got."""
    about = case["live"] and case["reason"] == policy.CaseReason.EXIT_REQUEST
    if not about or not actor.may(Permission.EXIT_READ):
        return []
    found = exits.page(tx, actor, case["client_id"], None, MOST, None)
    return [
        {"words": tongue.names(exit_policy.KIND_TITLES, row.kind), "at": row.requested_at}
        for row in found
        if row.completed_at is None and row.cancelled_at is None
    ]


def _clocks(views: Sequence[ClockView], tongue: Tongue) -> list[dict[str, Any]]:
    """Clocks as shown: those that run first, by due time; then those that ended."""
    shown = []
    for view in views:
        live = view.state in CLOCK_LIVE
        shown.append(
            {
                "clock_id": view.clock_id, "version": view.version, "live": live,
                "title": view.title.zh if tongue.locale == "zh" else view.title.en,
                "paused": view.state is ClockState.PAUSED, "late": view.late,
                "met": view.state is ClockState.MET, "due_at": view.due_at,
                "ended_at": view.ended_at, "provisional": view.provisional,
                "promised": timedelta(minutes=view.target_minutes),
                "left": timedelta(minutes=view.remaining_minutes), "share": view.share,
                "reason": tongue.names(PAUSE_TITLES, view.pause_reason)
                if view.pause_reason else "",
                "by_desk": view.pause_reason == "contact-forbidden",
            }
        )  # fmt: skip
    far = datetime.max.replace(tzinfo=tongue.now.tzinfo)
    return sorted(shown, key=lambda c: (not c["live"], c["due_at"] or far, c["clock_id"]))


def _verdicts(tx: Tx, actor: Actor, case: dict[str, Any]) -> dict[str, Any]:
    """What the gate says now, to keep the client and for service, as it will be asked again."""
    from_score = case["reason"] in policy.SCORE_REASONS
    facts = facts_of(tx, case["client_id"], Aim.RETENTION, from_score=from_score)
    keep, serve = may_contact(facts), may_contact(replace(facts, aim=Aim.SERVICE))
    return {"keep": _told(tx, keep, actor), "serve": _told(tx, serve, actor)}


def _told(tx: Tx, verdict: Verdict, actor: Actor) -> dict[str, Any]:
    words = "" if verdict.allowed else forbidden(tx, verdict).words(actor.locale)
    return {"allowed": verdict.allowed, "code": verdict.code, "words": words}


def _steps(case: dict[str, Any], story: Story, tongue: Tongue) -> list[dict[str, Any]]:
    """The way of a case from open to its end, where it stands, and which steps it took."""
    ended = not case["live"]
    codes: list[str] = [state.value for state in policy.LIVE]
    at = len(codes) if ended else codes.index(case["state"])
    names = [tongue.names(policy.STATE_TITLES, code) for code in codes]
    names.append(
        tongue.names(policy.STATE_TITLES, case["state"]) if ended else tongue.t("Case ended")
    )
    taken = {line.new.get("state") for line, _ in story.lines}
    whole = story.earlier is None
    return [
        {
            "name": name, "here": number == at,
            "passed": number < at and (not whole or codes[number] in taken),
        }
        for number, name in enumerate(names)
    ]  # fmt: skip


def _reopens(tx: Tx, actor: Actor, case: dict[str, Any]) -> bool:
    """Whether the reader may make the closed case live again, as far as its row tells."""
    if case["live"] or case["closed_at"] is None or not actor.may(Permission.CASE_CLOSE):
        return False
    within = timedelta(days=tx.frame.settings.case.reopen_days)
    return bool(tx.at - case["closed_at"] < within and case["state"] != policy.State.WITHDRAWN)


def _ending(case: dict[str, Any], tongue: Tongue) -> dict[str, Any] | None:
    if case["live"]:
        return None
    return {
        "outcome": tongue.names(policy.STATE_TITLES, case["state"]),
        "reason": tongue.names(policy.CLOSE_TITLES, case["close_reason"]),
        "note": case["close_note"] or "", "at": case["closed_at"],
    }  # fmt: skip


def _matured(tx: Tx, actor: Actor, case: dict[str, Any], tongue: Tongue) -> dict[str, Any] | None:
    """What the label says of the client once known, beside what staff closed the case with."""
    if not actor.may(Permission.OUTCOME_READ):
        return None
    found = outcomes.of_case(tx, actor, case["client_id"], case["opened_at"], case["closed_at"])
    if found is None:
        return None
    said = outcomes.says(case["state"])
    differs = found.y is not None and said is not None and found.y != said
    return {
        "words": words_of(found, tongue.locale, tx.frame.zone), "day": found.day,
        "at": found.recorded_at, "differs": differs,
    }  # fmt: skip


def _next(
    actor: Actor, case: dict[str, Any], clocks: Sequence[dict[str, Any]],
    verdicts: dict[str, Any], tongue: Tongue,
) -> dict[str, Any] | None:  # fmt: skip
    """The one obvious step: which form, its words, and the clock that runs for it."""
    if not case["live"]:
        return None
    form, words, note = _step(case, verdicts, tongue)
    if not actor.may(Permission.CASE_CLOSE if form == "close" else Permission.CASE_WRITE):
        return None
    running = [c for c in clocks if c["live"] and not c["paused"] and c["due_at"]]
    return {"form": form, "words": words, "note": note, "clock": running[0] if running else None}


def _step(case: dict[str, Any], verdicts: dict[str, Any], tongue: Tongue) -> tuple[str, str, str]:
    t = tongue.t
    if case["reason"] in policy.SERVICE_REASONS:
        note = t("This is the client's own business: serve, do not try to keep them.")
        if case["state"] == policy.State.OPEN:
            return "contact", t("Record a contact"), note
        return "close", t("Close the case"), note
    keep = verdicts["keep"]
    if not keep["allowed"] and keep["code"] == "contact.complaint-open":
        return "contact", t("Record a service contact"), keep["words"]
    if not keep["allowed"] and keep["code"] != _SOON:
        return "close", t("Close the case"), keep["words"]
    if case["state"] == policy.State.OPEN:
        return "contact", t("Record a contact"), keep["words"]
    if case["state"] == policy.State.CONTACTED or not case["plan"]:
        return "plan", t("Write the plan"), ""
    if case["state"] == policy.State.PLAN:
        return "move", t("Begin to carry out the plan"), ""
    return "close", t("Close the case"), ""


def _since(entries: Sequence[Entry], visit: Visit) -> list[Entry]:
    """What happened since the sender of a form that was refused had opened the page."""
    seen, opened = visit.text("seen"), visit.text("opened")
    if not seen.isdigit() or len(seen) > 9:
        return []
    try:
        moment = datetime.fromisoformat(opened)
    except ValueError:
        return []
    return [
        entry
        for entry in entries
        if (entry.number > int(seen) if entry.number is not None else entry.at >= moment)
    ]


def _alerts(tx: Tx, actor: Actor, case: dict[str, Any], tongue: Tongue) -> list[dict[str, Any]]:
    """The alerts that the case grew from, as far as they were shown to anybody."""
    if not actor.may(Permission.ALERT_READ) or not case["alerts"]:
        return []
    chosen = AlertFilter(status=_ALERTS, client=case["client_id"])
    rows, _ = list_alerts(tx, actor, chosen, "-raised_at", MOST, None)
    return [
        {
            "reason": tongue.names(alert_policy.REASON_TITLES, row.reason), "tier": row.tier,
            "score": row.score, "raised_at": row.raised_at, "signals": row.signals,
            "status": tongue.names(alert_policy.STATUS_TITLES, row.status),
        }
        for row in rows
        if row.case_id == case["case_id"] and row.shown_at is not None
    ]  # fmt: skip


def _choices(tx: Tx, actor: Actor, case: dict[str, Any], tongue: Tongue) -> dict[str, Any]:
    """What may be chosen in the forms, and tasks and files with their names."""

    def named(titles: dict[Any, str], codes: Any = None) -> list[tuple[str, str]]:
        return [(str(c), tongue.t(titles[c])) for c in (titles if codes is None else codes)]

    tasks = repo.tasks_to_show(tx, case["case_id"], MOST)
    files, more_files = work.list_files(tx, actor, case["case_id"], MOST, None)
    carers = repo.carers(tx, case["client_id"])
    able = dict.fromkeys(
        s for s in (case["owner_id"], *carers, case["escalated_to"], actor.staff_id) if s
    )
    names = repo.staff_names(tx, [*able, *(task.assignee_id for task in tasks)])
    state = policy.State(case["state"])
    return {
        "tasks": tasks, "files": files, "more_files": more_files is not None, "names": names,
        "able": [(s, names.get(s, s)) for s in able],
        "channels": named(contact_policy.CHANNEL_TITLES),
        "directions": named(contact_policy.DIRECTION_TITLES),
        "aims": named(contact_policy.AIM_TITLES), "results": named(contact_policy.RESULT_TITLES),
        "pauses": [
            (str(c), tongue.t(w)) for c, w in PAUSE_TITLES.items() if c != "contact-forbidden"
        ],
        "moves": named(policy.STATE_TITLES, policy.MOVES.get(state, ())),
        "endings": [
            (tongue.names(policy.STATE_TITLES, o), [
                (f"{o}/{r}", tongue.names(policy.CLOSE_TITLES, r)) for r in reasons
            ])
            for o, reasons in policy.OUTCOMES.items() if o not in policy.BY_SYSTEM
        ],
        "is_service": case["reason"] in policy.SERVICE_REASONS,
        "limited": tongue.names(RETENTION_WORDS, case["retention"])
        # A case about the client's own business keeps nobody, however much would be allowed.
        if case["live"] and case["retention"] != policy.Retention.FREE
        and case["reason"] not in policy.SERVICE_REASONS else "",
        "keys": {name: new_id("form", tx.at) for name in ("contact", "note", "task", "file")},
    }  # fmt: skip
