"""`keepwell kept`: what was kept, in clients and money, proved from the hold-out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.text import current_locale

if TYPE_CHECKING:
    from keepwell.learn.kept.model import KeptProof
    from keepwell.learn.kept.words import Speaker


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("kept")(kept)


def kept(
    workspace: WorkspaceOption = Path(),
    period: Annotated[
        str | None, typer.Option("--period", help="Hold-out of a year; default: the newest.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", help="Last day, YYYY-MM-DD; default: as far as data are complete."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute what was kept since the hold-out was drawn, and store the proof on the desk."""
    from keepwell import rooms
    from keepwell.frame.context import Frame
    from keepwell.frame.migrate import check
    from keepwell.learn.kept.service import prove_kept
    from keepwell.learn.kept.words import Speaker
    from keepwell.observe.engines.local import LocalEngine
    from keepwell.trust.access.policy import LOCAL

    rooms.load_all()
    frame = Frame.open(workspace)
    try:
        check(frame)
        engine = LocalEngine.open(frame.workspace)
        proof = prove_kept(frame, engine, period=period, until=until, actor=LOCAL)
        voice = Speaker(current_locale(), frame.currency, frame.zone)
    finally:
        frame.close()
    if as_json:
        write_json({"proof_id": proof.proof_id, "digest": proof.digest, **proof.record})
        return
    show_proof(proof, voice)


def show_proof(proof: KeptProof, voice: Speaker) -> None:
    """Write the table of measures and what is claimed."""
    from keepwell.learn.kept.words import claims, ordered

    measures = proof.record.get("measures", {})
    rows = [
        (
            voice.name(name), voice.amount(name, one["total"]["value"]),
            voice.range(name, one["total"]), voice.amount(name, one["raw_total"]["value"]),
            one["treated"], one["held"], sum(one["unknown"]),
        )
        for name, one in ((name, measures[name]) for name in ordered(measures))
    ]  # fmt: skip
    if rows:
        heads = [
            "Measure", "Kept, adjusted", "95 % interval", "Raw", "Drawn for contact", "Held out",
            "Not known",
        ]  # fmt: skip
        show(heads, rows, right=(1, 2, 3, 4, 5, 6), width=120)
    for sentence in claims(proof, voice):
        typer.echo(f"- {sentence}")
    say("Proof {proof}, SHA-256 {digest}.", proof=proof.proof_id, digest=proof.digest)
