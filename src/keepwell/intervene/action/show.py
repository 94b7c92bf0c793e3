"""Recommendations, actions and refusals as API and pages show them, in the reader's language."""

from __future__ import annotations

from keepwell.core.text import tr
from keepwell.intervene.action.gate import STAGE_TITLES, Stage
from keepwell.intervene.action.model import Refused
from keepwell.intervene.action.recommend import WORTH_NOTHING, Option, Recommendation
from keepwell.intervene.action.refusals import Counted, decision_of
from keepwell.intervene.action.schema import (
    ActionOut,
    OptionOut,
    RecommendationOut,
    RefusalCount,
    RefusalOut,
    RefusedOut,
    ScriptOut,
)
from keepwell.intervene.action.service import Advice, Catalogued
from keepwell.trust.access.mask import sees_bands
from keepwell.trust.access.policy import Actor, Permission


def recommendation_out(advice: Advice, actor: Actor) -> RecommendationOut:
    """A stored recommendation, with what to say for those who contact clients."""
    made, row, locale = advice.made, advice.stored, actor.locale
    assert row is not None
    return RecommendationOut(
        recommendation_id=row.recommendation_id, number=row.number, case_id=row.case_id,
        client_id=row.client_id, at=row.at, basis="value" if by_value(made) else "assumed-effect",
        currency=advice.recommender.economics.currency,
        owed=[option_out(option, actor) for option in made.owed],
        best=option_out(made.best, actor) if made.best else None,
        runner_up=option_out(made.runner_up, actor) if made.runner_up else None,
        refusals=[refusal_out(option, locale) for option in made.refusals],
        script=script_out(advice, actor),
    )  # fmt: skip


def by_value(made: Recommendation) -> bool:
    """Whether what is recommended was ordered, or left out, by expected value."""
    if made.best is not None:
        return made.best.expected is not None
    return any(option.decision.code == WORTH_NOTHING.code for option in made.options)


def option_out(option: Option, actor: Actor) -> OptionOut:
    """An action that may be done; no exact money for those who see bands."""
    action, decision, locale = option.action, option.decision, actor.locale
    return OptionOut(
        action_id=action.id, version=action.version, title=action.title.say(locale),
        text=action.text.say(locale), aim=action.aim, situation=action.situation, who=action.who,
        who_title=action.who.title(locale), minutes=action.minutes, answer=decision.answer,
        channel=decision.channel, until=decision.until, code=decision.code,
        rules=list(decision.rules), words=decision.words(locale), skippable=decision.skippable,
        expected=None if sees_bands(actor) else option.expected, reduction=option.reduction,
        proven=option.proven,
        source=option.source if option.proven else action.effect.source.say(locale),
    )  # fmt: skip


def refusal_out(option: Option, locale: str) -> RefusalOut:
    """An action that is not recommended."""
    action, decision = option.action, option.decision
    stage = decision.stage or Stage.WORTH
    return RefusalOut(
        action_id=action.id, version=action.version, title=action.title.say(locale),
        stage=stage, stage_title=tr(STAGE_TITLES[stage], locale), code=decision.code or "",
        rules=list(decision.rules), words=decision.words(locale),
    )  # fmt: skip


def script_out(advice: Advice, actor: Actor) -> ScriptOut | None:
    """What to say, for those who contact clients."""
    script, said = advice.script, advice.said
    if script is None or said is None or not actor.may(Permission.CASE_WRITE):
        return None
    return ScriptOut(
        action_id=said.id, script_id=script.template, locale=script.locale, channel=script.channel,
        text=script.text, note=script.note,
    )  # fmt: skip


def action_out(known: Catalogued, locale: str, currency: str) -> ActionOut:
    """An action of the catalogue."""
    action, shown = known.action, known.proven
    return ActionOut(
        action_id=action.id, version=action.version, since=action.since,
        title=action.title.say(locale), text=action.text.say(locale), aim=action.aim,
        mandatory=action.mandatory, situation=action.situation, who=action.who,
        who_title=action.who.title(locale), minutes=action.minutes, time_cost=known.time_cost,
        cost=action.cost.amount, cost_currency=action.cost.currency, currency=currency,
        channels=list(action.channels), tiers=list(action.tiers),
        reasons=None if action.reasons is None else [reason.value for reason in action.reasons],
        need=action.suitability.need,
        level=action.suitability.level.value if action.suitability.level else None,
        purposes=[purpose.value for purpose in action.purposes],
        cool_down_days=action.cool_down_days,
        reduction=shown.reduction if shown else action.effect.reduction, proven=shown is not None,
        low=shown.low if shown else None, high=shown.high if shown else None,
        source=shown.source if shown else action.effect.source.say(locale),
    )  # fmt: skip


def refused_out(row: Refused, locale: str) -> RefusedOut:
    """Why a stored recommendation left actions out."""
    decision, stage = decision_of(row), Stage(row.stage)
    return RefusedOut(
        recommendation_id=row.recommendation_id, case_id=row.case_id, client_id=row.client_id,
        at=row.at, stage=stage, stage_title=tr(STAGE_TITLES[stage], locale), code=row.code,
        rules=row.rules, words=decision.words(locale), actions=row.actions,
    )  # fmt: skip


def count_out(counted: Counted, locale: str) -> RefusalCount:
    """How often a code refused."""
    return RefusalCount(
        code=counted.code, stage=counted.stage,
        stage_title=tr(STAGE_TITLES[counted.stage], locale),
        recommendations=counted.recommendations, clients=counted.clients,
        newest=refused_out(counted.newest, locale),
    )  # fmt: skip
