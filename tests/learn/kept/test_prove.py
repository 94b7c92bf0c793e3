"""The proof of what was kept: the library's numbers, the draw's arms, and when nothing is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from keepwell.core.days import add_span, local_day, midnight
from keepwell.core.digest import digest_of
from keepwell.frame.problem import Conflict, NotFound
from keepwell.learn.holdout.service import draw
from keepwell.learn.kept.policy import span_of
from keepwell.learn.kept.readout import effect_of, read_out
from keepwell.learn.kept.service import ask_if_due, prove_kept
from keepwell.learn.kept.spent import Touched
from keepwell.learn.kept.words import Speaker, claims
from keepwell.learn.outcome.read import stayed
from keepwell.learn.value.rates import Rates
from keepwell.learn.value.retained import Trial, retained
from keepwell.learn.value.trial import trial_of
from tests.desk import Desk, Ticker
from tests.learn.kept.kept_broker import CLIENTS, DRAWN, NOW, arms_of, drawn_desk, fill_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A desk half a year after its draw, and the engine over its lake; not to be written to."""
    root = tmp_path_factory.mktemp("kept") / "ws"
    (root / ".keepwell").mkdir(parents=True)
    desk = drawn_desk(root, f"sqlite:///{root / '.keepwell' / 'desk.sqlite'}")
    yield desk, fill_lake(desk)
    desk.close()


@pytest.fixture
def own(lake, tmp_path):
    """The same with a database of the test's own."""
    desk, engine = lake
    file = tmp_path / "desk.sqlite"
    with closing(sqlite3.connect(desk.frame.database.url.database)) as connection:
        connection.execute(f"vacuum into '{file}'")
    mine = Desk.open(
        desk.frame.workspace.root, f"sqlite:///{file}", Ticker(NOW), holdout={"share": 0.3}
    )
    mine.actors = desk.actors
    yield mine, engine
    mine.close()


def test_the_proof_says_what_the_library_finds(own):
    desk, engine = own
    proof = prove_kept(desk.frame, engine)
    assert (proof.period, proof.days, proof.stopped) == ("2021", 183, None)
    assert (proof.treated, proof.held) == (280, 120)
    assert proof.since == DRAWN
    # 20 % of the one arm and 50 % of the other left: 30 % of 280 were kept.
    clients = proof.record["measures"]["clients"]
    assert clients["raw_total"]["value"] == pytest.approx(84.0)
    assert clients["adjusted"]["low"] < 0.3 < clients["adjusted"]["high"]
    assert clients["adjusted"]["clusters"] == 40
    # The same arrays by hand.
    arms = arms_of(desk)
    who = sorted(arms)
    treated = np.array([arms[c] == "contact" for c in who])
    p = np.array([0.1 + 0.001 * (int(c[1:]) % 200) for c in who])
    until = proof.until
    trial = trial_of(
        engine, DRAWN, until, who, treated, stayed(engine, DRAWN, until, who), p,
        rates=Rates.of(desk.frame.workspace), known_by=NOW,
    )  # fmt: skip
    object.__setattr__(trial, "manager", np.array([f"x{int(c[1:]) % 40}" for c in who]))
    again = retained(trial)
    assert set(again) == set(proof.record["measures"])
    for name, one in again.items():
        told = proof.record["measures"][name]
        for kind, effect in (("raw", one.raw), ("adjusted", one.adjusted), ("total", one.total)):
            got = [told[kind][end] for end in ("value", "low", "high", "error")]
            assert got == [effect.value, effect.low, effect.high, effect.error], (name, kind)
        assert (told["treated"], told["held"], told["limit"]) == (one.treated, one.held, one.limit)
    assert proof.record["absent"] == {"value": "model-missing"}
    assert {row["tier"] for row in proof.record["tiers"]} == {"severe", "moderate", "mild", "none"}
    assert sum(row["treated"] for row in proof.record["tiers"]) == 280
    assert proof.digest == digest_of(proof.record)


