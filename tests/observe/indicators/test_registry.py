"""The registry: words, ids, needs, plug-ins, and what it costs to load."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from keepwell.core.errors import UsageError
from keepwell.observe.indicators import INDICATORS, Need, Registry, Windows, get, indicator

WORDS = {
    "name": "Something",
    "unit": "count",
    "direction": "low",
    "family": "activity",
    "explain": "Something.",
    "definition": "Something.",
}


def _add(registry: Registry, id: str = "something", function=None, **changes):
    settings = {**WORDS, **changes}
    ask = function or (lambda w: w.trade.sum("count", 30))
    return indicator(id, registry=registry, **settings)(ask)


def test_registering_finds_the_needs() -> None:
    registry = Registry(load=False)

    def ask(w: Windows):
        return (
            w.trade.sum("count", 30, prev=True)
            + w.balance.last("cash", ago=90)
            + w.position.count(ago=180)
            + w.trade.longest_gap()
            + w.market.change(30)
            + w.client.age_years()
        )

    assert _add(registry, function=ask) is ask
    assert set(registry["something"].needs) == {
        Need("trade", "sum", "count", 30, prev=True),
        Need("balance", "last", "cash", ago=90),
        Need("position", "count", ago=180),
        Need("trade", "longest_gap", window=180),
        Need("market", "change", window=30),
        Need("client", "age_years"),
    }
    assert registry["something"].sources == (
        "balance", "client", "holding", "index_price", "trade",
    )  # fmt: skip
    assert registry["something"].windows == (30, 90, 180)


def test_ids_are_unique() -> None:
    registry = Registry(load=False)
    _add(registry)
    with pytest.raises(UsageError) as caught:
        _add(registry)
    assert caught.value.code == "indicator.id-taken"


@pytest.mark.parametrize(
    ("function", "code", "nearest"),
    [
        (lambda w: w.trade.sum("cuont", 30), "indicator.measure-unknown", "count"),
        (lambda w: w.session.sum("amount", 30), "indicator.measure-unknown", ""),
        (lambda w: w.trade.sum("count", 31), "indicator.window-unknown", "30"),
        (lambda w: w.trade.median("count", 30), "indicator.statistic-unknown", ""),
        (lambda w: w.position.counts(), "indicator.statistic-unknown", "count"),
        (lambda w: w.table("trades").recency(), "indicator.table-unknown", "trade"),
    ],
)
def test_unknown_questions_are_refused(function, code, nearest) -> None:
    registry = Registry(load=False)
    with pytest.raises(UsageError) as caught:
        _add(registry, function=function)
    assert caught.value.code == code
    assert nearest in str(caught.value)
    assert not list(registry)


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "furlongs"},
        {"direction": "down"},
        {"family": "misc"},
        {"name": " "},
        {"explain": ""},
        {"definition": ""},
        {"threshold": float("nan")},
        {"threshold": 1.0, "direction": "none"},
        {"id": "Trade-Count"},
    ],
)
def test_bad_settings_are_refused(changes) -> None:
    with pytest.raises(UsageError) as caught:
        _add(Registry(load=False), **changes)
    assert caught.value.code == "indicator.setting-invalid"
    assert caught.value.exit_code == 2


def test_one_number_per_client_or_none() -> None:
    with pytest.raises(ValueError, match="one number per client"):
        _add(Registry(load=False), function=lambda w: np.float64(w.trade.sum("count", 30).sum()))


def test_a_typo_names_the_nearest() -> None:
    assert get("trade_count_30d") is INDICATORS["trade_count_30d"]
    with pytest.raises(UsageError, match="nearest: trade_count_30d"):
        get("trade_cuont_30d")


def test_order_is_that_of_the_ids() -> None:
    assert list(INDICATORS) == sorted(INDICATORS)
    assert [item.id for item in INDICATORS.values()] == list(INDICATORS)
    assert 200 <= len(INDICATORS) <= 400


def test_alarming_is_at_the_threshold_or_beyond() -> None:
    values = np.array([0.6, 0.7, 0.8, np.nan])
    low = get("trade_rate_change_90d")
    assert low.threshold == 0.7
    assert low.alarming(values).tolist() == [True, True, False, False]
    high = get("errors_per_login_30d")
    assert high.threshold == 0.2
    assert high.alarming(np.array([0.1, 0.2, 0.3, np.nan])).tolist() == [False, True, True, False]
    assert not get("tenure_days").alarming(values).any()


def test_plug_ins_come_through_their_entry_point(tmp_path) -> None:
    (tmp_path / "extra_indicators.py").write_text(
        "from keepwell.observe.indicators import indicator\n"
        "@indicator('zz_extra', name='Extra', unit='count', direction='none',\n"
        "           family='activity', explain='Extra.', definition='Extra.', since='9.9')\n"
        "def _(w):\n"
        "    return w.trade.sum('count', 7)\n",
        encoding="utf-8",
    )
    info = tmp_path / "extra-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[keepwell.indicators]\nextra = extra_indicators\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from keepwell.observe.indicators import INDICATORS, get\n"
        "assert 'extra_indicators' not in sys.modules\n"
        "print(get('zz_extra').since, list(INDICATORS)[-1])\n"
    )
    assert _python(code).split() == ["9.9", "zz_extra"]


def test_loading_the_catalogue_costs_less_than_numpy() -> None:
    code = (
        "import sys, time\n"
        "start = time.process_time()\n"
        "import numpy, importlib.metadata, keepwell.core.errors\n"
        "middle = time.process_time()\n"
        "from keepwell.observe.indicators import INDICATORS\n"
        "len(INDICATORS)\n"
        "took = (time.process_time() - middle) / (middle - start)\n"
        "heavy = {'pandas', 'numba', 'duckdb', 'pyarrow', 'catboost'} & set(sys.modules)\n"
        "print(took, *sorted(heavy))\n"
    )
    runs = [_python(code).split() for _ in range(3)]
    # 30 ms on a quiet machine; a busy one slows both sides
    assert min(float(run[0]) for run in runs) < 1.0
    assert all(run[1:] == [] for run in runs)


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
