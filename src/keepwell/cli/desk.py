"""`keepwell desk`: the common verbs of the retention desk, here or on a server.

With --url it calls a server with the token in KEEPWELL_TOKEN; without, it opens the workspace's
desk in this process as the user named by --as.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from keepwell.cli.desk_show import one, said, table
from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, write_json
from keepwell.core.errors import UsageError
from keepwell.core.text import current_locale, tr

if TYPE_CHECKING:
    from keepwell.client import Desk

LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")]
TierOption = Annotated[
    str | None, typer.Option("--tier", help="Only of this tier: mild, moderate, severe.")
]
CaseArgument = Annotated[str, typer.Argument(help="Number of the case.", metavar="CASE")]
ClientArgument = Annotated[str, typer.Argument(help="Number of the client.", metavar="CLIENT")]

_AS = "Log-in name to act as, without a server."
_URL = "Address of a server; token in KEEPWELL_TOKEN."

_OWN = ("--workspace", "-w", "--as", "--url")


class _Anywhere(TyperGroup):
    """Takes the desk's own options behind the verb, too, where people write them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move them to the front."""
        end = args.index("--") if "--" in args else len(args)
        front: list[str] = []
        rest: list[str] = []
        words = iter(args[:end])
        for word in words:
            own = word.split("=")[0] in _OWN
            (front if own else rest).append(word)
            if own and "=" not in word:
                front += [value for value in (next(words, None),) if value is not None]
        return super().parse_args(ctx, [*front, *rest, *args[end:]])


