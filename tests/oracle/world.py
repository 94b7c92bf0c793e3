"""Small random brokerages for the oracle: every awkward fact the contract allows, from one seed.

A world is a handful of contract-shaped tables with both clocks (``at`` or ``day``, and
``known_at``) and revisions, the declared coverage of each table, an exchange zone and a few
instants (as_of) to compute at. Facts are drawn *around* those instants, so that window edges,
midnights, ``at == t`` and ``known_at == t`` are hit often instead of almost never.

Nothing here imports ``keepwell``: the tables are what the world *is*; :mod:`tests.oracle.load`
carries them into a workspace through the public ingest path.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from .world_deleted import duplicates, take_back
from .world_more import enrich, more
from .world_schema import SCHEMAS

Row = dict[str, Any]
EPOCH = date(1970, 1, 1)
MICRO = timedelta(microseconds=1)
ZONES = ("Europe/Athens", "Asia/Shanghai", "America/New_York")
CURRENCIES = {"Europe/Athens": "EUR", "Asia/Shanghai": "CNY", "America/New_York": "USD"}
# The first two share a bit in the hashed set of instruments that the catalogue describes.
INSTRUMENTS = ("I3", "I10", "I0", "I1", "I2", "I4", "I5", "I6")
CATEGORIES = (
    *("stock", "stock_large_cap", "bond", "fund", "fund_bond", "fund_equity", "fund_money", "etf"),
    "mystock",
)
# Days around which clocks change in the zones above: Athens and New York, spring and autumn.
CLOCK_CHANGES = (date(2023, 10, 29), date(2023, 11, 5), date(2024, 3, 10), date(2024, 3, 31))
EDGES = (0, 1, 2, 6, 7, 8, 13, 14, 15, 28, 29, 30, 31, 59, 60, 61, 89, 90, 91, 119, 120, 121)
FIRST_DAYS = (7, 30, 30, 90, 180, 365, 366)
FAR_EDGES = (179, 180, 181, 359, 360, 361, 364, 365, 366, 367, 700, 729, 730, 731, 800)


def day_of(value: date) -> int:
    """Days since 1970-01-01 of a calendar date."""
    return (value - EPOCH).days


def date_of(day: int) -> date:
    """The calendar date of a day number."""
    return EPOCH + timedelta(days=int(day))


def midnight(day: int, zone: ZoneInfo) -> datetime:
    """The UTC instant at which local day ``day`` starts in ``zone``."""
    d = date_of(day)
    return datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(UTC)


def local_day(at: datetime, zone: ZoneInfo) -> int:
    """The local day number of an instant in ``zone``."""
    return day_of(at.astimezone(zone).date())


@dataclass(frozen=True)
class World:
    """One random brokerage.

    Attributes:
        seed: The seed it was drawn from; a failing test prints it.
        zone: Exchange zone; days are local days of it.
        currency: ISO code of all money.
        tables: Contract-shaped tables (int64 minor money, 1e-8 quantities, UTC instants, date32
            days) with ``known_at`` and ``revision``; absent tables have no entry.
        covers: Declared coverage per table: ``[from, until)`` day numbers, ``None`` = still open.
        full_days: Whether a holding day present in the source lists all clients.
        as_ofs: Instants to compute at, ascending.
        index: Series of ``index_price`` that the mapping names as the market, or ``None``.
    """

    seed: int
    zone: ZoneInfo
    currency: str
    tables: dict[str, pa.Table]
    covers: dict[str, list[tuple[int, int | None]]]
    full_days: bool
    as_ofs: tuple[datetime, ...]
    index: str | None = "IDX"

    def replace(self, **changes: Any) -> World:
        """A copy with some attributes replaced (``tables`` is merged, ``None`` drops a table)."""
        values = {**self.__dict__, **changes}
        if "tables" in changes:
            merged = {**self.tables, **changes["tables"]}
            values["tables"] = {k: v for k, v in merged.items() if v is not None}
        return World(**values)


@dataclass
class _Draw:
    """Shared state while one world is drawn."""

    rng: np.random.Generator
    zone: ZoneInfo
    currency: str
    as_ofs: tuple[datetime, ...]
    clients: list[str]
    instruments: list[str]
    first_day: int
    rows: dict[str, list[Row]] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def whole(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def day(self, client: str) -> int:
        """A day near some as_of: often exactly a window's edge, else at a random distance."""
        end = local_day(self.pick(self.as_ofs), self.zone)
        kind = self.rng.random()
        if kind < 0.12:
            back = self.pick(FIRST_DAYS)
        elif kind < 0.26:
            back = self.pick(EDGES)
        elif kind < 0.32:
            back = self.pick(FAR_EDGES)
        elif kind < 0.38:
            back = -self.whole(0, 20)
        else:
            back = int(self.rng.exponential(self.pick((4.0, 25.0, 90.0, 300.0))))
        day = min(end - back, self.stopped.get(client, end + 20))
        return max(day, self.opened.get(client, self.first_day))

    def instant(self, client: str) -> datetime:
        """An instant: mostly inside a drawn day, sometimes a midnight, an as_of or next to one."""
        kind = self.rng.random()
        if kind < 0.05 and client not in self.stopped:
            return self.pick(self.as_ofs) + self.pick((timedelta(0), -MICRO, MICRO))
        day = self.day(client)
        start = midnight(day, self.zone)
        if kind < 0.12:
            steps = (timedelta(0), MICRO, -MICRO)
            return start + self.pick(steps[:2] if self.opened.get(client) == day else steps)
        return start + timedelta(seconds=self.whole(0, 86_399), microseconds=self.whole(0, 999_999))

    def known(self, at: datetime) -> datetime:
        """When a fact became known: mostly at once, at times late or exactly at an edge."""
        kind = self.rng.random()
        if kind < 0.55:
            return at
        if kind < 0.75:
            return at + timedelta(seconds=self.whole(1, 7200))
        if kind < 0.82:
            later = [t for t in self.as_ofs if t >= at]
            return self.pick(later) + self.pick((timedelta(0), MICRO)) if later else at
        day = local_day(at, self.zone) + self.whole(1, 5)
        if kind < 0.90:
            return midnight(day, self.zone)
        return at + timedelta(days=self.whole(1, 60), seconds=self.whole(0, 86_399))

    def close_known(self, day: int) -> datetime:
        """When a close-of-day fact of ``day`` became known: not before the day is over."""
        return self.known(midnight(day + 1, self.zone))

    def add(self, table: str, row: Row) -> None:
        self.rows.setdefault(table, []).append({"revision": 0, **row})


