"""`keepwell ledger`: all that was decided and done about a client, replayed and verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, write_json
from keepwell.core.errors import DataError

if TYPE_CHECKING:
    from keepwell.intervene.ledger.schema import LedgerOut, LineOut

_HELP = (
    "Make each recommendation again from its record, compute each row's digest again and prove "
    "its entry in the evidence log; exit code 1 when anything is wrong."
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("ledger")(ledger)


def ledger(
    client_id: Annotated[str, typer.Argument(help="Number of the client.", metavar="CLIENT")],
    verify: Annotated[bool, typer.Option("--verify", help=_HELP)] = False,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show every decision, recommendation, refusal, contact and outcome of a client, in order."""
    told = _read(workspace, client_id, verify)
    if as_json:
        write_json(told.model_dump(mode="json"))
    else:
        _tell(told)
    if told.verdict is not None and not told.verdict.valid:
        count = told.verdict.failed + len(told.verdict.missing)
        raise DataError("evidence.verification-failed", count=count)


def _read(workspace: Path, client_id: str, verify: bool) -> LedgerOut:
    from contextlib import closing
    from dataclasses import replace

    from keepwell import rooms
    from keepwell.core.text import current_locale
    from keepwell.frame.context import Frame
    from keepwell.frame.migrate import check
    from keepwell.intervene.ledger.api import ledger_out
    from keepwell.trust.access.policy import LOCAL

    rooms.load_all()  # every room says what of its tables entries vouch for
    with closing(Frame.open(workspace)) as frame:
        check(frame)
        with frame.read() as tx:
            return ledger_out(tx, replace(LOCAL, locale=current_locale()), client_id, verify)


def _tell(told: LedgerOut) -> None:
    from keepwell.core.text import tr
    from keepwell.intervene.ledger.policy import KIND_TITLES

    for line in told.lines:
        kind = tr(KIND_TITLES[line.kind])
        typer.echo(f"{line.at.astimezone():%Y-%m-%d %H:%M}  {kind}: {line.words}{_status(line)}")
        for one in line.refusals:
            rules = f" [{', '.join(one.rules)}]" if one.rules else ""
            typer.echo(f"    - {one.action}: {one.code}{rules}")
        for finding in line.check.findings if line.check else ():
            typer.echo(f"    ! {finding.code}: {finding.words}")
    if not told.lines:
        say("There is nothing to show.")
    if told.verdict is not None:
        _judge(told)


def _judge(told: LedgerOut) -> None:
    verdict = told.verdict
    assert verdict is not None
    for finding in verdict.missing:
        typer.echo(f"! {finding.code}: {finding.words}")
    say("Verified {verified}, waiting for a checkpoint {waiting}, emptied {emptied}, failed "
        "{failed}, missing {missing}.", verified=verdict.verified, waiting=verdict.waiting,
        emptied=verdict.emptied, failed=verdict.failed, missing=len(verdict.missing))  # fmt: skip
    if verdict.verifier:
        say("Public key: {key}", key=verdict.verifier)
    say("Everything holds." if verdict.valid else "Something does not hold.")


def _status(line: LineOut) -> str:
    from keepwell.core.text import tr
    from keepwell.intervene.ledger.policy import STATUS_TITLES

    if line.check is None:
        return ""
    told = tr(STATUS_TITLES[line.check.status])
    if line.check.index is not None:
        told = tr("{status}, entry {index}", status=told, index=line.check.index)
    if line.check.same is not None:
        replayed = "made again: the same" if line.check.same else "made again: NOT the same"
        told += tr("; ") + tr(replayed)
    return f"  [{told}]"
