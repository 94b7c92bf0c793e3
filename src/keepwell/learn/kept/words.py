"""What a proof says in sentences: data, cohort, span, intervals, and what is not shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from keepwell.core import text
from keepwell.core.text import tr
from keepwell.learn.experiment.ratio import RatioCheck
from keepwell.learn.holdout.policy import CONTACT, HOLD_OUT
from keepwell.learn.kept.model import KeptProof
from keepwell.learn.kept.policy import CONFIDENCE, Fault
from keepwell.learn.value.flows import BASIS_WORDS, Basis
from keepwell.learn.value.margin import LINE_NAMES, Line
from keepwell.learn.value.retained import ASSETS, CLIENTS, MEASURE_NAMES, REVENUE, VALUE

LACKS: Final[dict[str, str]] = {
    "probability-missing": "no score was stored at the draw",
    "model-missing": "the model behind the scores at the draw is not kept",
    "income-unknown": "the data tell no line of income at the draw",
    "value.flows-uncovered": "movements are not declared complete for the span",
    "value.flows-unknown": "the data have neither movements of cash nor positions",
    "value.arm-empty": "of one arm it is known of nobody",
}
"""Why a measure is absent, in English."""

ORDER: Final = (CLIENTS, ASSETS, VALUE, REVENUE)
"""Measures in the order in which they are told; lines of revenue follow."""


@dataclass(frozen=True)
class Speaker:
    """In which language and currency a proof is told.

    Attributes:
        locale: 'en' or 'zh'.
        currency: ISO 4217 code of all money.
        zone: of the exchange.
    """

    locale: str
    currency: str
    zone: ZoneInfo

    def t(self, message: str, **fields: Any) -> str:
        """A message of the catalogue."""
        return tr(message, self.locale, **fields)

    def amount(self, name: str, value: float | None, digits: int = 0) -> str:
        """A total of a measure: clients, or money; '–' where it is not known."""
        if value is None:
            return "–"
        if name == CLIENTS:
            return text.number(value, self.locale, digits)
        return text.money(round(value), self.currency, self.locale, compact=True)

    def each(self, name: str, value: float | None) -> str:
        """An effect per client: a share of clients, or money."""
        if value is None:
            return "–"
        return self.percent(value, 2) if name == CLIENTS else self.amount(name, value)

    def percent(self, value: float, digits: int = 1) -> str:
        """A share."""
        return text.percent(value, self.locale, digits)

    def number(self, value: float) -> str:
        """A whole number."""
        return text.number(value, self.locale)

    def day(self, moment: datetime) -> str:
        """The exchange's day of an instant."""
        return text.day(moment.astimezone(self.zone), self.locale)

    def range(self, name: str, effect: Mapping[str, Any]) -> str:
        """An interval of a total."""
        return self.t(
            "{low} to {high}", low=self.amount(name, effect["low"]),
            high=self.amount(name, effect["high"]),
        )  # fmt: skip

    def name(self, measure: str) -> str:
        """A measure's name."""
        if measure in MEASURE_NAMES:
            return self.t(MEASURE_NAMES[measure])
        line = measure.removeprefix(f"{REVENUE}.")
        return self.t("revenue: {line}", line=self.t(LINE_NAMES[Line(line)]))


def ordered(measures: Mapping[str, Any]) -> list[str]:
    """Names of a proof's measures in the order in which they are told."""
    known = [name for name in ORDER if name in measures]
    return known + sorted(name for name in measures if name not in ORDER)


def claims(proof: KeptProof, voice: Speaker) -> list[str]:
    """What a proof claims, one sentence each; the headline first."""
    found = proof.record
    said = []
    if proof.stopped is None:
        said = [claim(name, found, voice) for name in ORDER if name in found["measures"]]
        said.append(voice.t(
            "By assignment: everybody drawn for contact counts as treated, reached or not."
        ))  # fmt: skip
        said.append(voice.t(
            "Only adjusted money is claimed: outcomes are cut at the 99 % quantile of both arms "
            "together and rid of what was known before the draw. Raw figures are told as raw."
        ))  # fmt: skip
    else:
        said.append(stopped(proof, voice))
    said += about(proof, voice)
    for name, why in sorted(found.get("absent", {}).items()):
        said.append(voice.t(
            "Absent: {measure}; {why}.", measure=voice.name(name), why=voice.t(LACKS[why])
        ))  # fmt: skip
    return said


