"""Records the kernels work on: a person as born, a client's state, a day, and what happens.

A day is a whole number since 1970 on the exchange's calendar (Asia/Shanghai); money is int64 fen;
quantities are int64 in units of 1e-8. A client is its place within its shard.
"""

from __future__ import annotations

from typing import Final

import numpy as np

SLOTS: Final = 8
"""Instruments a client can hold at once."""

MATES: Final = 3
"""Other members a household can have."""

PERSON: Final = np.dtype(
    [
        ("opened", np.int32),  # day; after the start for newcomers
        ("birth_year", np.int16),
        ("age", np.float32),  # years at the start
        ("city_tier", np.int8),  # 1..4
        ("region", np.int16),
        ("english", np.int8),  # writes English
        ("assets", np.float64),  # CNY brought in
        ("risk_level", np.int8),  # 1..5
        ("assessed", np.int32),  # day of the last assessment
        ("professional", np.int8),  # 0 ordinary, 1 professional, 2 lowest class
        ("manager", np.int32),
        ("adviser", np.int32),
        ("branch", np.int32),
        ("wecom", np.int8),
        ("marketing", np.int8),  # consents to marketing
        ("household", np.int32),
        ("mates", np.int32, (MATES,)),  # -1: none
        ("referrer", np.int32),  # -1: none
        ("fee_rate", np.float64),
        ("fee_minimum", np.int64),
        ("margin", np.int8),  # has a margin account
        ("option", np.int8),
        ("fund", np.int8),
        ("pension", np.int8),
        ("taste", np.float32, (8,)),  # how much each cause matters to her, mean 1
        ("onset", np.float32),  # of the base hazard, mean 1
        ("pace", np.float32),  # speed through the stages, mean 1
        ("trade_rate", np.float32),  # a day while in a burst of trading
        ("burst_rate", np.float32),  # bursts begun a day
        ("burst_days", np.float32),  # mean length of a burst
        ("session_rate", np.float32),  # a day
        ("session_seconds", np.float32),
        ("view_rate", np.float32),  # a session
        ("flow_rate", np.float32),  # a day
        ("contact_rate", np.float32),  # a day
        ("size", np.float32),  # usual trade as a share of assets
        ("cash_share", np.float32),
        ("money_share", np.float32),  # of assets in money funds
        ("positions", np.int8),  # usual number, 1..SLOTS-1
        ("device", np.float32),  # multiplies app errors, mean 1
        ("hour", np.float32),  # usual hour, 0..24
        ("patience", np.float32),  # 0 wants to be left alone .. 1 likes to be called
        ("death", np.float64),  # hazard a day
        ("drop", np.float64),  # hazard a day of being closed by the broker
    ],
    align=True,
)
"""Who a client is; drawn once, by `people.draw_people`."""

CLIENT: Final = np.dtype(
    [
        ("status", np.int8),
        ("stage", np.int8),
        ("path", np.int8),
        ("cause", np.int8),  # -1: none
        ("way", np.int8),  # 0 not left, 1 transferred, 2 closed, 3 drifted off
        ("returned", np.int8),
        ("named", np.int16),  # bits: reasons the client would give
        ("episode", np.int32),
        ("clock", np.float32),  # days gone in the stage, on the client's pace
        ("length", np.float32),  # days the stage takes
        ("entered", np.int32),
        ("began", np.int32),  # day the episode began
        ("left_day", np.int32),
        ("first_large", np.int32),
        ("grievance", np.float32, (8,)),
        ("at_entry", np.float32),  # grievance of the cause when the stage began
        ("help", np.float32),  # logit shift of going on; below 0 keeps
        ("treated", np.int8),
        ("treated_day", np.int32),
        ("burst_until", np.int32),
        ("last_trade", np.int32),
        ("worth", np.int64),  # fen at the last close
        ("month_worth", np.float64),  # smoothed daily excess return against the index
        ("cash", np.int64),
        ("debt", np.int64),
        ("slot", np.int16, (SLOTS,)),  # instrument, -1 empty
        ("quantity", np.int64, (SLOTS,)),
        ("cost", np.int64, (SLOTS,)),
        ("complaint_day", np.int32),  # of the open complaint; NEVER without one
        ("complaint_second", np.int32),
        ("complaint_closes", np.int32),
        ("exit_day", np.int32),
        ("exit_second", np.int32),
        ("exit_kind", np.int8),
        ("adviser", np.int32),
        ("manager", np.int32),
        ("wecom", np.int8),
        ("skill", np.float32),  # of the adviser
        ("branch_wait", np.float32),  # multiplies waiting
        ("left_us", np.int32),  # day on which the adviser leaves the broker
        ("left_hurt", np.float32),
        ("heir", np.int32),  # who takes over then
        ("heir_skill", np.float32),
        ("pressure", np.float32),  # contagion today
        ("refuses", np.int8),  # asked not to be contacted
        ("changed", np.int8),  # holdings or cash changed today
    ],
    align=True,
)
"""What changes from day to day."""

