"""Facts of an invented client, one for each slot: what script suites fill templates with."""

from __future__ import annotations

from datetime import date, time
from typing import Final

from keepwell.intervene.script.facts import Amount, Facts, Span, Told, Unit, Words
from keepwell.warn.reason import Fact

SAMPLE: Final = Facts(
    {
        "client_name": "王女士",
        "staff_name": "李明",
        "staff_phone": "010-5550-0199",
        "service_phone": "400-555-0100",
        "broker_name": "示例证券",
        "reason": Told(Fact("trade_count_90d", 3.0, 11.0, 6.0), "CNY"),
        "as_of": date(2026, 11, 20),
        "logins": 3,
        "logins_normal": 11,
        "trades": 2,
        "trades_normal": 9.5,
        "client_since": date(2021, 3, 4),
        "wait": Span(48, Unit.HOURS),
        "answer_by": date(2026, 11, 25),
        "plan_within": Span(2, Unit.HOURS),
        "issue": Words("orders could not be placed", "无法提交委托"),
        "issue_on": date(2026, 11, 16),
        "fixed_on": date(2026, 11, 18),
        "complaint_topic": Words("a late confirmation", "成交回报延迟"),
        "complaint_on": date(2026, 11, 10),
        "complaint_due": date(2026, 11, 25),
        "exit_kind": Words("closing of the account", "销户"),
        "exit_on": date(2026, 11, 19),
        "exit_due": date(2026, 11, 24),
        "exit_days": Span(2, Unit.TRADING_DAYS),
        "cash": Amount(38_200_000_000, "CNY"),
        "cash_share": 0.425,
        "failed_amount": Amount(5_000_000, "CNY"),
        "failed_on": date(2026, 11, 12),
        "margin_debt": Amount(12_345_678, "CNY"),
        "margin_ratio": 1.62,
        "top_share": 0.7,
        "positions": 4,
        "product_name": "示例稳健债券A",
        "product_level": "R2",
        "matures_on": date(2026, 12, 8),
        "fee_tier": "标准档",
        "fee_rate": 0.00025,
        "meeting_on": date(2026, 11, 26),
        "meeting_at": time(15, 30),
        "report_from": date(2026, 8, 20),
        "report_until": date(2026, 11, 20),
    }
)
"""A value for every slot; nobody's."""
