"""Outcomes as the API and the pages show them, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from keepwell.core.text import day, tr
from keepwell.frame.database import Tx
from keepwell.intervene.outcome import repo, service
from keepwell.intervene.outcome.policy import Agreement, Judged, Share, Tally, Used
from keepwell.intervene.outcome.schema import (
    DifferingOut,
    MismatchOut,
    OutcomeOut,
    ShareOut,
    StateOut,
    TallyOut,
    UsedOut,
    UseOut,
)
from keepwell.learn.outcome.model import Outcome
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book.read import staff_names
from keepwell.warn.label import WORDS, LabelDefinition, Why

MOST_SHOWN: Final = 200
"""Differing cases on the page and in an answer; the file holds all."""

NO_EFFECT: Final = (
    "This is no effect: nobody drew by lot who got which script or action, and staff choose for "
    "whom they use what. Effects are shown by experiments and against the hold-out."
)

HEADS: Final = (
    "outcome_id", "client_id", "day", "decision", "arm", "propensity", "alert_id", "case_id",
    "label", "label_version", "horizon", "left", "why", "left_day", "matured_at", "recorded_at",
    "revision", "manifest", "generation_id",
)  # fmt: skip
"""Columns of the list as a file."""

CASE_HEADS: Final = (
    "case_id", "client_id", "owner_id", "state", "close_reason", "closed_at", "left", "why",
    "left_day", "day", "matured_at",
)  # fmt: skip
"""Columns of the differing cases as a file."""


def outcome_out(row: Outcome, actor: Actor) -> OutcomeOut:
    """An outcome; arm and propensity only for readers of the hold-out."""
    whole = actor.may(Permission.HOLDOUT_READ)
    return OutcomeOut(
        outcome_id=row.outcome_id, client_id=row.client_id, day=row.day, decision=row.decision,
        arm=row.arm if whole else None, propensity=row.propensity if whole else None,
        alert_id=row.alert_id, case_id=row.case_id, label=row.label,
        label_version=row.label_version, horizon=row.horizon,
        left=None if row.y is None else bool(row.y), why=row.why,
        words=tr(WORDS[Why(row.why)], actor.locale) if row.why else None, left_day=row.left_day,
        matured_at=row.matured_at, recorded_at=row.recorded_at, revision=row.revision,
        manifest=row.manifest, generation_id=row.generation_id,
    )  # fmt: skip


def share_out(share: Share) -> ShareOut:
    """A share with its interval."""
    return ShareOut(
        part=share.part, whole=share.whole, share=share.share, low=share.low, high=share.high
    )


def mismatch_out(tx: Tx, actor: Actor, span: service.Span, found: Agreement) -> MismatchOut:
    """Staff against label."""
    people = staff_names(tx, {key for key in found.managers if key})
    teams = repo.team_names(tx, {key for key in found.teams if key})
    return MismatchOut(
        since=span.since, until=span.until, definition=definition(tx, actor.locale),
        whole=_tally("", None, found.whole),
        states=[StateOut(state=state, **counts) for state, counts in found.states.items()],
        managers=_tallies(found.managers, people), teams=_tallies(found.teams, teams),
        differing=[differing_out(one, actor) for one in found.differing[:MOST_SHOWN]],
    )  # fmt: skip


def differing_out(one: Judged, actor: Actor) -> DifferingOut:
    """A case whose staff and label differ."""
    case, outcome = one.case, one.outcome
    assert outcome is not None
    return DifferingOut(
        case_id=case.case_id, client_id=case.client_id, owner_id=case.owner_id, state=case.state,
        close_reason=case.close_reason, closed_at=case.closed_at, left=bool(outcome.y),
        why=outcome.why, words=tr(WORDS[Why(outcome.why)], actor.locale),
        left_day=outcome.left_day, day=outcome.day, matured_at=outcome.matured_at,
    )  # fmt: skip


def use_out(actor: Actor, span: service.Span, scripts: list[Used], actions: list[Used]) -> UseOut:
    """What became of clients, by script and by action."""
    return UseOut(
        since=span.since, until=span.until, warning=tr(NO_EFFECT, actor.locale),
        scripts=[_used(one) for one in scripts], actions=[_used(one) for one in actions],
    )  # fmt: skip


def definition(tx: Tx, locale: str) -> str:
    """The workspace's definition of leaving, in words."""
    return LabelDefinition.of(tx.frame.workspace).words(locale)


def words_of(row: Outcome, locale: str, zone: ZoneInfo) -> str:
    """An outcome in one line, such as 'Left on 1 Jun 2026, by the label: Closed the account.'.

    Args:
        row: the outcome.
        locale: 'en' or 'zh'.
        zone: of the exchange.
    """
    ends = row.matured_at.astimezone(zone).date()
    if row.why is None:
        return tr("What the label said was removed: the client refuses profiling.", locale)
    why = tr(WORDS[Why(row.why)], locale)
    if row.y is None:
        return tr("The label does not count this client: {why}", locale, why=why)
    if row.y == 0:
        return tr("Stayed until {day}, by the label.", locale, day=day(ends, locale))
    if row.left_day is not None:
        return tr("Left on {day}, by the label: {why}", locale, day=day(row.left_day, locale),
                  why=why)  # fmt: skip
    return tr("Left by {day}, by the label: {why}", locale, day=day(ends, locale),
              why=why)  # fmt: skip


def _tallies(found: Mapping[str, Tally], names: Mapping[str, str]) -> list[TallyOut]:
    return [_tally(key, names.get(key), found[key]) for key in sorted(found)]


def _tally(key: str, name: str | None, tally: Tally) -> TallyOut:
    counts: dict[str, Any] = {
        "agree": tally.agree, "differ": tally.differ, "unsaid": tally.unsaid,
        "waiting": tally.waiting,
    }  # fmt: skip
    return TallyOut(key=key or None, name=name, mismatch=share_out(tally.mismatch), **counts)


def _used(one: Used) -> UsedOut:
    return UsedOut(
        name=one.name, contacts=one.contacts, cases=one.cases, left=share_out(one.leaving)
    )
