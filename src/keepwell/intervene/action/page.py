"""The reference page of the actions, and the words that the command line shows of one."""

from __future__ import annotations

from datetime import date
from typing import Final

from keepwell.core.text import LOCALES, current_locale, money, percent, tr
from keepwell.intervene.action.catalogue import Action, Catalogue, Need
from keepwell.intervene.contact.policy import AIM_TITLES, CHANNEL_TITLES
from keepwell.trust.consent.policy import TITLES as PURPOSE_TITLES
from keepwell.warn.tier import Tier

_BETWEEN: Final = {"en": ", ", "zh": "、"}
_HEAD: Final = """# Actions

What staff can do to keep a client or to serve one, as it ships. `keepwell actions` lists what is
in force in a workspace; [choose actions](../how-to/choose-actions.md) shows how to add your own.

Minutes, costs and effects are **assumptions** of keepwell, with the source beside each: set your
own in `actions.yaml`, or let experiments prove them. No action carries a price, an inducement or a
condition on leaving; a file with one is refused ([rules](rules.md) IN-1, IN-2, IN-3, SU-8).
"""


def channels(action: Action, locale: str | None = None) -> str:
    """The ways of an action, best first."""
    return _list([tr(CHANNEL_TITLES[c], locale) for c in action.channels], locale)


def tiers(action: Action, locale: str | None = None) -> str:
    """The tiers that an action fits."""
    return _list([Tier[code.upper()].title(locale) for code in action.tiers], locale)


def need(action: Action, locale: str | None = None) -> str:
    """What suitability must say first."""
    wanted = action.suitability
    if wanted.need is Need.NONE:
        return tr("none", locale)
    if wanted.need is Need.LEVERAGE or wanted.level is None:
        return tr("new leverage", locale)
    return tr("product to {level}", locale, level=wanted.level.value)


def effect(action: Action, locale: str | None = None) -> str:
    """The relative reduction of leaving, and that it is assumed."""
    share = percent(action.effect.reduction, locale, 0)
    return tr("{share} (assumed)", locale, share=share)


def render() -> str:
    """The page, in Markdown: every version of every action that ships, in both languages."""
    lines = [_HEAD]
    newest = Catalogue.shipped().on(date.max)
    lines += [
        "| action | what it is | who | minutes | suitability | effect |",
        "|---|---|---|---|---|---|",
    ]
    for action in newest:
        lines.append(
            f"| [`{action.id}`](#{action.id}) | {action.title.en} | {action.who.value} "
            f"| {action.minutes} | {need(action, 'en')} | {effect(action, 'en')} |"
        )
    for action in Catalogue.shipped().versions:
        lines += _section(action)
    return "\n".join(lines) + "\n"


def _section(action: Action) -> list[str]:
    lines = ["", f"## {action.id}", ""]
    for locale in LOCALES:
        lines += [f"**{action.title.say(locale)}** {action.text.say(locale)}", ""]
    reasons = "any" if action.reasons is None else ", ".join(f"`{r}`" for r in action.reasons)
    until = f" until {action.until}" if action.until else ""
    owed = "; owed, whatever it is worth" if action.mandatory else ""
    facts = {
        "version": f"{action.version}, from {action.since}{until}",
        "aim": f"{AIM_TITLES[action.aim]}{owed}",
        "situation": action.situation.value,
        "who, minutes, cost": f"{action.who.value}, {action.minutes}, "
        f"{money(action.cost.amount, action.cost.currency, 'en')}",
        "ways": channels(action, "en"),
        "tiers": tiers(action, "en"),
        "reasons": reasons,
        "suitability": need(action, "en"),
        "consents on record": ", ".join(PURPOSE_TITLES[p] for p in action.purposes) or "none",
        "cool-down": f"{action.cool_down_days} days",
        "effect": f"{effect(action, 'en')}. {action.effect.source.en}",
        "rehearsed in the world as": action.simulated_as or "–",
    }
    return [*lines, "| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in facts.items())]


def _list(words: list[str], locale: str | None) -> str:
    return _BETWEEN[locale or current_locale()].join(words)
