"""What to do in a case, as its page shows it: the recommendation, what to say, why nothing else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import OperationalError

from keepwell.core.errors import UsageError
from keepwell.frame.database import Tx
from keepwell.frame.problem import RequestError
from keepwell.intervene.action import service, show
from keepwell.intervene.action.gate import ANSWER_TITLES, Answer
from keepwell.intervene.action.recommend import Option
from keepwell.intervene.action.schema import OptionOut
from keepwell.intervene.contact.policy import CHANNEL_TITLES
from keepwell.trust.access.policy import Actor
from keepwell.web.pages.tongue import Tongue
from keepwell.web.pages.visit import Visit


def keep_advice(visit: Visit, case_id: str) -> None:
    """Store what the page is about to recommend, when it is another answer than before.

    Whoever may read the case is shown it also where it cannot be stored just now.
    """

    def differs(tx: Tx, actor: Actor) -> bool:
        return service.advise(tx, actor, case_id).is_new

    def verb(tx: Tx, actor: Actor) -> None:
        service.recommend(tx, actor, case_id)

    with suppress(RequestError, OperationalError):
        if visit.peek(differs):
            visit.perform(verb)


def advice_context(
    tx: Tx, actor: Actor, case: dict[str, Any], tongue: Tongue, using: str
) -> dict[str, Any]:
    """What the template needs: `advice`, and `using` for the form of a contact.

    Args:
        tx: the unit of work.
        actor: who reads.
        case: as the API shows it.
        tongue: the reader's language.
        using: id and version of the action that the contact form is prefilled with; '' for none.
    """
    if not case["live"]:
        return {"advice": None, "using": None}
    found = service.advise(tx, actor, case["case_id"])
    locale = tongue.locale
    owed = [_shown(option, actor, tongue) for option in found.made.owed]
    best, after = found.made.best, found.made.runner_up
    script = show.script_out(found, actor)
    first = found.first
    return {
        "advice": {
            "owed": owed,
            "best": _shown(best, actor, tongue) if best else None,
            "after": _shown(after, actor, tongue) if after else None,
            "script": script, "first": first.action.name if first else "",
            "script_of": found.said.name if found.said and script else "",
            "refusals": _grouped(found, locale),
            "partial": found.outlook.partial,
            "assumed_costs": found.recommender.economics.assumed,
        },
        "using": _using(tx, found, using, tongue),
    }  # fmt: skip


def _shown(known: Option, actor: Actor, tongue: Tongue) -> dict[str, Any]:
    option = show.option_out(known, actor)
    name = f"{option.action_id}@{option.version}"
    return {
        "name": name, "link": "?use=" + quote(name) + "#contact", "title": option.title,
        "text": option.text, "who": option.who_title, "minutes": option.minutes,
        "channel": tongue.names(CHANNEL_TITLES, option.channel) if option.channel else "",
        "when": tongue.t(ANSWER_TITLES[option.answer]), "now": option.answer is not Answer.DELAY,
        "until": option.until, "words": option.words, "rules": option.rules,
        "skippable": option.skippable, "expected": option.expected,
        "valued": known.expected is not None,
        "reduction": option.reduction, "proven": option.proven, "source": option.source,
        "ranked": not _is_owed(option),
    }  # fmt: skip


def _is_owed(option: OptionOut) -> bool:
    return option.situation != "any"


def _grouped(found: service.Advice, locale: str) -> list[dict[str, Any]]:
    """Refusals by what refuses them, those of a rule first: a dozen differ in the title alone."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for option in found.made.refusals:
        told = show.refusal_out(option, locale)
        groups.setdefault((told.words, tuple(told.rules)), []).append(told.title)
    ordered = sorted(groups.items(), key=lambda item: not item[0][1])
    return [{"words": w, "rules": rules, "titles": titles} for (w, rules), titles in ordered]


def _using(tx: Tx, found: service.Advice, using: str, tongue: Tongue) -> dict[str, Any] | None:
    """The action that the form of a contact carries out; None where none was chosen."""
    action_id, _, version = using.partition("@")
    if not version.isdigit() or len(version) > 6:
        return None
    try:
        action = service.action_of(tx, action_id, int(version))
    except UsageError:
        return None
    option = next((o for o in found.made.options if o.action == action), None)
    channel = option.decision.channel if option else None
    said = found.script.template if found.script and found.said == action else ""
    return {
        "name": action.name, "title": action.title.say(tongue.locale), "aim": action.aim.value,
        "channel": (channel or action.channels[0]).value, "script": said,
    }  # fmt: skip
