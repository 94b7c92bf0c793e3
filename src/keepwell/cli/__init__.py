"""The `keepwell` command: thin commands over the library, each loading only what it needs.

Exit codes: 0 done, 1 data or a result is not acceptable, 2 wrong use.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated

import typer

from keepwell import __version__
from keepwell.core.errors import KeepwellError, UsageError
from keepwell.core.text import LOCALES, set_locale

COMMANDS = (
    "init",
    "check",
    "ingest",
    "run",
    "value",
    "kept",
    "explain",
    "indicators",
    "compute",
    "lineage",
    "actions",
    "lake",
    "monitors",
    "quarantine",
    "demo",
    "world",
    "rehearse",
    "serve",
    "worker",
    "migrate",
    "backup",
    "user",
    "desk",
    "kpi",
    "experiment",
    "ledger",
    "evidence",
    "script",
)
"""Modules of this package, in the order of `keepwell --help`; each registers its command."""

app = typer.Typer(
    name="keepwell",
    help="Keeps a broker's clients from leaving: observe, warn, intervene, learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"keepwell {__version__}")
        raise typer.Exit


def _choose_language(language: str | None) -> str | None:
    if language is not None:
        if language not in LOCALES:
            raise typer.BadParameter(f"{language!r}; expected one of {', '.join(LOCALES)}")
        set_locale(language)
    return language


@app.callback()
def _options(
    language: Annotated[
        str | None,
        typer.Option("--lang", callback=_choose_language, help="Language: en or zh."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show version.")
    ] = False,
) -> None:
    """Keeps a broker's clients from leaving: observe, warn, intervene, learn."""


for _name in COMMANDS:
    import_module(f"keepwell.cli.{_name}").register(app)


def main() -> None:
    """Entry point: run a command; an error becomes one line on stderr and an exit code."""
    try:
        app()
    except KeepwellError as error:
        _fail(error)
    except Exception as error:
        silent = _unreachable(error)
        if silent is None:
            raise
        _fail(silent)


def _fail(error: KeepwellError) -> None:
    sys.stderr.write(f"{error.code}: {error}\n")
    sys.exit(error.exit_code)


def _unreachable(error: Exception) -> KeepwellError | None:
    """In our words that the database does not answer, if that is what an error says."""
    if not type(error).__module__.startswith("sqlalchemy."):
        return None
    from sqlalchemy.exc import DBAPIError

    from keepwell.jobs.policy import database_gone, failure

    if not isinstance(error, DBAPIError) or not database_gone(error):
        return None
    return UsageError("database.unreachable", problem=failure(error))
