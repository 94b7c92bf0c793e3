"""The gate before an action: eligible, suitable, consented, within caps, in this order. Pure.

It is asked twice: when an action is recommended, and again at the moment of sending. It answers
go, delay until an instant, downgrade to another channel, or drop. It knows no score and no value:
nothing that says how likely clients are to leave, or what they are worth, opens or closes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from keepwell.core.errors import ERRORS
from keepwell.core.text import tr
from keepwell.intervene.action.catalogue import Action, Actions, Need, Situation
from keepwell.intervene.action.facts import Cap, ClientFacts, ContactPolicy
from keepwell.intervene.contact.policy import (
    CHANNEL_TITLES,
    RULES,
    Aim,
    Channel,
    Facts,
    is_quiet,
    may_contact,
)
from keepwell.trust.consent.policy import TITLES as PURPOSE_TITLES
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import Initiative, Profile, judge, leverage_level
from keepwell.trust.suitability.policy import Verdict as Suitability
from keepwell.trust.suitability.rulebook import Rules

BLOCKING: Final = frozenset({Channel.BRANCH, Channel.VISIT})
"""Ways that a client who wants to leave cannot skip; none of them is used about an exit."""


class Answer(StrEnum):
    """What the gate says."""

    GO = "go"
    DELAY = "delay"
    DOWNGRADE = "downgrade"
    DROP = "drop"


class Stage(StrEnum):
    """Where an action was held, in the order in which the gate asks."""

    ELIGIBLE = "eligible"
    SUITABLE = "suitable"
    CONSENT = "consent"
    CAPS = "caps"
    WORTH = "worth"


ANSWER_TITLES: Final[dict[Answer, str]] = {
    Answer.GO: "May go now",
    Answer.DELAY: "Later",
    Answer.DOWNGRADE: "By another channel",
    Answer.DROP: "Not at all",
}
"""Answers, in English."""

STAGE_TITLES: Final[dict[Stage, str]] = {
    Stage.ELIGIBLE: "Fits the client",
    Stage.SUITABLE: "Suitable",
    Stage.CONSENT: "Consent of the client",
    Stage.CAPS: "Contact limits",
    Stage.WORTH: "Worth its cost",
}
"""Stages, in English; the last one is the recommendation's, not the gate's."""

GATE_RULES: Final[dict[str, str]] = {
    "gate.cap-channel": "CT-1",
    "gate.cap-total": "CT-1",
    "gate.channel-refused": "CT-1",
    "gate.exit-blocking": "R-EXIT-3",
    "gate.purpose-missing": "CT-1",
    "gate.purpose-refused": "CT-1",
    **RULES,
}
"""The rule behind a code of the gate; suitability names its own."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says about one action and one client.

    Attributes:
        answer: go, delay, downgrade or drop.
        channel: by which way; None when dropped.
        until: the earliest instant (UTC); None unless delayed.
        stage: where it was held; None when it may go.
        code: why; None when it may go as it is.
        rules: ids of the rules behind it; with a product also of those that let it pass.
        fields: what the code's words name.
        skippable: the contact is the one about an exit: the client can skip it, and it holds
            nothing up.
    """

    answer: Answer
    channel: Channel | None = None
    until: datetime | None = None
    stage: Stage | None = None
    code: str | None = None
    rules: tuple[str, ...] = ()
    fields: tuple[tuple[str, Any], ...] = ()
    skippable: bool = False

    @property
    def open(self) -> bool:
        """Whether the action can be done, now or later."""
        return self.answer is not Answer.DROP

    def words(self, locale: str | None = None) -> str:
        """Why, in a language ('en' or 'zh'; default: the current one); '' when it may go."""
        if self.code is None:
            return ""
        named = {name: _shown(value, locale) for name, value in self.fields}
        return tr(ERRORS[self.code], locale, **named)


class Gate:
    """The gate at one instant.

    Args:
        actions: those in force on the day.
        rules: those in force on the day; a rule that is not among them does not judge.
        policy: quiet time, caps, consent.
        at: the instant, with a time zone.
        zone: the client's time zone, for quiet time and days; usually the workspace's.
    """

    def __init__(
        self, actions: Actions, rules: Rules, policy: ContactPolicy, at: datetime, zone: ZoneInfo
    ) -> None:
        self.actions, self.rules, self.policy, self.at, self.zone = (
            actions, rules, policy, at, zone,
        )  # fmt: skip
        local = at.astimezone(zone)
        self.day: date = local.date()
        self._quiet_now = "CT-1" in rules and is_quiet(
            local.time(), policy.quiet_from, policy.quiet_until
        )
        self._longest = at + policy.longest_delay
        self._spans = [(cap, timedelta(days=cap.days)) for cap in policy.caps]
        self._fits = {
            action.id: frozenset(action.reasons) if action.reasons is not None else None
            for action in actions
        }
        self._contacts: dict[tuple[Any, ...], str | None] = {}
        self._suited: dict[tuple[Profile, str], Suitability] = {}

    def decide(
        self, action: Action, facts: ClientFacts, channel: Channel | None = None
    ) -> Decision:
        """Decide about one action.

        Args:
            action: which; a version that is not in force is dropped.
            facts: about the client, as of now.
            channel: the way that was recommended, when it is asked again at sending; None: the
                action's own order.
        """
        return self.decide_all(facts, (action,), channel)[0]

    def decide_all(
        self,
        facts: ClientFacts,
        actions: Iterable[Action] | None = None,
        channel: Channel | None = None,
    ) -> list[Decision]:
        """Decide about several actions for one client; default: all that are in force."""
        client = _Client(self, facts)
        wanted = self.actions if actions is None else actions
        return [self._decide(action, client, channel) for action in wanted]

    def _decide(self, action: Action, client: _Client, channel: Channel | None) -> Decision:
        facts = client.facts
        barred = self._ineligible(action, facts)
        if barred is not None:
            return barred
        found = self._suitable(action, facts.profile)
        if found is not None and not found.allowed:
            fields = tuple(found.fields.items())
            return Decision(
                Answer.DROP, None, None, Stage.SUITABLE, found.code, found.rules, fields
            )
        rules = found.rules if found is not None else ()
        barred = self._unwanted(action, client)
        if barred is not None:
            return barred
        return self._within(action, client, rules, channel)

    def _ineligible(self, action: Action, facts: ClientFacts) -> Decision | None:
        """Why an action does not fit the client."""
        current = self.actions.by_id.get(action.id)
        if current is not action and current != action:
            return ENDED
        if facts.tier not in action.tiers:
            return OTHER_TIER
        fitting = self._fits[action.id]
        if fitting is not None and fitting.isdisjoint(facts.reasons):
            return OTHER_REASON
        if action.aim is Aim.RETENTION:
            if facts.held_out:
                return HELD_OUT
            if facts.service_only:
                return SERVICE_ONLY
            return None if facts.warned else UNWARNED
        absent = (action.situation is Situation.COMPLAINT and not facts.complaints) or (
            action.situation is Situation.EXIT and not facts.exiting
        )
        return ABSENT if absent else None

    def _suitable(self, action: Action, profile: Profile) -> Suitability | None:
        """What suitability says; None when the action needs nothing of it."""
        need = action.suitability
        if need.need is Need.NONE:
            return None
        level = need.level if need.need is Need.PRODUCT else leverage_level(self.rules)
        key = (profile, str(level))
        known = self._suited.get(key)
        if known is None:
            known = judge(profile, level, Initiative.RECOMMEND, self.day, self.rules)
            if len(self._suited) > 100_000:
                self._suited.clear()
            self._suited[key] = known
        return known

    def _unwanted(self, action: Action, client: _Client) -> Decision | None:
        """Why the client's own word, a complaint or an exit is against it."""
        code = client.code(action.aim)
        if code is not None:
            return _drop(Stage.CONSENT, code)
        if "CT-1" not in self.rules:
            return None
        for purpose in action.purposes:
            word = client.facts.consents.get(purpose)
            if word is not True:
                code = "gate.purpose-missing" if word is None else "gate.purpose-refused"
                return _drop(Stage.CONSENT, code, purpose=purpose)
        return None

    def _within(
        self, action: Action, client: _Client, rules: tuple[str, ...], channel: Channel | None
    ) -> Decision:
        """By which way, and when."""
        retention = action.aim is Aim.RETENTION
        skippable = retention and client.facts.exiting
        best = channel or action.channels[0]
        if best not in action.channels:
            return _drop(Stage.CAPS, "gate.channel-other", channel=best)
        order = (best, *(c for c in action.channels if c is not best))
        ways, why = client.ways(order, skippable)
        if action.mandatory:
            # What is owed is never lost for want of a way.
            return self._sent(ways[0] if ways else best, best, why, rules, skippable)
        if not ways:
            code, fields = why or ("gate.channel-unreached", {"channel": best})
            return _drop(Stage.CAPS, code, **fields)
        if self.policy.on_cap != "downgrade":
            ways = ways[:1]
        # Service is the client's own business and keeps no quiet time, as the desk's other gate.
        quiet = retention and self._quiet_now
        waits: list[_Wait] = []
        for way in ways:
            free, reason = client.wait(action, way)
            if reason is None and not quiet:
                why = why or (waits[0][1] if waits else None)
                return self._sent(way, best, why, rules, skippable)
            if self.policy.on_cap == "drop" and reason is not None:
                return _drop(Stage.CAPS, reason[0], **reason[1])
            waits.append((free, reason))
        ready = [self._after_quiet(free) if retention else free for free, _ in waits]
        first = min(range(len(ways)), key=lambda i: ready[i])
        until, reason = ready[first], waits[first][1]
        code, fields = reason or ("contact.quiet-hours", self._quiet_fields())
        if until > self._longest:
            days = self.policy.longest_delay.days
            code, fields = reason or ("gate.delay-long", {"days": days})
            return _drop(Stage.CAPS, code, **fields)
        return Decision(
            Answer.DELAY, ways[first], until.astimezone(UTC), Stage.CAPS, code,
            (*rules, *_rules(code)), tuple(fields.items()), skippable,
        )  # fmt: skip

    def _sent(
        self,
        way: Channel,
        best: Channel,
        why: tuple[str, dict[str, Any]] | None,
        rules: tuple[str, ...],
        skippable: bool,
    ) -> Decision:
        if way is best:
            return Decision(Answer.GO, way, rules=rules, skippable=skippable)
        code, fields = why or ("gate.channel-unreached", {"channel": best})
        return Decision(
            Answer.DOWNGRADE, way, None, Stage.CAPS, code, (*rules, *_rules(code)),
            tuple(fields.items()), skippable,
        )  # fmt: skip

    def _after_quiet(self, at: datetime) -> datetime:
        """The first instant from `at` on that is not in quiet time."""
        policy = self.policy
        local = at.astimezone(self.zone)
        if "CT-1" not in self.rules or not is_quiet(
            local.time(), policy.quiet_from, policy.quiet_until
        ):
            return at
        days = 1 if local.time() >= policy.quiet_until else 0
        day = local.date() + timedelta(days=days)
        return datetime.combine(day, policy.quiet_until, self.zone).astimezone(at.tzinfo)

    def _quiet_fields(self) -> dict[str, Any]:
        policy = self.policy
        return {
            "since": policy.quiet_from.strftime("%H:%M"),
            "until": policy.quiet_until.strftime("%H:%M"),
        }


