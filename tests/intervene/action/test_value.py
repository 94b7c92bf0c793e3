"""The client's value in a recommendation: what is expected, what is not known, who sees it."""

from __future__ import annotations

from types import SimpleNamespace as Named

import pytest
from sqlalchemy import update

from keepwell.core.digest import digest_of
from keepwell.frame.settings import ActionSettings, ContactSettings
from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.action.facts import ContactPolicy
from keepwell.intervene.action.gather import economics_of, policy_of
from keepwell.intervene.action.recommend import ASSUMED_MINUTES, Outlook, Who
from keepwell.intervene.action.record import context, record, replay, restore
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import Client, Generation
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.suitability.rulebook import RuleBook
from tests.intervene.action.given import client, recommender
from tests.intervene.action.test_recommendation import ask, begin, refused, rows, warn

WHOLE = {"months": 60, "discount": 0.08, "discount_yours": False, "doubt": "proof", "absent": [],
         "lines": {"commission": True, "asset_fee": False}}  # fmt: skip


def worth(desk, lost, absent=(), **more):
    with desk.tx() as tx:
        values = {"value": lost, "value_lost": lost} | more
        tx.session.execute(update(Client).values(**values))
        tx.session.execute(update(Generation).values(value_basis={**WHOLE, "absent": [*absent]}))


def test_what_leaving_takes_away_orders_what_the_gate_lets_pass(desk):
    begin(desk)
    case = warn(desk)
    # What the client is worth is another figure, and not the one that counts.
    worth(desk, 3_000_000, value=1)
    told = ask(desk, case).json()
    assert told["basis"] == "value"
    for option in (told["best"], told["runner_up"]):
        minutes = option["minutes"] * ASSUMED_MINUTES[Who(option["who"])]
        cost = Catalogue.shipped().version(option["action_id"], 1).cost.amount
        assert option["expected"] == round(0.2 * option["reduction"] * 3_000_000) - minutes - cost
    assert told["best"]["expected"] >= told["runner_up"]["expected"] > 0
    kept = rows(desk)[-1]
    assert kept.expected == told["best"]["expected"]
    assert kept.record["made"]["outlook"] == [0.2, 3_000_000]
    made, again = replay(
        kept.record["made"],
        restore(kept.record["context"], Catalogue.shipped(), RuleBook.shipped()),
    )
    assert again == kept.record["made"]
    assert made.best.expected == kept.expected
    # Who sees bands of assets learns no amount from it.
    hidden = ask(desk, case, "analyst").json()
    assert (hidden["basis"], hidden["best"]["expected"]) == ("value", None)


def test_what_is_not_worth_its_cost_is_refused_but_only_where_all_income_is_known(sqlite_desk):
    desk = sqlite_desk
    begin(desk)
    case = warn(desk)
    before = ask(desk, case).json()
    worth(desk, 10_000)
    told = ask(desk, case).json()
    assert (told["basis"], told["best"]) == ("value", None)
    assert refused(told)["service-call"] == "gate.worth-nothing"
    # A value that lacks a line of income is a lower bound, which proves nothing here.
    worth(desk, 10_000, ["commission"])
    partial = ask(desk, case).json()
    assert partial["basis"] == before["basis"] == "assumed-effect"
    assert partial["best"]["action_id"] == before["best"]["action_id"]
    assert rows(desk)[-1].record["made"]["outlook"] == [0.2, 10_000, True]
    # What serving costs is no income.
    worth(desk, 10_000, ["cost_to_serve"])
    assert ask(desk, case).json()["best"] is None


def test_an_action_known_to_pay_comes_before_one_that_is_not_known_to():
    facts = client()
    ranking = recommender(unvalued="rank")
    free = ranking.one(facts, Outlook(0.2, 3_000_000, partial=True))
    assert free.best.expected == ranking.one(facts, Outlook(0.2, 3_000_000)).best.expected
    expected = sorted(o.expected for o in ranking.one(facts, Outlook(0.2, 3_000_000)).options
                      if o.expected is not None and o.expected > 0)  # fmt: skip
    # A value at which only some pay: those come first, then the others by their reduction.
    assert expected
    for value in (150_000, 300_000, 600_000):
        made = ranking.one(facts, Outlook(0.2, value, partial=True))
        passed = [o for o in made.options if o.decision.open and not o.action.mandatory]
        pays = [o for o in passed if o.expected is not None]
        assert all(o.expected > 0 for o in pays)
        if pays:
            assert made.best.expected == max(o.expected for o in pays)
        within = context(ranking)
        kept = record(facts, Outlook(0.2, value, partial=True), made, digest_of(within))
        restored = restore(within, Catalogue.shipped(), RuleBook.shipped())
        assert replay(kept, restored)[1] == kept


def test_a_record_from_before_values_were_known_replays_as_it_was():
    facts, ranking = client(), recommender(unvalued="rank")
    made = ranking.one(facts, Outlook(0.2))
    kept = record(facts, Outlook(0.2), made, digest_of(context(ranking)))
    assert kept["outlook"] == [0.2, None]
    assert replay(kept, ranking)[1] == kept


def test_no_value_is_left_of_who_refuses_profiling(desk):
    """Rule PI-4: the value follows from the chance to leave."""
    begin(desk)
    worth(desk, 3_000_000, value_low=1, value_high=2)
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.PROFILING, False)
    shown = desk.http("m1").get("/api/v1/clients/c1").json()
    names = ("value", "value_low", "value_high", "value_lost")
    assert [shown[name] for name in names] == [None] * 4
    assert desk.http("m1").get("/api/v1/clients/c2").json()["value_lost"] == 3_000_000


def test_the_limits_that_ship_are_those_of_the_gate(sqlite_desk):
    with sqlite_desk.frame.read() as tx:
        assert policy_of(tx) == ContactPolicy()
    assert str(ContactSettings().caps[2]) == "2/7d phone"


@pytest.mark.parametrize(
    ("currency", "given", "named", "minute", "assumed"),
    [
        ("CNY", {}, None, [200, 300, 300, 600], True),
        ("CNY", {"manager_minute": 150}, 9.0, [150, 300, 300, 600], True),
        ("CNY", {}, 2.5, [250, 300, 300, 600], True),
        ("EUR", {}, 2.5, None, None),
        ("EUR", {"adviser_minute": 60, "lead_minute": 70, "director_minute": 80}, 0.5,
         [50, 60, 70, 80], False),
    ],
)  # fmt: skip
def test_minutes_cost_what_is_set_and_what_is_assumed_counts_in_its_own_currency(
    currency, given, named, minute, assumed
):
    mapping = Named(value=Named(budget=Named(minute_cost=named)))
    settings = Named(action=ActionSettings(**given))
    frame = Named(currency=currency, settings=settings, workspace=Named(mapping=mapping))
    found = economics_of(Named(frame=frame))
    if minute is None:
        assert found is None
    else:
        assert [found.minute[who] for who in Who] == minute
        assert (found.currency, found.assumed) == (currency, assumed)
