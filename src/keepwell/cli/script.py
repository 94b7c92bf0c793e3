"""`keepwell script`: check a text before a client gets it; list the templates."""

from __future__ import annotations

import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.errors import UsageError, nearest
from keepwell.core.text import current_locale, tr

if TYPE_CHECKING:
    from keepwell.intervene.script.check import Brief, Finding
    from keepwell.intervene.script.facts import Facts

E = TypeVar("E", bound=StrEnum)
_SEVERITIES = {"grave": "Grave", "caution": "To be judged"}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    scripts = typer.Typer(
        invoke_without_command=True, help="Scripts: check a text; list the templates."
    )
    scripts.callback()(script)
    scripts.command("list")(list_templates)
    app.add_typer(scripts, name="script")


def script(
    context: typer.Context,
    check: Annotated[
        str | None,
        typer.Option(
            "--check", metavar="FILE", help="A text, - for standard input, or templates (.yaml)."
        ),
    ] = None,
    facts: Annotated[
        Path | None,
        typer.Option("--facts", help="YAML of slots and values; without it no figure is judged."),
    ] = None,
    channel: Annotated[str, typer.Option("--channel", help="phone, wecom, sms, …")] = "phone",
    occasion: Annotated[
        str, typer.Option("--occasion", help="ordinary, complaint or exit.")
    ] = "ordinary",
    author: Annotated[str, typer.Option("--author", help="staff, template or model.")] = "staff",
    service: Annotated[
        bool, typer.Option("--service", help="For the client's own business, not commercial.")
    ] = False,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DAY", help="Day it is sent; default: today.")
    ] = None,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Check a text that a client is to get; exit code 1 when it must not go out."""
    if context.invoked_subcommand is not None:
        return
    if check is None:
        sys.stdout.write(context.get_help() + "\n")
        return
    from keepwell.intervene.contact.policy import Channel
    from keepwell.intervene.script.check import Author, Brief
    from keepwell.intervene.script.phrases import Occasion

    brief = Brief(
        _day(on), _one_of(Channel, "--channel", channel), not service,
        _one_of(Occasion, "--occasion", occasion), _one_of(Author, "--author", author),
        _facts(facts) if facts else None,
    )  # fmt: skip
    findings = _checked(check, brief, workspace / "scripts")
    if as_json:
        write_json([{**found.as_dict(), "where": where} for where, found in findings])
    else:
        _print(findings)
        if facts is None:
            say("Figures and products were not judged: no facts were given (--facts).")
    raise typer.Exit(1 if any(found.severity == "grave" for _, found in findings) else 0)


def list_templates(
    workspace: WorkspaceOption = Path(),
    on: Annotated[
        str | None, typer.Option("--on", metavar="DAY", help="In force on this day.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the templates in force: the shipped ones and those of the workspace's scripts folder."""
    from keepwell.intervene.contact.policy import CHANNEL_TITLES
    from keepwell.intervene.script.page import audience
    from keepwell.intervene.script.template import library

    templates = library(workspace / "scripts").on(_day(on))
    if as_json:
        write_json(
            [{**t.model_dump(mode="json"), "slots": t.slots, "digest": t.digest} for t in templates]
        )
        return
    show(
        ["Template", "Version", "For", "Channels", "Facts it needs"],
        [
            [
                t.id, t.version, audience(t), ", ".join(tr(CHANNEL_TITLES[c]) for c in t.channels),
                ", ".join(t.slots),
            ]
            for t in templates
        ],
    )  # fmt: skip


def _checked(source: str, brief: Brief, folder: Path) -> list[tuple[str, Finding]]:
    """Where each finding stands and the finding."""
    from keepwell.intervene.script.check import check
    from keepwell.intervene.script.phrases import phrase_book
    from keepwell.intervene.script.template import SLOT, read_templates

    book = phrase_book(folder)
    if not source.endswith((".yaml", ".yml")):
        return [("", found) for found in check(_text(source), brief, book)]
    from dataclasses import replace

    found: list[tuple[str, Finding]] = []
    if not Path(source).is_file():
        raise UsageError("script.text-unreadable", file=source)
    for template in read_templates(Path(source)):
        own = replace(brief, commercial=template.commercial, occasion=template.occasion)
        for locale in ("en", "zh"):
            text = SLOT.sub("\N{BULLET}", template.text.words(locale))
            place = f"{template.id} ({locale})"
            # What is required is added when a template is filled.
            found += [(place, f) for f in check(text, own, book) if f.start < f.end]
    return found


def _text(source: str) -> str:
    try:
        if source == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return Path(source).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UsageError("script.text-unreadable", file=source) from None


def _facts(path: Path) -> Facts:
    from keepwell.intervene.script.facts import Facts
    from keepwell.observe.mapping_yaml import read_yaml_file

    if not path.is_file():
        raise UsageError("script.text-unreadable", file=path)
    content: Any = read_yaml_file(path).value
    if not isinstance(content, dict):
        raise UsageError(
            "script.file-invalid", file=path.name, line=1, place="–",
            problem="a mapping of slots to values is expected",
        )  # fmt: skip
    return Facts.parse(content)


def _day(given: str | None) -> date:
    try:
        return date.fromisoformat(given) if given else date.today()  # noqa: DTZ011 a local day
    except ValueError:
        raise UsageError("as-of.day-invalid", text=given) from None


def _one_of(kind: type[E], option: str, given: str) -> E:
    known = [member.value for member in kind]
    if given not in known:
        close = nearest(given, known)
        hint = f"; nearest: {close}" if close else ""
        raise typer.BadParameter(f"{option} {given!r}; expected one of {', '.join(known)}{hint}")
    return kind(given)


def _print(findings: list[tuple[str, Finding]]) -> None:
    from keepwell.intervene.script.phrases import shipped_phrases

    if not findings:
        say("Nothing found. That is no proof that the text is fair.")
        return
    locale = current_locale()
    rules = shipped_phrases().rules
    show(
        ["Severity", "Rule", "Place", "Words", "What is wrong", "Instead"],
        [
            [
                tr(_SEVERITIES[f.severity]), f.rule,
                f"{where} {f.start}–{f.end}".strip() if f.end > f.start else (where or None),
                f.quote, f.what.words(locale), f.suggestion.words(locale),
            ]
            for where, f in findings
        ],
    )  # fmt: skip
    for rule in sorted({f.rule for _, f in findings} & set(rules)):
        say("{rule}: {words}", rule=rule, words=rules[rule].words.words(locale))