def test_the_same_finding_is_stored_once_and_the_log_names_it(own):
    desk, engine = own
    proof = prove_kept(desk.frame, engine)
    desk.now.move(hours=1)
    assert prove_kept(desk.frame, engine).proof_id == proof.proof_id
    earlier = prove_kept(desk.frame, engine, until="2021-12-01")
    assert (earlier.days, earlier.until.isoformat()[:10]) == (153, "2021-12-01")
    assert earlier.proof_id != proof.proof_id
    with desk.frame.read() as tx:
        rows = tx.session.execute(
            text("select subject, kind from evidence_entry where kind = 'proof.made'")
        ).all()
    assert sorted(row[0] for row in rows) == sorted([proof.proof_id, earlier.proof_id])
    with pytest.raises(Exception, match="only grows"), desk.tx() as tx:
        tx.session.execute(text("update kept_proof set treated = 1"))


def test_a_draw_whose_shares_are_wrong_is_not_read_out(own):
    desk, engine = own
    with desk.tx() as tx:
        tx.session.execute(text(
            "update holdout_arm set arm = 'contact' where arm = 'hold-out' and rowid % 2 = 0"
        ))  # fmt: skip
    proof = prove_kept(desk.frame, engine)
    assert proof.stopped == "ratio"
    assert "measures" not in proof.record
    said = claims(proof, Speaker("en", "EUR", desk.frame.zone))
    assert said[0].startswith("The arms do not have their shares")
    assert "各组" in claims(proof, Speaker("zh", "EUR", desk.frame.zone))[0]


def test_a_draw_that_lost_clients_is_not_read_out(own):
    desk, engine = own
    with desk.tx() as tx:
        tx.session.execute(text("delete from holdout_arm where client_id = 'k0003'"))
    proof = prove_kept(desk.frame, engine)
    assert (proof.stopped, proof.record["lost"]) == ("arms-lost", 1)
    assert "1 clients" in claims(proof, Speaker("en", "EUR", desk.frame.zone))[0]


def test_who_was_drawn_later_or_alone_is_left_out_and_counted(own):
    desk, engine = own
    desk.now.at = datetime(2021, 8, 1, tzinfo=UTC)
    fresh = [{"client_id": f"n{i:03}", "manager_id": f"x{i}"} for i in range(10)]
    draw(desk.frame, desk.publish(fresh))
    from keepwell.learn.holdout.service import arm_of

    with desk.tx() as tx:
        arm_of(tx, "stranger", "x1")
    desk.now.set(NOW)
    proof = prove_kept(desk.frame, engine)
    assert (proof.treated + proof.held, proof.record["later"], proof.record["alone"]) == (
        CLIENTS, 10, 1,
    )  # fmt: skip


def test_nothing_is_told_before_a_day_has_passed_or_beyond_the_data(own):
    desk, engine = own
    with pytest.raises(Conflict, match="may end from"):
        prove_kept(desk.frame, engine, until="2022-01-02")
    with pytest.raises(NotFound):
        prove_kept(desk.frame, engine, period="2020")
    desk.now.at = DRAWN + timedelta(hours=3)
    with pytest.raises(Conflict, match="no whole day"):
        prove_kept(desk.frame, engine)


def test_what_a_score_said_at_the_draw_goes_with_a_refusal(own):
    from keepwell.intervene.profile import forget_profile

    desk, engine = own
    with desk.tx() as tx:
        forget_profile(tx, "k0001")
    with desk.frame.read() as tx:
        row = tx.session.execute(
            text("select arm, probability, tier from holdout_arm where client_id = 'k0001'")
        ).one()
    assert row[0] in ("contact", "hold-out")
    assert (row[1], row[2]) == (None, None)
    proof = prove_kept(desk.frame, engine)
    assert sum(t["treated"] + t["held"] for t in proof.record["tiers"] if t["tier"] is None) == 1