def draw_world(seed: int, *, clients: int | None = None, whole: bool = False) -> World:
    """Draws one world.

    Args:
        seed: Any int; the same seed gives the same world.
        clients: Number of clients; 5 to 60 at random when not given.
        whole: Every table is there and declared complete.

    Returns:
        The world; at least one activity table is present.
    """
    rng = np.random.default_rng(seed)
    zone = ZoneInfo(ZONES[seed % len(ZONES)])
    n = clients if clients is not None else int(rng.integers(5, 61))
    as_ofs = _as_ofs(rng, zone)
    draw = _Draw(
        rng=rng,
        zone=zone,
        currency=CURRENCIES[zone.key],
        as_ofs=as_ofs,
        clients=[f"c{i:03d}" for i in rng.permutation(200)[:n]],
        instruments=list(INSTRUMENTS[: int(rng.integers(3, 9))]),
        first_day=local_day(as_ofs[0], zone) - 800,
    )
    full_days = draw.chance(0.4)
    for step in (_instruments, _profiles, _trades, _first_purchases, _cash_flows, _sessions):
        step(draw)
    _contacts(draw)
    _balances(draw)
    _holdings(draw, full_days)
    _prices(draw)
    _index(draw)
    rest = replace(draw, rng=np.random.default_rng([seed % 2**32, 1]), rows={})
    enrich(rest, draw.rows)
    more(rest)
    gone = replace(draw, rng=np.random.default_rng([seed % 2**32, 2]))
    for rows in (draw.rows, rest.rows):
        take_back(gone, rows)
    duplicates(draw)
    duplicates(rest)
    tables = {name: _table(name, rows, draw.rng) for name, rows in draw.rows.items()}
    for name in [] if whole else _absent(draw, sorted(tables)):
        del tables[name]
    covers = _declared(draw, sorted(tables), whole)
    others = {name: _table(name, rows, rest.rng) for name, rows in rest.rows.items()}
    others = {name: x for name, x in sorted(others.items()) if whole or not rest.chance(0.1)}
    covers |= _declared(rest, sorted(others), whole)
    tables |= others
    return World(
        seed=seed,
        zone=zone,
        currency=draw.currency,
        tables=tables,
        covers=covers,
        full_days=full_days and "holding" in tables,
        as_ofs=as_ofs,
        index="IDX" if "index_price" in tables else None,
    )


