"""Evidence: search the log, look at an entry, verify receipts and the log, unmaskings, hold-out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor
from keepwell.frame.problem import NotFound
from keepwell.frame.text import Id
from keepwell.intervene.alert import service as alerts
from keepwell.intervene.alert.policy import DECISION_TITLES, Decision
from keepwell.intervene.alert.policy import REASON_TITLES as ALERT_REASONS
from keepwell.learn.holdout import service as holdout
from keepwell.trust.access import users
from keepwell.trust.access.call import Reply
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book import read as book
from keepwell.trust.evidence import prove
from keepwell.trust.evidence.finding import Report
from keepwell.trust.evidence.model import EvidenceCheckpoint
from keepwell.trust.evidence.policy import TITLES, EvidenceKind
from keepwell.trust.evidence.repo import Search
from keepwell.trust.evidence.schema import Receipt
from keepwell.web.pages.form import FormError
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

ROWS: Final = 50
MOST_BYTES: Final = 2_000_000
MOST_RECEIPTS: Final = 500

DECISIONS: Final[dict[str, str]] = {str(code): title for code, title in DECISION_TITLES.items()}
"""What the desk decided about an alert, in English."""

CAUSES: Final[dict[str, str]] = {
    "draw": "The draw", "ceiling": "The day's ceiling", "release": "A place became free",
    "mandatory": "A duty towards the client", "profiling": "The client's refusal",
    "exit": "The client's exit request", "person": "A person", "signal": "The signal ended",
}  # fmt: skip
"""What led to a decision, in English."""

ARMS: Final[dict[str, str]] = {"contact": "Contact arm", "hold-out": "Held out"}
"""Arms of the draw, in English."""

FIELDS: Final[dict[str, str]] = {
    "name": "Name", "phone": "Telephone", "birth_year": "Year of birth", "note": "Note",
    "assets": "Assets", "opened_on": "Client since", "address": "Address", "reason": "Reason",
    "score": "Score", "tier": "Tier", "probability": "Probability",
}  # fmt: skip
"""Personal fields as the page calls them, in English."""

ADVICE: Final[dict[str, str]] = {
    "receipt": "Ask whoever gave you the receipt for the original file; a copy may be cut off.",
    "key": (
        "It was signed by another key. Compare the key below with the one that the broker "
        "published, and ask which desk the receipt came from."
    ),
    "opening": "The personal value given with the receipt is not the one that was recorded.",
    "entry": (
        "The entry was changed after it was signed, or the proof is not its own. Download the "
        "receipt here anew and compare the two."
    ),
    "checkpoint": (
        "What was signed is not what the log holds now. Change nothing, keep a copy of the "
        "database, tell compliance, and run keepwell evidence verify."
    ),
}
"""What to do about a finding, in English; by the beginning of its code."""

Entry = Annotated[Id, Path(max_length=200)]
Text = Annotated[str | None, Query(max_length=200)]


@router.get("/evidence")
def search_page(
    kind: Text = None,
    subject: Text = None,
    client: Text = None,
    who: Text = None,
    since: Text = None,
    until: Text = None,
    cursor: Cursor = None,
    visit: Visit = visiting(Permission.EVIDENCE_READ),
) -> Response:
    """Entries of the log, newest first."""
    asked = {
        "kind": kind, "subject": subject, "client": client, "who": who, "since": since,
        "until": until,
    }  # fmt: skip
    given = {name: value.strip() for name, value in asked.items() if value and value.strip()}

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        rows, following, fault = _search(tx, actor, given, cursor)
        tongue = visit.tongue(actor)
        verifier, newest = _checkpoint(tx)
        kinds = sorted(((k.value, tongue.t(TITLES[k])) for k in EvidenceKind), key=_by_words)
        return {
            "rows": rows, "given": {**_EMPTY, **given}, "narrowed": bool(given),
            "fault": fault, "kinds": kinds, "titles": TITLES,
            "next": "/evidence?" + urlencode({**given, "cursor": following}) if following else "",
            "begun": _path("/evidence", given) if cursor else "",
            "verifier": verifier, "newest": newest,
        }  # fmt: skip

    return visit.show("evidence/page.html", verb)


@router.get("/evidence/entries/{entry_id}")
def entry_page(entry_id: Entry, visit: Visit = visiting(Permission.EVIDENCE_READ)) -> Response:
    """One entry with all that it says."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        found = prove.read_entry(tx, actor, entry_id)
        _refuse_hidden(actor, found)
        row = _lines(tx, actor, [found])[0]
        _, newest = _checkpoint(tx)
        covered = newest is not None and found.index is not None and found.index < newest.size
        text = json.dumps(found.entry, indent=2, ensure_ascii=False, sort_keys=True)
        return {
            "row": row, "titles": TITLES, "fields": FIELDS, "covered": covered, "text": text,
            "told": [(name, _plain(value)) for name, value in row.entry["data"].items()],
        }  # fmt: skip

    return visit.show("evidence/entry.html", verb)


