"""`keepwell evidence`: export and verify the log of what was done, and show its key."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, write_json
from keepwell.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from keepwell.frame.context import Frame
    from keepwell.trust.access.policy import Actor
    from keepwell.trust.evidence.finding import Report

KeyOption = Annotated[
    str | None,
    typer.Option("--key", help="Public key of the log, from elsewhere: name+id+key."),
]
CheckpointOption = Annotated[
    list[Path],
    typer.Option("--checkpoint", help="An older checkpoint of the log, kept elsewhere."),
]

_app = typer.Typer(help="The evidence log: export, verify, status.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(_app, name="evidence")


@_app.command("status")
def status(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Show the log's public key, size and newest checkpoint."""
    from keepwell.trust.evidence import repo

    with _opened(workspace) as frame, frame.read() as tx:
        head, newest, waiting = repo.head(tx), repo.latest_checkpoint(tx), repo.waiting(tx)
    if as_json:
        write_json(
            {
                "verifier": head.verifier if head else None,
                "entries": head.size if head else 0,
                "waiting": waiting,
                "checkpoint": newest.note if newest else None,
            }
        )
        return
    if head is None:
        say("Nothing is in the evidence log yet.")
        return
    say("Entries: {entries}; waiting for their place: {waiting}.", entries=head.size,
        waiting=waiting)  # fmt: skip
    say("Public key: {key}", key=head.verifier)
    if newest is not None:
        say("Newest checkpoint, over {size} entries, signed at {at}:", size=newest.size,
            at=newest.signed_at.isoformat(timespec="seconds"))  # fmt: skip
        typer.echo(newest.note, nl=False)


@_app.command("export")
def export_bundle(
    out: Annotated[Path, typer.Option("--out", help="The bundle, a zip file.", metavar="FILE")],
    workspace: WorkspaceOption = Path(),
    client: Annotated[
        str | None, typer.Option("--client", help="Only entries about this client.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Only from this day or instant on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Only before this day or instant.")
    ] = None,
    openings: Annotated[
        bool, typer.Option("--openings", help="With the personal values; give them to nobody else.")
    ] = False,
    checkpoint: CheckpointOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Write the log, or a part of it with proofs, as one file that anybody can verify offline."""
    from keepwell.trust.evidence.export import Wanted, export

    if openings and client is None:
        raise UsageError("evidence.openings-broad")
    with _opened(workspace) as frame:
        wanted = Wanted(
            client, _instant(frame, since), _instant(frame, until), openings, _notes(checkpoint)
        )
        made = export(frame, _local(), out, wanted)
    if as_json:
        write_json(
            {"file": str(out), "kind": made.kind, "entries": made.entries, "size": made.size,
             "verifier": made.verifier}
        )  # fmt: skip
        return
    say("Entries: {count}; written to {path}.", count=made.entries, path=out)
    say("Public key: {key}", key=made.verifier)


@_app.command("verify")
def verify(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle; without one the log of the workspace.")
    ] = None,
    workspace: WorkspaceOption = Path(),
    key: KeyOption = None,
    checkpoint: CheckpointOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Verify a bundle, offline, or the log in the database; exit code 1 when anything is wrong."""
    from keepwell.trust.evidence.key import read_verifier

    given = read_verifier(key) if key is not None else None
    notes = _notes(checkpoint)
    if bundle is not None:
        from keepwell.trust.evidence.bundle import verify_bundle

        report = verify_bundle(bundle, given, notes)
    else:
        from keepwell.trust.evidence.audit import audit

        with _opened(workspace) as frame, frame.read() as tx:
            report = audit(tx, given, notes)
    _tell(report, bundle is None, key is not None, bool(notes), as_json)
    if not report.valid:
        raise DataError("evidence.verification-failed", count=report.count)


def _tell(report: Report, live: bool, keyed: bool, anchored: bool, as_json: bool) -> None:
    if as_json:
        write_json(
            {
                "valid": report.valid, "entries": report.entries, "size": report.size,
                "checkpoints": report.checkpoints, "rows": report.rows,
                "verifier": report.verifier,
                "findings": [{"code": f.code, "message": f.words()} for f in report.findings],
            }
        )  # fmt: skip
        return
    for finding in report.findings:
        typer.echo(f"{finding.code}: {finding.words()}")
    if not report.valid:
        return
    say("Valid. Checked: entries {entries}, checkpoints {checkpoints}; the log has {size}.",
        entries=report.entries, checkpoints=report.checkpoints, size=report.size)  # fmt: skip
    if live:
        say("Rows of the desk compared with the log: {rows}.", rows=report.rows)
    say("Public key: {key}", key=report.verifier)
    if not keyed:
        say("Compare this key with the one that the broker has published, or give it as --key.")
    if not anchored:
        say("Only an older checkpoint from elsewhere (--checkpoint) shows that nothing was cut "
            "off or written anew.")  # fmt: skip


def _opened(workspace: Path) -> Any:
    from contextlib import closing

    from keepwell import rooms
    from keepwell.frame.context import Frame
    from keepwell.frame.migrate import check

    rooms.load_all()  # the audit asks every room's tables
    frame = Frame.open(workspace)
    check(frame)
    return closing(frame)


def _local() -> Actor:
    from dataclasses import replace

    from keepwell.trust.access.policy import SYSTEM

    return replace(SYSTEM, user_id="local", name="command line", via="local")


def _instant(frame: Frame, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("as-of.day-invalid", text=text) from None
    return found if found.tzinfo else found.replace(tzinfo=frame.zone)


def _notes(paths: list[Path]) -> tuple[tuple[str, str], ...]:
    found = []
    for path in paths:
        if not path.is_file():
            raise UsageError("evidence.file-missing", path=path)
        try:
            found.append((path.name, path.read_bytes().decode()))
        except UnicodeDecodeError:
            raise DataError("evidence.checkpoint-foreign", name=path.name) from None
    return tuple(found)