def _declared(
    draw: _Draw, names: list[str], whole: bool
) -> dict[str, list[tuple[int, int | None]]]:
    return {name: [(draw.first_day - 5, None)] if whole else _covers(draw) for name in names}


def _as_ofs(rng: np.random.Generator, zone: ZoneInfo) -> tuple[datetime, ...]:
    """A local midnight, an instant inside a day, and a day of a clock change."""
    start = day_of(date(2023, 9, 1))
    base = start + int(rng.integers(0, 400))
    inside = midnight(base + int(rng.integers(0, 100)), zone)
    inside += timedelta(seconds=int(rng.integers(1, 82_000)), microseconds=int(rng.integers(10**6)))
    change = day_of(CLOCK_CHANGES[int(rng.integers(len(CLOCK_CHANGES)))]) + int(rng.integers(0, 2))
    shifted = midnight(change, zone) + timedelta(hours=int(rng.choice([0, 0, 2, 5, 22])))
    return tuple(sorted({midnight(base, zone), inside, shifted}))


def _absent(draw: _Draw, names: list[str]) -> list[str]:
    """Tables this world's broker does not have; one activity table always stays."""
    gone = [n for n in names if draw.chance(0.5 if n == "first_purchase" else 0.1)]
    if {"trade", "session", "cash_flow"} <= set(gone):
        gone.remove("trade")
    return gone


def _covers(draw: _Draw) -> list[tuple[int, int | None]]:
    """Mostly everything; sometimes one or two holes, or an end before the last as_of."""
    first = draw.first_day - 5
    last = local_day(draw.as_ofs[-1], draw.zone)
    kind = draw.rng.random()
    if kind < 0.55:
        return [(first, None)]
    if kind < 0.70:
        return [(first, last - draw.whole(0, 60))]
    ends = [local_day(t, draw.zone) for t in draw.as_ofs]
    cuts = sorted(
        {
            draw.pick(ends) - draw.pick((0, 1, 3, 4, 7, 15, 30, 45, 90, 91, 182, 183, 365))
            for _ in range(draw.pick((2, 4)))
        }
    )
    spans: list[tuple[int, int | None]] = []
    start = first
    for cut in range(0, len(cuts) - 1, 2):
        spans.append((start, cuts[cut]))
        start = cuts[cut + 1]
    return [*spans, (start, None)]


def _instruments(draw: _Draw) -> None:
    start = midnight(draw.first_day, draw.zone)
    for k, name in enumerate(draw.instruments):
        if k and draw.chance(0.1):
            continue  # traded and held, but never described
        row = {
            "instrument_id": name,
            "name": f"Instrument {name}",
            "category": draw.pick(CATEGORIES) if draw.chance(0.9) else None,
            "risk_level": draw.pick(("R1", "R2", "R3", "R4", "R5", None)),
            "sector": draw.pick(("energy", "banks", None)),
            "maturity_on": None,
        }
        draw.add("instrument", {**row, "known_at": start})
        if draw.chance(0.25):
            later = {**row, "category": draw.pick(CATEGORIES), "revision": 1}
            draw.add("instrument", {**later, "known_at": draw.instant("")})