@router.get("/evidence/entries/{entry_id}/receipt")
def receipt_file(entry_id: Entry, visit: Visit = visiting(Permission.EVIDENCE_READ)) -> Response:
    """An entry's receipt as a file."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        _refuse_hidden(actor, prove.read_entry(tx, actor, entry_id))
        receipt = prove.read_receipt(tx, actor, entry_id)
        body = json.dumps(receipt, indent=1, ensure_ascii=False).encode()
        return Reply(body, headers=_file(f"receipt-{entry_id}.json"))

    return visit.answer(verb)


@router.get("/evidence/checkpoint")
def checkpoint_file(visit: Visit = visiting(Permission.EVIDENCE_READ)) -> Response:
    """The newest checkpoint as a file, to be kept elsewhere."""

    def verb(tx: Tx, actor: Actor) -> Reply:  # noqa: ARG001
        _, row = prove.latest_checkpoint(tx)
        name = f"checkpoint-{row.size}.txt"
        return Reply(row.note.encode(), headers=_file(name), media_type="text/plain; charset=utf-8")

    return visit.answer(verb)


@router.get("/evidence/verify")
def verify_page(visit: Visit = visiting(Permission.EVIDENCE_READ)) -> Response:
    """Verify a receipt or the log."""
    return visit.show("evidence/verify.html", _unverified)


@router.post("/evidence/verify")
def verify(visit: Visit = visiting(Permission.EVIDENCE_READ)) -> Response:
    """Verify what was given, and say what came of it; nothing is changed."""
    what = visit.text("what")
    older = visit.text("checkpoint")

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        kept = older + "\n" if older else None  # a signed note ends with a line break
        if what == "log":
            report = prove.verify_log(tx, kept)
        else:
            report = _verified(tx, visit, kept)
        return _verifying(tx, report, what) | {
            "words": [finding.words(actor.locale) for finding in report.findings],
            "typed": {k: v for k, v in visit.form.items() if isinstance(v, str)},
        }

    try:
        return visit.show("evidence/verify.html", verb)
    except FormError as error:
        return visit.refuse(("evidence/verify.html", _unverified), error)


@router.get("/evidence/unmaskings")
def unmaskings_page(
    client: Text = None,
    who: Text = None,
    cursor: Cursor = None,
    visit: Visit = visiting(Permission.EVIDENCE_READ),
) -> Response:
    """Who looked at personal fields, and why."""
    given = {k: v.strip() for k, v in {"client": client, "who": who}.items() if v and v.strip()}

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        user = _user(tx, given["who"]) if "who" in given else None
        rows, more = book.list_unmaskings(tx, actor, given.get("client"), user, ROWS, cursor)
        return {
            "rows": rows, "given": {**_EMPTY, **given}, "narrowed": bool(given), "fields": FIELDS,
            "next": _path("/evidence/unmaskings", {**given, "cursor": more}) if more else "",
            "begun": _path("/evidence/unmaskings", given) if cursor else "",
        }  # fmt: skip

    return visit.show("evidence/unmaskings.html", verb)


@router.get("/evidence/holdout")
def holdout_page(
    period: Annotated[str | None, Query(pattern=r"^(\d{4})?$")] = None,
    decision: Annotated[str | None, Query(max_length=40)] = None,
    client: Text = None,
    cursor: Cursor = None,
    managers: Cursor = None,
    visit: Visit = visiting(Permission.HOLDOUT_READ),
) -> Response:
    """Share and check of the hold-out, counts by manager, and the log of treatments."""
    asked = {"period": period, "decision": decision, "client": client}
    given = {name: value.strip() for name, value in asked.items() if value and value.strip()}

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        try:
            drawn = holdout.read_holdout(tx, actor, given.get("period"), ROWS, managers)
        except NotFound:
            drawn = None
        chosen = alerts.TreatmentFilter(
            tuple(d for d in Decision if d == given.get("decision")),
            given.get("client"), given.get("period"),
        )  # fmt: skip
        log = alerts.list_treatments(tx, actor, chosen, ROWS, cursor)
        path = "/evidence/holdout"
        return {
            "drawn": drawn, "log": log.items, "given": {**_EMPTY, **given},
            "narrowed": bool(given), "decisions": DECISIONS,
            "causes": CAUSES, "arms": ARMS,
            "reasons": {**ALERT_REASONS, "manual": "Opened by hand"},
            "next": _path(path, {**given, "cursor": log.next}) + "#log" if log.next else "",
            "begun": _path(path, given) + "#log" if cursor else "",
            "more_managers": (
                _path(path, {**given, "managers": drawn.next}) if drawn and drawn.next else ""
            ),
            "first_managers": _path(path, given) if managers else "",
        }  # fmt: skip

    return visit.show("evidence/holdout.html", verb)


_EMPTY: Final = dict.fromkeys(
    ("kind", "subject", "client", "who", "since", "until", "period", "decision"), ""
)
"""What a form shows where nothing was asked for."""

# Searching


def _search(
    tx: Tx, actor: Actor, given: dict[str, str], cursor: str | None
) -> tuple[list[SimpleNamespace], str | None, str]:
    """Lines of a page, the next one's cursor, and what is wrong with what was asked, in English."""
    kind = given.get("kind")
    if kind is not None and kind not in TITLES:
        return [], None, "Choose one of the list."
    try:
        since, until = _midnight(tx, given.get("since")), _midnight(tx, given.get("until"), 1)
    except (ValueError, OverflowError):
        return [], None, "Choose a date."
    wanted = Search(
        kind, given.get("subject"), _user(tx, given["who"]) if "who" in given else None,
        since=since, until=until,
        without=None if actor.may(Permission.HOLDOUT_READ) else _HIDDEN,
    )  # fmt: skip
    found, following = prove.search(
        tx, actor, wanted, client_id=given.get("client"), limit=ROWS, cursor=cursor
    )
    return _lines(tx, actor, found), following, ""


