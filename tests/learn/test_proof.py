"""The kept backtest: the same when read again, and made anew when what decides it changes."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from keepwell.api import open, prove
from keepwell.core.errors import DataError
from keepwell.learn import proof as module
from keepwell.learn.run import _proof, plan
from keepwell.observe.engines.local import LocalEngine
from keepwell.warn.score import Capacity
from tests.learn.broker import few_trees


@pytest.fixture(scope="module")
def engine(done):
    return LocalEngine.open(done[0])


@pytest.fixture(scope="module")
def kept(done, engine, tmp_path_factory):
    """A folder in which the proof lies already."""
    folder, planned = tmp_path_factory.mktemp("proofs"), plan(done[0], engine)
    with few_trees():
        module.prove(
            engine, planned.definition, planned.dates, planned.prove_at, planned.capacity, folder
        )
    return folder


@pytest.fixture
def ask(done, engine, kept, tmp_path, trees):
    shutil.copytree(kept, tmp_path / "proofs")
    planned = plan(done[0], engine)

    def proved(**other):
        asked = {
            "definition": planned.definition, "dates": planned.dates,
            "test_at": planned.prove_at, "capacity": planned.capacity,
            "folder": tmp_path / "proofs",
        } | other  # fmt: skip
        return module.prove(engine, **asked)

    return proved


def test_what_is_read_again_is_what_was_found(ask, tmp_path):
    first = ask()
    file = next((tmp_path / "proofs").iterdir())
    written = file.stat().st_mtime_ns
    assert ask() == first
    assert file.stat().st_mtime_ns == written
    # It is the file that answers: another number in it comes back.
    content = json.loads(file.read_text())
    content[0]["left"] += 1
    file.write_text(json.dumps(content))
    assert ask().result.left == first.result.left + 1


def test_what_was_proved_is_the_backtest(ask, done, trees):
    found, tested = ask(), prove(done[0])
    result = found.result
    assert (result.clients, result.left) == (len(tested.test), int(tested.test.y.sum()))
    assert result.base_rate.low < result.left / result.clients < result.base_rate.high
    by_code = {model.code: model for model in result.models}
    assert set(by_code) == set(tested.log_odds)
    assert [m.code for m in result.models if m.champion] == ["catboost"]
    for code, of in tested.evaluation.metrics.items():
        assert by_code[code].metrics["auc"].value == of["auc"].value
    assert sum(tier.tested for tier in found.tiers) == result.clients
    for tier, then in zip(found.tiers, tested.tiers, strict=True):
        assert (tier.code, tier.tested) == (then.tier.code, then.clients)
        assert (tier.realised is None) == (then.clients == 0)
    assert all(t.at < result.as_of.at for t in result.trained_on)
    # A label of half a year before the test is the newest that could be known.
    assert [t.at.isoformat()[:10] for t in result.trained_on] == [
        "2019-12-31", "2020-06-30", "2020-12-31"
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["capacity", "horizon", "dates"])
def test_what_decides_the_result_is_part_of_its_name(ask, done, engine, tmp_path, change):
    planned = plan(done[0], engine)
    other = {
        "capacity": {"capacity": Capacity(0.02, 0.05, 0.2)},
        "horizon": {"definition": dataclasses.replace(planned.definition, horizon="180d")},
        "dates": {"dates": planned.dates[1:]},
    }[change]
    ask(**other)
    assert len(list((tmp_path / "proofs").iterdir())) == 2


def test_dates_that_do_not_train_are_no_part_of_it(ask, done, engine, tmp_path):
    planned = plan(done[0], engine)
    ask(dates=[*planned.dates, planned.rank_at])
    assert len(list((tmp_path / "proofs").iterdir())) == 1


def test_no_training_label_known_by_the_test(ask, done, engine):
    planned = plan(done[0], engine)
    with pytest.raises(DataError) as caught:
        ask(test_at=planned.dates[0])
    assert caught.value.code == "dataset.label-immature"


def test_no_date_to_prove_on(done, tmp_path):
    text = (done[0].root / "keepwell.yaml").read_text()
    (tmp_path / "keepwell.yaml").write_text(
        text.replace('"2020-01-01", "2020-07-01", "2021-01-01", "2021-07-01"', '"2021-07-01"')
        .replace('  prove: "2021-07-01"\n', "")
    )  # fmt: skip
    (tmp_path / ".keepwell").symlink_to(done[0].root / ".keepwell")
    workspace = open(tmp_path)
    assert plan(workspace, LocalEngine.open(workspace)).prove_at is None
    with pytest.raises(DataError) as caught:
        prove(workspace)
    assert caught.value.code == "run.dates-immature"


def test_a_broker_too_young_for_a_proof_is_ranked_all_the_same(done, engine):
    said = []
    planned = plan(done[0], engine)
    young = dataclasses.replace(planned, dates=[planned.prove_at])
    assert _proof(done[0], engine, young, said.append) is None
    assert said[-1] == DataError("dataset.label-immature", label="exit", dates=1).words()
