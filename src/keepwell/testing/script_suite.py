"""What every template must do: a contract suite for the shipped ones and for a broker's own.

In a test module::

    from pathlib import Path

    from keepwell.testing.script_suite import ScriptSuite

    class TestOurs(ScriptSuite):
        folder = Path("workspace/scripts")

`facts` may be overridden; it must give every slot that the templates name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import ClassVar
from weakref import WeakKeyDictionary

from keepwell.core.errors import UsageError
from keepwell.core.text import LOCALES
from keepwell.intervene.contact.policy import Channel
from keepwell.intervene.script.check import check
from keepwell.intervene.script.facts import Facts
from keepwell.intervene.script.fill import Script, Situation, brief_of, choose, fill
from keepwell.intervene.script.persona import Persona
from keepwell.intervene.script.phrases import Occasion, PhraseBook, phrase_book
from keepwell.intervene.script.template import CHANNELS, Library, Template, library
from keepwell.testing.script_facts import SAMPLE
from keepwell.warn.reason_codes import ReasonCode

SMS_CHARACTERS = 300
"""A text message longer than this is cut or costs a multiple."""

_FILLED: WeakKeyDictionary[type, list[tuple[Template, Script]]] = WeakKeyDictionary()


class ScriptSuite:
    """Subclass, name the folder of scripts, and pytest does the rest."""

    folder: ClassVar[Path | None] = None
    on: ClassVar[date | None] = None

    def facts(self) -> Facts:
        """A fact for every slot."""
        return SAMPLE

    def library(self) -> Library:
        """The templates: the shipped ones and those of the folder."""
        return library(self.folder)

    def book(self) -> PhraseBook:
        """The phrases: the shipped ones and those of the folder."""
        return phrase_book(self.folder)

    def filled(self) -> list[tuple[Template, Script]]:
        """Every template in every channel and language, filled; made once for a class."""
        known = _FILLED.get(type(self))
        if known is None:
            known = _FILLED[type(self)] = list(self._filled())
        return known

    def _filled(self) -> Iterator[tuple[Template, Script]]:
        facts, book = self.facts(), self.book()
        for versions in self.library().versions.values():
            for template in versions:
                for channel in template.channels:
                    for locale in LOCALES:
                        on = self._day(template)
                        yield template, fill(template, facts, channel, on, locale, book)

    def _day(self, template: Template) -> date:
        day = max(self.on or template.since, template.since)
        return day if template.in_force(day) else template.since

    def test_filled_templates_pass_the_checker(self) -> None:
        """No filled template has a finding, neither in Chinese nor in English."""
        facts, book, wrong = self.facts(), self.book(), []
        for template, script in self.filled():
            brief = brief_of(template, facts, script.channel, self._day(template))
            for finding in check(script.text, brief, book):
                wrong.append((template.ref, script.locale, finding.code, finding.quote))  # noqa: PERF401
        assert not wrong

    def test_no_blank_is_left(self) -> None:
        """A filled text has no braces and no blanks."""
        for template, script in self.filled():
            assert "{" not in script.text, template.ref
            assert "}" not in script.text, template.ref

    def test_a_missing_fact_is_an_error(self) -> None:
        """Without one of its facts a template is not filled."""
        for template in self.library().on(date.max - timedelta(days=1)):
            for slot in template.slots:
                try:
                    fill(template, self.facts().without(slot), template.channels[0], template.since)
                except UsageError as error:
                    assert error.code == "script.fact-missing"  # noqa: PT017
                else:
                    raise AssertionError((template.ref, slot))

    def test_every_figure_stands_on_its_fact(self) -> None:
        """A text that says a number, date or amount fails when its fact is taken away."""
        book, facts = self.book(), self.facts()
        told = {"money", "percent", "number", "span", "date", "reason"}
        nothing = Facts()
        from keepwell.intervene.script.facts import SLOTS

        for template, script in self.filled():
            brief = brief_of(template, facts, script.channel, self._day(template))
            figured = [slot for slot in template.slots if SLOTS[slot].kind in told]
            if figured:
                bare = replace(brief, facts=nothing)
                codes = {f.code for f in check(script.text, bare, book)}
                assert "fact-unsupported" in codes, template.ref

    def test_text_messages_are_short(self) -> None:
        """A text message fits into a few segments."""
        for template, script in self.filled():
            if script.channel is Channel.SMS:
                assert len(script.text) <= SMS_CHARACTERS, template.ref

    def test_leaving_and_complaining_sound_the_same_at_every_score(self) -> None:
        """Tier, persona and reasons change nothing for who leaves or complains (R-EXIT-1)."""
        templates, facts = self.library(), self.facts()
        day = self.on or date.max - timedelta(days=1)
        for occasion in (Occasion.EXIT, Occasion.COMPLAINT):
            for channel in CHANNELS:
                base = Situation(channel, occasion=occasion)
                chosen = choose(templates, base, facts, day).template
                assert chosen.occasion is occasion
                assert not chosen.commercial
                for persona in Persona:
                    other = Situation(channel, tuple(ReasonCode), "severe", persona, occasion)
                    assert choose(templates, other, facts, day).template == chosen