class _Client:
    """One client before the gate: what does not depend on the action, found once."""

    def __init__(self, gate: Gate, facts: ClientFacts) -> None:
        self.gate, self.facts = gate, facts
        self._codes: dict[Aim, str | None] = {}
        self._waits: dict[Channel, _Wait] = {}
        self._total: _Wait | None = None
        self._last: dict[str, datetime] = {}
        for touch in facts.touches:
            if touch.action_id is not None:
                last = self._last.get(touch.action_id)
                if last is None or touch.at > last:
                    self._last[touch.action_id] = touch.at

    def code(self, aim: Aim) -> str | None:
        """Why a contact of this aim may not be made, by the desk's one gate of contacts."""
        if aim not in self._codes:
            facts, word = self.facts, self.facts.consents.get
            key = (
                aim, word(Purpose.MARKETING), word(Purpose.SERVICE), word(Purpose.PROFILING),
                facts.from_score, facts.complaints, facts.exiting, facts.exit_contacts,
                facts.exit_refused, facts.left,
            )  # fmt: skip
            known = self.gate._contacts
            if key not in known:
                known[key] = may_contact(self._contact(aim)).code
            self._codes[aim] = known[key]
        return self._codes[aim]

    def _contact(self, aim: Aim) -> Facts:
        """The facts of that gate; a rule that is not in force leaves its facts out."""
        facts, rules, word = self.facts, self.gate.rules, self.facts.consents.get
        consent, exits = "CT-1" in rules, "R-EXIT-3" in rules
        # For service an open complaint or exit is what makes it needed, whatever the rules.
        served = aim is Aim.SERVICE
        midday = time(12)
        return Facts(
            aim=aim,
            local=midday,
            quiet_from=midday,
            quiet_until=midday,  # none: quiet time delays, it does not forbid
            require_consent=consent and self.gate.policy.require_consent,
            marketing_refused=consent and word(Purpose.MARKETING) is False,
            marketing_given=word(Purpose.MARKETING) is True,
            service_refused=consent and word(Purpose.SERVICE) is False,
            profiling_refused="PI-4" in rules and word(Purpose.PROFILING) is False,
            from_score=facts.from_score,
            complaints=facts.complaints if served or "CT-2" in rules else 0,
            exiting=(served or exits) and facts.exiting,
            exit_contacts=facts.exit_contacts,
            exit_refused=exits and facts.exit_refused,
            left=exits and facts.left,
        )

    def ways(
        self, order: tuple[Channel, ...], skippable: bool
    ) -> tuple[list[Channel], tuple[str, dict[str, Any]] | None]:
        """Ways that are left, and why the best one is not among them."""
        facts, why = self.facts, None
        refused = facts.refused_channels if "CT-1" in self.gate.rules else frozenset()
        left = []
        for way in order:
            against: tuple[str, dict[str, Any]] | None = None
            if way in refused:
                against = ("gate.channel-refused", {})
            elif facts.reached_by is not None and way not in facts.reached_by:
                against = ("gate.channel-unreached", {"channel": way})
            elif skippable and way in BLOCKING and "R-EXIT-3" in self.gate.rules:
                against = ("gate.exit-blocking", {"channel": way})
            if against is None:
                left.append(way)
            elif way is order[0]:
                why = against
        return left, why

    def wait(self, action: Action, way: Channel) -> _Wait:
        """The first instant at which caps and cool-down allow it, and what it waits for."""
        known = self._waits.get(way)
        if known is None:
            known = self._waits[way] = self._capped(way)
        last = self._last.get(action.id)
        if last is not None and action.cool_down_days:
            free = last + timedelta(days=action.cool_down_days)
            if free > max(known[0], self.gate.at):
                return free, ("gate.cool-down", {"days": action.cool_down_days})
        return known

    def _capped(self, way: Channel) -> _Wait:
        """The first instant at which the caps on a way, and on all ways together, allow it."""
        if self._total is None:
            self._total = self._freed(None, (self.gate.at, None))
        return self._freed(way, self._total)

    def _freed(self, way: Channel | None, so_far: _Wait) -> _Wait:
        """As `so_far`, or later where a cap on just this way holds it longer."""
        free, why = so_far
        if "CT-1" not in self.gate.rules:
            return so_far
        times = sorted(t.at for t in self.facts.touches if way is None or t.channel is way)
        for cap, span in self.gate._spans:
            if cap.channel is not way or (cap.most and len(times) < cap.most):
                continue
            # The contact that must fall out of the span before the next may be made.
            until = times[-cap.most] + span if cap.most else _NEVER
            if until > free:
                free, why = until, _cap_words(cap)
        return free, why


