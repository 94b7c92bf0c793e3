"""Tables about the market and the broker's own systems."""

from __future__ import annotations

from keepwell.observe.contract_types import (
    Column,
    Kind,
    Table,
    at,
    choice,
    close_of,
    currency,
    text,
)


def _series(meaning: str) -> Column:
    return text("series", meaning, "key", "public", required=True)


MARKET: tuple[Table, ...] = (
    Table(
        "instrument",
        "An instrument that clients trade or hold.",
        ("instrument_id",),
        "",
        False,
        (
            text("instrument_id", "Instrument's code.", "key", "public", required=True),
            text("name", "Name.", "display", "public"),
            text("category", "Category, such as stock, fund or bond.", sensitivity="public"),
            choice(
                "risk_level",
                "Product risk, R1 (least) to R5 (most).",
                ("R1", "R2", "R3", "R4", "R5"),
                purpose="compliance",
            ),
            text("sector", "Sector.", sensitivity="public"),
            text("issuer", "Issuer.", "display", "public"),
            Column(
                "esg",
                Kind.RATIO,
                "ESG score as the provider gives it.",
                "score",
                sensitivity="public",
            ),
            Column(
                "maturity_on",
                Kind.DAY,
                "Day it matures; absent when it does not.",
                sensitivity="public",
            ),
        ),
        timeless=True,
    ),
    Table(
        "price",
        "An instrument's price at a day's close.",
        ("series", "day"),
        "day",
        False,
        (
            _series("Instrument's code."),
            close_of(),
            Column(
                "close",
                Kind.PRICE,
                "Closing price of one unit.",
                "currency",
                required=True,
                sensitivity="public",
            ),
            Column(
                "volume", Kind.QUANTITY, "Units traded on the day.", "units", sensitivity="public"
            ),
            currency(),
        ),
    ),
    Table(
        "index_price",
        "A market series at a day's close.",
        ("series", "day"),
        "day",
        False,
        (
            _series("Name of the series."),
            close_of(),
            Column(
                "close", Kind.RATIO, "Closing level.", "points", required=True, sensitivity="public"
            ),
        ),
    ),
    Table(
        "news",
        "One piece of news.",
        ("news_id",),
        "at",
        False,
        (
            text("news_id", "Number of the piece.", "key", required=True),
            at("When it was published."),
            choice("subject", "Whom it is about.", ("own", "rival", "market"), required=True),
            Column(
                "sentiment",
                Kind.RATIO,
                "Tone, -1 (bad) to 1 (good).",
                "score",
                sensitivity="public",
                low=-1,
                high=1,
            ),
            text("text", "Headline or text.", "display", "public"),
        ),
    ),
    Table(
        "outage",
        "A failure of one of the broker's systems.",
        ("outage_id",),
        "at",
        False,
        (
            text("outage_id", "Number of the failure.", "key", required=True),
            at("When it began."),
            Column("ended_at", Kind.INSTANT, "When it ended.", past=True),
            text("system", "The system that failed."),
            choice("severity", "How bad it was.", ("low", "medium", "high")),
        ),
    ),
)
"""Tables about the market and the broker's own systems."""
