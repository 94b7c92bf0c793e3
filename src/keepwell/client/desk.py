"""The verbs of the desk, one method each, thin over the API of the same names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx2

from keepwell.client.item import Item
from keepwell.client.wire import Wire

Row = Mapping[str, object]


class Desk:
    """A desk, as one user sees it.

    Reads give items: JSON objects whose keys read as attributes. Lists are iterators that fetch
    page after page. Changes of a thing need the item that was read (its version): when somebody
    changed it in the meantime, `ChangedMeanwhile` is raised and nothing is lost. A change is
    repeated after a lost answer without a second effect.

    Args:
        url: of the server, such as https://desk.example.com.
        token: API token, made under /me/tokens; None when the transport knows who calls.
        locale: language of messages, 'en' or 'zh'; default: the user's.
        timeout: seconds for one attempt.
        retries: attempts after the first when the desk does not answer or is busy.
        transport: how requests travel; default: HTTP.
        sleep: how to wait between attempts.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        locale: str | None = None,
        timeout: float = 30.0,
        retries: int = 4,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.wire = Wire(
            url, token, locale=locale, timeout=timeout, retries=retries, transport=transport,
            sleep=sleep,
        )  # fmt: skip

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.wire.close()

    def me(self) -> Item:
        """Who calls, and what they may do."""
        return self.wire.get("/me")

    # Alerts

    def alerts(self, *, limit: int | None = None, **filters: Any) -> Iterator[Item]:
        """Alerts, most urgent first.

        Args:
            limit: at most so many; default: all.
            **filters: of GET /alerts, such as state or tier.
        """
        return self.wire.pages("/alerts", limit, **filters)

    def alert(self, alert_id: str) -> Item:
        """One alert."""
        return self.wire.get(f"/alerts/{_part(alert_id)}")

    def acknowledge(self, alert: Item) -> Item:
        """Say that an alert was seen."""
        return self.wire.post(f"/alerts/{_part(alert['alert_id'])}/acknowledge", etag=alert.etag)

    def snooze(
        self,
        alert: Item,
        reason: str,
        *,
        until: datetime | None = None,
        event: str | None = None,
    ) -> Item:
        """Let an alert sleep until an instant or an event; a higher tier wakes it too.

        Args:
            alert: as it was read.
            reason: why.
            until: instant with a time zone.
            event: what wakes it.
        """
        body = _given(reason=reason, until=_instant(until), event=event)
        return self.wire.post(f"/alerts/{_part(alert['alert_id'])}/snooze", body, etag=alert.etag)

    # Cases

    def cases(self, *, limit: int | None = None, **filters: Any) -> Iterator[Item]:
        """Cases, the first clock due first.

        Args:
            limit: at most so many; default: all.
            **filters: of GET /cases, such as state, tier, owner, client or live.
        """
        return self.wire.pages("/cases", limit, **filters)

    def case(self, case_id: str) -> Item:
        """One case in full, with its clocks."""
        return self.wire.get(f"/cases/{_part(case_id)}")

    def recommendation(self, case_id: str) -> Item:
        """What to do in a live case now, what to say, and every refusal with its reason.

        An answer that differs from the one before is kept with all that decided it.
        """
        return self.wire.get(f"/cases/{_part(case_id)}/recommendation")

    def open_case(
        self,
        client_id: str,
        *,
        reason: str = "manual",
        tier: str = "moderate",
        title: str | None = None,
    ) -> Item:
        """Open a case by hand, or get the live one about the same client and reason."""
        body = _given(client_id=client_id, reason=reason, tier=tier, title=title)
        return self.wire.post("/cases", body)

    def move_case(self, case: Item, state: str) -> Item:
        """Take a case on to contacted, plan or saving."""
        return self._case_verb(case, "move", {"state": state})

    def close_case(self, case: Item, outcome: str, reason: str, note: str) -> Item:
        """End a case: recovered, lost or false-alarm, with reason and note."""
        body = {"outcome": outcome, "reason": reason, "note": note}
        return self._case_verb(case, "close", body)

    def history(self, case_id: str) -> Iterator[Item]:
        """What happened to a case, in order."""
        return self.wire.pages(f"/cases/{_part(case_id)}/history")

    def notes(self, case_id: str) -> Iterator[Item]:
        """The notes of a case."""
        return self.wire.pages(f"/cases/{_part(case_id)}/notes")

    def note(self, case_id: str, text: str) -> Item:
        """Add a note to a case."""
        return self.wire.post(f"/cases/{_part(case_id)}/notes", {"text": text})

    def contact(
        self,
        case_id: str,
        channel: str,
        result: str,
        *,
        direction: str = "out",
        note: str | None = None,
        at: datetime | None = None,
        retention: bool = True,
        happened: bool = False,
    ) -> Item:
        """Record a contact with the client of a case.

        Args:
            case_id: whose client.
            channel: by which way, such as phone.
            result: how it went, such as reached; 'refused' stops all retention contacts.
            direction: 'out' when the broker began, 'in' when the client did.
            note: in words.
            at: when; default: now.
            retention: whether it was meant to keep the client.
            happened: it was made although a rule forbids it; recorded as a breach.
        """
        body = _given(
            channel=channel, result=result, direction=direction, note=note, at=_instant(at),
            retention=retention, happened=happened,
        )  # fmt: skip
        return self.wire.post(f"/cases/{_part(case_id)}/contacts", body)

    def may_contact(self, client_id: str, **facts: Any) -> Item:
        """Whether the rules allow a contact now, and if not, which forbids it."""
        return self.wire.get(f"/clients/{_part(client_id)}/may-contact", **facts)

    def reassign_preview(
        self,
        to: str | Sequence[str],
        *,
        cases: Sequence[str] | None = None,
        owner: str | None = None,
    ) -> Item:
        """See what a reassignment would do: its `plan` and `moves`.

        Args:
            to: staff number of the one who gets them, or numbers among whom they are spread.
            cases: ids of the cases; or
            owner: staff number whose live cases they are.
        """
        takers = {"to": to} if isinstance(to, str) else {"spread": list(to)}
        listed = list(cases) if cases is not None else None
        body = _given(case_ids=listed, owner_id=owner, **takers)
        return self.wire.post("/cases/reassign/preview", body)

    def reassign(self, plan: str) -> Item:
        """Do exactly what a preview said."""
        return self.wire.post("/cases/reassign", {"plan": plan})

    def undo_reassign(self, batch_id: str) -> Item:
        """Undo a reassignment within 24 hours."""
        return self.wire.post(f"/cases/reassign/{_part(batch_id)}/undo")

    # Clients

    def clients(self, *, limit: int | None = None, **filters: Any) -> Iterator[Item]:
        """Clients in one's scope, most at risk first.

        Args:
            limit: at most so many; default: all.
            **filters: of GET /clients, such as tier or search.
        """
        return self.wire.pages("/clients", limit, **filters)

    def client(self, client_id: str) -> Item:
        """One client."""
        return self.wire.get(f"/clients/{_part(client_id)}")

    def context(self, client_id: str) -> Item:
        """All that a person needs on the phone, in one call."""
        return self.wire.get(f"/clients/{_part(client_id)}/context")

    def receipts(self, client_id: str, *, limit: int | None = None) -> Iterator[Item]:
        """Receipts of what was done about a client, each with its proof."""
        return self.wire.pages(f"/clients/{_part(client_id)}/receipts", limit)

    # Experiments

    def experiments(self, *, limit: int | None = None, **filters: Any) -> Iterator[Item]:
        """Experiments, newest first.

        Args:
            limit: at most so many; default: all.
            **filters: of GET /experiments, such as state.
        """
        return self.wire.pages("/experiments", limit, **filters)

    def experiment(self, experiment_id: str) -> Item:
        """One experiment: design, draws, looks, what it proved."""
        return self.wire.get(f"/experiments/{_part(experiment_id)}")

    def experiment_power(self, **asked: Any) -> Item:
        """How many clients a test needs; parameters of GET /experiment-power, such as effect."""
        return self.wire.get("/experiment-power", **asked)

    def create_experiment(self, **design: Any) -> Item:
        """Set up a draft; fields of POST /experiments, such as title, arms, control, base."""
        return self.wire.post("/experiments", design)

    def register_experiment(self, experiment: Item) -> Item:
        """Freeze a draft's design."""
        return self._experiment_verb(experiment, "register")

    def draw_experiment(self, experiment: Item) -> Item:
        """Draw who may enter now and is not in it yet."""
        return self._experiment_verb(experiment, "draws")

    def look_at_experiment(
        self, experiment: Item, *, kind: str = "planned", final: bool = False
    ) -> Item:
        """Look at an experiment.

        Args:
            experiment: as it was read.
            kind: 'planned', or 'guardrails' for harm alone, at any time.
            final: nobody more will be drawn; the last look.
        """
        return self._experiment_verb(experiment, "looks", {"kind": kind, "final": final})

    def stop_experiment(self, experiment: Item, reason: str) -> Item:
        """End an experiment, with a reason."""
        return self._experiment_verb(experiment, "stop", {"reason": reason})

    # Outcomes

    def outcomes(self, *, limit: int | None = None, **filters: Any) -> Iterator[Item]:
        """What the label says became of clients, the newest matured first.

        Args:
            limit: at most so many; default: all.
            **filters: of GET /outcomes, such as client, since or left.
        """
        return self.wire.pages("/outcomes", limit, **filters)

    def mismatch(self, **span: Any) -> Item:
        """What staff typed when they closed cases, against what the label says.

        Args:
            **span: since and until, days on which the cases were closed.
        """
        return self.wire.get("/outcomes/mismatch", **span)

    def note_delivery(self, contact_id: str, delivery: str, at: datetime | None = None) -> Item:
        """Say later whether a contact arrived: delivered, failed or unknown."""
        body = _given(delivery=delivery, at=_instant(at))
        return self.wire.post(f"/contacts/{_part(contact_id)}/delivery", body)

    def ledger(self, client_id: str, *, verify: bool = False) -> Item:
        """All that was decided and done about a client; verified line by line if wanted."""
        return self.wire.get(f"/clients/{_part(client_id)}/ledger", verify=verify or None)

    # Events, notices, evidence

    def send_events(self, source: str, batch: str, table: str, rows: Sequence[Row]) -> Item:
        """Send rows of the data contract; a batch sent again is taken once.

        Args:
            source: name of the sending system.
            batch: its id of this batch.
            table: of the contract.
            rows: at most 1,000, with the contract's columns.
        """
        body = {"source": source, "batch": batch, "table": table, "rows": [dict(r) for r in rows]}
        return self.wire.post("/events", body)

    def notices(self, *, unread: bool | None = None, limit: int | None = None) -> Iterator[Item]:
        """One's own notices, unread first."""
        return self.wire.pages("/notices", limit, unread=unread)

    def mark_read(self, notices: Sequence[str] | None = None) -> int:
        """Mark notices as read; default: all. Returns how many."""
        body = {"all": True} if notices is None else {"ids": list(notices)}
        marked: int = self.wire.post("/notices/read", body)["marked"]
        return marked

    def receipt(self, entry_id: str) -> Item:
        """Proof that an evidence entry is in the log."""
        return self.wire.get(f"/evidence/entries/{_part(entry_id)}/receipt")

    def _experiment_verb(
        self, experiment: Item, verb: str, body: Mapping[str, Any] | None = None
    ) -> Item:
        path = f"/experiments/{_part(experiment['experiment_id'])}/{verb}"
        return self.wire.post(path, body, etag=experiment.etag)

    def _case_verb(self, case: Item, verb: str, body: Mapping[str, Any]) -> Item:
        return self.wire.post(f"/cases/{_part(case['case_id'])}/{verb}", body, etag=case.etag)


def _part(text: str) -> str:
    return quote(text, safe="")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
