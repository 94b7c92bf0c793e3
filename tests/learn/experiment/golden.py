"""Makes golden.json: a small experiment read out by libraries that are not keepwell.

    python -m venv golden
    golden/bin/pip install tea-tasting==1.14.0 statsmodels==0.15.0
    golden/bin/python tests/learn/experiment/golden.py

The file says with which versions it was made. keepwell itself needs none of these packages.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "golden.json"
SEED, UNITS, MANAGERS = 20261123, 240, 40
COVARIATES = ["before", "log_ins"]


def made() -> dict[str, list[Any]]:
    """A small experiment: skewed assets, luck shared within books, arms of unequal shares."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    before = rng.lognormal(3, 1, UNITS)
    call = rng.random(UNITS) < 0.7
    manager = rng.integers(0, MANAGERS, UNITS)
    luck = rng.normal(0, 4, MANAGERS)[manager]
    log_ins = rng.poisson(9, UNITS)
    after = 0.8 * before + 0.5 * log_ins + luck + rng.normal(0, 6, UNITS) + 3 * call
    sessions = rng.poisson(6, UNITS) + 1
    return {
        "arm": np.where(call, "call", "none").tolist(),
        "manager": [f"m{one}" for one in manager],
        "tier": rng.choice(["mild", "severe"], UNITS, p=[0.7, 0.3]).tolist(),
        "before": before.round(4).tolist(),
        "log_ins": log_ins.tolist(),
        "after": after.round(4).tolist(),
        "left": (rng.random(UNITS) < 0.35 - 0.15 * call).astype(int).tolist(),
        "orders": rng.binomial(sessions, 0.3 + 0.05 * call).tolist(),
        "sessions": sessions.tolist(),
        "reached": (call & (rng.random(UNITS) < 0.7)).astype(int).tolist(),
    }


def of_tea_tasting(frame: Any) -> dict[str, Any]:
    """Welch's intervals: plain, CUPED, winsorised, of a proportion and of a ratio."""
    import statsmodels.api as sm
    import tea_tasting as tt

    fit = sm.OLS(frame["after"], sm.add_constant(frame[COVARIATES])).fit()
    told = (frame[COVARIATES] - frame[COVARIATES].mean()) @ fit.params[COVARIATES]
    frame = frame.assign(
        adjusted=frame["after"] - told, cut=frame["after"].clip(upper=frame["after"].quantile(0.9))
    )
    found = tt.Experiment(
        {
            "plain": tt.Mean("after"),
            "cuped": tt.Mean("after", "before"),
            "two covariates": tt.Mean("adjusted"),
            "winsorised": tt.Mean("cut"),
            "proportion": tt.Mean("left"),
            "ratio": tt.RatioOfMeans("orders", "sessions"),
        },
        variant="arm",
    ).analyze(frame, control="none")
    return {
        name: {
            "value": one.effect_size,
            "low": one.effect_size_ci_lower,
            "high": one.effect_size_ci_upper,
            "p": one.pvalue,
            "treated": one.treatment,
            "control": one.control,
        }
        for name, one in found.items()
    }


def of_scipy(frame: Any) -> dict[str, Any]:
    """Chi-square of the shares; intervals of ratios by inverting Welch's test, end by end."""
    import numpy as np
    from scipy.optimize import brentq
    from scipy.stats import chisquare, ttest_ind

    call, none = (frame[frame["arm"] == one] for one in ("call", "none"))

    def reject(values: Any) -> Any:
        """How far Welch's p-value of two samples is above 5 %."""
        treated, control = values
        return ttest_ind(treated, control, equal_var=False).pvalue - 0.05

    def relative(ratio: float) -> Any:
        return reject((call["left"], (1 + ratio) * none["left"]))

    def complier(effect: float) -> Any:
        return reject([one["after"] - effect * one["reached"] for one in (call, none)])

    change = call["left"].mean() / none["left"].mean() - 1
    itt = call["after"].mean() - none["after"].mean()
    wald = itt / (call["reached"].mean() - none["reached"].mean())
    counts = np.array([len(call), len(none)])
    return {
        "relative": [change, brentq(relative, -0.999, change), brentq(relative, change, 3)],
        "complier": [wald, brentq(complier, wald - 60, wald), brentq(complier, wald, wald + 60)],
        "ratio p": {
            str(share): chisquare(counts, counts.sum() * np.array([share, 1 - share])).pvalue
            for share in (0.7, 0.6, 0.5)
        },
    }


