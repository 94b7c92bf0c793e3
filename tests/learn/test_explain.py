"""One client's explanation: it agrees with the ranking, adds up, and says what changed."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from keepwell.api import explain, ingest
from keepwell.core.errors import DataError, UsageError
from keepwell.observe.engines.local import LocalEngine
from tests.learn.broker import world, write


@pytest.fixture(scope="module")
def first(done):
    """The first client of the ranking, explained."""
    workspace, result = done
    return explain(workspace, result.data.top[0].client)


def logit(p):
    return np.log(p / (1 - p))


@pytest.mark.parametrize("place", [0, 7, -1])
def test_it_agrees_with_the_ranking(done, place):
    workspace, result = done
    ranking = result.ranking
    i = int(ranking.order()[place])
    found = explain(workspace, ranking.clients[i])
    assert (found.as_of, found.version) == (ranking.as_of, result.version.id)
    assert (found.score, found.probability) == (ranking.score[i], ranking.probability[i])
    assert (found.tier, found.note) == (ranking.tiers()[i], "scored")
    assert found.coverage == pytest.approx(ranking.coverage[i], rel=1e-12)
    # What is said of a client does not depend on who is explained with it.
    said = ranking.explanations[ranking.clients[i]]
    assert [(r.code, r.fact) for r in found.explanation.reasons] == [
        (r.code, r.fact) for r in said.reasons
    ]
    for mine, other in zip(found.explanation.reasons, said.reasons, strict=True):
        assert mine.push == pytest.approx(other.push, abs=1e-9)
    assert found.explanation.base == said.base
    assert found.explanation.client_part == pytest.approx(said.client_part, abs=1e-9)


def test_the_parts_add_up_to_the_score(first):
    parts = first.explanation
    total = parts.base + parts.client_part + parts.market_part
    assert total == pytest.approx(logit(first.probability), abs=1e-6)


def test_what_changed_in_a_week_adds_up(done, first):
    workspace, _ = done
    before = explain(workspace, first.client, "2021-12-25")
    assert first.week_ago == before.score
    moved = logit(first.probability) - logit(before.probability)
    assert sum(first.changed.values()) == pytest.approx(moved, abs=1e-6)
    assert moved != 0
    sizes = [abs(change) for change in first.changed.values()]
    assert sizes == sorted(sizes, reverse=True)
    # A reason of both weeks changed by the difference of what it pushed.
    now = {str(r.code): r.push for r in first.explanation.reasons}
    then = {str(r.code): r.push for r in before.explanation.reasons}
    assert now.keys() & then.keys()
    for code in now.keys() & then.keys():
        assert first.changed[code] == pytest.approx(now[code] - then[code], abs=1e-9)


def test_its_indicators_are_the_engines(done, first):
    engine = LocalEngine.open(done[0])
    frame = engine.compute(first.as_of, clients=[first.client])
    present = {
        name: value for name, value in zip(frame.names, frame.values[0], strict=True)
        if not np.isnan(value)
    }  # fmt: skip
    assert first.indicators == present
    assert len(present) > 20


@pytest.mark.parametrize("client", ["closed", "unfunded", "new"])
def test_a_client_without_a_score_has_the_note(done, client):
    found = explain(done[0], client)
    assert found.note == client
    assert (found.score, found.tier, found.probability) == (None, None, None)
    assert (found.explanation, found.week_ago, found.changed) == (None, None, {})
    assert json.loads(json.dumps(found.to_json("en", "EUR"), allow_nan=False))["reasons"] == []


def test_a_client_scored_for_less_than_a_week_has_no_week_before(done):
    # Opened on 2021-12-19: 30 days old on 2022-01-18, not yet on 2022-01-11.
    found = explain(done[0], "new", "2022-01-19")
    assert (found.note, found.week_ago, found.changed) == ("scored", None, {})


def test_as_json_in_both_languages(first):
    english, chinese = (first.to_json(locale, "EUR") for locale in ("en", "zh"))
    assert json.loads(json.dumps(english, allow_nan=False)) == english
    assert english["score"] == first.score
    assert len(english["reasons"]) == len(first.explanation.reasons) > 0
    for one, other in zip(english["reasons"], chinese["reasons"], strict=True):
        assert not re.search(r"[\u4e00-\u9fff]", one["words"])
        assert re.search(r"[\u4e00-\u9fff]", other["words"])
        assert one["value"] == first.indicators[one["indicator"]]


def test_an_unknown_client_is_named(done):
    with pytest.raises(UsageError) as caught:
        explain(done[0], "nobody")
    assert caught.value.code == "explain.client-unknown"
    assert "nobody" in str(caught.value)


def test_a_client_who_is_not_there_yet_is_unknown_at_that_instant(done):
    with pytest.raises(UsageError) as caught:
        explain(done[0], "new", "2021-12-01")
    assert caught.value.code == "explain.client-unknown"
    assert "2021-11-30" in str(caught.value)


def test_before_the_first_run_there_is_no_model(tmp_path):
    workspace = write(tmp_path / "ws", world(6))
    ingest(workspace)
    with pytest.raises(DataError) as caught:
        explain(workspace, "new")
    assert (caught.value.code, caught.value.exit_code) == ("explain.model-missing", 1)
