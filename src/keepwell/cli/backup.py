"""`keepwell backup` and `keepwell restore`: a workspace and its desk, whole and verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keepwell.cli.lake_care import desk_of
from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, write_json
from keepwell.core.errors import UsageError

if TYPE_CHECKING:
    from keepwell.intervene.upkeep.parcel import Index


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    into: Annotated[
        Path, typer.Argument(help="Folder of backups; best on another machine.", metavar="FOLDER")
    ],
    workspace: WorkspaceOption = Path(),
    keys: Annotated[
        bool,
        typer.Option("--keys/--no-keys", help="With the signing key and the desk's secret."),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Write a backup of lake, models, archive, events, database and settings; work goes on.

    Beside an earlier backup in the same folder only files that are new are written.
    """
    from datetime import UTC, datetime

    from keepwell.intervene.upkeep.backup import backup as verb
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    with desk_of(opened) as frame:
        folder, index = verb(opened, frame, into, datetime.now(UTC), keys)
    if as_json:
        write_json({"folder": str(folder), **_plain(folder, index)})
        return
    say("Backup written to {folder}.", folder=folder)
    _show(folder, index)


def restore(
    folder: Annotated[Path, typer.Argument(help="The backup.", metavar="BACKUP")],
    target: Annotated[
        Path | None, typer.Argument(help="The workspace's folder: missing, or empty.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", help="PostgreSQL database without tables; default: the desk's settings'."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only see that the backup is whole.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace and its database from a backup, and verify them."""
    if check:
        from keepwell.intervene.upkeep.restore import check as verify

        index = verify(folder)
        if as_json:
            write_json(_plain(folder, index))
        else:
            say("The backup is whole.")
            _show(folder, index)
        return
    if target is None:
        raise UsageError("restore.target-missing")
    from keepwell import rooms
    from keepwell.intervene.upkeep.restore import restore as verb

    rooms.load_all()  # the audit asks every room's tables
    done = verb(folder, target, database)
    if as_json:
        write_json({**_plain(folder, done.index), "workspace": str(done.root),
                    "evidence": done.entries})  # fmt: skip
        return
    say("Restored to {folder}.", folder=done.root)
    _show(folder, done.index)
    if done.entries is not None:
        say("The evidence log is valid: {entries} entries.", entries=done.entries)
    elif done.index.database is not None:
        say("The database is of revision {revision}; run 'keepwell migrate', then 'keepwell "
            "evidence verify'.", revision=done.index.database.revision)  # fmt: skip
    if not done.index.keys:
        say("The backup holds no keys: put evidence.key and desk.secret back into .keepwell.")


def _show(folder: Path, index: Index) -> None:
    plain = _plain(folder, index)
    say(
        "Files: {files}, {size} MB. Lake: manifest {manifest}, {rows} rows. Database: {database} "
        "rows.",
        files=plain["files"], size=f"{plain['bytes'] / (1 << 20):.1f}",
        manifest=index.manifest or "–", rows=sum(index.rows.values()),
        database=sum(index.database.rows.values()) if index.database else "–",
    )  # fmt: skip
    if index.beside:
        say("Of these {size} MB are the same as in {folder} and were not written again.",
            size=f"{index.shared / (1 << 20):.1f}", folder=index.beside)  # fmt: skip
    say("Digest of the index: {digest}", digest=plain["index_sha256"])


def _plain(folder: Path, index: Index) -> dict[str, Any]:
    from keepwell.core.files import sha256_file
    from keepwell.intervene.upkeep.parcel import INDEX

    return {
        "made_at": index.made_at,
        "workspace": index.workspace,
        "manifest": index.manifest,
        "rows": index.rows,
        "database": {"kind": index.database.kind, "rows": index.database.rows}
        if index.database
        else None,
        "keys": index.keys,
        "files": len(index.files),
        "bytes": index.size,
        "beside": index.beside,
        "bytes_shared": index.shared,
        "index_sha256": sha256_file(folder / INDEX),
    }
