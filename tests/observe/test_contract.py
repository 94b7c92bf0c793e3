from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.text import catalogue
from keepwell.observe.contract import SYSTEM_COLUMNS, TABLES, Column, Kind
from keepwell.observe.contract_convert import (
    Edge,
    convert,
    currencies,
    identifier_faults,
)
from keepwell.observe.contract_page import render
from keepwell.observe.contract_time import (
    local_days,
    micros,
    midnights,
    to_instants,
    to_local,
)

EDGE = Edge(ZoneInfo("Europe/Athens"), "EUR")
DESIGN = {
    "client",
    "account",
    "service",
    "relation",
    "instrument",
    "trade",
    "cash_flow",
    "custody_transfer",
    "exit_request",
    "margin",
    "subscription",
    "balance",
    "holding",
    "session",
    "view",
    "contact",
    "complaint",
    "survey",
    "touch",
    "index_price",
    "price",
    "news",
    "outage",
    "consent",
}


def column(kind: Kind, **other: object) -> Column:
    return Column("x", kind, "", **other)


def faults(kind: Kind, values: pa.Array, **other: object) -> dict[str, list[int]]:
    result = convert(column(kind, **other), values, EDGE)
    for reason, mask in result.faults:
        assert result.values.filter(pa.array(mask)).null_count == mask.sum(), reason
    return {reason: np.flatnonzero(mask).tolist() for reason, mask in result.faults}


def test_every_table_of_the_design_is_there() -> None:
    assert set(TABLES) >= DESIGN


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_tables_are_whole(table) -> None:
    names = table.names
    assert len(set(names)) == len(names)
    assert set(table.key) <= set(names)
    assert table.clock == "" or table.clock in names
    assert not {c.name for c in SYSTEM_COLUMNS} & set(names)
    own = ["known_at", "revision", "source", "row_hash", "deleted"]
    assert table.arrow_schema().names == [*names, *own]
    if any(c.kind is Kind.MONEY for c in table.columns):
        assert "currency" in names
    for c in table.columns:
        assert bool(c.values) == (c.kind is Kind.ENUM), c.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", c.name)


def test_every_meaning_has_chinese_words() -> None:
    words = catalogue()
    said = [t.meaning for t in TABLES.values()]
    said += [c.meaning for t in TABLES.values() for c in t.columns]
    said += [c.meaning for c in SYSTEM_COLUMNS]
    assert [m for m in said if m not in words] == []


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_the_page_names_every_column(locale: str) -> None:
    page = render(locale)
    for table in TABLES.values():
        section = page.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        assert [n for n in table.names if f"| `{n}` |" not in section] == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.decimals(-(10**9), 10**9, places=6, allow_nan=False), min_size=1, max_size=20))
def test_decimals_become_minor_units_half_to_even(values: list[Decimal]) -> None:
    given_ = pa.array(values, pa.decimal128(28, 8))
    made = convert(column(Kind.MONEY, signed=True), given_, EDGE)
    expected = [int((v * 100).quantize(Decimal(1), ROUND_HALF_EVEN)) for v in values]
    assert made.values.to_pylist() == expected
    assert made.faults == []


def test_money_by_currency() -> None:
    codes, exponents = currencies(pa.array(["eur", None, "JPY", "XQX"]), 4, EDGE)
    assert codes.values.to_pylist() == ["EUR", "EUR", "JPY", None]
    assert [r for r, _ in codes.faults] == ["cell.unknown-currency"]
    amounts = pa.array([Decimal("1.25"), Decimal("1.25"), Decimal(125), None])
    made = convert(column(Kind.MONEY), amounts, EDGE, exponents)
    assert made.values.to_pylist() == [125, 125, 125, None]


def test_amounts_that_cannot_be() -> None:
    doubles = pa.array([1.5, float("nan"), float("inf"), 1e18, -0.01, None, 1e11])
    expected = {"cell.not-double": [1, 2], "cell.too-large": [3], "cell.below-zero": [4]}
    assert faults(Kind.MONEY, doubles) == expected
    text = pa.array(["1.5", "nan", "zwölf", "1e18", "-0.01", "", "+100000000000"])
    assert faults(Kind.MONEY, text) == expected
    decimals = pa.array([Decimal(10**11), Decimal(10**11) + Decimal("0.01"), Decimal(-1)])
    assert faults(Kind.MONEY, decimals) == {"cell.too-large": [1], "cell.below-zero": [2]}
    whole = pa.array([10**11, 10**18, -1])
    assert faults(Kind.MONEY, whole) == {"cell.too-large": [1], "cell.below-zero": [2]}
    assert faults(Kind.MONEY, whole, signed=True) == {"cell.too-large": [1]}


