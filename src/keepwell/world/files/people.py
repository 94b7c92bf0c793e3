"""Who clients are, as rows of the contract: profile, service, accounts, ties, consent.

Rows appear on the day a client is opened (those opened earlier: on the first day, dated back), and
when an event changes them.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from keepwell.world import terms
from keepwell.world.dynamics.chance import stream
from keepwell.world.files.columns import (
    DAY_US,
    OFFSET_US,
    Ids,
    Mask,
    Numbers,
    Words,
    date,
    digits,
    flag,
    glued,
    instant,
    instants,
    money,
    ratio,
    whole,
)
from keepwell.world.files.dealing import PURPOSES, Columns, consent
from keepwell.world.words.names import NAMES, draw_names

if TYPE_CHECKING:
    from keepwell.world.files.naming import Names
    from keepwell.world.people.draw import People

GRANTED = (0.95, 0.85)
"""Share of clients that agree at opening to profiling and to calls (assumption); marketing is the
person's own, WeCom follows from being connected there."""

WEALTHY = 2_000_000.0
"""CNY from which a client has a team of 1 + 3 + 5."""

SEGMENTS = ("standard", "young growth", "mature", "high net worth")
"""Segments that the broker puts clients in; by age and assets."""

ACCOUNT_KINDS = ("ordinary", "margin", "option", "fund", "pension")

PERMISSIONS = (
    "stock,bond", "stock,bond,etf", "stock,bond,etf,star", "stock,bond,etf,star,chinext",
    "stock,bond,etf,star,chinext,hk_connect",
)  # fmt: skip
"""What an ordinary account may trade, by risk level."""

ID_YEARS = (5, 10, 20)
"""Years for which identity cards are valid."""

_CLASSES = Words(("ordinary", "professional", "lowest"))
_LEVELS = Words(("", "C1", "C2", "C3", "C4", "C5"))
_TIERS = Words(("", "tier 1", "tier 2", "tier 3", "tier 4"))
_SEGMENTS = Words(SEGMENTS)
_STATUSES = Words(("", "open", "open", "closed", "closed", "closed"))
_REASONS = Words(terms.CLOSED_REASONS)
_KINDS = Words(ACCOUNT_KINDS)
_PERMISSIONS = Words(("", *PERMISSIONS))
_STATES = Words(("open", "closed"))
_TIES = Words(("household", "referrer"))
_NAMES = Words(NAMES)
_ACCOUNT_FLAGS = ("margin", "option", "fund", "pension")


class _Profiles(NamedTuple):
    """Which clients get a row, from when on, and what has changed about them."""

    client: Numbers
    since: Numbers
    status: Numbers
    reason: Numbers
    manager: Numbers
    adviser: Numbers
    wecom: Numbers