def of_statsmodels(frame: Any) -> dict[str, Any]:
    """Cluster-robust errors, strata, weights, two-stage least squares, power, many tests."""
    import numpy as np
    import statsmodels.api as sm
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.power import NormalIndPower

    call = (frame["arm"] == "call").astype(float)
    managers = frame["manager"].astype("category").cat.codes
    groups = {"groups": managers, "use_correction": False}
    fit = sm.OLS(frame["after"], sm.add_constant(call)).fit(cov_type="cluster", cov_kwds=groups)
    count = managers.nunique()
    # A regression in which each stratum has its own means, averaged over strata (Lin 2013).
    tier = (frame["tier"] == "severe").astype(float)
    centred = tier - tier.mean()
    design = np.column_stack([np.ones(len(frame)), call, centred, call * centred])
    strata = sm.OLS(frame["after"], design).fit().params.iloc[1]
    weights = np.where(call == 1, 1 / 0.7, 1 / 0.3) * (1 + tier)
    weighed = sm.WLS(frame["after"], sm.add_constant(call), weights).fit().params.iloc[1]
    p = [0.001, 0.2, 0.03, 0.04, 0.9, 0.012]
    power = NormalIndPower()
    return {
        "clustered se": float(fit.bse.iloc[1] * np.sqrt(count / (count - 1))),
        "strata": float(strata),
        "weights": weights.tolist(),
        "weighed": float(weighed),
        "p": p,
        "benjamini-hochberg": multipletests(p, method="fdr_bh")[1].tolist(),
        "units, mean": {
            str(ratio): power.solve_power(0.05, power=0.8, alpha=0.05, ratio=ratio)
            for ratio in (1.0, 4.0)
        },
    }


TABLED = {
    "2": [2.9626, 1.9686],
    "3": [3.7103, 2.5114, 1.9930],
    "4": [4.3326, 2.9631, 2.3590, 2.0141],
    "5": [4.8769, 3.3569, 2.6803, 2.2898, 2.0310],
}
"""Boundaries of Lan and DeMets's O'Brien-Fleming function, two-sided 5 %, equal steps, as tabled
(Reboussin, DeMets, Kim & Lan 2000, "Computations for group sequential boundaries using the
Lan-DeMets spending function method"). They were typed in, so `of_normal` checks every one."""


def of_normal() -> dict[str, Any]:
    """Chances to have crossed the tabled boundaries, by integrating the joint normal at once."""
    import numpy as np
    from scipy.stats import multivariate_normal

    def crossed(bounds: list[float], looks: int, drift: float = 0.0) -> float:
        at = np.arange(1, len(bounds) + 1) / looks
        cov = np.sqrt(np.minimum.outer(at, at) / np.maximum.outer(at, at))
        joint = multivariate_normal(drift * np.sqrt(at), cov, maxpts=4 * 10**6, abseps=1e-8)
        return 1 - float(joint.cdf(bounds, lower_limit=[-b for b in bounds]))

    return {
        "tabled": TABLED,
        "spent": {
            count: [crossed(bounds[: k + 1], int(count)) for k in range(len(bounds))]
            for count, bounds in TABLED.items()
        },
        "crossed": {str(drift): crossed(TABLED["3"], 3, drift) for drift in (0.0, 2.8)},
    }


def main() -> None:
    """Write the file."""
    import pandas as pd

    data = made()
    frame = pd.DataFrame(data)
    found = {
        "made by": {
            name: version(name) for name in ("tea-tasting", "statsmodels", "scipy", "numpy")
        },
        "data": data,
        "tea-tasting": of_tea_tasting(frame),
        "scipy": of_scipy(frame),
        "statsmodels": of_statsmodels(frame),
        "sequential": of_normal(),
    }
    FILE.write_text(json.dumps(found, separators=(",", ":")).replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main()
