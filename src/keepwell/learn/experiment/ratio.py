"""Do the arms have the shares that were drawn? If not, something lost or moved units.

A difference between arms that were not filled as planned is not an effect (Fabijan et al. 2019,
"Diagnosing sample ratio mismatch in online controlled experiments"). The chi-square test assumes
that every unit is drawn alone; blocked draws vary less, so an alarm means more then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import DataError, nearest
from keepwell.core.text import number, tr
from keepwell.learn.experiment.design import Experiment
from keepwell.learn.experiment.layout import named

ALARM: Final = 0.001
LEAST_EXPECTED: Final = 5.0
"""Units that a block's smallest arm must expect; smaller blocks are counted together."""
TOGETHER: Final = "*"
"""The small blocks, counted together."""


@dataclass(frozen=True)
class RatioCheck:
    """Whether the arms have their shares.

    Attributes:
        counts: units by arm.
        expected: units by arm as planned.
        p: p-value over all units.
        block: the block farthest off; None without blocks; '*' for the small ones together.
        block_p: its p-value times the number of blocks (Bonferroni), at most 1; 1 without blocks.
    """

    counts: Mapping[str, int]
    expected: Mapping[str, float]
    p: float
    block: str | None = None
    block_p: float = 1.0

    @property
    def stop(self) -> bool:
        """Whether nothing may be read out until the cause is found: p < 0.001."""
        return min(self.p, self.block_p) < ALARM

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return asdict(self) | {"stop": self.stop}

    def words(self, locale: str | None = None) -> str:
        """The finding in a sentence, 'en' or 'zh'."""
        if not self.stop:
            return tr("The arms have the shares that were planned.", locale)
        if self.p < ALARM:
            parts = [
                tr("{arm} {count} instead of {expected}", locale, arm=arm,
                   count=number(count, locale), expected=number(self.expected[arm], locale))
                for arm, count in self.counts.items()
            ]  # fmt: skip
            listed = tr(", ", locale).join(parts)
            return tr(
                "The arms do not have their shares: {arms}. Nothing is read out until the cause "
                "is found.", locale, arms=listed,
            )  # fmt: skip
        return tr(
            "The arms do not have their shares in block {block}. Nothing is read out until the "
            "cause is found.", locale, block=self.block,
        )  # fmt: skip


def check_counts(
    shares: Mapping[str, float], blocks: Mapping[str, Mapping[str, int]]
) -> RatioCheck:
    """Check counts of units by block and arm.

    Args:
        shares: planned, by arm; add up to 1.
        blocks: units by arm, by block; an arm that is not named has none.

    Raises:
        DataError: `experiment.arm-unknown`.
    """
    arms = list(shares)
    for counts in blocks.values():
        for arm in counts:
            if arm not in shares:
                raise DataError(
                    "experiment.arm-unknown", arm=arm, nearest=nearest(arm, arms),
                    known=", ".join(arms),
                )  # fmt: skip
    found = np.array([[b.get(arm, 0) for arm in arms] for b in blocks.values()], np.float64)
    return _check(shares, list(blocks), found.reshape(len(blocks), len(arms)))


def check(
    experiment: Experiment, arm: npt.ArrayLike, block: npt.ArrayLike | None = None
) -> RatioCheck:
    """Check the arms that units are found in.

    Args:
        experiment: with the planned shares.
        arm: name by unit [n].
        block: such as the manager, by unit [n]; None: only the whole is checked.

    Raises:
        DataError: `experiment.arm-unknown`.
    """
    shares = {one.name: experiment.share(one.name) for one in experiment.arms}
    places, names = named(arm)
    for name in names:
        if name not in shares:
            raise DataError(
                "experiment.arm-unknown", arm=str(name), nearest=nearest(str(name), list(shares)),
                known=", ".join(shares),
            )  # fmt: skip
    order = np.array([list(shares).index(name) for name in names], np.int64)
    codes = order[places] if len(order) else places
    where, titles = np.zeros(len(codes), np.int64), [TOGETHER]
    if block is not None:
        where, found = named(block)
        titles = [str(one) for one in found]
    many = max(len(titles), 1)
    flat = np.bincount(where * len(shares) + codes, minlength=many * len(shares))
    return _check(shares, titles, flat.reshape(many, -1).astype(np.float64))


def _check(
    shares: Mapping[str, float], titles: list[str], counts: npt.NDArray[np.float64]
) -> RatioCheck:
    plan = np.array(list(shares.values()))
    total = counts.sum(axis=0)
    arms = list(shares)
    block, block_p = None, 1.0
    small = counts.sum(axis=1) * plan.min() < LEAST_EXPECTED
    kept, names = counts[~small], [t for t, s in zip(titles, small, strict=True) if not s]
    if small.any():
        kept = np.vstack([kept, counts[small].sum(axis=0)])
        names.append(TOGETHER)
    if len(titles) > 1 and len(kept):
        p = _chi_square(kept, plan)
        worst = int(np.argmin(p))
        block, block_p = names[worst], min(float(p[worst]) * len(kept), 1.0)
    return RatioCheck(
        dict(zip(arms, total.astype(int).tolist(), strict=True)),
        dict(zip(arms, (total.sum() * plan).tolist(), strict=True)),
        float(_chi_square(total[None], plan)[0]), block, block_p,
    )  # fmt: skip


def _chi_square(
    counts: npt.NDArray[np.float64], plan: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """p-values [blocks]; 1 for a block without units."""
    from scipy.special import chdtrc

    expected = counts.sum(axis=1, keepdims=True) * plan
    safe = np.where(expected > 0, expected, 1.0)
    statistic = np.where(expected > 0, (counts - expected) ** 2 / safe, 0.0).sum(axis=1)
    return np.asarray(chdtrc(len(plan) - 1, statistic))
