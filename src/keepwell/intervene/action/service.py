"""Verbs of actions: recommend in a case, and ask the gate again when an action is used.

A recommendation reads; nothing that it says is done by itself. What was shown is stored with all
that decided it, once for as long as the answer stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from keepwell.core.digest import digest_of
from keepwell.core.errors import UsageError
from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.action import gather, repo, trial
from keepwell.intervene.action.catalogue import Action
from keepwell.intervene.action.facts import ClientFacts
from keepwell.intervene.action.gate import Answer, Decision, Gate
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.action.recommend import (
    Economics,
    Option,
    Outlook,
    ProvenEffect,
    Recommendation,
    Recommender,
)
from keepwell.intervene.action.record import context
from keepwell.intervene.action.record import record as record_of
from keepwell.intervene.action.refusals import refusals_of
from keepwell.intervene.action.speech import script_for, script_known
from keepwell.intervene.case.model import Case
from keepwell.intervene.case.service import lock_case, read_case
from keepwell.intervene.contact.policy import Aim, Channel
from keepwell.intervene.script.fill import Script
from keepwell.trust.access.policy import Actor
from keepwell.trust.consent.service import look_up
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommendation in a case, as one reader sees it.

    Attributes:
        case: the case.
        made: what is recommended, and every refusal.
        facts: what the gate was told.
        outlook: chance to leave and value, as far as they are known.
        recommender: what decided.
        record: all that decided it, to be made again; `context` and `made`.
        answer: SHA-256 of what was answered.
        script: what to say, in the reader's language; None: none fits.
        said: the action that the script is for: the first one, or else the runner-up.
        stored: the newest recommendation stored in the case.
        drawn: the client's arm in a running experiment of actions; None: none.
    """

    case: Case
    made: Recommendation
    facts: ClientFacts
    outlook: Outlook
    recommender: Recommender
    record: dict[str, Any]
    answer: str
    script: Script | None
    said: Action | None
    stored: Recommended | None
    drawn: trial.Drawn | None = None

    @property
    def first(self) -> Option | None:
        """What to do first: a service that is owed, else the best action."""
        return self.made.owed[0] if self.made.owed else self.made.best

    @property
    def is_new(self) -> bool:
        """Whether the answer differs from the newest one stored."""
        return self.stored is None or self.stored.answer != self.answer


