"""The world's codes: small whole numbers inside the kernels, words in the tables.

A code is the place of its word in the tuple here.
"""

from __future__ import annotations

from typing import Final

CAUSES: Final = (
    "service", "advice", "product", "technology", "trust", "price", "market", "life-event",
)  # fmt: skip
"""Causes of leaving; the words of `warn.reason_codes.Cause`."""

SERVICE, ADVICE, PRODUCT, TECHNOLOGY, TRUST, PRICE, MARKET, LIFE = range(8)

ACTIONS: Final = (
    "leave_alone", "manager_call", "adviser_review", "fee_explanation", "holdings_report",
    "education", "feature_help", "complaint_fast",
)  # fmt: skip
"""What staff can do."""

(
    LEAVE_ALONE, MANAGER_CALL, ADVISER_REVIEW, FEE_EXPLANATION, HOLDINGS_REPORT, EDUCATION,
    FEATURE_HELP, COMPLAINT_FAST,
) = range(8)  # fmt: skip

STAGES: Final = ("none", "anomaly", "probing", "assessment", "exit")
NONE, ANOMALY, PROBING, ASSESSMENT, EXIT = range(5)

PATHS: Final = ("none", "staged", "at_once", "drift", "feint")
"""How a client leaves; a feint only looks like leaving."""
NO_PATH, STAGED, AT_ONCE, DRIFT, FEINT = range(5)

STATUSES: Final = ("unopened", "open", "left", "closed", "dropped", "dead")
"""`left`: nothing held, account still there; `dropped`: closed by the broker."""
UNOPENED, OPEN, LEFT, CLOSED, DROPPED, DEAD = range(6)

SIDES: Final = ("buy", "sell")
BUY, SELL = range(2)
TRADE_CHANNELS: Final = ("app", "web", "phone", "terminal")
SESSION_CHANNELS: Final = ("app", "web", "terminal")
FLOWS: Final = ("deposit", "withdrawal", "dividend", "fee", "interest")
DEPOSIT, WITHDRAWAL, DIVIDEND, FEE, INTEREST = range(5)
BANKS: Final = ("ICBC", "CCB", "ABC", "BOC", "CMB", "BOCOM", "PSBC")
FAILURES: Final = ("", "bank_limit", "bank_timeout", "wrong_password", "insufficient_funds")
DIRECTIONS: Final = ("in", "out")
BROKERS: Final = ("Rival A", "Rival B", "Rival C", "Rival D")
EXIT_KINDS: Final = ("close", "transfer", "revoke_designation")
BLOCKERS: Final = ("", "open_positions", "margin_debt", "pending_ipo", "id_expired")
TOPICS: Final = ("instrument", "feature", "transfer_help", "close_help", "compare", "fee")
"""Topics of views."""
V_INSTRUMENT, V_FEATURE, V_TRANSFER, V_CLOSE, V_COMPARE, V_FEE = range(6)
CONTACT_CHANNELS: Final = ("phone", "chat", "email", "branch", "wecom")
INTENTS: Final = (
    "question", "trade_problem", "app_problem", "fee", "advice", "feature_wish", "complaint",
    "transfer_out", "closing", "rival", "market_worry", "life_change", "praise",
)  # fmt: skip
"""What a client means to say: the topic of a contact, and the truth behind a text."""
(
    I_QUESTION, I_TRADE, I_APP, I_FEE, I_ADVICE, I_FEATURE, I_COMPLAINT, I_TRANSFER, I_CLOSING,
    I_RIVAL, I_MARKET, I_LIFE, I_PRAISE,
) = range(13)  # fmt: skip
TEXT_KINDS: Final = ("contact", "complaint", "survey")
COMPLAINT_STATES: Final = ("open", "answered", "closed", "withdrawn")
SURVEYS: Final = ("nps", "csat", "ces")
TOUCHPOINTS: Final = ("app", "service", "advice", "trading", "fees")
TOUCH_CHANNELS: Final = ("phone", "wecom", "sms", "push", "email")
CAMPAIGNS: Final = ("routine", "newsletter", "product", *ACTIONS)
"""Campaigns of touches; the last ones are the actions of `ACTIONS`, in its order."""
FIRST_ACTION: Final = 3
"""Place of `ACTIONS[0]` in `CAMPAIGNS`."""
SUBSCRIPTIONS: Final = ("ipo", "advice", "market_data", "plan")
SUBSCRIPTION_STATES: Final = ("applied", "won", "lost", "unpaid", "active", "ended")
PURPOSES: Final = ("marketing", "profiling", "phone", "wecom")
CLOSED_REASONS: Final = ("", "client", "broker", "death")
CATEGORIES: Final = (
    "stock", "etf", "fund_equity", "fund_mixed", "fund_bond", "fund_money", "bond", "structured",
    "private",
)  # fmt: skip
"""Categories of instruments."""
REGIMES: Final = ("calm", "bull", "crash", "recovery")
SYSTEMS: Final = ("trading", "app", "quotes", "payments")

LONG_AGO: Final = -(2**30)
"""A day before all others."""

NEVER: Final = 2**31 - 1
"""A day that does not come."""
