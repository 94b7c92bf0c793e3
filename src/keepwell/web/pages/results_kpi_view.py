"""What the pages of key figures show, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from keepwell.core.days import local_day, to_date
from keepwell.core.money import minor_exponent
from keepwell.frame.database import Tx
from keepwell.intervene.kpi import repo, service
from keepwell.intervene.kpi.report_page import sparkline
from keepwell.intervene.kpi.schema import KpiDetail, KpiOut, MonthOut
from keepwell.learn.kpi.catalogue import DIMENSION_NAMES, Kpi, Unit
from keepwell.learn.kpi.words import (
    OWNER_ROLES,
    absent_words,
    distance_words,
    interval_words,
    value_words,
)
from keepwell.trust.access.policy import Actor
from keepwell.trust.access.users import logins
from keepwell.web.pages.form import FormError
from keepwell.web.pages.tongue import Tongue

PATH: Final = "/results/kpi"

PAST: Final = 12
"""Months on a line."""

_HINTS: Final = {
    Unit.SHARE: "In per cent, such as 80.",
    Unit.POINTS: "In points, from −100 to 100.",
    Unit.PER_1000: "Complaints per 1,000 clients a month.",
    Unit.HOURS: "In hours.",
    Unit.NUMBER: "A number such as 0.05.",
    Unit.MONEY: "In whole units of the currency, a year.",
}
"""What the field of a target takes, by unit, in English."""


def everything(tx: Tx, actor: Actor, tongue: Tongue) -> dict[str, Any]:
    """The four dimensions, open reviews and the newest reports.

    Args:
        tx: the unit of work.
        actor: the reader.
        tongue: the reader's language.
    """
    found = service.list_kpis(tx, actor).items
    names = logins(tx, {k.owner_id for k in found if k.owner_id})
    past = _past(tx)
    blocks = [
        (
            tongue.t(title),
            [_row(k, past.get(k.kpi_id, []), names, tongue) for k in found
             if k.dimension == dimension.value],
        )
        for dimension, title in DIMENSION_NAMES.items()
    ]  # fmt: skip
    return {
        "blocks": blocks, "reviews": _reviews(tx, tongue), "reports": repo.reports(tx, 12),
        "path": PATH, "any": any(k.newest for k in found),
        "delay": tx.frame.settings.kpi.delay_days,
    }  # fmt: skip


def _past(tx: Tx) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for value in repo.values(tx):
        if value.version == service.kpi_version(value.kpi_id):
            found.setdefault(value.kpi_id, []).append(value.value)
    return {kpi_id: values[-PAST:] for kpi_id, values in found.items()}


def _row(
    out: KpiOut, past: list[float | None], names: dict[str, str], tongue: Tongue
) -> dict[str, Any]:
    kpi = service.kpi_of(out.kpi_id)
    shown = month_words(kpi, out.newest, tongue) if out.newest else None
    return {
        "kpi": kpi, "out": out, "title": kpi.title.say(tongue.locale), "shown": shown,
        "target": target_words(kpi, out.target, tongue), "line": sparkline(past),
        "owner": owner_words(out, names, tongue), "formula": kpi.formula.say(tongue.locale),
    }  # fmt: skip


def month_words(kpi: Kpi, month: MonthOut, tongue: Tongue) -> dict[str, Any]:
    """A month's figures in words.

    Args:
        kpi: the key figure.
        month: the month.
        tongue: the reader's language.
    """
    currency, locale = tongue.currency, tongue.locale
    return {
        "month": month.month, "value": value_words(kpi.unit, month.value, currency, locale),
        "interval": interval_words(kpi.unit, month.low, month.high, currency, locale),
        "target": target_words(kpi, month.target, tongue),
        "distance": distance_words(kpi, month.value, month.target, currency, locale),
        "why": absent_words(month.absent, locale) if month.absent else "",
        "missed": month.missed, "n": month.n, "revision": month.revision,
        "known_by": month.known_by, "manifest": month.manifest,
    }  # fmt: skip


def target_words(kpi: Kpi, target: float | None, tongue: Tongue) -> str:
    """A target in words."""
    if target is None:
        return tongue.t("not set")
    return value_words(kpi.unit, target, tongue.currency, tongue.locale)


def owner_words(out: KpiOut, names: dict[str, str], tongue: Tongue) -> str:
    """Who answers: a log-in name, or the role until somebody is named."""
    if out.owner_id is not None:
        return names.get(out.owner_id, out.owner_id)
    return tongue.names(OWNER_ROLES, out.owner_role)


def one(tx: Tx, actor: Actor, tongue: Tongue, kpi_id: str) -> dict[str, Any]:
    """One key figure with its months.

    Raises:
        NotFound: there is none of this id.
    """
    out = service.read_kpi(tx, actor, kpi_id)
    kpi = service.kpi_of(kpi_id)
    names = logins(tx, {i for t in out.targets for i in (t.owner_id, t.set_by) if i})
    source = kpi.target.source if kpi.target else kpi.goal
    return {
        "kpi": kpi, "out": out, "title": kpi.title.say(tongue.locale),
        "formula": kpi.formula.say(tongue.locale), "source": source and source.say(tongue.locale),
        "months": [month_words(kpi, month, tongue) for month in out.months],
        "target": target_words(kpi, out.target, tongue), "owner": owner_words(out, names, tongue),
        "settings": [
            {"row": t, "target": target_words(kpi, t.target, tongue),
             "owner": names.get(t.owner_id, t.owner_id) if t.owner_id
             else tongue.names(OWNER_ROLES, kpi.owner), "by": names.get(t.set_by, t.set_by)}
            for t in out.targets
        ],
        "chart": _chart(kpi, out, tongue), "hint": tongue.t(_HINTS[kpi.unit]),
        "owners": service.owners(tx) if actor.may(service.WRITE) else [],
        "given": _given(kpi, out.target, tongue.currency), "reviews": _reviews(tx, tongue, kpi_id),
        "role": tongue.names(OWNER_ROLES, kpi.owner),
    }  # fmt: skip


def _chart(kpi: Kpi, out: KpiDetail, tongue: Tongue) -> dict[str, Any] | None:
    months = list(reversed(out.months))[-PAST:]
    if not any(month.value is not None for month in months):
        return None
    scale = 10.0 ** -minor_exponent(tongue.currency) if kpi.unit is Unit.MONEY else 1.0

    def line(name: str, values: Sequence[float | None], dashed: bool) -> dict[str, Any]:
        shown = [None if v is None else v * scale for v in values]
        return {"name": tongue.t(name), "values": shown, "kind": "line", "dashed": dashed}

    series = [line("Figure", [m.value for m in months], False)]
    if any(m.low is not None for m in months):
        series.append(line("Lower end", [m.low for m in months], True))
        series.append(line("Upper end", [m.high for m in months], True))
    if any(m.target is not None for m in months):
        series.append(line("Target", [m.target for m in months], True))
    unit = {Unit.SHARE: "share", Unit.MONEY: "amount"}.get(kpi.unit, "number")
    return {"x": [tongue.month(m.month) for m in months], "series": series, "unit": unit,
            "scale": True}  # fmt: skip


def _reviews(tx: Tx, tongue: Tongue, kpi_id: str | None = None) -> list[dict[str, Any]]:
    today = to_date(local_day(tx.at, tx.frame.zone))
    found = repo.reviews(tx, kpi_id, None if kpi_id else "open")
    names = logins(tx, {r.owner_id for r in found if r.owner_id})
    return [
        {
            "row": r, "title": service.title_of(r.kpi_id).say(tongue.locale),
            "late": r.state == "open" and today > r.due_on,
            "owner": names.get(r.owner_id or "", "")
            or tongue.names(OWNER_ROLES, service.owner_role(r.kpi_id)),
        }
        for r in found
    ]  # fmt: skip


def review(tx: Tx, actor: Actor, tongue: Tongue, review_id: str) -> dict[str, Any]:
    """A review with its notes.

    Raises:
        NotFound: there is none.
    """
    out = service.read_review(tx, actor, review_id).content
    kpi = service.kpi_of(out.kpi_id)
    users = {out.owner_id, out.closed_by, *(note.author_id for note in out.notes)} - {None}
    names = logins(tx, users)
    today = to_date(local_day(tx.at, tx.frame.zone))
    return {
        "review": out, "title": kpi.title.say(tongue.locale), "names": names,
        "owner": names.get(out.owner_id or "", "") or tongue.names(OWNER_ROLES, kpi.owner),
        "late": out.state == "open" and today > out.due_on,
        "months": [
            {
                "month": m.month,
                "value": value_words(kpi.unit, m.value, tongue.currency, tongue.locale),
                "target": target_words(kpi, m.target, tongue),
                "distance": distance_words(
                    kpi, m.value, m.target, tongue.currency, tongue.locale
                ),
            }
            for m in out.months
        ],
    }  # fmt: skip


def _given(kpi: Kpi, target: float | None, currency: str) -> str:
    """A target as the field shows it."""
    if target is None:
        return ""
    return f"{target * _factor(kpi, currency):.10g}"


def plain_value(kpi: Kpi, text: str, currency: str) -> float | None:
    """What the field of a target holds, in the key figure's unit.

    Args:
        kpi: the key figure.
        text: a number as typed; '' for none.
        currency: of amounts.

    Raises:
        FormError: it is no number.
    """
    if not text:
        return None
    try:
        return float(text.replace(",", "").removesuffix("%")) / _factor(kpi, currency)
    except ValueError:
        raise FormError({"target": "A number."}) from None


def _factor(kpi: Kpi, currency: str) -> float:
    """From the unit that values are kept in to that of the field."""
    if kpi.unit is Unit.SHARE:
        return 100.0
    return 10.0 ** -minor_exponent(currency) if kpi.unit is Unit.MONEY else 1.0