class Register:
    """The rows about a shard's clients.

    Args:
        people: the clients.
        names: what they are called.
        seed: the world's, for what neither people nor events say.
        start: day number of the first day.
    """

    def __init__(self, people: People, names: Names, seed: int, start: int) -> None:
        self._people = people.person
        self._names = names
        self._start = start
        rng = stream(seed, "register", people.shard)
        count = len(people.person)
        self._granted = np.column_stack(
            [
                people.person["marketing"] != 0,
                rng.random((count, len(GRANTED))) < GRANTED,
                people.person["wecom"] != 0,
            ]
        )
        years = np.array(ID_YEARS)[rng.integers(0, len(ID_YEARS), count)] * 365
        self._expiry = start + rng.integers(-30, 3650, count) % years
        self._bought = rng.random((count, 2), np.float32)
        regions = int(people.person["region"].max(initial=0)) + 1
        self._regions = Words([f"region {number:02d}" for number in range(regions)])
        self._ties = _ties(people.person)
        self._named = draw_names(seed, people.shard, count)
        self._status = np.full(count, terms.UNOPENED, np.int8)
        self._opened_order = np.argsort(people.person["opened"], kind="stable").astype(np.int32)
        self._opened_sorted = people.person["opened"][self._opened_order]

    def copy(self) -> Register:
        """The same, to go on with another future."""
        other = copy(self)
        other._status = self._status.copy()
        return other

    def opened(self, day: int) -> Numbers:
        """The clients whose rows appear on a day: opened on it; on the first day, by then."""
        first = 0 if day == self._start else np.searchsorted(self._opened_sorted, day)
        last = np.searchsorted(self._opened_sorted, day, "right")
        return np.sort(self._opened_order[first:last])

    def rows(self, day: int, events: dict[str, Any], state: dict[str, Any]) -> dict[str, Columns]:
        """The day's rows of client, service, account, relation and consent.

        Args:
            day: day number.
            events: the day's events.
            state: CLIENT records, as they are after the day, of the clients of the events
                `client` and `service`.
        """
        new = self.opened(day)
        opening = self._opening(new)
        changes, there = self._told(new, events["client"], state["client"])
        changed = _changed(day, changes, changes["status"], changes["reason"], there)
        served = self._served(day, events["service"])
        ended = np.isin(changes["status"], (terms.CLOSED, terms.DROPPED, terms.DEAD))
        return {
            "client": self._profile(_joined(opening, self._assessed(new), changed, served)),
            "service": self._service(_joined(opening, served)),
            "account": self._accounts(day, new, changes, ended),
            "relation": self._relations(day),
            "consent": self._consents(new, events["consent"], day),
        }

    def _told(self, new: Numbers, e: Any, state: Any) -> tuple[Any, Any]:
        """The events that say something new, and their states: an opening is told already."""
        self._status[new] = terms.OPEN
        news = (e["status"] != terms.OPEN) | (self._status[e["client"]] != terms.OPEN)
        self._status[e["client"]] = e["status"]
        return e[news], state[news]

    def _opening(self, new: Numbers) -> _Profiles:
        person = self._people[new]
        return _Profiles(
            new,
            instants(person["opened"], 0),
            np.full(len(new), terms.OPEN, np.int8),
            np.zeros(len(new), np.int8),
            person["manager"],
            person["adviser"],
            person["wecom"],
        )

    def _assessed(self, new: Numbers) -> _Profiles:
        """The rows of those who were assessed again after they had opened."""
        person = self._people[new]
        again = self._opening(new[person["assessed"] > person["opened"]])
        return again._replace(since=instants(self._people["assessed"][again.client], 36_000))

    def _served(self, day: int, e: Any) -> _Profiles:
        return _Profiles(
            e["client"],
            instants(day, e["second"]),
            # Only open clients get one; what becomes of them later that day has a row of its own.
            np.full(len(e), terms.OPEN, np.int8),
            np.zeros(len(e), np.int8),
            e["manager"],
            e["adviser"],
            e["wecom"],
        )

    def first_purchases(self, held: Any) -> Columns:
        """When positions held at the start were bought: between opening and start, on a weekday.

        Args:
            held: instruments in each client's slots, -1 for none [n, SLOTS].
        """
        client, slot = np.nonzero(held >= 0)
        opened = self._people["opened"][client].astype(np.int64)
        # Two draws per client, shifted by the slot: every position has a day of its own.
        part = np.modf(self._bought[client, 0] + slot * np.float32(0.618))[0]
        day = opened + (part * np.maximum(self._start - opened, 1)).astype(np.int64)
        rest = np.maximum((day + 3) % 7 - 4, 0)  # 1 on Saturdays, 2 on Sundays
        monday = day + np.where(rest > 0, 3 - rest, 0)
        day = np.where(monday < self._start, monday, np.maximum(day - rest, opened))
        second = 34_200 + (self._bought[client, 1] * 7_200).astype(np.int64)
        at = instant(instants(day, second))
        return {
            "client_id": self._names.clients.column(client),
            "instrument_id": self._names.instruments.column(held[client, slot]),
            "at": at,
            "known_at": at,
        }

    def _profile(self, rows: _Profiles) -> Columns:
        person = self._people[rows.client]
        closed = rows.status >= terms.CLOSED
        since = instant(rows.since)
        day = (rows.since + OFFSET_US) // DAY_US
        return {
            "client_id": self._names.clients.column(rows.client),
            "valid_from": since,
            "opened_on": date(person["opened"]),
            "birth_year": whole(person["birth_year"]),
            "region": self._regions.column(person["region"]),
            "city_tier": _TIERS.column(person["city_tier"]),
            "investor_class": _CLASSES.column(person["professional"]),
            "risk_level": _LEVELS.column(person["risk_level"]),
            "assessed_on": date(person["assessed"], person["assessed"] <= day),
            "manager_id": self._names.managers.column(rows.manager),
            "adviser_id": self._names.advisers.column(rows.adviser),
            "branch_id": self._names.branches.column(person["branch"]),
            "segment_hint": _SEGMENTS.column(_segments(person)),
            "status": _STATUSES.column(rows.status),
            "closed_on": date(day, closed),
            "closed_reason": _REASONS.column(rows.reason, closed),
            # No phone: any number that looks real may be somebody's.
            "name": _NAMES.text(self._named[rows.client]),
            "known_at": since,
        }

    def _service(self, rows: _Profiles) -> Columns:
        person = self._people[rows.client]
        wealthy = person["assets"] >= WEALTHY
        team = self._names.team(
            rows.manager[wealthy], rows.adviser[wealthy], person["branch"][wealthy]
        )
        # Everybody else has no team: a place that is absent.
        place = pa.array(np.cumsum(wealthy) - 1, mask=~wealthy)
        since = instant(rows.since)
        return {
            "client_id": self._names.clients.column(rows.client),
            "valid_from": since,
            "manager_id": self._names.managers.column(rows.manager),
            "adviser_id": self._names.advisers.column(rows.adviser),
            "team": team.take(place),
            "wecom": flag(rows.wecom),
            "known_at": since,
        }

    def _accounts(self, day: int, new: Numbers, changes: Any, ended: Mask) -> Columns:
        """Accounts of new clients, and those of clients whose relationship ended or began anew."""
        # A client's accounts change once a day: what was told last counts.
        last = np.flatnonzero(np.diff(changes["client"], append=-1))
        changes, ended = changes[last], ended[last]
        client = np.concatenate([new, changes["client"]])
        since = np.concatenate(
            [instants(self._people["opened"][new], 0), instants(day, changes["second"])]
        )
        revision = np.repeat([0, day - self._start + 1], [len(new), len(changes)])
        closed = np.concatenate([np.zeros(len(new), np.int8), ended.astype(np.int8)])
        person = self._people[client]
        has = np.column_stack(
            [np.ones(len(client), bool), *(person[kind] != 0 for kind in _ACCOUNT_FLAGS)]
        )
        place, kind = np.nonzero(has)
        person, whose = person[place], client[place]
        kind = kind.astype(np.int8)
        ordinary = kind == 0
        return {
            "account_id": _account_ids(self._names.clients, whose, kind),
            "client_id": self._names.clients.column(whose),
            "kind": _KINDS.column(kind),
            "permissions": _PERMISSIONS.column(person["risk_level"], ordinary),
            "fee_rate": ratio(person["fee_rate"], kind <= 1),
            "fee_minimum": money(person["fee_minimum"], kind <= 1),
            "opened_on": date(person["opened"]),
            "state": _STATES.column(closed[place]),
            "id_expiry": date(self._expiry[whose]),
            "known_at": instant(since[place]),
            "revision": whole(revision[place]),
        }

    def _relations(self, day: int) -> Columns:
        ties = self._ties
        first = 0 if day == self._start else np.searchsorted(ties["since"], day)
        last = np.searchsorted(ties["since"], day, "right")
        found = ties[first:last]
        return {
            "client_id": self._names.clients.column(found["client"]),
            "other_id": self._names.clients.column(found["other"]),
            "kind": _TIES.column(found["kind"]),
            "since": date(found["since"]),
            "known_at": instant(instants(found["since"], 0)),
        }

    def _consents(self, new: Numbers, e: Any, day: int) -> Columns:
        """What was said at opening, and what is said today."""
        purposes = len(terms.PURPOSES)
        whose = np.repeat(new, purposes)
        at = instant(instants(self._people["opened"][whose], 0))
        said = {
            "client_id": self._names.clients.column(whose),
            "purpose": PURPOSES.column(np.tile(np.arange(purposes, dtype=np.int8), len(new))),
            "at": at,
            "known_at": at,
            "granted": flag(self._granted[new].reshape(-1)),
        }
        today = consent(self._names, e, day, day - self._start)
        return {name: pa.concat_arrays([said[name], today[name]]) for name in said}