def test_quantities_in_hundred_millionths() -> None:
    made = convert(column(Kind.QUANTITY), pa.array([1.12345678, 1e10]), EDGE)
    assert made.values.to_pylist() == [112345678, 10**18]
    assert faults(Kind.QUANTITY, pa.array([1e18, -1.0])) == {
        "cell.too-large": [0],
        "cell.below-zero": [1],
    }


def test_instants_from_every_form() -> None:
    expected = datetime(2021, 7, 1, 9, 30, tzinfo=UTC)
    for text in (
        "2021-07-01 12:30",
        "2021-07-01T12:30:00",
        "2021-07-01T09:30:00Z",
        "2021-07-01T17:30:00.000+08:00",
        "2021-07-01 04:30:00-0500",
    ):
        made = convert(column(Kind.INSTANT), pa.array([text]), EDGE)
        assert made.values.to_pylist() == [expected], text
    naive = pa.array([datetime(2021, 7, 1, 12, 30)], pa.timestamp("ns"))  # noqa: DTZ001
    assert convert(column(Kind.INSTANT), naive, EDGE).values.to_pylist() == [expected]
    day = pa.array([date(2021, 7, 1)])
    assert convert(column(Kind.INSTANT), day, EDGE).values.to_pylist() == [
        datetime(2021, 6, 30, 21, tzinfo=UTC)
    ]


def test_times_that_cannot_be() -> None:
    text = pa.array(["2021-02-30", "soon", "", None, "2021-07-01 25:00", "0001-01-01"])
    assert faults(Kind.INSTANT, text) == {"cell.not-instant": [0, 1, 4], "cell.out-of-range": [5]}
    days = pa.array(["2021-02-30", "2021-7-1", "2021-07-01", None, "1850-01-01"])
    assert faults(Kind.DAY, days) == {"cell.not-date": [0, 1], "cell.out-of-range": [4]}
    assert faults(Kind.INSTANT, pa.array([date(1, 1, 1), None])) == {"cell.out-of-range": [0]}


def test_words_numbers_and_truth() -> None:
    choice = Column("side", Kind.ENUM, "", values=("buy", "sell"))
    made = convert(choice, pa.array(["BUY", " sell ", "short", None, ""]), EDGE)
    assert made.values.to_pylist() == ["buy", "sell", None, None, None]
    assert [(r, m.tolist()) for r, m in made.faults] == [
        ("cell.not-in-list", [False, False, True, False, False])
    ]
    assert faults(Kind.BOOL, pa.array(["yes", "0", "maybe", None])) == {"cell.not-boolean": [2]}
    assert faults(Kind.INT, pa.array([1.0, 2.5, None])) == {"cell.not-integer": [1]}
    assert faults(Kind.INT, pa.array([1, -1, 9]), low=0, high=5) == {
        "cell.below-zero": [1],
        "cell.out-of-range": [2],
    }
    assert faults(Kind.RATIO, pa.array([0.5, float("inf")])) == {"cell.not-double": [1]}
    assert faults(Kind.TEXT, pa.array([[1], None])) == {"cell.not-text": [0]}


def test_identifiers() -> None:
    made = convert(
        column(Kind.TEXT),
        pa.array(
            [
                "a1",
                "=cmd()",
                "+1x",
                "@a",
                "-7",
                "-x",
                "a\x07b",
                "a" * 201,
                "客户1",
            ]
        ),
        EDGE,
    )
    identifier_faults(made)
    found = {reason: np.flatnonzero(mask).tolist() for reason, mask in made.faults}
    assert found == {
        "cell.control-character": [6],
        "cell.formula": [1, 2, 3, 5],
        "cell.too-long": [7],
    }
    whole = convert(column(Kind.TEXT), pa.array([1.0, None, 1002.0]), EDGE)
    assert whole.values.to_pylist() == ["1", None, "1002"]


@settings(max_examples=80, deadline=None)
@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["Europe/Athens", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]),
)
def test_local_time_as_python_has_it(moment: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    aware = moment.replace(tzinfo=zone)
    local = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
    assert to_instants(np.array([local]), zone)[0] == micros(aware)
    back = aware.astimezone(UTC).astimezone(zone)
    expected = (back.replace(tzinfo=None) - datetime(1970, 1, 1)) // timedelta(  # noqa: DTZ001
        microseconds=1
    )
    assert to_local(np.array([micros(aware)]), zone)[0] == expected
    day = int(local_days(np.array([micros(aware)]), zone)[0])
    assert day == (back.date() - date(1970, 1, 1)).days
    assert midnights(np.array([day]), zone)[0] <= micros(aware)