def _profiles(draw: _Draw) -> None:
    """Client rows: usual, changed later, known late, or none at all."""
    for client in draw.clients:
        if draw.chance(0.4):
            draw.opened[client] = draw.first_day + draw.whole(0, 790)
        if draw.chance(0.15):
            draw.stopped[client] = local_day(draw.as_ofs[0], draw.zone) - draw.whole(20, 400)
        if draw.chance(0.12):
            continue
        opened = draw.opened.get(client, draw.first_day - draw.whole(1, 3000))
        starts = midnight(opened, draw.zone)
        row = {
            "client_id": client,
            "opened_on": date_of(opened) if draw.chance(0.9) else None,
            "birth_year": draw.whole(1940, 2004) if draw.chance(0.85) else None,
            "region": draw.pick(("north", "south", None)),
            "investor_class": draw.pick(("ordinary", "professional", None)),
            "risk_level": draw.pick(("C1", "C2", "C3", "C4", "C5", None)),
            "assessed_on": date_of(opened + draw.whole(0, 300)) if draw.chance(0.7) else None,
            "manager_id": draw.pick(("m1", "m2", None)),
            "branch_id": draw.pick(("b1", None)),
            "segment_hint": draw.pick(("mass", "affluent", None)),
            "status": "open",
        }
        known = draw.known(starts) if draw.chance(0.8) else draw.instant(client)
        change = {
            "risk_level": draw.pick(("C1", "C3", "C5")),
            "birth_year": draw.whole(1940, 2004),
            "opened_on": date_of(opened - draw.whole(1, 40)),
            "assessed_on": date_of(opened + draw.whole(0, 300)),
        }
        row = {**row, "valid_from": starts, "known_at": known}
        _corrected(draw, "client", row, change)
        for _ in range(draw.pick((0, 0, 1, 2))):
            at = draw.instant(client)
            row = {
                **row,
                "risk_level": draw.pick(("C1", "C2", "C3", "C4", "C5", None)),
                "birth_year": draw.whole(1940, 2004),
                "investor_class": draw.pick(("ordinary", "lowest", "professional")),
            }
            change = {**row, "valid_from": at, "known_at": draw.known(at)}
            if at != starts:  # two first revisions of one key would contradict each other
                draw.add("client", change)


def _corrected(draw: _Draw, table: str, row: Row, change: Row, p: float = 0.12) -> None:
    """Adds a row and sometimes one or two corrections of it, known later."""
    draw.add(table, row)
    known = row["known_at"]
    for revision in (1, 2):
        if not draw.chance(p):
            return
        wait = timedelta(seconds=draw.whole(1, draw.pick((3600, 10**6))))
        known = max(known + wait, draw.known(known))
        row = {**row, **change, "known_at": known, "revision": revision}
        if "at" in row and (not change or draw.chance(0.3)):
            row["at"] = min(draw.instant(row.get("client_id", "")), known)
        draw.add(table, row)


def _trades(draw: _Draw) -> None:
    number = 0
    for client in draw.clients:
        if draw.chance(0.1):
            continue
        for _ in range(draw.pick((1, 2, 6, 25, 60))):
            at = draw.instant(client)
            for _ in range(draw.pick((1, 1, 1, 3))):
                number += 1
                known = draw.known(at)
                row = {
                    "trade_id": f"t{number:05d}",
                    "client_id": client,
                    "at": at,
                    "instrument_id": draw.pick(draw.instruments) if draw.chance(0.93) else None,
                    "side": "buy" if draw.chance(0.6) else "sell",
                    "quantity": _quantity(draw) if draw.chance(0.92) else None,
                    "amount": draw.whole(1, 5_000_000) if draw.chance(0.88) else None,
                    "commission": draw.whole(-200, 5_000) if draw.chance(0.7) else None,
                    "channel": draw.pick(("app", "desk", None)),
                    "currency": draw.currency,
                    "known_at": known,
                }
                change = {
                    "amount": draw.whole(1, 9_000_000),
                    "side": draw.pick(("buy", "sell")),
                    "instrument_id": draw.pick(draw.instruments),
                    "quantity": _quantity(draw),
                    "commission": draw.whole(0, 5_000),
                }
                _corrected(draw, "trade", row, change)


