"""What to say with an action: the script that fits the case, filled with what the desk knows."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from keepwell.core.errors import DataError, UsageError
from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.intervene.action import repo
from keepwell.intervene.action.catalogue import Action, Who
from keepwell.intervene.action.facts import ClientFacts
from keepwell.intervene.case import repo as cases
from keepwell.intervene.case.model import Case
from keepwell.intervene.contact.policy import Channel
from keepwell.intervene.exit import policy as exit_policy
from keepwell.intervene.exit import repo as exits
from keepwell.intervene.script.facts import Facts, Told, Value, Words
from keepwell.intervene.script.fill import Script, Situation, choose, fill
from keepwell.intervene.script.persona import Persona, persona_of
from keepwell.intervene.script.phrases import Occasion, phrase_book
from keepwell.intervene.script.template import CHANNELS, Library, Template, library
from keepwell.trust.access.mask import show as masked
from keepwell.trust.access.policy import Actor
from keepwell.trust.book import generation_repo as generations
from keepwell.trust.book.model import Client
from keepwell.trust.consent.policy import Purpose
from keepwell.warn.reason import Fact
from keepwell.warn.reason_codes import ReasonCode

NAMELESS: Final = "valued client"
"""How a client is addressed whose name the book does not know, in English."""


def script_for(
    tx: Tx, actor: Actor, case: Case, client: Client | None, facts: ClientFacts, action: Action,
    channel: Channel | None,
) -> Script | None:  # fmt: skip
    """The script for an action, in the reader's language; None where none fits or may be said.

    The name is as masked as the reader sees it elsewhere.

    Args:
        tx: the unit of work.
        actor: who reads.
        case: the case.
        client: in the book in force; None when they are in it no more.
        facts: what the gate was told.
        action: the one recommended.
        channel: by which way.
    """
    if channel not in CHANNELS or client is None:
        return None
    day = tx.at.astimezone(tx.frame.zone).date()
    reasons = tuple(r for r in facts.reasons if action.reasons is None or r in action.reasons)
    tier = None if facts.tier == "none" else facts.tier
    situation = Situation(channel, reasons, tier, _persona(tx, client, facts, day), _why(facts))
    folder = tx.frame.workspace.root / "scripts"
    told = _known(tx, actor, case, client, action.who)
    try:
        template = choose(_library(folder, _stamp(folder)), situation, Facts(told), day).template
        said = Facts(told | {"reason": _reason(tx, client, reasons, template)})
        return fill(template, said, channel, day, actor.locale, phrase_book(folder), aim=action.aim)
    except (UsageError, DataError):
        return None  # no template has its facts, or what it would say is not to be said


def script_known(tx: Tx, script_id: str) -> bool:
    """Whether the workspace has a script of this name and version."""
    folder = tx.frame.workspace.root / "scripts"
    try:
        _library(folder, _stamp(folder)).get(script_id)
    except UsageError:
        return False
    return True


def _stamp(folder: Path) -> tuple[int, ...]:
    return tuple(p.stat().st_mtime_ns for p in sorted(folder.glob("*.yaml")))


@lru_cache(maxsize=4)
def _library(folder: Path, stamp: tuple[int, ...]) -> Library:  # noqa: ARG001 part of the key
    return library(folder)


def _why(facts: ClientFacts) -> Occasion:
    if facts.exiting:
        return Occasion.EXIT
    return Occasion.COMPLAINT if facts.complaints else Occasion.ORDINARY


def _persona(tx: Tx, client: Client, facts: ClientFacts, day: date) -> Persona:
    if facts.consents.get(Purpose.PROFILING) is False:
        return Persona.DEFAULT  # a tag made by a program, which the client refuses (rule PI-4)
    age = None if client.birth_year is None else day.year - client.birth_year
    idle = None if client.last_activity is None else (day - client.last_activity).days
    return persona_of(age, client.assets, tx.frame.currency, idle)


def _speaker(tx: Tx, actor: Actor, case: Case, client: Client, who: Who) -> str | None:
    """The name of who speaks: the reader, if it is theirs to do, else who looks after the client.

    For a lead or director it is the one of the owner's team or the branch's region; where there
    are several, who will call is not known before one of them does.
    """
    if actor.staff_id is not None and actor.role is not None and actor.role.value == who.value:
        return actor.name
    if who is Who.MANAGER:
        return cases.staff_name(tx, case.owner_id)
    if who is Who.ADVISER:
        return cases.staff_name(tx, client.adviser_id)
    if who is Who.LEAD:
        return repo.only_lead(tx, case.owner_id)
    return repo.only_director(tx, client.branch_id)


def _known(tx: Tx, actor: Actor, case: Case, client: Client, who: Who) -> dict[str, Value | None]:
    """What may be said, by slot."""
    name = masked(actor, client, tx.frame.currency).name
    staff = _speaker(tx, actor, case, client, who)
    as_of = generations.as_of(tx, client.generation_id)
    known: dict[str, Value | None] = {
        "client_name": name or tr(NAMELESS, actor.locale), "staff_name": staff,
        "broker_name": tx.frame.workspace.mapping.name, "client_since": client.opened_on,
        "as_of": as_of.astimezone(tx.frame.zone).date() if as_of else None,
        "reason": _reason(tx, client, (), None),
    }  # fmt: skip
    asked = exits.open_of(tx, case.client_id)
    if asked:
        title = exit_policy.KIND_TITLES[exit_policy.ExitKind(asked[0].kind)]
        due = asked[0].due_at
        known |= {
            "exit_kind": Words(tr(title, "en"), tr(title, "zh")),
            "exit_on": asked[0].requested_at.astimezone(tx.frame.zone).date(),
            "exit_due": due.astimezone(tx.frame.zone).date() if due else None,
        }
    return known


def _reason(
    tx: Tx, client: Client, reasons: tuple[ReasonCode, ...], template: Template | None
) -> Told | None:
    """The number that tells the reason which the template speaks to; else the first one."""
    spoken = [r for r in reasons if template is None or r in template.reasons]
    told = {reason["code"]: reason.get("facts") or {} for reason in client.reasons}
    for code in (*spoken, *told):
        facts = told.get(code, {})
        if "indicator" in facts:
            fact = Fact(
                facts["indicator"], facts["value"], facts.get("normal"), facts.get("typical")
            )
            return Told(fact, tx.frame.currency)
    return None
