"""What the data commands share: their options, tables for people, JSON for machines, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from keepwell.core.text import number, tr

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", help="Folder of keepwell.yaml.", metavar="DIR")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]
BackfillOption = Annotated[
    bool,
    typer.Option(
        "--backfill",
        help="History: rows were known when they happened plus the mapping's delay, not now.",
    ),
]

_STAGES = {
    "scan": "Reading {name}",
    "select": "Selecting {name}",
    "compare": "Comparing {name}",
    "append": "Writing {name}",
}


def write_json(value: Any) -> None:
    """Write a value to standard output as JSON; dates as ISO text."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False, default=str)
    sys.stdout.write(text + "\n")


def say(message: str, **fields: Any) -> None:
    """Write a line to standard output in the current language.

    Args:
        message: English text, the catalogue's key.
        **fields: values for its braces.
    """
    sys.stdout.write(tr(message, **fields) + "\n")


def show(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    right: Sequence[int] = (),
    width: int = 0,
) -> None:
    """Write a table to standard output.

    Args:
        heads: column headings in English, the catalogue's keys.
        rows: cells; whole numbers get the language's separators, None is a dash.
        right: positions of right-aligned columns.
        width: least width of the table's console, for tables that a narrow one would break.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, head in enumerate(heads):
        side = "right" if position in right else "left"
        table.add_column(tr(head), justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    console = Console()
    console.width = max(console.width, width)
    console.print(table, markup=False)


def _cell(value: object) -> Any:
    from rich.text import Text

    if value is None or value == "":
        return Text("–")
    if isinstance(value, int) and not isinstance(value, bool):
        return Text(number(value))
    return Text(str(value))


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[str, str, int], None] | None]:
    """Show on standard error how far an ingest is, when a person is watching.

    Args:
        quiet: show nothing.

    Yields:
        What to call with (stage, name, rows); None when nothing is shown.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with console.status("") as status:

        def tell(stage: str, name: str, rows: int) -> None:
            words = tr(_STAGES.get(stage, "{name}"), name=name)
            status.update(f"{words}  {number(rows)}" if rows else words)

        yield tell


def spans(coverage: Sequence[tuple[object, object]]) -> str:
    """Coverage for people, an interval a line: '2020-07-01 – 2021-01-01', the end not covered."""
    return "\n".join(f"{start} – {'…' if end is None else end}" for start, end in coverage)