def _first_purchases(draw: _Draw) -> None:
    """First purchases of instruments, most of whose trades are not known."""
    for client in draw.clients:
        for name in draw.instruments:
            if not draw.chance(0.25):
                continue
            at = draw.instant(client)
            row = {
                "client_id": client,
                "instrument_id": name,
                "at": at,
                "known_at": draw.known(at),
            }
            _corrected(draw, "first_purchase", row, {})


def _quantity(draw: _Draw) -> int:
    """A quantity in 1e-8 units: whole shares, or a fund's odd fraction."""
    if draw.chance(0.7):
        return draw.whole(1, 500) * 10**8
    return draw.whole(1, 9 * 10**9)


def _cash_flows(draw: _Draw) -> None:
    number = 0
    kinds = ("deposit", "deposit", "withdrawal", "withdrawal", "dividend", "fee", "interest")
    for client in draw.clients:
        for _ in range(draw.pick((0, 2, 8, 24))):
            number += 1
            at = draw.instant(client)
            row = {
                "flow_id": f"f{number:05d}",
                "client_id": client,
                "at": at,
                "kind": draw.pick(kinds),
                "amount": draw.whole(1, 9_000_000),
                "bank": draw.pick(("bank-a", "bank-b", None)),
                "failure_reason": "limit" if draw.chance(0.08) else None,
                "currency": draw.currency,
                "known_at": draw.known(at),
            }
            change = {
                "amount": draw.whole(1, 9_000_000),
                "kind": draw.pick(kinds),
                "failure_reason": draw.pick(("limit", None, None)),
            }
            _corrected(draw, "cash_flow", row, change)


def _sessions(draw: _Draw) -> None:
    number = 0
    for client in draw.clients:
        for _ in range(draw.pick((0, 1, 5, 20, 60))):
            number += 1
            at = draw.instant(client)
            row = {
                "session_id": f"s{number:05d}",
                "client_id": client,
                "at": at,
                "channel": draw.pick(("app", "web", "mini", None)),
                "seconds": draw.whole(0, 4000) if draw.chance(0.9) else None,
                "pages": draw.whole(0, 60) if draw.chance(0.9) else None,
                "errors": draw.pick((0, 0, 0, 1, 3, None)),
                "latency_ms": draw.whole(5, 3000) if draw.chance(0.85) else None,
                "known_at": draw.known(at),
            }
            change = {
                "seconds": draw.whole(0, 4000),
                "pages": draw.whole(0, 60),
                "errors": draw.whole(0, 5),
                "latency_ms": draw.whole(5, 3000),
            }
            _corrected(draw, "session", row, change)


def _contacts(draw: _Draw) -> None:
    number = 0
    topics = ("complaint", "fee", "transfer", "close", "password", "product", None)
    for client in draw.clients:
        for _ in range(draw.pick((0, 2, 8, 16))):
            number += 1
            at = draw.instant(client)
            row = {
                "contact_id": f"k{number:05d}",
                "client_id": client,
                "at": at,
                "channel": draw.pick(("phone", "chat", None)),
                "topic": draw.pick(topics),
                "wait_s": draw.whole(0, 900) if draw.chance(0.85) else None,
                "resolve_s": draw.whole(1, 200_000) if draw.chance(0.7) else None,
                "first_time": draw.pick((True, False, None)),
                "text": None,
                "csat": draw.pick((1, 2, 3, 4, 5, None)),
                "known_at": draw.known(at),
            }
            change = {
                "csat": draw.whole(1, 5),
                "wait_s": draw.whole(0, 900),
                "resolve_s": draw.whole(1, 200_000),
                "first_time": draw.pick((True, False)),
            }
            _corrected(draw, "contact", row, change)