def _lines(tx: Tx, actor: Actor, found: list[prove.Found]) -> list[SimpleNamespace]:
    """Entries as the page shows them: with log-in names, clients and the case to open."""
    people = {one.entry[name] for one in found for name in ("actor", "subject")}
    logins = users.logins(tx, people - {""})
    clients = prove.clients_of(tx, actor, found)
    return [
        SimpleNamespace(
            entry=one.entry, index=one.index, kind=one.entry["kind"],
            at=datetime.fromisoformat(one.entry["at"]), subject=one.entry["subject"],
            whom=logins.get(one.entry["subject"], ""),
            who=logins.get(one.entry["actor"], one.entry["actor"]),
            token=one.entry.get("client", ""), client_id=clients.get(one.entry.get("client", "")),
            personal=one.entry.get("personal", {}), vouched=one.entry.get("rows", {}),
            case_id=_case_of(one.entry) if actor.may(Permission.CASE_READ) else "",
        )
        for one in found
    ]  # fmt: skip


_HIDDEN: Final = "treatment."


def _refuse_hidden(actor: Actor, found: prove.Found) -> None:
    # Of treatments even the number would tell who is held out.
    kind = found.entry["kind"]
    if kind.startswith(_HIDDEN) and not actor.may(Permission.HOLDOUT_READ):
        raise NotFound("evidence.entry-unknown")


def _case_of(entry: dict[str, Any]) -> str:
    for value in (entry["subject"], entry["data"].get("case_id")):
        if isinstance(value, str) and value.startswith("case_"):
            return value
    return ""


def _user(tx: Tx, text: str) -> str:
    """The user of a log-in name; the text itself when there is none: ids are looked for too."""
    try:
        return str(users.find_login(tx, text).user.user_id)
    except NotFound:
        return text


def _midnight(tx: Tx, text: str | None, days: int = 0) -> datetime | None:
    if not text:
        return None
    day = date.fromisoformat(text)
    if not _FIRST <= day <= _LAST:
        raise ValueError(text)
    return datetime.combine(day + timedelta(days=days), time(), tx.frame.zone).astimezone(UTC)


_FIRST: Final = date(1900, 1, 1)
_LAST: Final = date(9000, 1, 1)


def _by_words(pair: tuple[str, str]) -> str:
    return pair[0]


def _checkpoint(tx: Tx) -> tuple[str, EvidenceCheckpoint | None]:
    try:
        return prove.latest_checkpoint(tx)
    except NotFound:
        return "", None


# Verifying


def _verifying(tx: Tx, report: Report | None, what: str = "") -> dict[str, Any]:
    verifier, newest = _checkpoint(tx)
    codes = [finding.code for finding in report.findings] if report else []
    advice = [words for start, words in ADVICE.items() if any(c.startswith(start) for c in codes)]
    return {
        "report": report, "what": what, "words": [], "advice": advice, "verifier": verifier,
        "newest": newest,
    }  # fmt: skip


def _unverified(tx: Tx, actor: Actor) -> dict[str, Any]:  # noqa: ARG001
    return _verifying(tx, None)


def _verified(tx: Tx, visit: Visit, older: str | None) -> Report:
    text = _given(visit)
    if not text.strip():
        raise FormError({"receipt": "Choose a file or paste a receipt."})
    try:
        receipts = _receipts(text)
    except (ValueError, RecursionError):
        report = Report()
        report.add("receipt.broken", problem="JSON")
        return report
    return prove.verify_receipts(tx, receipts, None, older)


def _given(visit: Visit) -> str:
    file = visit.form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        raw = file.file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise FormError({"file": "The file is too large for a receipt."})
        return raw.decode("utf-8-sig", "replace")
    return visit.text("receipt")


_ONE: Final = TypeAdapter(Receipt)


def _receipts(text: str) -> list[dict[str, Any]]:
    """Receipts of a file: one, a list, or a page as the API hands it out.

    Raises:
        ValueError: there is none in it.
    """
    found = json.loads(text)
    if isinstance(found, dict) and isinstance(found.get("items", found.get("receipts")), list):
        found = found.get("items", found.get("receipts"))
    items = found if isinstance(found, list) else [found]
    if not items or len(items) > MOST_RECEIPTS:
        raise ValueError("no receipts, or too many")
    try:
        return [_ONE.validate_python(item).model_dump() for item in items]
    except ValidationError:
        raise ValueError("no receipt") from None


# Small things


def _path(path: str, given: dict[str, str]) -> str:
    return path + ("?" + urlencode(given) if given else "")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
