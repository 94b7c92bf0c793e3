"""The contract suite of actions: what every file of actions must keep, shipped or not.

In a test module::

    from keepwell.testing.action_suite import ActionSuite

    class TestMine(ActionSuite):
        path = Path("actions.yaml")

A file is read on top of the shipped catalogue, as a workspace does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo

from keepwell.intervene.action.catalogue import Action, Actions, Catalogue, Situation
from keepwell.intervene.action.facts import ClientFacts, ContactPolicy
from keepwell.intervene.action.gate import Answer, Decision, Gate
from keepwell.intervene.action.wording import faults
from keepwell.intervene.contact.policy import Aim
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import ClientLevel, Investor, Profile
from keepwell.trust.suitability.rulebook import RuleBook
from keepwell.warn.reason_codes import ReasonCode

_ZONE = ZoneInfo("Asia/Shanghai")


class ActionSuite:
    """Subclass, name the file, and pytest does the rest.

    Attributes:
        path: the file of actions; None: the shipped ones.
    """

    path: ClassVar[Path | None] = None

    def actions(self) -> Iterator[Action]:
        """The file's actions, every version."""
        shipped = Catalogue.shipped()
        if self.path is None:
            yield from shipped.versions
            return
        before = {action.name for action in shipped.versions}
        yield from (a for a in shipped.with_file(self.path).versions if a.name not in before)

    def willing(self, action: Action) -> ClientFacts:
        """A client for whom the action is as right as can be."""
        day = self._at(action).astimezone(_ZONE).date()
        return ClientFacts(
            "c",
            action.tiers[0],
            action.reasons or (ReasonCode.OTHER,),
            Profile(Investor.ORDINARY, ClientLevel.C5, day),
            consents=dict.fromkeys(Purpose, True),
            complaints=int(action.situation is Situation.COMPLAINT),
            exiting=action.situation is Situation.EXIT,
        )

    def decide(self, action: Action, facts: ClientFacts, hour: int = 10) -> Decision:
        """What the gate says on the action's first day, at an hour of the client's time."""
        at = datetime.combine(self._at(action).astimezone(_ZONE).date(), time(hour), _ZONE)
        alone = Actions(at.date(), {action.id: action})
        gate = Gate(alone, RuleBook.shipped().on(at.date()), ContactPolicy(), at, _ZONE)
        return gate.decide(action, facts)

    def test_there_is_an_action_and_each_speaks_both_languages(self) -> None:
        """English without Chinese characters, Chinese with some."""
        found = list(self.actions())
        assert found
        for action in found:
            for words in (action.title, action.text):
                assert not any("\u4e00" <= c <= "\u9fff" for c in words.en), action.name
                assert any("\u4e00" <= c <= "\u9fff" for c in words.zh), action.name

    def test_no_action_carries_what_is_forbidden(self) -> None:
        """IN-1, IN-2, IN-3, SU-8, in either language."""
        for action in self.actions():
            for words in (action.title, action.text):
                assert list(faults(words.en)) == list(faults(words.zh)) == [], action.name

    def test_each_can_be_done_for_somebody(self) -> None:
        """Every action passes the gate for the client it is made for."""
        for action in self.actions():
            assert self.decide(action, self.willing(action)).answer is Answer.GO, action.name

    def test_what_would_keep_a_client_stops_at_complaint_refusal_and_exit(self) -> None:
        """CT-1, CT-2, R-EXIT-3, and the hold-out; service goes on."""
        for action in self.actions():
            if action.aim is not Aim.RETENTION:
                continue
            facts = self.willing(action)
            for against in (
                replace(facts, complaints=1),
                replace(facts, consents={Purpose.MARKETING: False}),
                replace(facts, exiting=True, exit_contacts=1),
                replace(facts, exit_refused=True),
                replace(facts, held_out=True),
            ):
                assert self.decide(action, against).answer is Answer.DROP, action.name
            assert self.decide(action, facts, hour=23).answer is Answer.DELAY, action.name

    def test_what_is_owed_is_done_at_once(self) -> None:
        """No cap and no quiet time holds up a mandatory service."""
        for action in self.actions():
            if action.mandatory:
                decision = self.decide(action, self.willing(action), hour=23)
                assert decision.answer is Answer.GO, action.name

    def _at(self, action: Action) -> datetime:
        day = max(action.since, date(2026, 1, 5))
        return datetime.combine(day, time(4), UTC)
