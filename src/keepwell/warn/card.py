"""The model card: what a model predicts, from what, how well, and where it must not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keepwell.core import text
from keepwell.core.text import tr
from keepwell.warn.metrics import METRICS

if TYPE_CHECKING:
    from keepwell.warn.registry import ModelVersion


def model_card(version: ModelVersion) -> str:
    """The card in English, then in Chinese, as Markdown."""
    return "\n".join([*_part(version, "en"), "", "---", "", *_part(version, "zh"), ""])


def _part(version: ModelVersion, locale: str) -> list[str]:
    def t(words: str, **fields: Any) -> str:
        return tr(words, locale, **fields)

    trained = version.trained
    dates = ", ".join(text.day(d, locale) for d in trained.dates)
    lines = [
        f"# {t('Model card')}: {version.id}",
        "",
        f"- {t('Predicts')}: {version.definition.words(locale)}",
        f"- {t('Model')}: {trained.model.name} ({_settings(trained.model.params)})",
        f"- {t('Trained on (UTC)')}: {dates}",
        (
            f"- {t('Rows')}: {text.number(trained.rows, locale)}; "
            f"{t('left')}: {text.number(trained.left, locale)}; "
            f"{t('share at the newest date')}: {text.percent(trained.base_rate, locale)}"
        ),
        (
            f"- {t('Data')}: {t('lake manifest {n}', n=version.manifest)} "
            f"({', '.join(f'{k} v{v}' for k, v in sorted(version.versions.items()))})"
        ),
        f"- {t('Inputs')}: {len(trained.names)}",
        (
            f"- {t('Calibration in log-odds')}: {trained.calibration.intercept:+.4f} "
            f"+ {trained.calibration.slope:.4f} z"
        ),
        f"- {t('Log-odds of scores 0, 40, 60, 76, 90, 100')}: "
        + ", ".join(f"{k:.4f}" for k in trained.score_map.knots),
        f"- {t('Trained with')}: keepwell {version.package}",
        "",
        f"## {t('How well')}",
        "",
    ]
    lines += _metrics(version, locale)
    lines += [
        "",
        f"## {t('Use')}",
        "",
        t(
            "For staff who decide whom to talk to first. Not for refusing, delaying or pricing a "
            "client, and not for judging a client's creditworthiness or character."
        ),
        "",
        t(
            "The probability holds for clients like those it was trained on; when the share who "
            "leave moves, the ranking lasts longer than the probability."
        ),
        "",
        f"## {t('Inputs')}",
        "",
        ", ".join(f"`{name}`" for name in trained.names),
    ]
    return lines


def _settings(params: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sorted(params.items()))


def _metrics(version: ModelVersion, locale: str) -> list[str]:
    if not version.metrics:
        return [tr("Not tested on a later date: the data carry none.", locale)]
    codes = [code for code in METRICS if all(code in of for of in version.metrics.values())]
    names = list(version.metrics)
    lines = [
        "| " + " | ".join([tr("Metric (95 % interval by client)", locale), *names]) + " |",
        "|" + "---|" * (len(names) + 1),
    ]
    for code in codes:
        cells = [
            f"{e['value']:.3f} ({e['low']:.3f} – {e['high']:.3f})"
            for e in (version.metrics[name][code] for name in names)
        ]
        lines.append("| " + " | ".join([tr(METRICS[code], locale), *cells]) + " |")
    return lines
