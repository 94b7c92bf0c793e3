"""Reviewed reason codes: their words, the cause class behind each, and which indicators carry them.

The grammar of a code is `<subject>.<change>`. A code says what the data show, in words that a
manager may repeat to a client; the cause class says where to look for the remedy.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from keepwell.core.text import tr


class Cause(StrEnum):
    """Where the remedy lies."""

    SERVICE = "service"
    ADVICE = "advice"
    PRODUCT = "product"
    TECHNOLOGY = "technology"
    TRUST = "trust"
    PRICE = "price"
    MARKET = "market"
    LIFE_EVENT = "life-event"
    BEHAVIOUR = "behaviour"

    def title(self, locale: str | None = None) -> str:
        """The class's name in a language."""
        return tr(CAUSES[self], locale)


CAUSES: Final[dict[Cause, str]] = {
    Cause.SERVICE: "Service",
    Cause.ADVICE: "Advice",
    Cause.PRODUCT: "Product",
    Cause.TECHNOLOGY: "Technology",
    Cause.TRUST: "Trust",
    Cause.PRICE: "Price",
    Cause.MARKET: "Market",
    Cause.LIFE_EVENT: "Life event",
    Cause.BEHAVIOUR: "Behaviour, cause not known",
}


class ReasonCode(StrEnum):
    """What the data show."""

    TRADING_LESS = "trading.less"
    TRADING_SMALLER = "trading.smaller"
    TRADING_SELLING = "trading.selling"
    TRADING_SILENT = "trading.silent"
    TRADING_UNEVEN = "trading.uneven"
    TRADING_PATTERN = "trading.pattern"
    MONEY_LEAVING = "money.leaving"
    MONEY_SMALLER = "money.smaller"
    MONEY_IDLE = "money.idle"
    MONEY_FAILED = "money.failed"
    MONEY_BORROWED = "money.borrowed"
    APP_LESS = "app.less"
    APP_TROUBLE = "app.trouble"
    SERVICE_SLOW = "service.slow"
    SERVICE_UNHAPPY = "service.unhappy"
    SERVICE_CONTACT = "service.contact"
    SERVICE_LEAVING = "service.leaving"
    HOLDINGS_FEW = "holdings.few"
    HOLDINGS_SHRINKING = "holdings.shrinking"
    HOLDINGS_CONCENTRATED = "holdings.concentrated"
    HOLDINGS_PEERS = "holdings.peers"
    HOLDINGS_SIZE = "holdings.size"
    HOLDINGS_STALE = "holdings.stale"
    HOLDINGS_KIND = "holdings.kind"
    PRICE_FEES = "price.fees"
    CLIENT_TENURE = "client.tenure"
    CLIENT_PROFILE = "client.profile"
    MARKET_STRESS = "market.stress"
    OTHER = "other.pattern"

    def title(self, locale: str | None = None) -> str:
        """What the code says, in a language."""
        return tr(TITLES[self], locale)

    @property
    def cause(self) -> Cause:
        """The cause class."""
        return CAUSE_OF[self]


TITLES: Final[dict[ReasonCode, str]] = {
    ReasonCode.TRADING_LESS: "Trades less",
    ReasonCode.TRADING_SMALLER: "Trades smaller amounts",
    ReasonCode.TRADING_SELLING: "Sells more than buys",
    ReasonCode.TRADING_SILENT: "Has not been active for a while",
    ReasonCode.TRADING_UNEVEN: "Trades in bursts",
    ReasonCode.TRADING_PATTERN: "Trading pattern of clients who leave",
    ReasonCode.MONEY_LEAVING: "Takes money out",
    ReasonCode.MONEY_SMALLER: "Few assets with us, or fewer",
    ReasonCode.MONEY_IDLE: "Assets lie idle as cash",
    ReasonCode.MONEY_FAILED: "Transfers failed",
    ReasonCode.MONEY_BORROWED: "High margin debt",
    ReasonCode.APP_LESS: "Uses the app less",
    ReasonCode.APP_TROUBLE: "The app is slow or fails",
    ReasonCode.SERVICE_SLOW: "Waits long for service",
    ReasonCode.SERVICE_UNHAPPY: "Is unhappy with the service",
    ReasonCode.SERVICE_CONTACT: "Contact with us has changed",
    ReasonCode.SERVICE_LEAVING: "Asks about leaving",
    ReasonCode.HOLDINGS_FEW: "Few positions left to close",
    ReasonCode.HOLDINGS_SHRINKING: "Holdings shrink",
    ReasonCode.HOLDINGS_CONCENTRATED: "Holdings rest on few instruments",
    ReasonCode.HOLDINGS_PEERS: "Others who hold the same are leaving",
    ReasonCode.HOLDINGS_SIZE: "Positions of a size that clients close",
    ReasonCode.HOLDINGS_STALE: "Takes up nothing new",
    ReasonCode.HOLDINGS_KIND: "Holdings of the kind that clients close",
    ReasonCode.PRICE_FEES: "Fees have changed",
    ReasonCode.CLIENT_TENURE: "Time with us",
    ReasonCode.CLIENT_PROFILE: "Client's profile",
    ReasonCode.MARKET_STRESS: "State of the market",
    ReasonCode.OTHER: "Pattern of clients who leave",
}
"""What each code says, in English."""

