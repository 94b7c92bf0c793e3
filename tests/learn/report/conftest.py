"""A report with values of the right shape, made up for the tests alone."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from keepwell.learn.report.data import (
    AbsentSource,
    AsOf,
    Backtest,
    CalibrationBin,
    ChurnDate,
    ClientReason,
    Curve,
    CurvePoint,
    DataVersions,
    Difference,
    Dimension,
    Histogram,
    Interval,
    LabelFacts,
    ManagerBook,
    ModelCard,
    ModelResult,
    Population,
    Rate,
    ReasonStat,
    ReportData,
    Segment,
    TableVersion,
    Tier,
    TopClient,
    Unscored,
    Visibility,
    Words,
)

ZONE = ZoneInfo("Europe/Athens")

REASONS = {
    "trading-fell": Words("Trades 0 in 90 days, normally 6", "90天交易0笔，平时6笔"),
    "sold-most": Words("Sold 3 of 5 positions in 90 days", "90天内卖出5个持仓中的3个"),
    "long-silence": Words(
        "Last trade 212 days ago, usual gap 35", "上次交易距今212天，通常间隔35天"
    ),
    "one-position": Words("One position makes up 96% of assets", "单一持仓占资产96%"),
    "assets-fell": Words("Assets down 38% in half a year", "半年内资产下降38%"),
    "market": Words(
        "Market unrest is high (VIX 28, normally 19)", "市场波动偏高（VIX 28，平时19）"
    ),
}


def at(year: int, month: int, day: int, *, start: bool = False) -> AsOf:
    return AsOf.of(datetime(year, month, day, tzinfo=ZONE), ZONE, start=start)


def result(code: str, auc: float, ap: float, lift: float, ece: float) -> ModelResult:
    return ModelResult(
        code,
        code == "catboost",
        {
            "auc": Interval(auc, auc - 0.013, auc + 0.013),
            "ap": Interval(ap, ap - 0.018, ap + 0.019),
            "lift_top10": Interval(lift, lift - 0.14, lift + 0.15),
            "recall_capacity": Interval(lift / 10, lift / 10 - 0.014, lift / 10 + 0.015),
            "brier": Interval(0.131 - auc / 50, 0.111, 0.122),
            "ece": Interval(ece, max(0.002, ece - 0.007), ece + 0.007),
        },
    )


def backtest() -> Backtest:
    shapes = {"catboost": 2.45, "rfm-clumpiness": 1.85, "rfm": 1.7, "recency": 1.5}
    shares = [0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5]
    curves = tuple(
        Curve(
            code,
            tuple(
                CurvePoint(s, min(1.0, s * (1 + (top * 1.5 - 1) * (1 - s) ** 6 + (top - 1) * 0.2)))
                for s in shares
            ),
        )
        for code, top in shapes.items()
    )
    bins = tuple(
        CalibrationBin(p, Interval(o, o - h, o + h), 760)
        for p, o, h in [
            (0.03, 0.041, 0.014),
            (0.05, 0.062, 0.017),
            (0.08, 0.085, 0.02),
            (0.1, 0.11, 0.022),
            (0.12, 0.135, 0.024),
            (0.15, 0.16, 0.026),
            (0.18, 0.2, 0.028),
            (0.22, 0.22, 0.03),
            (0.29, 0.31, 0.033),
            (0.44, 0.41, 0.036),
        ]
    )
    return Backtest(
        as_of=at(2021, 7, 1, start=True),
        until=at(2022, 1, 1),
        trained_on=tuple(at(y, m, 1, start=True) for y, m in [(2020, 1), (2020, 7), (2021, 1)]),
        clients=7604,
        left=1186,
        base_rate=Interval(0.156, 0.148, 0.164),
        models=(
            result("catboost", 0.742, 0.338, 2.31, 0.014),
            result("rfm-clumpiness", 0.684, 0.27, 1.78, 0.021),
            result("rfm", 0.671, 0.262, 1.7, 0.024),
            result("recency", 0.622, 0.221, 1.45, 0.03),
        ),
        differences=tuple(
            Difference(metric, base, Interval(v, v - h, v + h))
            for base, auc, lift in [
                ("rfm-clumpiness", 0.058, 0.53),
                ("rfm", 0.071, 0.61),
                ("recency", 0.12, 0.86),
            ]
            for metric, v, h in [("auc", auc, 0.012), ("lift_top10", lift, 0.16)]
        ),
        curves=curves,
        calibration=bins,
    )


def rate(clients: int, share: float) -> Rate:
    half = 1.96 * (share * (1 - share) / clients) ** 0.5
    return Rate(
        clients, round(clients * share), Interval(share, max(0, share - half), min(1, share + half))
    )


def dimensions() -> tuple[Dimension, ...]:
    when = at(2021, 7, 1, start=True)

    def cut(code: str, name: Words, values: list[tuple[Words, int, float]]) -> Dimension:
        return Dimension(
            code, name, when, tuple(Segment(words, rate(n, share)) for words, n, share in values)
        )

    return (
        cut(
            "risk-level",
            Words("Risk level", "风险等级"),
            [
                (Words("Conservative", "保守型"), 812, 0.192),
                (Words("Income", "收益型"), 3310, 0.171),
                (Words("Balanced", "平衡型"), 2104, 0.139),
                (Words("Aggressive", "积极型"), 1366, 0.121),
                (Words("Not known", "未知"), 12, 0.33),
            ],
        ),
        cut(
            "assets",
            Words("Assets at the date", "当日资产"),
            [
                (Words("under 1,000", "不足1千"), 1904, 0.224),
                (Words("1,000–10,000", "1千–1万"), 2911, 0.16),
                (Words("10,000–50,000", "1万–5万"), 1820, 0.118),
                (Words("50,000 and more", "5万及以上"), 969, 0.09),
            ],
        ),
        cut(
            "positions",
            Words("Positions held", "持仓数量"),
            [
                (Words.same("1"), 3544, 0.229),
                (Words.same("2–3"), 2310, 0.117),
                (Words.same("4–9"), 1400, 0.07),
                (Words.same("10+"), 350, 0.03),
            ],
        ),
        cut(
            "last-trade",
            Words("Last trade", "最近一次交易"),
            [
                (Words("within 90 days", "90天内"), 1800, 0.13),
                (Words("90–365 days", "90–365天"), 2100, 0.142),
                (Words("over a year", "超过一年"), 3704, 0.177),
            ],
        ),
    )


def top_clients(count: int) -> tuple[TopClient, ...]:
    rng = random.Random(7)
    codes = list(REASONS)
    out = []
    for place in range(count):
        score = 99.4 - place * 0.55
        picked = rng.sample(codes, 3)
        out.append(
            TopClient(
                f"{rng.randrange(16**8):08X}",
                f"Manager {rng.randrange(1, 25):02d}",
                score,
                "severe" if score >= 90 else "moderate" if score >= 76 else "mild",
                0.83 - place * 0.009,
                rng.choice([None, rng.randrange(8_000, 9_000_000)]),
                0.62,
                date(2021, rng.randrange(1, 12), rng.randrange(1, 28)),
                tuple(ClientReason(code, REASONS[code]) for code in picked),
            )
        )
    return tuple(out)


def versions() -> DataVersions:
    first, last = date(2018, 2, 1), date(2021, 12, 31)
    gaps = (
        (first, date(2019, 8, 1)),
        (date(2020, 7, 1), date(2021, 1, 1)),
        (date(2021, 7, 1), None),
    )
    tables = (
        TableVersion("trade", 3, 154_103, first, last, gaps),
        TableVersion("holding", 2, 120_411, date(2020, 1, 1), last, ((date(2020, 1, 1), None),)),
        TableVersion("client", 2, 29_090, date(2018, 1, 4), date(2021, 12, 30)),
        TableVersion("price", 1, 88_102, date(2020, 7, 2), last, ((date(2020, 7, 2), None),)),
        TableVersion("instrument", 1, 806),
    )
    return DataVersions(7, tables)


def tiers() -> tuple[Tier, ...]:
    rows = [
        ("severe", 90, 81, 51.2, 113_000_000, (0.52, 0.41, 0.63), 76),
        ("moderate", 76, 167, 71.0, 301_000_000, (0.43, 0.35, 0.51), 152),
        ("mild", 60, 515, 158.4, 1_210_000_000, (0.32, 0.28, 0.36), 532),
        ("none", 0, 6527, 857.4, 21_800_000_000, (0.13, 0.122, 0.138), 6844),
    ]
    return tuple(
        Tier(code, cut, n, n / 7290, expected, assets, Interval(*left), tested)
        for code, cut, n, expected, assets, left, tested in rows
    )


def reasons() -> tuple[ReasonStat, ...]:
    names = {
        "one-position": Words("Everything in one position", "资产集中于单一持仓"),
        "long-silence": Words("Silent for longer than usual", "沉默时间超出平常"),
        "sold-most": Words("Positions sold", "减持清仓"),
        "trading-fell": Words("Trading fell below own normal", "交易低于自身常态"),
        "assets-fell": Words("Assets fell", "资产下降"),
        "market": Words("Unrest in the market", "市场波动"),
    }
    return tuple(
        ReasonStat(
            code, words, {"severe": 70 - 9 * i, "moderate": 130 - 15 * i, "mild": 330 - 40 * i}
        )
        for i, (code, words) in enumerate(names.items())
    )


def managers() -> tuple[ManagerBook, ...]:
    rng = random.Random(3)
    books = []
    for i in range(1, 25):
        severe, moderate = rng.randrange(0, 8), rng.randrange(2, 14)
        by_tier = {"severe": severe, "moderate": moderate, "mild": rng.randrange(10, 34)}
        assets = rng.randrange(40_000_000, 900_000_000)
        books.append(ManagerBook(f"Manager {i:02d}", 304, by_tier, rng.uniform(30, 55), assets))
    return tuple(sorted(books, key=lambda b: (-b.tiers["severe"], -b.tiers["moderate"])))


def visibility() -> Visibility:
    absent = [("session", 9), ("cash_flow", 7), ("contact", 6), ("balance", 2)]
    return Visibility(62, 38, 0.57, tuple(AbsentSource(*pair) for pair in absent))


def model() -> ModelCard:
    dates = tuple(at(y, m, 1, start=True) for y, m in [(2020, 1), (2020, 7), (2021, 1), (2021, 7)])
    parameters = {"iterations": 600, "depth": 5, "learning_rate": 0.04}
    return ModelCard("m-1f3a", "catboost", dates, 33_904, 3740, 38, 7, "0.1.0", parameters)


def churn() -> tuple[ChurnDate, ...]:
    shares = [(2020, 1, 9120, 0.082), (2020, 7, 8760, 0.084), (2021, 1, 8420, 0.129)]
    return tuple(
        ChurnDate(at(y, m, 1, start=True), rate(n, share))
        for y, m, n, share in [*shares, (2021, 7, 7604, 0.156)]
    )


def label() -> LabelFacts:
    definition = Words(
        "a client who holds something at the date holds nothing, by units, six months later.",
        "在该日有持仓的客户，六个月后按份额计已无任何持仓。",
    )
    return LabelFacts("exit", "units", "6mo", "0d", definition)


def report() -> ReportData:
    counts = [round(560 * 2.718 ** (-(((x - 19) / 9) ** 2))) + max(0, 40 - x) for x in range(50)]
    note = Words(
        "The managers' books of this demo are made up; the clients, their trades and their "
        "holdings are real.",
        "本演示中的客户经理名册为虚构；客户及其交易、持仓均为真实数据。",
    )
    return ReportData(
        workspace="FAR-Trans demo",
        created=datetime(2026, 11, 22, 11, 30, tzinfo=UTC),
        as_of=at(2022, 1, 1),
        currency="EUR",
        label=label(),
        versions=versions(),
        population=Population(12_511, 7290, (Unscored("unfunded", 5150), Unscored("new", 71))),
        tiers=tiers(),
        histogram=Histogram(tuple(float(x) for x in range(0, 101, 2)), tuple(counts)),
        reasons=reasons(),
        churn=churn(),
        dimensions=dimensions(),
        top=top_clients(40),
        managers=managers(),
        visibility=visibility(),
        model=model(),
        backtest=backtest(),
        notes=(note,),
        attribution=Words(
            "Data: FAR-Trans, CC BY 4.0, changed.", "数据：FAR-Trans，CC BY 4.0，已改动。"
        ),
    )


@pytest.fixture(scope="session")
def data() -> ReportData:
    return report()
