"""Arrow schemas of the tables a random world holds, written from the contract's text."""

from __future__ import annotations

import pyarrow as pa

_AT = pa.timestamp("us", "UTC")
_CLOCKS = [("known_at", _AT), ("revision", pa.int64())]
_MONEY = pa.int64()  # minor units
_UNITS = pa.int64()  # 1e-8 of a unit, of quantity or of price
_TEXT = pa.string()
_DAY = pa.date32()
_INT = pa.int64()


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([*columns, *_CLOCKS])


SCHEMAS: dict[str, pa.Schema] = {
    "instrument": _schema(
        ("instrument_id", _TEXT),
        ("name", _TEXT),
        ("category", _TEXT),
        ("risk_level", _TEXT),
        ("sector", _TEXT),
        ("maturity_on", _DAY),
    ),
    "client": _schema(
        ("client_id", _TEXT),
        ("valid_from", _AT),
        ("opened_on", _DAY),
        ("birth_year", _INT),
        ("region", _TEXT),
        ("investor_class", _TEXT),
        ("risk_level", _TEXT),
        ("assessed_on", _DAY),
        ("manager_id", _TEXT),
        ("branch_id", _TEXT),
        ("segment_hint", _TEXT),
        ("status", _TEXT),
    ),
    "trade": _schema(
        ("trade_id", _TEXT),
        ("client_id", _TEXT),
        ("at", _AT),
        ("instrument_id", _TEXT),
        ("side", _TEXT),
        ("quantity", _UNITS),
        ("amount", _MONEY),
        ("commission", _MONEY),
        ("channel", _TEXT),
        ("currency", _TEXT),
    ),
    "first_purchase": _schema(
        ("client_id", _TEXT),
        ("instrument_id", _TEXT),
        ("at", _AT),
    ),
    "cash_flow": _schema(
        ("flow_id", _TEXT),
        ("client_id", _TEXT),
        ("at", _AT),
        ("kind", _TEXT),
        ("amount", _MONEY),
        ("bank", _TEXT),
        ("failure_reason", _TEXT),
        ("currency", _TEXT),
    ),
    "session": _schema(
        ("session_id", _TEXT),
        ("client_id", _TEXT),
        ("at", _AT),
        ("channel", _TEXT),
        ("seconds", _INT),
        ("pages", _INT),
        ("errors", _INT),
        ("latency_ms", _INT),
    ),
    "contact": _schema(
        ("contact_id", _TEXT),
        ("client_id", _TEXT),
        ("at", _AT),
        ("channel", _TEXT),
        ("topic", _TEXT),
        ("wait_s", _INT),
        ("resolve_s", _INT),
        ("first_time", pa.bool_()),
        ("text", _TEXT),
        ("csat", _INT),
    ),
    "balance": _schema(
        ("client_id", _TEXT),
        ("day", _DAY),
        ("cash", _MONEY),
        ("securities", _MONEY),
        ("margin_debt", _MONEY),
        ("positions", _INT),
        ("top_weight", pa.float64()),
        ("currency", _TEXT),
    ),
    "holding": _schema(
        ("client_id", _TEXT),
        ("day", _DAY),
        ("instrument_id", _TEXT),
        ("quantity", _UNITS),
        ("cost", _MONEY),
        ("value", _MONEY),
        ("currency", _TEXT),
    ),
    "price": _schema(
        ("series", _TEXT),
        ("day", _DAY),
        ("close", _UNITS),
        ("volume", _UNITS),
        ("currency", _TEXT),
    ),
    "index_price": _schema(("series", _TEXT), ("day", _DAY), ("close", pa.float64())),
}
KEYS: dict[str, tuple[str, ...]] = {
    "instrument": ("instrument_id",),
    "client": ("client_id", "valid_from"),
    "trade": ("trade_id",),
    "first_purchase": ("client_id", "instrument_id"),
    "cash_flow": ("flow_id",),
    "session": ("session_id",),
    "contact": ("contact_id",),
    "balance": ("client_id", "day"),
    "holding": ("client_id", "day", "instrument_id"),
    "price": ("series", "day"),
    "index_price": ("series", "day"),
}
