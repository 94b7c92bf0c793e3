from __future__ import annotations

import json

import numpy as np
import pytest

from keepwell.core.days import parse_as_of
from keepwell.core.errors import DataError, UsageError
from keepwell.warn.backtest import train
from keepwell.warn.dataset import build_dataset
from keepwell.warn.label import LabelDefinition
from keepwell.warn.metrics import Estimate
from keepwell.warn.registry import CARD, FILE, ModelStore, training_key
from keepwell.warn.score import Capacity

EXIT = LabelDefinition()


@pytest.fixture(scope="module")
def data(leaving):
    dates = [parse_as_of(t, leaving[1].zone) for t in ("2020-07-01", "2021-01-01")]
    return build_dataset(leaving[1], dates, EXIT)


@pytest.fixture(scope="module")
def trained(data):
    return train(data, "catboost", {"iterations": 20, "threads": 1})


def publish(store, trained, data, key="0123456789abcdef", **more):
    return store.publish(
        trained, EXIT, manifest=data.manifest, versions=data.versions, key=key, **more
    )


def test_a_published_version_answers_as_before(tmp_path, trained, data):
    store = ModelStore(tmp_path)
    assert store.latest() is None
    metrics = {"catboost": {"auc": Estimate(0.7, 0.6, 0.8)}}
    made = publish(store, trained, data, metrics=metrics, facts={"note": "x"})
    again = ModelStore(tmp_path).latest()
    assert again is not None
    assert again.id == made.id == store.ids()[0]
    z = trained.log_odds(data.X, data.names)
    np.testing.assert_array_equal(again.trained.log_odds(data.X, data.names), z)
    np.testing.assert_array_equal(again.trained.score(z), trained.score(z))
    assert again.trained.score_map == trained.score_map
    assert again.trained.calibration == trained.calibration
    assert again.trained.dates == trained.dates
    assert again.definition == EXIT
    assert (again.manifest, again.versions) == (data.manifest, data.versions)
    assert again.metrics["catboost"]["auc"] == {"value": 0.7, "low": 0.6, "high": 0.8}
    assert again.facts == {"note": "x"}


def test_the_card_speaks_both_languages(tmp_path, trained, data):
    folder = publish(ModelStore(tmp_path), trained, data).folder
    card = (folder / CARD).read_text()
    assert "# Model card" in card
    assert "# 模型卡" in card
    assert "Not tested on a later date" in card
    assert all(f"`{name}`" in card for name in trained.names)


def test_equal_keys_are_one_version_and_other_keys_another(tmp_path, trained, data):
    store = ModelStore(tmp_path)
    first = publish(store, trained, data)
    content = (first.folder / FILE).read_text()
    publish(store, trained, data)
    assert (first.folder / FILE).read_text() == content
    publish(store, trained, data, key="f" * 16, make_latest=False)
    assert len(store.ids()) == 2
    assert store.latest().id == first.id
    assert store.find("f" * 16).key == "f" * 16
    assert store.find("0" * 16) is None


def test_a_crash_before_the_name_leaves_nothing_to_see(tmp_path, trained, data, monkeypatch):
    """The folder is staged aside: dying before its rename leaves no version."""
    store = ModelStore(tmp_path)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rename", die)
        with pytest.raises(KeyboardInterrupt):
            publish(store, trained, data)
    assert store.ids() == []
    assert store.latest() is None
    assert publish(store, trained, data).id in store.ids()


def test_keys_follow_everything_that_decides(data):
    base = (EXIT, 1, data.dates, "catboost", {}, Capacity())
    keys = {
        training_key(*base),
        training_key(LabelDefinition(horizon="90d"), *base[1:]),
        training_key(EXIT, 2, *base[2:]),
        training_key(EXIT, 1, data.dates[:1], *base[3:]),
        training_key(*base[:3], "lightgbm", {}, Capacity()),
        training_key(*base[:4], {"depth": 3}, Capacity()),
        training_key(*base[:5], Capacity(0.02, 0.03, 0.1)),
        training_key(*base, more=["inputs"]),
    }
    assert len(keys) == 8
    assert training_key(*base) == training_key(*base)


def test_unknown_and_damaged_versions_are_errors(tmp_path, trained, data):
    store = ModelStore(tmp_path)
    for id in ("nothing", "", "../elsewhere"):
        with pytest.raises(UsageError, match="no model version"):
            store.load(id)
    made = publish(store, trained, data)
    raw = json.loads((made.folder / FILE).read_text())
    del raw["calibration"]
    (made.folder / FILE).write_text(json.dumps(raw))
    with pytest.raises(DataError, match="train again"):
        store.latest()