def claim(name: str, found: Mapping[str, Any], voice: Speaker) -> str:
    """What is claimed of one measure, or that nothing is shown and what could have been."""
    one = found["measures"][name]
    total, unknown = one["total"], one["unknown"]
    head = voice.t(
        "{measure}: {value} ({interval}), {confidence} interval clustered by {clusters} managers; "
        "{treated} drawn for contact, {held} held out; not known of {lost} and {missing}.",
        measure=voice.name(name), value=voice.amount(name, total["value"]),
        interval=voice.range(name, total), confidence=voice.percent(CONFIDENCE, 0),
        clusters=voice.number(total["clusters"]), treated=voice.number(one["treated"]),
        held=voice.number(one["held"]), lost=voice.number(unknown[0]),
        missing=voice.number(unknown[1]),
    )  # fmt: skip
    parts = [head]
    if not one["shown"]:
        parts.append(power(name, one, voice))
    if one["few"]:
        parts.append(voice.t("Fewer than 30 managers: the interval is too narrow."))
    return " ".join(parts) if voice.locale == "en" else "".join(parts)


def power(name: str, one: Mapping[str, Any], voice: Speaker) -> str:
    """That the interval holds zero, and the smallest effect that could have been shown."""
    least = one["detectable"]
    if least is None:
        return voice.t("The interval holds zero: no effect is shown.")
    return voice.t(
        "The interval holds zero: no effect is shown. The smallest effect that so many clients "
        "show in four of five cases is {least} in all ({each} per client).",
        least=voice.amount(name, least * one["treated"]), each=voice.each(name, least),
    )  # fmt: skip


def stopped(proof: KeptProof, voice: Speaker) -> str:
    """Why nothing is read out."""
    ratio = dict(proof.record["ratio"])
    ratio.pop("stop")
    check = RatioCheck(**ratio)
    if proof.stopped == Fault.RATIO.value:
        return check.words(voice.locale)
    return voice.t(
        "{lost} clients whose draw was counted have no arm any more. Nothing is read out until "
        "the cause is found.", lost=voice.number(proof.record["lost"]),
    )  # fmt: skip


def about(proof: KeptProof, voice: Speaker) -> list[str]:
    """Data, cohort and span."""
    found = proof.record
    said = [
        voice.t(
            "Cohort: everybody drawn for {period} with the whole book, {treated} for contact and "
            "{held} held out, from {since} until {until} ({days} days).", period=proof.period,
            treated=voice.number(proof.treated), held=voice.number(proof.held),
            since=voice.day(proof.since), until=voice.day(proof.until),
            days=voice.number(proof.days),
        ),
        voice.t(
            "Left out, since their span began on another day: {later} drawn with a later "
            "publication, {alone} drawn one by one.", later=voice.number(found["later"]),
            alone=voice.number(found["alone"]),
        ),
        voice.t(
            "Data: state {manifest} of the lake; who stayed by the workspace's own label, money "
            "by {basis}.", manifest=proof.manifest,
            basis=voice.t(BASIS_WORDS[Basis(found["basis"])]),
        ),
    ]  # fmt: skip
    if proof.stopped is None:
        ratio = dict(found["ratio"])
        ratio.pop("stop")
        said.append(RatioCheck(**ratio).words(voice.locale))
    return said


def complier(found: Mapping[str, Any], voice: Speaker) -> str:
    """The effect on those whom the draw made be reached, apart from the claim."""
    got = found.get("complied")
    if got is None:
        return voice.t("Contacts are not kept, so that nothing can be said of who was reached.")
    heard = {
        arm: voice.number(got["received"][arm]) for arm in (CONTACT, HOLD_OUT)
    }  # fmt: skip
    if got["effect"] is None:
        return voice.t(
            "Reached by a retention contact: {contact} drawn for contact, {held} held out.",
            contact=heard[CONTACT], held=heard[HOLD_OUT],
        )  # fmt: skip
    ends = [
        "∞" if end is None else voice.percent(end)
        for end in (got["effect"]["low"], got["effect"]["high"])
    ]
    return voice.t(
        "Reached by a retention contact: {contact} drawn for contact, {held} held out. Of those "
        "whom the draw made be reached, the share kept by it is {value} ({low} to {high}).",
        contact=heard[CONTACT], held=heard[HOLD_OUT],
        value="–" if got["effect"]["value"] is None else voice.percent(got["effect"]["value"]),
        low=ends[0] if ends[0] != "∞" else "−∞", high=ends[1],
    )  # fmt: skip
