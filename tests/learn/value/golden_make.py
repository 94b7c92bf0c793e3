"""Makes golden.json with statsmodels, which keepwell does not need: an independent reckoning.

    python -m venv other && other/bin/pip install statsmodels==0.15.0
    other/bin/python tests/learn/value/golden_make.py > tests/learn/value/golden.json

The difference of means with errors clustered by manager is ordinary least squares on the arm, with
`cov_type="cluster"`. statsmodels multiplies by G / (G - 1), as keepwell does, and further by
(n - 1) / (n - k), which is taken out again. The adjusted difference is the arm's coefficient beside
the covariates.
"""

import json
import sys

import numpy as np


def main() -> None:
    """Write the vectors to standard output."""
    import statsmodels
    import statsmodels.api as sm

    rng = np.random.default_rng(20261123)
    cases = []
    for n, managers, share in ((60, 7, 0.5), (200, 31, 0.8), (500, 12, 0.2)):
        manager = rng.integers(0, managers, n)
        treated = rng.random(n) < share
        before = np.round(rng.normal(size=(n, 3)) * [1.0, 10.0, 0.1], 4)
        y = rng.normal(size=n) + before @ [0.5, 0.1, 3.0] + 0.3 * treated
        y = np.round(y + rng.normal(size=managers)[manager], 4)
        plain = sm.OLS(y, sm.add_constant(treated.astype(float))).fit(
            cov_type="cluster", cov_kwds={"groups": manager, "use_correction": True}
        )
        groups = len(np.unique(manager))
        error = plain.bse[1] / np.sqrt((n - 1) / (n - 2))
        beside = sm.OLS(y, np.column_stack([np.ones(n), treated, before])).fit()
        cases.append(
            {
                "y": y.tolist(), "treated": treated.tolist(), "manager": manager.tolist(),
                "before": before.tolist(), "difference": plain.params[1], "error": error,
                "clusters": groups, "adjusted": beside.params[1],
            }
        )  # fmt: skip
    made = {"statsmodels": statsmodels.__version__, "cases": cases}
    sys.stdout.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
