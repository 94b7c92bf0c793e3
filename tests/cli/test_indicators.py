"""`keepwell indicators`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from keepwell.cli import app
from keepwell.core.errors import UsageError
from keepwell.observe.indicators import INDICATORS


def run(*arguments: str):
    return CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200"})


def test_lists_every_indicator() -> None:
    done = run("indicators")
    assert done.exit_code == 0
    for name in INDICATORS:
        assert name in done.stdout


def test_headline_ones_as_json() -> None:
    found = json.loads(run("indicators", "--headline", "--json").stdout)
    assert [item["id"] for item in found] == [i.id for i in INDICATORS.values() if i.headline]
    assert all(item["threshold"] is not None for item in found)


def test_describes_one_in_both_languages() -> None:
    done = run("indicators", "--describe", "silence_ratio")
    assert done.exit_code == 0
    for words in ("Silence against own usual gap", "沉默时长与自身平均间隔之比", ">= 3", "365"):
        assert words in done.stdout


def test_describes_one_as_json() -> None:
    item = json.loads(run("indicators", "--describe", "silence_ratio", "--json").stdout)
    assert item["sources"] == ["trade"]
    assert item["words"]["en"]["definition"].startswith("R / G.")
    assert item["words"]["zh"]["unit_name"] == "倍数，1 为持平"


def test_a_typo_names_the_nearest() -> None:
    done = run("indicators", "--describe", "silense_ratio")
    assert isinstance(done.exception, UsageError)
    assert "silence_ratio" in str(done.exception)
    assert done.exception.exit_code == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_follow_the_language(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from keepwell.core import text

    monkeypatch.setattr(text, "_chosen", [])
    done = run("--lang", language, "indicators")
    assert ("Trading activity" in done.stdout) == (language == "en")
    assert ("交易活跃度" in done.stdout) == (language == "zh")
