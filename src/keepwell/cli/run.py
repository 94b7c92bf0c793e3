"""`keepwell run`: the main job, from the lake to the ranked, explained list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keepwell.cli.engine import BucketsOption, EngineName, EngineOption, MasterOption, chosen
from keepwell.cli.monitors import show_findings
from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, write_json
from keepwell.core.text import tr

if TYPE_CHECKING:
    from keepwell.intervene.publish import Published
    from keepwell.learn.run import RunResult


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("run")(run)


def run(
    workspace: WorkspaceOption = Path(),
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Ranking date, YYYY-MM-DD; default: keepwell.yaml's."),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=0, help="Clients listed here.")] = 15,
    publish: Annotated[
        bool | None,
        typer.Option(
            "--publish/--no-publish",
            help="Put the scores in force on the desk; by default where there is a desk and no "
            "--as-of is given.",
        ),
    ] = None,
    engine: EngineOption = EngineName.LOCAL,
    master: MasterOption = None,
    buckets: BucketsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refresh, prove, train, rank and write out/risk.csv, risk.parquet and report.html."""
    from keepwell.api import has_desk, open, run
    from keepwell.api import publish as put_in_force

    opened = open(workspace)
    wanted = publish if publish is not None else as_of is None and has_desk(opened)
    published: Published | None = None
    with chosen(engine, master, buckets) as opener, steps(quiet=as_json) as tell:
        result = run(opened, as_of, progress=tell, opener=opener)
        if wanted:
            if tell:
                tell(tr("Publish the scores to the desk"))
            published = put_in_force(opened, result)
    if as_json:
        write_json(summary(result) | {"generation": published and published.generation})
        return
    show_run(result, top)
    if published:
        say(
            "The scores are in force as generation {generation}: {clients} clients.",
            generation=published.generation, clients=published.clients,
        )  # fmt: skip


@contextmanager
def steps(quiet: bool = False) -> Iterator[Callable[[str], None] | None]:
    """Show on standard error which step a run is at, when a person is watching.

    Args:
        quiet: show nothing.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with console.status("") as status:
        yield status.update


def show_run(result: RunResult, top: int = 15) -> None:
    """Write the proof, the ranking and where the files are, for people."""
    from rich.console import Console

    from keepwell.learn.report.terminal import proof_table, ranking_table

    console = Console()
    # Narrower than this, or piped, the reasons would be cut to nothing.
    console.width = max(console.width, 140)
    if result.data.backtest is not None:
        console.print(proof_table(result.data))
    else:
        say("No past date can be tested: no earlier training date has a mature label.")
    show_findings(result.findings)
    if top:
        console.print(ranking_table(result.data, limit=top))
    say("Written:")
    for file in result.files:
        console.print(f"  {file}", highlight=False, soft_wrap=True)


def summary(result: RunResult) -> dict[str, Any]:
    """What a run found, JSON-safe."""
    from keepwell.observe.monitors.finding import finding_to

    data = result.data
    tested = data.backtest
    return {
        "as_of": data.as_of.at.isoformat(),
        "model": result.version.id,
        "manifest": data.versions.manifest,
        "clients": data.population.clients,
        "scored": data.population.scored,
        "tiers": {
            tier.code: {
                "clients": tier.clients,
                "share": tier.share,
                "realised": tier.realised and tier.realised.value,
            }
            for tier in data.tiers
        },
        "backtest": tested
        and {
            "as_of": tested.as_of.at.isoformat(),
            "clients": tested.clients,
            "left": tested.left,
            "models": {
                model.code: {
                    code: {"value": m.value, "low": m.low, "high": m.high}
                    for code, m in model.metrics.items()
                }
                for model in tested.models
            },
        },
        "findings": [finding_to(found) for found in result.findings],
        "files": [str(file) for file in result.files],
    }