def test_contacts_are_counted_by_the_arm_drawn_and_priced(own, monkeypatch):
    desk, engine = own
    arms = arms_of(desk)
    called = [c for c in sorted(arms) if arms[c] == "contact"][:100]
    held = [c for c in sorted(arms) if arms[c] == "hold-out"][:2]
    log = {c: Touched(2, 30, 1, i % 2 == 0) for i, c in enumerate(called + held)}
    monkeypatch.setattr("keepwell.learn.kept.gather.contacts_between", lambda *_: log)
    found = prove_kept(desk.frame, engine).record
    # 200 contacts of 50 cents, 3,000 minutes of one euro; the hold-out's cost nothing here.
    costs = found["costs"]
    assert (costs["contacts"], costs["minutes"], costs["untimed"]) == (200, 3000, 100)
    assert costs["total"] == 200 * 50 + 3000 * 100
    assert found["complied"]["received"] == {"contact": 50, "hold-out": 1}
    compliance = 50 / 280 - 1 / 120
    assert found["complied"]["effect"]["value"] == pytest.approx(0.3 / compliance, rel=1e-6)


def test_a_proof_is_asked_for_when_the_newest_is_old(own):
    desk, engine = own

    def asked():
        with desk.tx() as tx:
            ask_if_due(tx)
            jobs = tx.session.execute(text("select count(*) from job where kind = 'kept.prove'"))
            count = jobs.scalar()
            tx.session.execute(text("delete from job where kind = 'kept.prove'"))
        return count

    assert asked() == 1
    prove_kept(desk.frame, engine)
    assert asked() == 0
    desk.now.move(days=6)
    assert asked() == 0
    desk.now.move(days=2)
    assert asked() == 1
    desk.now.at = DRAWN + timedelta(hours=1)
    assert asked() == 0


def without_effect(n=600, seed=3):
    rng = np.random.default_rng(seed)
    treated, risk = rng.random(n) < 0.8, rng.random(n)
    return Trial(
        treated, rng.integers(0, 12, n).astype(str), (rng.random(n) > risk).astype(float),
        np.full(n, 1e6), rng.normal(0, 1e4, n), risk,
    )  # fmt: skip


def test_a_lack_of_power_is_said_in_numbers():
    trial = without_effect()
    found = read_out(trial, [None] * 600, None)
    one = found["measures"]["clients"]
    assert not one["shown"]
    assert one["few"]
    # Quantiles of 97.5 % and 80 %, times the error of the figure that is claimed.
    assert one["adjusted"]["error"] != pytest.approx(one["raw"]["error"], rel=0.01)
    assert one["detectable"] == pytest.approx((1.959964 + 0.841621) * one["adjusted"]["error"])
    assert found["complied"] is None


def test_a_measure_of_which_nothing_is_known_is_absent():
    trial = without_effect()
    trial.net[:] = np.nan
    found = read_out(trial, ["mild"] * 600, np.zeros(600, bool))
    assert found["absent"] == {"assets": "value.arm-empty"}
    assert found["complied"]["effect"] is None


def test_value_is_what_a_leaver_takes_away_as_of_the_draw(own, monkeypatch):
    """With the model that gave the scores at the draw, and what was known then."""
    from dataclasses import dataclass

    from keepwell.learn.kept import gather
    from keepwell.learn.value.client_value import client_value
    from keepwell.learn.value.margin import margins
    from keepwell.learn.value.survival import SurvivalRule
    from keepwell.warn.label import LabelDefinition

    @dataclass
    class Trained:
        base_rate: float = 0.2

    @dataclass
    class Version:
        trained: Trained
        definition: LabelDefinition

    class Store:
        def __init__(self, root):
            self.version = Version(Trained(), LabelDefinition())

        def ids(self):
            return ["test"]

        def load(self, name):
            return self.version

    desk, engine = own
    monkeypatch.setattr(gather, "ModelStore", Store)
    proof = prove_kept(desk.frame, engine)
    rates = Rates.of(desk.frame.workspace)
    arms = arms_of(desk)
    who = sorted(arms)
    known = margins(engine, DRAWN, rates, who).total
    p = np.array([0.1 + 0.001 * (int(c[1:]) % 200) for c in who])
    lost = client_value(p, known, SurvivalRule(6.0, 0.0, 0.2), rates.months, rates.discount).lost
    stays = stayed(engine, DRAWN, proof.until, who)
    treated = np.array([arms[c] == "contact" for c in who])
    by_hand = (lost * stays)[treated].mean() - (lost * stays)[~treated].mean()
    value = proof.record["measures"]["value"]
    assert value["raw"]["value"] == pytest.approx(by_hand)
    assert value["shown"]
    assert proof.record["absent"] == {}
    # A budget may rest on it: 3.5 % of what the clients bring in a year.
    from keepwell.learn.kept.budget import propose_budget

    with desk.tx() as tx:
        budget = propose_budget(tx, desk.actors["analyst"], proof.proof_id)
    assert budget.amount == round(0.035 * proof.record["revenue"]["year"])
    assert sum(part["amount"] for part in budget.parts) == budget.amount