class ActionRefused(Conflict):
    """The gate does not let an action go now; words and code are the gate's."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.code or "", **dict(decision.fields))
        self.decision = decision

    def words(self, locale: str | None = None) -> str:
        """Why, in a language ('en' or 'zh'; default: the current one)."""
        return self.decision.words(locale)


def advise(tx: Tx, actor: Actor, case_id: str) -> Advice:
    """What to do in a live case, now; nothing is stored.

    Chance to leave is the score's, value is what leaving takes away (`Client.value_lost`), not what
    the client is worth: see `recommend`. Where the two are known, what the gate lets pass is
    ordered by expected value, and what is not worth its cost is refused. Where the value is not
    known, it is ordered by the relative reduction alone, and the answer says so. The action of the
    client's arm in a running experiment comes first where the gate lets it pass.

    Raises:
        NotFound: no such case in scope, or it is closed.
    """
    return _advise(tx, actor, read_case(tx, actor, case_id))


def _advise(tx: Tx, actor: Actor, case: Case) -> Advice:
    if not case.live:
        raise NotFound("action.recommendation-none")
    look_up(tx, case.client_id)
    client = gather.client_of(tx, actor, case)
    facts = gather.client_facts(tx, case, client, warned=gather.was_warned(tx, case))
    recommender = _recommender(tx)
    outlook = gather.outlook_of(tx, client)
    drawn = trial.drawn(tx, case.client_id)
    made = recommender.one(facts, outlook, drawn.action if drawn else None)
    stored = context(recommender)
    kept = record_of(facts, outlook, made, digest_of(stored))
    script = said = None
    for option in (made.owed[0] if made.owed else made.best, made.runner_up):
        if option is not None and script is None:
            said, channel = option.action, option.decision.channel
            script = script_for(tx, actor, case, client, facts, said, channel)
    return Advice(
        case, made, facts, outlook, recommender, {"context": stored, "made": kept}, _answer(kept),
        script, said if script else None, repo.newest(tx, actor, case.case_id), drawn,
    )  # fmt: skip


def recommend(tx: Tx, actor: Actor, case_id: str) -> Advice:
    """What to do in a live case, now; stored with its evidence when the answer is a new one.

    Args:
        tx: a writing unit of work.
        actor: who is shown it.
        case_id: the case.

    Raises:
        NotFound: no such case in scope, or it is closed.
    """
    advice = _advise(tx, actor, lock_case(tx, actor, case_id))
    if not advice.is_new:
        return advice
    best, after, script = advice.made.best, advice.made.runner_up, advice.script
    drawn = advice.drawn
    row = Recommended(
        recommendation_id=new_id("advice", tx.at), case_id=case_id,
        number=advice.stored.number + 1 if advice.stored else 1, client_id=advice.case.client_id,
        at=tx.at, actor_id=actor.user_id,
        best_id=best.action.id if best else None,
        best_version=best.action.version if best else None,
        next_id=after.action.id if after else None,
        next_version=after.action.version if after else None,
        channel=best.decision.channel.value if best and best.decision.channel else None,
        expected=best.expected if best else None, script_id=script.template if script else None,
        experiment_id=drawn.experiment_id if drawn else None, arm=drawn.arm if drawn else None,
        propensity=drawn.propensity if drawn else None,
        answer=advice.answer, record=advice.record,
    )  # fmt: skip
    tx.session.add(row)
    tx.session.flush()
    tx.session.add_all(refusals_of(row))
    record(
        tx, actor, EvidenceKind.RECOMMENDATION_MADE, client_id=row.client_id,
        subject=row.recommendation_id, data={"case_id": case_id, "number": row.number},
        personal={"recommended": digest_of(advice.record), "said": row.script_id or ""},
    )  # fmt: skip
    return replace(advice, stored=row)


def checked_use(
    tx: Tx,
    case: Case,
    actor: Actor,
    *,
    action_id: str,
    version: int,
    channel: Channel,
    aim: Aim,
    ours: bool,
    at: datetime,
) -> Decision | None:
    """Ask the gate again about an action that is used in a contact.

    The hold-out is not asked: it binds the desk, and no refusal tells a person the arm.

    Args:
        tx: the unit of work.
        case: the case; the client is held in it.
        actor: who used it.
        action_id: the action.
        version: its version.
        channel: by which way.
        aim: what the contact was for.
        ours: whether the desk began; a client who calls is always answered.
        at: when, UTC.

    Returns:
        The decision against it; None when it may go.

    Raises:
        Unprocessable: there is no such action, or its aim is another one.
    """
    catalogue = gather.catalogue_of(tx)
    try:
        action = catalogue.version(action_id, version)
    except UsageError as error:
        raise Unprocessable(error.code, **error.fields) from None
    if action.aim is not aim:
        raise Unprocessable("action.aim-other", action=action.name)
    if not ours:
        return None
    facts = gather.client_facts(tx, case, gather.client_of(tx, actor, case), warned=True)
    decision = _gate(tx, at).decide(action, facts, channel)
    return None if decision.answer is Answer.GO else decision


def checked_script(tx: Tx, script_id: str) -> str:
    """A script's name and version, if there is one.

    Raises:
        Unprocessable: there is none.
    """
    if not script_known(tx, script_id):
        raise Unprocessable("script.template-unknown", template=script_id, nearest="–")
    return script_id


def action_of(tx: Tx, action_id: str, version: int) -> Action:
    """One version of an action of the workspace, in force or not.

    Raises:
        UsageError: there is none.
    """
    return gather.catalogue_of(tx).version(action_id, version)


@dataclass(frozen=True, slots=True)
class Catalogued:
    """An action in force, as the workspace uses it.

    Attributes:
        action: which.
        time_cost: of its minutes, minor units; None where that is neither set nor assumed.
        assumed: whether somebody's minute is assumed, not set.
        proven: what experiments have shown of it; None: its effect is assumed.
    """

    action: Action
    time_cost: int | None
    assumed: bool
    proven: ProvenEffect | None


def list_actions(tx: Tx) -> list[Catalogued]:
    """The catalogue in force, by id, with what time costs and what experiments have shown."""
    found, known = _recommender(tx), gather.economics_of(tx)
    return [
        Catalogued(
            action, None if known is None else action.minutes * known.minute[action.who],
            known is not None and known.assumed, found.proven.get((action.id, action.version)),
        )
        for action in found.actions
    ]  # fmt: skip


def _recommender(tx: Tx) -> Recommender:
    day = tx.at.astimezone(tx.frame.zone).date()
    return Recommender(
        gather.actions_on(tx, day), gather.rules_on(day), tx.at, tx.frame.zone,
        gather.policy_of(tx), gather.economics_of(tx) or Economics(tx.frame.currency),
        proven=trial.proven(tx), unvalued="rank",
    )  # fmt: skip


def _gate(tx: Tx, at: datetime) -> Gate:
    day = at.astimezone(tx.frame.zone).date()
    return Gate(
        gather.actions_on(tx, day), gather.rules_on(day), gather.policy_of(tx), at, tx.frame.zone,
    )  # fmt: skip


def _answer(made: Mapping[str, Any]) -> str:
    """What was answered, whatever it followed from."""
    return digest_of({name: made[name] for name in ("owed", "best", "runner_up", "options")})
