"""The report as one HTML file that needs nothing else: no server, no network, no script even."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from keepwell.core.files import atomic_write
from keepwell.core.text import current_locale
from keepwell.learn.report.data import ReportData
from keepwell.learn.report.page import Page

LANGUAGE_TAGS = {"en": "en-GB", "zh": "zh-Hans-CN"}
TOP_SHOWN = 15
"""Clients shown at once; the rest of the ranking opens on demand."""

_TEMPLATES = Path(__file__).parent / "templates"


def render_report(data: ReportData, locale: str | None = None) -> str:
    """The report's HTML, in both languages, with a switch between them.

    Args:
        data: everything the page shows.
        locale: the language shown first, 'en' or 'zh'; default: the current one.

    Returns:
        A whole document. Text from the data is escaped everywhere; a content security policy
        forbids every request and every script but the report's own two.
    """
    pages = {name: Page(data, name) for name in LANGUAGE_TAGS}
    library = vendored("echarts/echarts.common.min.js")
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    options = {
        name: {id: chart.option for id, chart in page.charts.items()}
        for name, page in pages.items()
    }
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            pages=pages,
            default=locale or current_locale(),
            tags=LANGUAGE_TAGS,
            shown=TOP_SHOWN,
            css=_own((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
            echarts=_own(library),
            script=_own(script),
            chart_json=script_json(options),
            script_hashes=_own(" ".join(_policy_hash(text) for text in (library, script))),
        )
    )


def write_report(path: Path, data: ReportData, locale: str | None = None) -> None:
    """Write the report whole or not at all.

    Args:
        path: the HTML file; its folder must exist.
        data: everything the page shows.
        locale: the language shown first; default: the current one.
    """
    atomic_write(path, render_report(data, locale))


def script_json(value: Any) -> Markup:
    r"""JSON that is safe inside a script element, whatever names it holds.

    Example:
        >>> print(script_json("</script>"))
        "\u003c/script\u003e"
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - the five characters that could end it are gone


@lru_cache(maxsize=4)
def vendored(name: str) -> str:
    """The text of a vendored browser file.

    Raises:
        ValueError: the text would end the script element it is placed in.
    """
    text = files("keepwell").joinpath("web", "static", "vendor", name).read_text(encoding="utf-8")
    if "</script" in text.lower():
        raise ValueError(f"{name} cannot be placed inside a page")
    return text


def _own(text: str) -> Markup:
    """Text of the package itself, placed as it is; nothing from the data comes here."""
    return Markup(text)  # noqa: S704


def _policy_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
