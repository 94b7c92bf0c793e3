"""The reference page of scripts: templates, slots, rules and phrases."""

from __future__ import annotations

from datetime import date
from typing import Final

from keepwell.core.text import LOCALES, tr
from keepwell.intervene.contact.policy import CHANNEL_TITLES
from keepwell.intervene.script.facts import SLOTS
from keepwell.intervene.script.persona import PERSONA_TITLES, shipped_cut_offs
from keepwell.intervene.script.phrases import Occasion, shipped_phrases
from keepwell.intervene.script.template import Template, library

OCCASION_TITLES: Final[dict[Occasion, str]] = {
    Occasion.ORDINARY: "Ordinary",
    Occasion.COMPLAINT: "A complaint is open",
    Occasion.EXIT: "The client has asked to leave",
}
"""Occasions, in English."""

_INTRODUCTION: Final = (
    "Templates, the facts they may say, and what the checker looks for. How to use and to "
    "write them: [write scripts](../how-to/write-scripts.md)."
)
_PERSONAL: Final = (
    "Facts never reach a language model unless `writer.personal_data` allows it; only the broker's "
    "name, its service line, the published fee tier and a risk level do."
)
_CONFIDENCE: Final = (
    "`verified`: the legal text was read. `secondary`: from a secondary source. `unverified`: "
    "general knowledge until a compliance reviewer signs. `house`: keepwell's own."
)
_UNSUPPORTED: Final = (
    "| `fact-unsupported`, `product-unsupported`, `link-unsupported` | HOUSE | – | facts given "
    "| A figure, product or address that no fact supports | Leave it out | – |"
)
_BLANK: Final = (
    "| `blank-unfilled`, `text-empty` | HOUSE | – | always | A blank, or no text | Fill it | – |"
)
_TIERS: Final = {"mild": "Mild", "moderate": "Moderate", "severe": "Severe"}


def audience(template: Template, locale: str | None = None) -> str:
    """Whom a template is for: occasion, reasons, personas and tiers, in a language."""
    parts = []
    if template.occasion is not Occasion.ORDINARY:
        parts.append(tr(OCCASION_TITLES[template.occasion], locale))
    parts += [code.title(locale) for code in template.reasons]
    parts += [tr(PERSONA_TITLES[persona], locale) for persona in template.personas]
    parts += [tr(_TIERS[tier], locale) for tier in template.tiers]
    return "; ".join(parts) or tr("Any reason", locale)


def render() -> str:
    """The page in Markdown."""
    return "\n".join([*_head(), *_templates(), *_slots(), *_personas(), *_rules(), *_phrases()])


def _head() -> list[str]:
    return [
        "# Scripts",
        "",
        _INTRODUCTION,
    ]


def _templates() -> list[str]:
    lines = ["", "## Templates", "", "Newest version of each."]
    for template in library().on(date.max):
        channels = ", ".join(CHANNEL_TITLES[channel] for channel in template.channels)
        aim = "to keep the client" if template.commercial else "service"
        lines += [
            "",
            f"### `{template.ref}`",
            "",
            f"{audience(template, 'en')}. {channels}; {aim}.",
        ]
        for locale in LOCALES:
            lines += ["", *(f"> {line}".rstrip() for line in _lines(template.text.words(locale)))]
    return lines


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def _slots() -> list[str]:
    lines = [
        "", "## Slots", "",
        _PERSONAL, "",
        "| slot | kind | personal | meaning | 中文 |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, slot in SLOTS.items():
        personal = "yes" if slot.personal else "no"
        lines.append(
            f"| `{name}` | {slot.kind} | {personal} | {slot.title} | {tr(slot.title, 'zh')} |"
        )
    return lines


def _personas() -> list[str]:
    cuts = shipped_cut_offs()
    lines = [
        "", "## Personas", "",
        f"First fit counts; assets in {cuts.currency}. Everybody else is `default`.", "",
        "| persona | age from | age to | assets from | assets below | idle days from |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for cut in cuts.personas:
        bounds = (cut.age_from, cut.age_to, cut.assets_from, cut.assets_below, cut.idle_days)
        cells = " | ".join("–" if bound is None else f"{bound:,}" for bound in bounds)
        lines.append(f"| `{cut.persona}` | {cells} |")
    return lines


def _rules() -> list[str]:
    lines = [
        "", "## Rules behind the findings", "",
        _CONFIDENCE, "",
        "| rule | says | 中文 | source | confidence |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, rule in shipped_phrases().rules.items():
        lines.append(
            f"| `{name}` | {rule.words.en} | {rule.words.zh} | {rule.source} | {rule.confidence} |"
        )
    return lines


def _phrases() -> list[str]:
    book = shipped_phrases()
    lines = [
        "", "## What the checker looks for", "",
        "| code | rule | since | when | finding | instead | patterns |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for group in book.forbidden:
        when = ", ".join(group.when) or "always"
        count = len(group.zh) + len(group.en)
        lines.append(
            f"| `{group.id}` | {group.rule} | {group.since} | {when} | {group.words.en} "
            f"| {group.suggestion.en} | {count} |"
        )
    lines += [
        f"| `{entry.id}-missing` | {entry.rule} | {entry.since} | {entry.when} "
        f"| {entry.words.en} | {entry.written.en} | {len(entry.found.zh + entry.found.en)} |"
        for entry in book.required
    ]
    lines += [_UNSUPPORTED, _BLANK, ""]
    return lines
