"""The two tables of `make demo`, and how values are spoken."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from keepwell.learn.report.data import (
    AsOf,
    CurvePoint,
    Interval,
    LabelFacts,
    Rate,
    ReportData,
    Words,
)
from keepwell.learn.report.speaker import Speaker
from keepwell.learn.report.terminal import proof_table, ranking_table


def shown(table: object, width: int = 150) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_proof_shows_each_model_with_its_interval(data: ReportData):
    text = shown(proof_table(data, "en"))
    assert "the start of 1 Jul 2021" in text
    for words in ("keepwell (boosting)", "RFM logistic", "0.742", "0.729 to 0.755", "2.31×"):
        assert words in text


def test_proof_in_chinese(data: ReportData):
    text = shown(proof_table(data, "zh"))
    assert "前10%提升度" in text
    assert "2021年7月1日" in text


def test_proof_needs_a_backtest(data: ReportData):
    with pytest.raises(ValueError, match="backtest"):
        proof_table(replace(data, backtest=None), "en")


def test_ranking_has_fifteen_rows_and_marks_tiers_beyond_colour(data: ReportData):
    text = shown(ranking_table(data, "en"))
    assert text.count("◆ severe") == 15
    assert data.top[0].client in text
    assert data.top[15].client not in text
    assert "▲ 中度" in shown(ranking_table(data, "zh", limit=40))


def test_ranking_takes_no_markup_from_names(data: ReportData):
    top = (replace(data.top[0], client="[red]x[/red]", manager="[link=1]"),)
    assert "[red]x[/red]" in shown(ranking_table(replace(data, top=top), "en"))


def test_as_of_names_the_close_the_start_or_the_instant():
    zone = ZoneInfo("Asia/Shanghai")
    midnight = datetime(2021, 12, 31, 16, tzinfo=UTC)
    say = Speaker("en", "CNY")
    assert say.as_of(AsOf.of(midnight, zone)) == "the close of 31 Dec 2021"
    assert say.as_of(AsOf.of(midnight, zone, start=True)) == "the start of 1 Jan 2022"
    inside = AsOf.of(datetime(2022, 1, 1, 2, 5, tzinfo=UTC), zone, start=True)
    assert say.as_of(inside) == "1 Jan 2022 10:05"


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", ["12.3%", "+1.0 pp (-0.5 pp to +2.0 pp)", "3 months", "45 days", "€12.35", "–"]),
        (
            "zh",
            ["12.3%", "+1.0个百分点（-0.5个百分点至+2.0个百分点）", "3个月", "45天", "€12.35", "–"],
        ),
    ],
)
def test_values_are_spoken(locale: str, expected: list[str]):
    say = Speaker(locale, "EUR")
    spoken = [
        say.interval(Interval(0.1234)),
        say.difference("ece", Interval(0.01, -0.005, 0.02)),
        say.span("3mo"),
        say.span("45d"),
        say.money(1235),
        say.interval(None),
    ]
    assert spoken == expected


def test_unknown_codes_stand_for_themselves():
    say = Speaker("zh", "EUR")
    assert [say.model("x"), say.metric_name("y"), say.source("z"), say.unscored("w")] == list(
        "xyzw"
    )
    assert say.metric_explain("y") == ""


def test_lift_and_small_cells():
    assert CurvePoint(0.1, 0.25).lift == pytest.approx(2.5)
    assert CurvePoint(0.0, 0.0).lift == 0.0
    assert [Rate(n, 1, Interval(0.1)).small for n in (19, 20)] == [True, False]
    assert Speaker("en", "EUR").day(date(2021, 7, 1)) == "1 Jul 2021"


@pytest.mark.parametrize(
    ("locale", "gap", "expected"),
    [
        ("en", "0d", "90 days"),
        ("en", "45d", "the 90 days that follow the next 45 days"),
        ("zh", "45d", "未来45天之后的90天"),
    ],
)
def test_a_gap_is_never_silent(locale: str, gap: str, expected: str):
    label = LabelFacts("exit", "value", "90d", gap, Words("", ""))
    assert Speaker(locale, "CNY").ahead(label) == expected
