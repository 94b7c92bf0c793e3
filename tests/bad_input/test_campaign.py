"""The campaign of broken inputs: 200 here, 2,000 at a release (KEEPWELL_BROKEN)."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import islice

import pytest

from tests.bad_input.broken import TYPED, Broken, Desk, judge_taken
from tests.bad_input.corpus_packed import (
    PLAIN,
    damaged,
    excel_refused,
    excel_taken,
    parquet,
    parquet_refused,
    parquet_taken,
    sqlite_cases,
    workbook,
)
from tests.bad_input.corpus_packed import TRADE as PARQUET_ROWS
from tests.bad_input.corpus_text import drawn, made

INPUTS = int(os.environ.get("KEEPWELL_BROKEN", "200"))
"""Broken inputs in all, those made by hand included."""
SHARE = 20
"""One input in so many is a file with bytes spoilt by chance, and one a Parquet file cut off."""
BATCH = 120


def by_hand() -> list[Broken]:
    packed = [*excel_taken(), *excel_refused(), *sqlite_cases()]
    return [*made(), *packed, *parquet_taken(), *parquet_refused(INPUTS // SHARE)]


@pytest.fixture(scope="module")
def cases() -> list[Broken]:
    hand = by_hand()
    draws = INPUTS - len(hand) - INPUTS // SHARE
    assert draws > 0
    return [*hand, *(drawn(number) for number in range(draws))]


def test_what_cannot_be_read_is_refused_by_name_and_changes_nothing(cases, tmp_path) -> None:
    desk = Desk(tmp_path / "ws")
    refused = [case for case in cases if case.refused]
    assert len(refused) >= 60
    for case in refused:
        desk.judge(case)


def test_what_can_be_read_is_accounted_for_row_by_row(cases, tmp_path) -> None:
    groups: dict[tuple[str, str], list[Broken]] = defaultdict(list)
    for case in cases:
        if not case.refused:
            groups[case.file, case.said].append(case)
    number = 0
    for (file, _), group in groups.items():
        # Files of one source have columns of one type, and a database's rows have one name.
        size = BATCH if file.endswith(("csv", "xlsx")) else 1
        todo = iter(group)
        while batch := list(islice(todo, size)):
            judge_taken(tmp_path / str(number), batch)
            number += 1


@pytest.mark.parametrize(
    ("file", "whole"), [("x.parquet", parquet(PARQUET_ROWS)), ("x.xlsx", workbook())]
)
def test_spoilt_bytes_are_refused_or_read_but_never_half(file: str, whole: bytes, tmp_path) -> None:
    desk = Desk(tmp_path / "ws")
    said = TYPED if file.endswith("xlsx") else PLAIN
    for draw in range(INPUTS // SHARE // 2):
        desk.either(file, damaged(whole, file, draw), said)