DAY: Final = np.dtype(
    [
        ("day", np.int32),
        ("t", np.int32),  # days since the start
        ("trading", np.int8),
        ("quarter_end", np.int8),
        ("month_end", np.int8),  # last calendar day of the month
        ("weekday", np.int8),  # Monday 0
        ("regime", np.int8),
        ("season", np.float64),  # speed of decisions, mean 1 over a year
        ("activity", np.float64),  # multiplies trading and log-ins
        ("index_return", np.float64),  # log, 0 when not trading
        ("index_month", np.float64),  # log, over the last 21 trading days
        ("errors", np.float64),  # multiplies app errors; 1 usual
        ("latency", np.float64),  # multiplies response times; 1 usual
        ("wait", np.float64),  # multiplies waiting and solving times; 1 usual
        ("news", np.float64),  # bad news about us today, 0 none .. 1
        ("rival", np.float64),  # strength of rivals' price offers, 0 none
        ("regulator", np.float64),  # strength of a regulator's act against us, 0 none
    ],
    align=True,
)
"""What a day is like for everybody."""


def _event(*fields: tuple[str, type]) -> np.dtype[np.void]:
    return np.dtype([("client", np.int32), ("second", np.int32), *fields], align=True)


EVENTS: Final[dict[str, np.dtype[np.void]]] = {
    "trade": _event(
        ("instrument", np.int16), ("side", np.int8), ("channel", np.int8), ("quantity", np.int64),
        ("amount", np.int64), ("commission", np.int64),
    ),
    "cash_flow": _event(
        ("kind", np.int8), ("bank", np.int8), ("failure", np.int8), ("amount", np.int64)
    ),
    "custody_transfer": _event(
        ("direction", np.int8), ("instrument", np.int16), ("broker", np.int8),
        ("quantity", np.int64),
    ),
    # revision 1 says that it was carried out, today at `second`; 0 is the request itself.
    "exit_request": _event(
        ("kind", np.int8), ("blocker", np.int8), ("revision", np.int8), ("day", np.int32),
        ("asked_second", np.int32),
    ),
    "margin": _event(("debt", np.int64), ("limit", np.int64), ("ratio", np.float64)),
    "subscription": _event(
        ("product", np.int16), ("kind", np.int8), ("state", np.int8), ("quota", np.int64),
        ("won", np.int64), ("amount", np.int64),
    ),
    "balance": _event(
        ("cash", np.int64), ("securities", np.int64), ("debt", np.int64), ("positions", np.int16),
        ("top", np.float64),
    ),
    "holding": _event(
        ("instrument", np.int16), ("quantity", np.int64), ("cost", np.int64), ("value", np.int64)
    ),
    "session": _event(
        ("channel", np.int8), ("seconds", np.int32), ("pages", np.int16), ("errors", np.int16),
        ("latency", np.int32),
    ),
    "view": _event(("topic", np.int8), ("subject", np.int16)),
    "contact": _event(
        ("channel", np.int8), ("intent", np.int8), ("cause", np.int8), ("sentiment", np.int8),
        ("wait", np.int32), ("resolve", np.int32), ("first_time", np.int8), ("csat", np.int8),
        ("words", np.uint32),
    ),
    # revision 1 is the answer that closes it, today at `second`; 0 the complaint itself.
    "complaint": _event(
        ("cause", np.int8), ("status", np.int8), ("revision", np.int8), ("day", np.int32),
        ("asked_second", np.int32), ("words", np.uint32),
    ),
    "survey": _event(
        ("kind", np.int8), ("score", np.int8), ("touchpoint", np.int8), ("cause", np.int8),
        ("sentiment", np.int8), ("words", np.uint32),
    ),
    "touch": _event(
        ("channel", np.int8), ("campaign", np.int8), ("delivered", np.int8), ("opened", np.int8),
        ("replied", np.int8), ("refused", np.int8),
    ),
    "consent": _event(("purpose", np.int8), ("granted", np.int8)),
    # A change of profile, or of who serves; the rest of the row follows from person and state.
    "client": _event(("status", np.int8), ("reason", np.int8)),
    "service": _event(("manager", np.int32), ("adviser", np.int32), ("wecom", np.int8)),
    # Truth, never shown to keepwell: a step from stage to stage, or out, or back.
    "step": _event(
        ("stage", np.int8), ("path", np.int8), ("cause", np.int8), ("status", np.int8),
        ("way", np.int8), ("named", np.int16), ("worth", np.int64),
    ),
}  # fmt: skip
"""One record type per kind of event of a day; all carry the client and the second of the day.

`sentiment` is -2 (furious) .. 2 (delighted); `csat` 1..5, 0 none; `words` chooses the text;
`subject` of a view is an instrument for topic `instrument`, else a page number 0..31.
"""
