"""Writes docs/reference from the code: `python docs/generate.py` (or `make docs`).

The tests render every page again and fail when a file differs, so the reference cannot drift.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import typer
from pydantic import BaseModel

FOLDER = Path(__file__).parent / "reference"


def _errors() -> str:
    from keepwell.core.errors import ERRORS, REASONS
    from keepwell.core.text import tr

    lines = [
        "# Errors and quarantine reasons",
        "",
        "Every error has a code, words in both languages and an exit code: 1 when data or a result "
        "is not acceptable, 2 for wrong use. A quarantined row carries a reason.",
    ]
    for title, entries in (("Errors", ERRORS), ("Quarantine reasons", REASONS)):
        lines += ["", f"## {title}", "", "| code | English | 中文 |", "|---|---|---|"]
        for code in sorted(entries):
            english, chinese = entries[code], tr(entries[code], "zh")
            lines.append(f"| `{code}` | {_cell(english)} | {_cell(chinese)} |")
    return "\n".join(lines) + "\n"


def _commands() -> str:
    from keepwell.cli import app

    root = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "Exit codes: 0 done, 1 data or a result is not acceptable, 2 wrong use. Commands that list "
        "or measure take `--json`.",
    ]
    for path, command in _walk(root, "keepwell"):
        lines += ["", f"## `{path}`", "", (command.help or "").split("\f")[0].strip()]
        rows = [row for row in (_parameter(p) for p in command.params) if row]
        if rows:
            lines += ["", "| option | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, f"{path} {name}")


def _parameter(parameter: click.Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    return f"| {names} | {_cell(getattr(parameter, 'help', None) or '')} |"


def _settings() -> str:
    from keepwell.observe import (
        mapping,
        mapping_monitor,
        mapping_retention,
        mapping_source,
        mapping_value,
    )
    from keepwell.observe.connectors import database, drops, excel

    lines = [
        "# Settings: keepwell.yaml",
        "",
        "One file maps your own data to the contract's tables. Unknown keys are errors that name "
        "the nearest known key and the line.",
    ]
    for model in (
        mapping.Mapping,
        mapping.Source,
        mapping.ColumnSpec,
        mapping_source.Increment,
        excel.ExcelOptions,
        database.DatabaseOptions,
        database.ServerOptions,
        drops.DropsOptions,
        mapping.TableMap,
        mapping_retention.Retention,
        mapping_retention.Hold,
        mapping.Market,
        mapping.Label,
        mapping.Dates,
        mapping.Every,
        mapping.Capacity,
        mapping_value.Value,
        mapping_value.CommissionTier,
        mapping_value.Budget,
        mapping_value.BudgetPart,
        mapping_monitor.Monitors,
        mapping.Remark,
    ):
        lines += _setting(model)
    return "\n".join(lines) + "\n"


def _desk_settings() -> str:
    from keepwell.frame import settings

    models = [
        model
        for model in vars(settings).values()
        if isinstance(model, type)
        and issubclass(model, BaseModel)
        and model.__module__ == settings.__name__
        and not model.__name__.startswith("_")
    ]
    models.sort(key=lambda model: model is not settings.Settings)
    lines = [
        "# Settings: desk.yaml",
        "",
        "The desk works without this file. It stands beside keepwell.yaml; the environment "
        "overrides it: `KEEPWELL_PORT`, `KEEPWELL_HOLDOUT__SHARE`.",
    ]
    for model in models:
        lines += _setting(model)
    return "\n".join(lines) + "\n"


def _permissions() -> str:
    from keepwell.web.reference import permissions_page

    return permissions_page()


def _events() -> str:
    from keepwell.web.reference import events_page

    return events_page()


def _api() -> str:
    from keepwell.web.reference import api_page

    return api_page()


def _setting(model: type[BaseModel]) -> list[str]:
    summary, meanings = _docstring(model)
    for base in model.__mro__[1:]:
        if isinstance(base, type) and issubclass(base, BaseModel):
            meanings = {**_docstring(base)[1], **meanings}
    rows = [
        f"| `{field.alias or name}` | {_default(field)} | {_cell(meanings[name])} |"
        for name, field in model.model_fields.items()
    ]
    return [
        "",
        f"## {model.__name__}",
        "",
        summary,
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        *rows,
    ]


def _default(field: object) -> str:
    required = field.is_required()  # type: ignore[attr-defined]
    if required:
        return "required"
    value = field.get_default(call_default_factory=True)  # type: ignore[attr-defined]
    if isinstance(value, BaseModel):
        return "see below"
    return f"`{value}`"


def _docstring(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    summary, _, attributes = inspect.cleandoc(model.__doc__ or "").partition("Attributes:")
    meanings: dict[str, str] = {}
    name = ""
    for line in attributes.splitlines():
        head, colon, rest = line.strip().partition(": ")
        if line.startswith("    ") and not line.startswith("     ") and colon:
            name, meanings[head] = head, rest
        elif name:
            meanings[name] += " " + line.strip()
    return summary.strip(), meanings


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _contract() -> str:
    from keepwell.observe.contract_page import render

    return render()


def _indicators() -> str:
    from keepwell.observe.indicators.page import render

    return render()


def _kpis() -> str:
    from keepwell.learn.kpi.page import render

    return render()


def _scripts() -> str:
    from keepwell.intervene.script.page import render

    return render()


def _scenarios() -> str:
    from keepwell.world.scenario_page import render

    return render()


def _actions() -> str:
    from keepwell.intervene.action.page import render

    return render()


def _rules() -> str:
    from keepwell.trust.suitability.page import render

    return render()


PAGES: dict[str, Callable[[], str]] = {
    "actions.md": _actions,
    "api.md": _api,
    "desk-settings.md": _desk_settings,
    "events.md": _events,
    "permissions.md": _permissions,
    "commands.md": _commands,
    "contract.md": _contract,
    "errors.md": _errors,
    "indicators.md": _indicators,
    "kpis.md": _kpis,
    "rules.md": _rules,
    "scenarios.md": _scenarios,
    "scripts.md": _scripts,
    "settings.md": _settings,
}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
        sys.stdout.write(f"docs/reference/{name}\n")


if __name__ == "__main__":
    main()
