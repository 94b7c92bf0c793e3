"""The people of a shard: margins, how traits go together, what is usual."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from keepwell.world.people.book import Margin, draw_up, rake
from keepwell.world.people.draw import client_ids, draw_people
from keepwell.world.people.settings import PeopleSettings
from keepwell.world.terms import PRODUCT, SERVICE, TECHNOLOGY

N, START, DAYS = 20_000, 19_724, 540
AGE_BANDS = ((25, 36), (36, 46))


def draw(shard=0, n=N, seed=7, days=DAYS, **changes):
    scenario = SimpleNamespace(people=PeopleSettings(**changes))
    return draw_people(scenario, seed, shard, n, START, days)


@pytest.fixture(scope="module")
def people():
    return draw()


@pytest.fixture(scope="module")
def person(people):
    return people.person


def groups(person):
    """Masks of the groups whose shares and leaving rates the source gives."""
    age, assets, tier = person["age"], person["assets"], person["city_tier"]
    young, middle = ((age >= low) & (age < high) for low, high in AGE_BANDS)
    return {
        "25-35": young,
        "36-45": middle,
        "other ages": ~young & ~middle,
        "large cities": tier <= 2,
        "small cities": tier >= 3,
        "little": assets < 1e5,
        "middling": (assets >= 1e5) & (assets < 5e5),
        "large": assets >= 5e5,
    }


SHARES = {
    "25-35": 0.48, "36-45": 0.30, "other ages": 0.22, "large cities": 0.71, "small cities": 0.29,
    "little": 0.35, "middling": 0.52, "large": 0.13,
}  # fmt: skip
_GIVEN = PeopleSettings().leaving
RATES = dict(zip(
    ("25-35", "36-45", "other ages", "large cities", "small cities", "little", "middling", "large"),
    (*_GIVEN.by_age, *_GIVEN.by_city, *_GIVEN.by_assets),
    strict=True,
))  # fmt: skip
FAMILIES = (("25-35", "36-45", "other ages"), ("large cities", "small cities"))
FAMILIES += (("little", "middling", "large"),)


def test_margins(person):
    shares = {name: mask.mean() for name, mask in groups(person).items()}
    assert shares == pytest.approx(SHARES, abs=0.015)
    assert person["age"].min() >= 18
    assert person["age"].max() < 86
    assert person["age"].max() > 75
    assert np.all((person["assets"] >= 999) & (person["assets"] <= 1.0001e8))
    levels = np.bincount(person["risk_level"], minlength=6)[1:] / N
    assert levels == pytest.approx(PeopleSettings().risk, abs=0.02)
    assert set(np.unique(person["city_tier"])) == {1, 2, 3, 4}


def test_ages_and_birth_years_agree(person):
    turned = 2024.0 - person["birth_year"] - person["age"]
    assert np.all((turned > -0.02) & (turned < 1.02))


def test_mean_assets_and_tail(person):
    # The exact mean of the heavy tail varies by some 3 % between books of this size.
    assert 320e3 < person["assets"].mean() < 410e3
    leavers = np.average(person["assets"], weights=person["onset"])
    assert 360e3 < leavers < 455e3
    tail = np.log(person["assets"][person["assets"] >= 5e5] / 5e5)
    assert 1 / tail.mean() == pytest.approx(1.36, rel=0.08)  # Hill's estimator


@pytest.mark.parametrize("family", FAMILIES)
def test_expected_leaving_rates_hold_on_each_margin(person, family):
    masks = groups(person)
    own = sum(SHARES[name] * RATES[name] for name in family)
    for name in family:
        rate = person["onset"][masks[name]].mean()
        assert rate == pytest.approx(RATES[name] / own, rel=0.02), name


def test_leaving_factors_are_exact_on_the_book_and_a_product():
    people = PeopleSettings(wealth_by_age=1.2)
    book = draw_up(people)
    assert book.shares.sum() == pytest.approx(1)
    leavers = book.shares * book.onset
    assert leavers.sum() == pytest.approx(1)
    by_band = leavers.sum(axis=(0, 1)) / book.shares.sum(axis=(0, 1))
    wanted = np.asarray(people.leaving.by_assets)
    assert by_band / by_band[0] == pytest.approx(wanted / wanted[0], rel=1e-6)
    by_city = leavers.sum(axis=(0, 2)) / book.shares.sum(axis=(0, 2))
    cities = people.leaving.by_city
    assert by_city[:2].mean() / by_city[3] == pytest.approx(cities[0] / cities[1], rel=0.01)
    log = np.log(book.onset)
    crossed = log[1, 0, 2] - log[1, 0, 0] - log[0, 0, 2] + log[0, 0, 0]
    assert crossed == pytest.approx(0, abs=1e-8)
    # Without allowing for age, the wealthy would need another factor than their bare rate.
    assert np.exp(log[1, 0, 2] - log[1, 0, 0]) != pytest.approx(wanted[2] / wanted[0], rel=0.02)


def test_rake_meets_its_margins():
    table = np.random.default_rng(1).random((3, 4)) + 0.1
    out = rake(table, [Margin(0, (0, 1, 1), (0.2, 0.8)), Margin(1, (0, 1, 2, 3), (0.25,) * 4)])
    assert out.sum(axis=0) == pytest.approx(0.25)
    assert out[1:].sum() == pytest.approx(0.8)


def test_traits_go_together(person):
    age, assets = person["age"], np.log(person["assets"])

    def corr(a, b):
        return np.corrcoef(a, b)[0, 1]

    assert corr(age, assets) > 0.08
    assert corr(age, person["risk_level"]) < -0.1
    assert corr(assets, person["risk_level"]) > 0.1
    assert corr(age, np.log(person["session_rate"])) < -0.1
    assert corr(age, person["pace"]) < -0.3
    assert corr(assets, person["pace"]) < -0.2
    assert corr(assets, person["fee_rate"]) < -0.3
    young, old = age < 36, age >= 46
    taste = person["taste"]
    assert taste[young, TECHNOLOGY].mean() > 1.2 * taste[old, TECHNOLOGY].mean()
    assert taste[young, PRODUCT].mean() > 1.2 * taste[old, PRODUCT].mean()
    rich, poor = person["assets"] >= 5e5, person["assets"] < 1e5
    assert taste[rich, SERVICE].mean() > 1.3 * taste[poor, SERVICE].mean()


def test_means_of_one(person):
    for name in ("onset", "pace", "device"):
        assert person[name].mean() == pytest.approx(1, abs=0.03), name
    assert person["taste"].mean(axis=0) == pytest.approx(1, abs=0.05)
    assert np.all(person["taste"] >= 0)


def test_usual_numbers_of_events(person):
    year = 365.0
    trades = person["burst_rate"] * person["burst_days"] * person["trade_rate"] * year
    assert trades.mean() == pytest.approx(24, rel=0.08)
    assert (person["session_rate"] * year).mean() == pytest.approx(75, rel=0.08)
    assert (person["flow_rate"] * year).mean() == pytest.approx(5, rel=0.08)
    assert (person["contact_rate"] * year).mean() == pytest.approx(2, rel=0.08)
    assert person["view_rate"].mean() == pytest.approx(0.8, rel=0.03)
    # Heavy tails, a quiet part, and all kinds together.
    ordered = np.sort(trades)[::-1]
    assert 0.35 < ordered[: N // 10].sum() / ordered.sum() < 0.6
    assert 0.2 < (person["session_rate"] * year < 8).mean() < 0.45
    logs = np.log([trades, person["session_rate"], person["flow_rate"], person["contact_rate"]])
    assert np.corrcoef(logs).min() > 0.6
    # A burst is longer than no day, and nobody is always in one.
    assert np.all(person["burst_days"] > 0.5)
    assert np.mean(person["burst_rate"] * person["burst_days"] > 0.5) < 0.005


def test_contacts_keep_their_mean_however_they_depend_on_age():
    person = draw(usual={"contacts_by_age": 0.8}).person
    assert (person["contact_rate"] * 365).mean() == pytest.approx(2, rel=0.12)
    old = person["age"] >= 46
    assert person["contact_rate"][old].mean() > person["contact_rate"][~old].mean()


def test_manner(person):
    assert np.median(person["size"]) == pytest.approx(0.05, rel=0.05)
    assert np.quantile(person["size"], 0.99) > 0.25
    assert person["size"].max() <= 1
    assert person["cash_share"].mean() == pytest.approx(0.1, abs=0.01)
    assert person["money_share"].mean() == pytest.approx(0.1, abs=0.01)
    assert np.all(person["cash_share"] + person["money_share"] < 0.801)
    assert person["positions"].min() == 1
    assert person["positions"].max() == 7
    assert 3 <= np.median(person["positions"]) <= 4
    assert np.all((person["hour"] >= 0) & (person["hour"] < 24))
    assert np.all((person["patience"] >= 0) & (person["patience"] <= 1))
    assert person["patience"].mean() == pytest.approx(0.5, abs=0.02)


def test_accounts_and_fees(person):
    assert set(np.unique(person["fee_rate"])) == set(PeopleSettings().fee_rates)
    assert np.all(person["fee_minimum"] == 500)
    entitled = (person["assets"] >= 5e5) & (person["risk_level"] >= 4)
    assert np.all(entitled[person["margin"] == 1])
    assert 0.01 < person["margin"].mean() < 0.06
    assert np.all(person["assets"][person["professional"] == 1] >= 5e6)
    assert np.all(person["risk_level"][person["professional"] == 2] == 1)
    for name, share in (("fund", 0.6), ("wecom", 0.6), ("english", 0.03), ("pension", 0.076)):
        assert person[name].mean() == pytest.approx(share, abs=0.02), name


def test_death_and_drop(person):
    assert person["death"].mean() * 365.25 == pytest.approx(0.003, rel=0.1)
    assert person["drop"].mean() * 365.25 == pytest.approx(0.001)
    age = person["age"].astype(float)
    slope = np.polyfit(age, np.log(person["death"]), 1)[0]
    assert slope == pytest.approx(0.09, abs=1e-4)


def test_openings_keep_the_number_of_clients(person):
    opened = person["opened"].astype(np.int64)
    there = (opened < START).sum()
    late = opened[opened >= START]
    assert len(late) / there == pytest.approx(0.16 * DAYS / 365, rel=0.05)
    assert late.min() > START
    assert late.max() < START + DAYS
    assert abs(np.mean(late - START) / DAYS - 0.5) < 0.02
    early = opened[opened < START]
    assert early.min() > START - 8.1 * 365.25
    assert (early > START - 4 * 365).mean() > 0.55  # those who opened long ago have left
    assert np.all(person["age"] - np.maximum(START - opened, 0) / 365.25 > 17.98)
    assert np.all(person["assessed"] >= np.minimum(person["opened"], START - 730))
    assert np.all(person["assessed"] >= person["opened"])
    assert np.all(person["assessed"][opened < START] < START)


def test_a_single_day_has_no_newcomers():
    assert draw(n=500, days=1).person["opened"].max() < START


def test_same_arguments_same_people(people):
    assert draw().person.tobytes() == people.person.tobytes()
    other = draw(seed=8)
    assert other.person.tobytes() != people.person.tobytes()


def test_days_change_only_openings(person):
    longer = draw(days=2 * DAYS).person
    for name in person.dtype.names:
        if name not in ("opened", "assessed", "referrer"):
            assert np.array_equal(longer[name], person[name]), name


def test_shards_are_independent(person):
    other = draw(shard=1).person
    for name in ("age", "assets", "session_rate", "branch", "patience"):
        rho = np.corrcoef(person[name].astype(float), other[name].astype(float))[0, 1]
        assert abs(rho) < 0.03, name
    again = draw(shard=0).person  # drawn after another shard: nothing carries over
    assert again.tobytes() == person.tobytes()


def test_ids():
    assert client_ids(12, 3).to_pylist() == ["C12000000", "C12000001", "C12000002"]
    assert len(set(client_ids(0, 1000).to_pylist())) == 1000


@pytest.mark.parametrize("n", [1, 2, 37])
def test_tiny_shards(n):
    people = draw(n=n)
    assert len(people.person) == n == len(people.ids)
    for name in people.person.dtype.names:
        assert np.all(np.isfinite(people.person[name].astype(float))), name


@pytest.mark.parametrize(
    "wrong",
    [
        {"age": (0.5, 0.5, 0.5, 0.5)},
        {"assets": (0.5, 0.5)},
        {"cuts": (1e5, 1e3, 5e5, 1e8)},
        {"fee_rates": (0.001,)},
        {"risk": (0.5, 0.5)},
        {"taste": {"by_age": (0.1,)}},
        {"leaving": {"by_city": (0.1, 0.0)}},
        {"agee": (0.05, 0.48, 0.30, 0.17)},
        {"death": -1},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        PeopleSettings(**wrong)


def test_every_setting_says_what_it_is_and_where_from():
    def check(part):
        for name, field in type(part).model_fields.items():
            assert field.description.endswith("."), name
            assert len(field.json_schema_extra["source"]) > len("assumption: "), name
            if hasattr(value := getattr(part, name), "model_fields_set"):
                check(value)

    check(PeopleSettings())


def test_settings_survive_a_file():
    people = PeopleSettings(newcomers=0.2, staff={"per_branch": 500})
    assert PeopleSettings.model_validate(people.model_dump(mode="json")) == people
