"""Funding: securities moved from and to other brokers."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "funding"
_HASHED = (
    "estimated from a set of 64 bits: an instrument sets the bit of the first byte of the MD5 of "
    "its id in UTF-8, modulo 64"
)


def _moved(days: int, headline: bool) -> None:
    @second(
        f"transfers_out_{days}d",
        name=f"Custody transfers out, {days} days",
        unit="count",
        direction="high",
        family=_FAMILY,
        explain=f"Securities moved to another broker in the last {days} days, counted.",
        definition=(
            f"Number of custody_transfer rows with direction out in the window of {days} days."
        ),
        headline=headline,
        threshold=1.0,
    )
    def _(w: Windows) -> Array:
        return w.custody_transfer.sum("out", days)


_moved(30, True)
_moved(180, False)


@second(
    "transfers_in_180d",
    name="Custody transfers in, 180 days",
    unit="count",
    direction="none",
    family=_FAMILY,
    explain="Securities moved in from another broker in the last 180 days, counted.",
    definition="Number of custody_transfer rows with direction in in the window of 180 days.",
)
def _(w: Windows) -> Array:
    return w.custody_transfer.sum("come", 180)


@second(
    "days_since_transfer",
    name="Days since last custody transfer",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="Days since securities last moved from or to another broker.",
    definition=(
        "D minus the local day of the latest known custody_transfer row, in or out. Looks back "
        "without limit. Absent when none is known."
    ),
)
def _(w: Windows) -> Array:
    return w.custody_transfer.recency()


@second(
    "moved_out_share_180d",
    name="Share of instruments moved out, 180 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Instruments moved to another broker, over these and the ones still held.",
    definition=(
        "M / (M + H). M: different values of instrument_id over the custody_transfer rows with "
        f"direction out in the window of 180 days, {_HASHED}. H: indicator position_count. Absent "
        "when either is, and when M + H = 0."
    ),
    threshold=0.5,
)
def _(w: Windows) -> Array:
    out = w.custody_transfer.distinct("out_instruments", 180)
    return ratio(out, out + w.position.count())