def _balances(draw: _Draw) -> None:
    for client in draw.clients:
        days = {draw.day(client) for _ in range(draw.pick((0, 1, 6, 30, 70)))}
        for day in sorted(days):
            row = {
                "client_id": client,
                "day": date_of(day),
                "cash": draw.whole(-300_000, 9_000_000),
                "securities": draw.whole(0, 90_000_000) if draw.chance(0.9) else None,
                "margin_debt": draw.pick((0, 0, draw.whole(1, 10**6), None)),
                "positions": draw.whole(0, 12) if draw.chance(0.85) else None,
                "top_weight": float(np.round(draw.rng.random(), 6)) if draw.chance(0.85) else None,
                "currency": draw.currency,
                "known_at": draw.close_known(day),
            }
            change = {
                "cash": draw.whole(0, 9_000_000),
                "securities": draw.whole(0, 90_000_000),
                "margin_debt": draw.whole(0, 10**6),
            }
            _corrected(draw, "balance", row, change)


def _holdings(draw: _Draw, full_days: bool) -> None:
    """Snapshots: on common days that list everyone, or on each client's own days."""
    ends = [local_day(t, draw.zone) for t in draw.as_ofs]
    common = sorted({draw.pick(ends) - draw.pick((*EDGES, 150, 179, 180, 181)) for _ in range(7)})
    for client in draw.clients:
        if draw.chance(0.15):
            continue
        if full_days:
            opened = draw.opened.get(client, 0)
            days = [d for d in common if d >= opened and draw.chance(0.8)]
        else:
            days = sorted({draw.day(client) for _ in range(draw.pick((0, 1, 3, 8)))})
        names = [name for name in draw.instruments if draw.chance(0.6)]
        for day in days:
            known = draw.close_known(day)
            for name in names:
                if draw.chance(0.2):
                    continue  # vanished since the last snapshot
                row = {
                    "client_id": client,
                    "day": date_of(day),
                    "instrument_id": name,
                    "quantity": _quantity(draw) * draw.pick((1,) * 18 + (0, -1)),
                    "cost": draw.whole(1, 10**7) if draw.chance(0.6) else None,
                    "value": draw.whole(1, 10**7) if draw.chance(0.6) else None,
                    "currency": draw.currency,
                    "known_at": known if draw.chance(0.92) else draw.close_known(day),
                }
                _corrected(draw, "holding", row, {"quantity": _quantity(draw)})


def _prices(draw: _Draw) -> None:
    """Closing prices of most instruments; one has none, one's series ends early."""
    end = local_day(draw.as_ofs[-1], draw.zone)
    for name in draw.instruments[:-1]:
        last = end + 3 if draw.chance(0.75) else end - draw.whole(5, 300)
        # Prices in whole cents: quantity * price then has no ties at half a minor unit.
        level = draw.whole(100, 20_000)
        for day in range(max(end - 600, last - 700), last + 1, draw.pick((1, 3, 7))):
            level = max(level + draw.whole(-60, 60), 1)
            row = {
                "series": name,
                "day": date_of(day),
                "close": level * 10**6,
                "volume": None,
                "currency": draw.currency,
                "known_at": draw.close_known(day),
            }
            _corrected(draw, "price", row, {"close": (level + 7) * 10**6})


def _index(draw: _Draw) -> None:
    """The market's index (and another series that must not be mixed in), with missing days."""
    end = local_day(draw.as_ofs[-1], draw.zone)
    for series in ("IDX", "OTHER"):
        level = 20.0
        for day in range(end - 780, end + 3):
            if date_of(day).weekday() >= 5 or draw.chance(0.03):
                continue
            level = max(1.0, level * float(np.exp(draw.rng.normal(0, 0.05))))
            close = draw.pick((0.0, -1.0)) if draw.chance(0.001) else round(level, 4)
            row = {
                "series": series,
                "day": date_of(day),
                "close": close,
                "known_at": draw.close_known(day),
            }
            _corrected(draw, "index_price", row, {"close": round(level * 1.02, 4)}, 0.5)


def _table(name: str, rows: list[Row], rng: np.random.Generator) -> pa.Table:
    """The rows in random order of arrival."""
    order = rng.permutation(len(rows))
    schema = SCHEMAS[name]
    return pa.Table.from_pylist([rows[i] for i in order], schema=schema)