def _joined(*parts: _Profiles) -> _Profiles:
    return _Profiles(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _changed(day: int, e: Any, status: Numbers, reason: Numbers, state: Any) -> _Profiles:
    return _Profiles(
        e["client"],
        instants(day, e["second"]),
        status,
        reason,
        state["manager"],
        state["adviser"],
        state["wecom"],
    )


def _segments(person: Any) -> Numbers:
    """Codes of `SEGMENTS`: wealthy first, then by age and assets."""
    age, assets = person["age"], person["assets"]
    young = (age >= 25) & (age < 36) & (assets < 500_000)
    mature = (age >= 36) & (age < 46) & (assets >= 500_000)
    return np.select([assets >= WEALTHY, mature, young], [3, 2, 1], 0).astype(np.int8)


def _account_ids(clients: Ids, client: Numbers, kind: Numbers) -> pa.Array:
    """Client's id without its letter, behind A, with a digit for the kind."""
    return glued("A", clients.bytes_of(client)[:, 1:], "-", digits(kind, 1))


def _ties(person: Any) -> Any:
    """Ties between clients, sorted by the day they begin: when the later of the two is opened.

    A household's tie stands in both directions, a referrer's only from whom she brought.
    """
    count = len(person)
    mates, referrer = person["mates"], person["referrer"]
    client, place = np.nonzero(mates >= 0)
    brought = np.flatnonzero(referrer >= 0)
    ties = np.empty(
        len(client) + len(brought),
        np.dtype(
            [("since", np.int32), ("client", np.int32), ("other", np.int32), ("kind", np.int8)]
        ),
    )
    ties["client"] = np.concatenate([client, brought])
    ties["other"] = np.concatenate([mates[client, place], referrer[brought]])
    ties["kind"] = np.repeat(np.array([0, 1], np.int8), [len(client), len(brought)])
    opened = person["opened"]
    ties["since"] = np.maximum(opened[ties["client"]], opened[ties["other"]])
    key = (ties["since"].astype(np.int64) * count + ties["client"]) * 2 + ties["kind"]
    return ties[np.argsort(key, kind="stable")]