CAUSE_OF: Final[dict[ReasonCode, Cause]] = {
    ReasonCode.TRADING_LESS: Cause.BEHAVIOUR,
    ReasonCode.TRADING_SMALLER: Cause.BEHAVIOUR,
    ReasonCode.TRADING_SELLING: Cause.BEHAVIOUR,
    ReasonCode.TRADING_SILENT: Cause.BEHAVIOUR,
    ReasonCode.TRADING_UNEVEN: Cause.BEHAVIOUR,
    ReasonCode.TRADING_PATTERN: Cause.BEHAVIOUR,
    ReasonCode.MONEY_LEAVING: Cause.TRUST,
    ReasonCode.MONEY_SMALLER: Cause.BEHAVIOUR,
    ReasonCode.MONEY_IDLE: Cause.ADVICE,
    ReasonCode.MONEY_FAILED: Cause.TECHNOLOGY,
    ReasonCode.MONEY_BORROWED: Cause.PRODUCT,
    ReasonCode.APP_LESS: Cause.BEHAVIOUR,
    ReasonCode.APP_TROUBLE: Cause.TECHNOLOGY,
    ReasonCode.SERVICE_SLOW: Cause.SERVICE,
    ReasonCode.SERVICE_UNHAPPY: Cause.SERVICE,
    ReasonCode.SERVICE_CONTACT: Cause.SERVICE,
    ReasonCode.SERVICE_LEAVING: Cause.TRUST,
    ReasonCode.HOLDINGS_FEW: Cause.BEHAVIOUR,
    ReasonCode.HOLDINGS_SHRINKING: Cause.BEHAVIOUR,
    ReasonCode.HOLDINGS_CONCENTRATED: Cause.ADVICE,
    ReasonCode.HOLDINGS_PEERS: Cause.PRODUCT,
    ReasonCode.HOLDINGS_SIZE: Cause.BEHAVIOUR,
    ReasonCode.HOLDINGS_STALE: Cause.BEHAVIOUR,
    ReasonCode.HOLDINGS_KIND: Cause.PRODUCT,
    ReasonCode.PRICE_FEES: Cause.PRICE,
    ReasonCode.CLIENT_TENURE: Cause.LIFE_EVENT,
    ReasonCode.CLIENT_PROFILE: Cause.LIFE_EVENT,
    ReasonCode.MARKET_STRESS: Cause.MARKET,
    ReasonCode.OTHER: Cause.BEHAVIOUR,
}
"""The cause class of each code; behaviour where nothing better is known."""

