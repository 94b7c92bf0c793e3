"""Colours hold WCAG AA on light, dark and paper: 4.5 for text, 3 for marks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import keepwell.learn.report as package

CSS = (Path(package.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
TEXT = ["ink", "muted", "accent", "severe-ink", "moderate-ink", "mild-ink", "none-ink"]
MARKS = ["accent", "muted", "severe", "moderate", "mild", "none"]


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root\s*{(.*?)}", CSS, re.DOTALL)
    assert len(blocks) == 3
    light, dark, paper = (dict(re.findall(r"--([\w-]+):\s*(#\w+)", block)) for block in blocks)
    return {"light": light, "dark": light | dark, "paper": light | paper}


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark", "paper"])
def test_text_and_marks_are_readable(name: str):
    colours = palettes()[name]
    weak = [
        (word, ground, round(contrast(colours[word], colours[ground]), 2))
        for words, least, grounds in (
            (TEXT, 4.5, ["bg", "surface", "tint"]),
            (MARKS, 3, ["surface"]),
        )
        for word in words
        for ground in grounds
        if contrast(colours[word], colours[ground]) < least
    ]
    assert weak == []


def test_every_variable_that_is_used_is_defined():
    scripts = "".join(
        path.read_text(encoding="utf-8") for path in Path(package.__file__).parent.rglob("*.py")
    )
    used = set(re.findall(r"var\(--([\w-]+)\)", CSS + scripts))
    defined = set(re.findall(r"--([\w-]+):", CSS))
    assert used - {"h"} <= defined


def test_language_and_tables_work_without_script():
    assert '#show-en:checked ~ .page[lang|="en"]' in CSS
    assert re.search(r"^\.chart { display: none; }", CSS, re.MULTILINE)
    assert re.search(r"^\.js \.chart { display: block;", CSS, re.MULTILINE)