def test_the_command_prints_the_table_and_what_is_claimed(own, monkeypatch):
    from typer.testing import CliRunner

    from keepwell.cli import app

    desk, _ = own
    monkeypatch.setenv("KEEPWELL_DATABASE_URL", str(desk.frame.database.url))
    monkeypatch.setattr("keepwell.frame.migrate.check", lambda _: None)
    root = str(desk.frame.workspace.root)
    runner = CliRunner()
    done = runner.invoke(app, ["kept", "--workspace", root])
    assert done.exit_code == 0, done.output
    assert "clients kept: 84 (46 to 122)" in done.output
    assert "Absent: value kept; the model behind the scores at the draw is not kept." in done.output
    chinese = runner.invoke(app, ["--lang", "zh", "kept", "--workspace", root])
    assert "留存客户：84（46至122）" in chinese.output
    assert "kept" not in chinese.output.split("SHA-256")[0]
    runner.invoke(app, ["--lang", "en", "kept", "--workspace", root, "--json"])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.integers(30, 200), st.integers(2, 40), st.floats(0.1, 0.9))
def test_no_figure_is_computed_a_second_way(seed, n, managers, share):
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < share
    treated[:2] = [True, False]
    trial = Trial(
        treated, rng.integers(0, managers, n).astype(str), (rng.random(n) < 0.8).astype(float),
        np.exp(rng.normal(10, 2, n)), rng.normal(0, 1e5, n), rng.random(n),
        worth=rng.random(n) * 1e4, revenue={"commission": rng.random(n) * 100},
    )  # fmt: skip
    trial.stayed[2 : n // 10] = np.nan
    if len(set(trial.manager[~np.isnan(trial.stayed)])) < 2:
        return
    told, found = read_out(trial, [None] * n, None)["measures"], retained(trial)
    assert set(told) == set(found)
    for name, one in found.items():
        for kind, effect in (("raw", one.raw), ("adjusted", one.adjusted), ("total", one.total)):
            assert effect_of(told[name][kind]) == effect
        assert told[name]["unknown"] == list(one.unknown)
        assert told[name]["shown"] == (one.total.low > 0 or one.total.high < 0)


@settings(max_examples=50, deadline=None)
@given(st.datetimes(datetime(2020, 1, 1), datetime(2023, 1, 1)), st.integers(-3, 400))  # noqa: DTZ001
def test_a_span_is_of_whole_days_and_enters_no_day_that_is_not_complete(at, ahead):
    class Zoned:
        zone = ZoneInfo("Europe/Athens")  # with a summer time

    since = at.replace(tzinfo=UTC)
    first_open = local_day(since, Zoned.zone) + ahead
    end, days = span_of(Zoned, since, first_open)
    if days < 1:
        assert ahead <= 1
        return
    assert end <= midnight(first_open, Zoned.zone)
    assert local_day(end, Zoned.zone) - local_day(since, Zoned.zone) == days
    longer = add_span(since, f"{days + 1}d", Zoned.zone)
    assert longer > midnight(first_open, Zoned.zone)
