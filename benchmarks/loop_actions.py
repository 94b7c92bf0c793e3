"""How fast actions are recommended: with all gates for many clients, and in one case on a desk."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from desk_fill import fill
from sqlalchemy import select, update

from keepwell.frame.context import Frame
from keepwell.frame.settings import Settings
from keepwell.intervene.action import refusals, service
from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.action.facts import ClientFacts, Touch
from keepwell.intervene.action.recommend import Outlook, Recommender
from keepwell.intervene.action.repo import Wanted
from keepwell.intervene.case.model import Case
from keepwell.intervene.contact.policy import Channel
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import Client, Generation
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import Profile
from keepwell.trust.suitability.rulebook import RuleBook
from keepwell.warn.reason_codes import ReasonCode

AT = datetime(2026, 11, 4, 2, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
SEED = 7
WANTED_MANY = 20.0
"""Seconds for 100,000 clients."""
WANTED_ONE = 0.020
"""Seconds of one case, in the middle."""
BASIS = {"lines": {"commission": True}, "absent": []}


@dataclass(frozen=True)
class Speed:
    """What was timed.

    Attributes:
        what: in words.
        seconds: wall clock: of all clients at its best round, or of one case in the middle.
        cpu: seconds of processor for the same.
        slowest: of one case, at the 95th percentile; None where all were done at once.
        wanted: at most so many seconds; None without a claim.
    """

    what: str
    seconds: float
    cpu: float
    slowest: float | None
    wanted: float | None

    @property
    def fine(self) -> bool:
        """Whether it is as fast as wanted."""
        return self.wanted is None or self.seconds <= self.wanted


def many(clients: int, rounds: int) -> Speed:
    """Recommend for clients of every kind with every gate, values known."""
    day = AT.date()
    recommender = Recommender(
        Catalogue.shipped().on(day), RuleBook.shipped().on(day), AT, ZONE, unvalued="rank"
    )
    told = people(clients)
    best = (float("inf"), 0.0)
    for _ in range(rounds):
        begun, cpu = time.perf_counter(), time.process_time()
        done = sum(1 for made in recommender.many(told) if made.options)
        best = min(best, (time.perf_counter() - begun, time.process_time() - cpu))
        assert done == clients
    wanted = WANTED_MANY * clients / 100_000
    return Speed(f"{clients:,} clients, all gates", *best, None, wanted)


def people(clients: int) -> list[tuple[ClientFacts, Outlook]]:
    """Clients of every level, tier, consent and history of contacts, drawn from one seed."""
    draw = np.random.default_rng(SEED)
    codes, channels = list(ReasonCode), list(Channel)
    found = []
    for i in range(clients):
        level = f"C{draw.integers(1, 6)}"
        assessed = date(2026, 1, 1) - timedelta(days=int(draw.integers(0, 900)))
        contacts = tuple(
            Touch(AT - timedelta(hours=int(h)), channels[int(draw.integers(len(channels)))])
            for h in draw.integers(1, 1_000, int(draw.integers(0, 5)))
        )
        word = draw.integers(0, 3)
        facts = ClientFacts(
            f"c{i}", ("mild", "moderate", "severe")[int(draw.integers(3))],
            tuple(codes[int(k)] for k in draw.integers(0, len(codes), 3)),
            Profile.of_contract("ordinary", level, assessed),
            consents={} if word == 2 else {Purpose.MARKETING: bool(word)},
            touches=contacts, complaints=int(draw.random() < 0.02), exiting=draw.random() < 0.01,
        )  # fmt: skip
        found.append((facts, Outlook(float(draw.random()) / 2, int(draw.integers(0, 5_000_000)))))
    return found


def one(clients: int, cases: int, asked: int) -> list[Speed]:
    """Recommend in cases of a desk on SQLite: only looked at, stored with evidence, counted."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        url = f"sqlite:///{root / 'desk.sqlite'}"
        fill(root, url, clients, cases)
        frame = Frame.open(root / "ws", Settings(database_url=url))
        try:
            _value(frame)
            return _timed(frame, cases, asked)
        finally:
            frame.close()


def _value(frame: Frame) -> None:
    with frame.write() as tx:
        reasons = [{"code": "money.idle", "cause": "behaviour", "points": 0.4, "facts": {}}]
        tx.session.execute(
            update(Client).values(
                investor_class="ordinary", assessed_on=tx.at.date(), value=2_000_000,
                value_lost=2_200_000, reasons=reasons, probability=0.2,
            )
        )  # fmt: skip
        tx.session.execute(update(Generation).values(value_basis=BASIS))


def _timed(frame: Frame, cases: int, asked: int) -> list[Speed]:
    with frame.read() as tx:
        ids = list(tx.session.scalars(select(Case.case_id)))[:: max(cases // asked, 1)][:asked]
    looks, stores = [], []
    for case_id in ids:
        begun, cpu = time.perf_counter(), time.process_time()
        with frame.read() as tx:
            service.advise(tx, SYSTEM, case_id)
        looks.append((time.perf_counter() - begun, time.process_time() - cpu))
        begun, cpu = time.perf_counter(), time.process_time()
        with frame.write() as tx:
            service.recommend(tx, SYSTEM, case_id)
        stores.append((time.perf_counter() - begun, time.process_time() - cpu))
    begun, cpu = time.perf_counter(), time.process_time()
    with frame.read() as tx:
        counts = refusals.count_refusals(tx, SYSTEM, Wanted())
    counted = (time.perf_counter() - begun, time.process_time() - cpu)
    assert counts
    desk = f"of {cases:,} on SQLite"
    return [
        _middle(f"one case {desk}, read", looks, WANTED_ONE),
        _middle(f"one case {desk}, stored with its evidence", stores, WANTED_ONE),
        Speed(f"refusals of {len(ids):,} recommendations, by code", *counted, None, None),
    ]


def _middle(what: str, times: list[tuple[float, float]], wanted: float) -> Speed:
    # The first ones import modules and compile statements.
    known = np.array(times[min(20, len(times) // 2) :])
    middle = np.median(known, axis=0)
    slowest = float(np.quantile(known[:, 0], 0.95))
    return Speed(what, float(middle[0]), float(middle[1]), slowest, wanted)


def render(found: list[Speed]) -> str:
    """The speeds as a table."""
    rows = [
        f"| {one.what} | {_shown(one.seconds)} | {_shown(one.cpu)} "
        f"| {'' if one.slowest is None else _shown(one.slowest)} "
        f"| {'' if one.wanted is None else _shown(one.wanted)} "
        f"| {'no claim' if one.wanted is None else 'fine' if one.fine else 'MISSED'} |"
        for one in found
    ]
    heads = "| what | wall clock | processor | 95th percentile | wanted | |"
    return "\n".join([heads, "|---|--:|--:|--:|--:|---|", *rows])


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