_Wait = tuple[datetime, tuple[str, dict[str, Any]] | None]
"""An instant, and the code and fields of what is waited for; None when nothing is."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def _cap_words(cap: Cap) -> tuple[str, dict[str, Any]]:
    named = {"most": cap.most, "days": cap.days}
    if cap.channel is None:
        return "gate.cap-total", named
    return "gate.cap-channel", {"channel": cap.channel, **named}


def _rules(code: str) -> tuple[str, ...]:
    return (GATE_RULES[code],) if code in GATE_RULES else ()


def _drop(stage: Stage, code: str, **fields: Any) -> Decision:
    known = _PLAIN.get(code) if not fields else None
    if known is None:
        known = Decision(Answer.DROP, None, None, stage, code, _rules(code), tuple(fields.items()))
        if not fields:
            _PLAIN[code] = known
    return known


def _shown(value: Any, locale: str | None) -> Any:
    if isinstance(value, Channel):
        return tr(CHANNEL_TITLES[value], locale)
    if isinstance(value, Purpose):
        return tr(PURPOSE_TITLES[value], locale)
    return value


_PLAIN: Final[dict[str, Decision]] = {}
ENDED: Final = _drop(Stage.ELIGIBLE, "gate.action-ended")
OTHER_TIER: Final = _drop(Stage.ELIGIBLE, "gate.tier-other")
OTHER_REASON: Final = _drop(Stage.ELIGIBLE, "gate.reason-other")
HELD_OUT: Final = _drop(Stage.ELIGIBLE, "gate.held-out")
SERVICE_ONLY: Final = _drop(Stage.ELIGIBLE, "gate.service-only")
UNWARNED: Final = _drop(Stage.ELIGIBLE, "gate.unwarned")
ABSENT: Final = _drop(Stage.ELIGIBLE, "gate.situation-absent")