_app = typer.Typer(
    cls=_Anywhere, no_args_is_help=True, help="The retention desk: alerts, cases, clients."
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Which desk, and as whom."""

    workspace: Path
    login: str | None
    url: str | None


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(_app, name="desk")


@_app.callback()
def _desk(
    context: typer.Context,
    workspace: WorkspaceOption = Path(),
    login: Annotated[
        str | None,
        typer.Option("--as", envvar="KEEPWELL_AS", help=_AS),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", envvar="KEEPWELL_URL", help=_URL),
    ] = None,
) -> None:
    """The retention desk: alerts, cases, clients."""
    context.obj = _Place(workspace, login, url)


@contextmanager
def _opened(context: typer.Context) -> Iterator[Desk]:
    """The desk that the options name."""
    from keepwell.client import Desk

    place: _Place = context.obj
    with ExitStack() as stack:
        if place.url is not None:
            token = os.environ.get("KEEPWELL_TOKEN")
            if not token:
                raise UsageError("client.token-missing")
            yield stack.enter_context(Desk(place.url, token, locale=current_locale()))
            return
        if not place.login:
            raise UsageError("client.user-missing")
        from keepwell.frame.context import Frame
        from keepwell.frame.migrate import check
        from keepwell.web.local import LocalTransport

        frame = Frame.open(place.workspace)
        stack.callback(frame.close)
        check(frame)
        inside = LocalTransport(frame, place.login)
        yield stack.enter_context(
            Desk("http://desk.local", locale=current_locale(), transport=inside)
        )


@_app.command("me")
def me(context: typer.Context, as_json: JsonOption = False) -> None:
    """Who calls, and what they may do."""
    with _opened(context) as desk:
        found = desk.me()
    one(found, as_json, ["login", "name", "role", "scope", "staff_id", "permissions"])


@_app.command("alerts")
def alerts(
    context: typer.Context,
    status: Annotated[
        str | None, typer.Option("--status", help="Only in this state, such as shown.")
    ] = None,
    tier: TierOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List alerts, most urgent first."""
    with _opened(context) as desk:
        found = list(desk.alerts(limit=limit, status=status, tier=tier))
    table(
        found, as_json,
        ["alert_id", "client_id", "reason", "tier", "status", "owner_id", "raised_at"],
    )  # fmt: skip


@_app.command("acknowledge")
def acknowledge(
    context: typer.Context,
    alert_id: Annotated[str, typer.Argument(help="Number of the alert.", metavar="ALERT")],
    as_json: JsonOption = False,
) -> None:
    """Say that an alert was seen."""
    with _opened(context) as desk:
        done = desk.acknowledge(desk.alert(alert_id))
    said(done, as_json, "Alert {alert_id} is acknowledged.", "alert_id")


@_app.command("cases")
def cases(
    context: typer.Context,
    state: Annotated[
        str | None, typer.Option("--state", help="Only in this state, such as open.")
    ] = None,
    tier: TierOption = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Only of this owner (staff number).")
    ] = None,
    client: Annotated[str | None, typer.Option("--client", help="Only about this client.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Those that ended.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List live cases, the first clock due first."""
    with _opened(context) as desk:
        live = None if state else not closed
        chosen = {"state": state, "tier": tier, "owner": owner, "client": client, "live": live}
        found = list(desk.cases(limit=limit, **chosen))
    table(
        found, as_json,
        ["case_id", "client_id", "reason", "tier", "state", "owner_id", "next_due_at"],
    )  # fmt: skip


@_app.command("case")
def case(context: typer.Context, case_id: CaseArgument, as_json: JsonOption = False) -> None:
    """Show a case with its clocks and notes."""
    with _opened(context) as desk:
        found = desk.case(case_id)
        notes = list(desk.notes(case_id))
    if as_json:
        write_json({**found, "notes": notes})
        return
    one(
        found, False,
        ["case_id", "client_id", "title", "reason", "tier", "state", "owner_id", "level",
         "opened_at", "contacted_at", "closed_at", "close_reason", "plan"],
    )  # fmt: skip
    if found["clocks"]:
        table(found["clocks"], False, ["title", "state", "due_at", "tier", "owner_id"])
    if notes:
        table(notes, False, ["at", "author", "text"])


@_app.command("recommend")
def recommend(context: typer.Context, case_id: CaseArgument, as_json: JsonOption = False) -> None:
    """What to do in a live case, what to say, and why nothing else."""
    with _opened(context) as desk:
        found = desk.recommendation(case_id)
    if as_json:
        write_json(found)
        return
    from keepwell.cli.desk_advice import show_advice

    show_advice(found)


@_app.command("open")
def open_case(
    context: typer.Context,
    client_id: ClientArgument,
    title: Annotated[str | None, typer.Option("--title", help="In a few words.")] = None,
    tier: Annotated[str, typer.Option("--tier", help="mild, moderate or severe.")] = "moderate",
    as_json: JsonOption = False,
) -> None:
    """Open a case by hand."""
    with _opened(context) as desk:
        made = desk.open_case(client_id, tier=tier, title=title)
    said(made, as_json, "Case {case_id} is open.", "case_id")


@_app.command("contact")
def contact(
    context: typer.Context,
    case_id: CaseArgument,
    result: Annotated[
        str,
        typer.Option(
            "--result", help="reached, call-back, refused, no-answer, delivered or failed."
        ),
    ],
    channel: Annotated[
        str, typer.Option("--channel", help="phone, sms, email, wecom, app, branch, …")
    ] = "phone",
    inbound: Annotated[bool, typer.Option("--in", help="The client began.")] = False,
    service: Annotated[
        bool, typer.Option("--service", help="About the client's own business, not to keep them.")
    ] = False,
    note: Annotated[str | None, typer.Option("--note", help="In words.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Record a contact with the client of a case."""
    with _opened(context) as desk:
        made = desk.contact(
            case_id, channel, result, direction="in" if inbound else "out", note=note,
            retention=not service,
        )  # fmt: skip
    said(made, as_json, "Contact {contact_id} is recorded.", "contact_id")


@_app.command("note")
def note(
    context: typer.Context,
    case_id: CaseArgument,
    text: Annotated[str, typer.Argument(help="The note.")],
    as_json: JsonOption = False,
) -> None:
    """Add a note to a case."""
    with _opened(context) as desk:
        made = desk.note(case_id, text)
    said(made, as_json, "Note {note_id} is written.", "note_id")


@_app.command("move")
def move(
    context: typer.Context,
    case_id: CaseArgument,
    state: Annotated[str, typer.Argument(help="contacted, plan or saving.")],
    as_json: JsonOption = False,
) -> None:
    """Take a case on to its next state."""
    with _opened(context) as desk:
        done = desk.move_case(desk.case(case_id), state)
    said(done, as_json, "Case {case_id} is now {state}.", "case_id", "state")


@_app.command("close")
def close(
    context: typer.Context,
    case_id: CaseArgument,
    outcome: Annotated[str, typer.Option("--outcome", help="recovered, lost or false-alarm.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, such as service-fixed.")],
    note: Annotated[str, typer.Option("--note", help="In words.")],
    as_json: JsonOption = False,
) -> None:
    """End a case with outcome, reason and note."""
    with _opened(context) as desk:
        done = desk.close_case(desk.case(case_id), outcome, reason, note)
    said(done, as_json, "Case {case_id} is now {state}.", "case_id", "state")


@_app.command("reassign")
def reassign(
    context: typer.Context,
    to: Annotated[list[str], typer.Option("--to", help="Staff number; several share the cases.")],
    case_ids: Annotated[list[str] | None, typer.Argument(help="Cases.", metavar="CASE")] = None,
    owner: Annotated[
        str | None, typer.Option("--from", help="All live cases of this owner instead.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Give cases to other staff: shows what would happen, asks, and tells how to undo it."""
    if (not case_ids) == (owner is None):
        raise UsageError("client.reassign-unclear")
    with _opened(context) as desk:
        plan = desk.reassign_preview(
            to[0] if len(to) == 1 else to, cases=case_ids or None, owner=owner
        )
        if not as_json:
            table(plan["moves"], False, ["case_id", "giver", "taker"])
        if not yes and not typer.confirm(tr("Reassign these cases?")):
            raise typer.Exit(1)
        done = desk.reassign(plan["plan"])
    if as_json:
        write_json(done)
        return
    say("{count} cases reassigned.", count=len(done["cases"]))
    say("To undo it: keepwell desk undo {batch}", batch=done["batch_id"])


@_app.command("undo")
def undo(
    context: typer.Context,
    batch: Annotated[str, typer.Argument(help="Number of the reassignment.", metavar="BATCH")],
    as_json: JsonOption = False,
) -> None:
    """Undo a reassignment within 24 hours."""
    with _opened(context) as desk:
        done = desk.undo_reassign(batch)
    if as_json:
        write_json(done)
        return
    say(
        "{count} cases have their owner back, {skipped} were changed since and stay.",
        count=len(done["cases"]), skipped=len(done["skipped"]),
    )  # fmt: skip


@_app.command("notices")
def notices(
    context: typer.Context,
    unread: Annotated[bool, typer.Option("--unread", help="Only those not read yet.")] = False,
    read: Annotated[bool, typer.Option("--read", help="Mark all as read afterwards.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List one's own notices, unread first."""
    with _opened(context) as desk:
        found = list(desk.notices(unread=unread or None, limit=limit))
        if read and found:
            desk.mark_read()
    table(found, as_json, ["at", "title", "subject", "read_at"])


@_app.command("clients")
def clients(
    context: typer.Context,
    tier: TierOption = None,
    search: Annotated[str | None, typer.Option("--search", help="Number or its beginning.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List clients, most at risk first."""
    with _opened(context) as desk:
        found = list(desk.clients(limit=limit, tier=tier, search=search))
    table(
        found, as_json, ["client_id", "name", "tier", "score", "manager_id", "status", "note"]
    )  # fmt: skip


@_app.command("client")
def client(context: typer.Context, client_id: ClientArgument, as_json: JsonOption = False) -> None:
    """Show a client with their context, as on the phone; --json gives all of it."""
    with _opened(context) as desk:
        found = desk.context(client_id)
    if as_json:
        write_json(found)
        return
    one(
        found["client"], False,
        ["client_id", "name", "phone", "tier", "score", "risk_level", "manager_id", "adviser_id",
         "status", "last_activity"],
    )  # fmt: skip
    for reason in found["why"]:
        say("  - {reason}", reason=reason)
    for verdict in (found["may_retain"], found["may_serve"]):
        if not verdict["allowed"]:
            say("  ! {words}", words=verdict["words"])
    if found["cases"]:
        table(found["cases"], False, ["case_id", "reason", "tier", "state", "next_due_at"])
    if found["alerts"]:
        table(found["alerts"], False, ["alert_id", "reason", "tier", "status", "raised_at"])


@_app.command("outcomes")
def outcomes(
    context: typer.Context,
    listed: Annotated[
        bool, typer.Option("--list", help="The outcomes themselves, the newest matured first.")
    ] = False,
    client: Annotated[str | None, typer.Option("--client", help="Only about this client.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """What the label says became of clients, beside what staff typed when they closed cases."""
    with _opened(context) as desk:
        if listed or client is not None:
            rows = list(desk.outcomes(limit=limit, client=client))
            table(rows, as_json, ["client_id", "day", "decision", "words", "left_day", "revision"])
            return
        found = desk.mismatch()
    if as_json:
        write_json(found)
        return
    from keepwell.cli.desk_outcomes import show_mismatch

    show_mismatch(found)