_RULES: Final[tuple[tuple[str, str, ReasonCode], ...]] = (
    # family, pattern of the id, code; the first that fits counts.
    ("market", ".*beyond_market.*", ReasonCode.HOLDINGS_SHRINKING),
    ("market", ".*", ReasonCode.MARKET_STRESS),
    (".*", ".*(peer(?!s)|holders_|crowd).*", ReasonCode.HOLDINGS_PEERS),
    ("activity", "commission.*", ReasonCode.PRICE_FEES),
    ("activity", "(sell|net_).*|buy_count.*", ReasonCode.TRADING_SELLING),
    ("activity", ".*(value|amount).*|turnover.*|average_trade.*", ReasonCode.TRADING_SMALLER),
    ("activity", ".*", ReasonCode.TRADING_LESS),
    ("rhythm", ".*login.*", ReasonCode.APP_LESS),
    ("rhythm", ".*(clump|variation|mean_trade_gap|trades_per_day).*", ReasonCode.TRADING_UNEVEN),
    ("rhythm", ".*(trading_days).*", ReasonCode.TRADING_LESS),
    ("rhythm", ".*first_trade.*", ReasonCode.CLIENT_TENURE),
    ("rhythm", ".*", ReasonCode.TRADING_SILENT),
    ("funding", "failed.*", ReasonCode.MONEY_FAILED),
    ("funding", "margin.*", ReasonCode.MONEY_BORROWED),
    ("funding", "cash_share.*", ReasonCode.MONEY_IDLE),
    ("funding", "total_assets.*", ReasonCode.MONEY_SMALLER),
    ("funding", ".*", ReasonCode.MONEY_LEAVING),
    ("digital", "leaving.*", ReasonCode.SERVICE_LEAVING),
    ("digital", "fee_views.*", ReasonCode.PRICE_FEES),
    ("digital", ".*(error|latency).*", ReasonCode.APP_TROUBLE),
    ("digital", ".*", ReasonCode.APP_LESS),
    ("service", ".*(exit|close|transfer|leav).*", ReasonCode.SERVICE_LEAVING),
    ("service", ".*(wait|resol).*", ReasonCode.SERVICE_SLOW),
    ("service", ".*(csat|complaint|survey|nps|detractor).*", ReasonCode.SERVICE_UNHAPPY),
    ("service", ".*", ReasonCode.SERVICE_CONTACT),
    ("portfolio", ".*position_units", ReasonCode.HOLDINGS_SIZE),
    ("portfolio", ".*(new_instrument|ever_held|added|increased).*", ReasonCode.HOLDINGS_STALE),
    (
        "portfolio",
        ".*(change|dropped|left|gone|trend|cut|reduced|given_up).*",
        ReasonCode.HOLDINGS_SHRINKING,
    ),
    ("portfolio", ".*(weight|concentration|herfindahl).*", ReasonCode.HOLDINGS_CONCENTRATED),
    ("portfolio", ".*(count|held|positions).*", ReasonCode.HOLDINGS_FEW),
    ("portfolio", "holdings_value", ReasonCode.MONEY_SMALLER),
    ("portfolio", ".*", ReasonCode.HOLDINGS_KIND),
    ("performance", ".*", ReasonCode.HOLDINGS_SHRINKING),
    ("marketing", ".*", ReasonCode.SERVICE_CONTACT),
    ("relationship", ".*exit_.*", ReasonCode.SERVICE_LEAVING),
    ("relationship", ".*(commission|fee).*", ReasonCode.PRICE_FEES),
    ("relationship", ".*", ReasonCode.SERVICE_CONTACT),
    ("client", ".*(tenure|first|since_open).*", ReasonCode.CLIENT_TENURE),
    ("client", ".*", ReasonCode.CLIENT_PROFILE),
)

_BY_ID: Final[dict[str, ReasonCode]] = {
    "rfm_recency": ReasonCode.TRADING_SILENT,
    "rfm_frequency": ReasonCode.TRADING_LESS,
    "rfm_value": ReasonCode.TRADING_SMALLER,
    "rfm_clumpiness": ReasonCode.TRADING_UNEVEN,
    "concentration_change_90d": ReasonCode.HOLDINGS_CONCENTRATED,
    "trade_value_variation_180d": ReasonCode.TRADING_UNEVEN,
    "days_since_flow": ReasonCode.TRADING_SILENT,
    "days_since_login": ReasonCode.APP_LESS,
    "priced_share": ReasonCode.HOLDINGS_KIND,
}
"""Indicators for which a rule by family and id would say the wrong thing."""


def code_of(indicator: str, family: str) -> ReasonCode:
    """The reason code of an indicator; `OTHER` for a family that is not ours.

    Args:
        indicator: its id.
        family: its family.

    Example:
        >>> code_of("trade_count_90d", "activity").value
        'trading.less'
    """
    if indicator in _BY_ID:
        return _BY_ID[indicator]
    for of, pattern, code in _RULES:
        if re.fullmatch(of, family) and re.fullmatch(pattern, indicator):
            return code
    return ReasonCode.OTHER
