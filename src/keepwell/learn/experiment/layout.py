"""Who stands where: arms, strata and clusters of the units, and the arms' means over strata.

An arm's mean is the mean over strata, each with its share of all units (post-stratification), of
the units' values weighted by one over their propensity. It estimates what the whole population
would show under the arm (intention to treat).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from keepwell.core.errors import DataError
from keepwell.learn.experiment.intervals import Floats, Means

Codes = npt.NDArray[np.int64]

LEAST_EXPECTED: Final = 5
"""Units that a stratum's smallest arm must expect; smaller strata are taken together."""


@dataclass(frozen=True)
class Layout:
    """Places of n units.

    Attributes:
        arms: names.
        cell: stratum * arms + arm [n].
        stratum: [n], small strata taken together.
        strata: how many.
        share: of the units, by stratum [strata].
        weight: one over the propensity, None when all of an arm have the same [n].
        cluster: [n]; None: every unit is its own.
        clusters: how many; 0 without.
        pairs: stratum, cluster and share of the units of each pair that occurs.
    """

    arms: tuple[str, ...]
    cell: Codes
    stratum: Codes
    strata: int
    share: Floats
    weight: Floats | None
    cluster: Codes | None
    clusters: int
    pairs: tuple[Codes, Codes, Floats] | None

    @property
    def n(self) -> int:
        """Units."""
        return len(self.cell)

    def sizes(self) -> Codes:
        """Units by arm [a]."""
        counts: Codes = self._sum(None).reshape(self.strata, -1).sum(axis=0).astype(np.int64)
        return counts

    def within(self, values: Floats) -> Floats:
        """Values less the mean of their stratum, all arms together [n]."""
        sums = np.bincount(self.stratum, values, self.strata)
        return np.asarray(values - (sums / (self.share * self.n))[self.stratum])

    def means(self, values: Floats) -> Means:
        """The arms' means of a value, with their covariance.

        Args:
            values: by unit [n].
        """
        weighed = values if self.weight is None else values * self.weight
        weights = self._sum(self.weight)
        of_cell = self._sum(weighed) / weights
        mean = self.share @ of_cell.reshape(self.strata, -1)
        rest = values - of_cell[self.cell]
        if self.weight is not None:
            rest *= self.weight
        if self.cluster is None:
            return self._by_unit(mean, rest, weights)
        return self._by_cluster(mean, rest, weights, of_cell)

    def _by_unit(self, mean: Floats, rest: Floats, weights: Floats) -> Means:
        counts = self._sum(None)
        parts = self._sum(rest * rest) / weights**2 * counts / (counts - 1)
        parts *= np.repeat(self.share, len(self.arms)) ** 2
        fourth = (parts**2 / (counts - 1)).reshape(self.strata, -1).sum(axis=0)
        return Means(mean, np.diag(parts.reshape(self.strata, -1).sum(axis=0)), fourth)

    def _by_cluster(self, mean: Floats, rest: Floats, weights: Floats, of_cell: Floats) -> Means:
        assert self.cluster is not None
        assert self.pairs is not None
        arms = len(self.arms)
        stratum, cluster, share = self.pairs
        between = of_cell.reshape(self.strata, arms)[stratum] - mean
        scores: Floats = np.stack(
            [np.bincount(cluster, share * one, self.clusters) for one in between.T], axis=1
        ).astype(np.float64)
        if len(stratum) > self.strata:
            # Where a stratum has several clusters, its residuals do not add up to 0 in each.
            size = (np.repeat(self.share, arms) / weights)[self.cell]
            place = self.cluster * arms + self.cell % arms
            flat = np.bincount(place, rest * size, self.clusters * arms)
            scores += flat.reshape(self.clusters, arms)
        cov: Floats = scores.T @ scores * (self.clusters / max(self.clusters - 1, 1))
        weight = np.bincount(cluster, share, self.clusters).astype(np.float64)
        return Means(mean, cov, np.zeros(arms), scores, weight)

    def _sum(self, values: Floats | None) -> Floats:
        cells = self.strata * len(self.arms)
        return np.bincount(self.cell, values, cells).astype(np.float64)


def lay_out(
    arm: npt.ArrayLike,
    arms: tuple[str, ...],
    stratum: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    propensity: npt.ArrayLike | None = None,
) -> Layout:
    """Places of units from their columns.

    Strata whose smallest arm expects fewer than five units, or has fewer than two, are taken
    together: with others of their cluster where there are clusters, then with all such.

    Args:
        arm: name of each unit's arm [n].
        arms: all names, in the order wanted.
        stratum: what the draw was blocked by [n]; None: nothing.
        cluster: who shares luck, such as managers [n]; None: nobody.
        propensity: chance with which each unit got its arm [n]; None: the same within an arm.

    Raises:
        DataError: `experiment.arm-empty`: an arm has fewer than two units;
            `experiment.arm-unknown`; `experiment.value-wrong` for a propensity.
    """
    names = np.asarray(arms)
    codes = _places(arm, names)
    counts = np.bincount(codes, minlength=len(arms))
    for name, units in zip(arms, counts, strict=True):
        if units < 2:
            raise DataError("experiment.arm-empty", arm=name, units=int(units), least=2)
    groups, number = (None, 0) if cluster is None else encode(cluster)
    strata, many = _pooled(codes, len(arms), stratum, groups)
    pairs = None
    if groups is not None:
        together, held = np.unique(strata * number + groups, return_counts=True)
        pairs = (together // number, together % number, held / len(codes))
    weight = None
    if propensity is not None:
        chance = np.asarray(propensity, np.float64)
        strange = chance[~((chance > 0) & (chance <= 1))]
        if len(strange):
            raise DataError(
                "experiment.value-wrong", name="propensity", expected="0 < propensity <= 1",
                value=strange[0],
            )  # fmt: skip
        weight = 1 / chance
    return Layout(
        arms, strata * len(arms) + codes, strata, many,
        np.bincount(strata, minlength=many) / len(codes), weight, groups, number, pairs,
    )  # fmt: skip


def encode(values: npt.ArrayLike) -> tuple[Codes, int]:
    """Whole numbers 0.. without gaps for values of any kind, and how many there are."""
    codes, names = named(values)
    return codes, len(names)


def named(values: npt.ArrayLike) -> tuple[Codes, list[Any]]:
    """Whole numbers 0.. without gaps for values of any kind, and the values they stand for."""
    column = pa.array(values) if not isinstance(values, pa.Array | pa.ChunkedArray) else values
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column, null_encoding="encode")
    codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, column.dictionary.to_pylist()


def _places(arm: npt.ArrayLike, names: npt.NDArray[Any]) -> Codes:
    column = pa.array(arm) if not isinstance(arm, pa.Array | pa.ChunkedArray) else arm
    found = pc.index_in(column, pa.array(names.tolist(), column.type))
    if found.null_count:
        strange = pc.unique(column.filter(pc.is_null(found))).to_pylist()
        known = ", ".join(map(str, names))
        raise DataError("experiment.arm-unknown", arm=str(strange[0]), nearest="", known=known)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def _pooled(
    arm: Codes, arms: int, stratum: npt.ArrayLike | None, cluster: Codes | None
) -> tuple[Codes, int]:
    if stratum is None:
        return np.zeros(len(arm), np.int64), 1
    codes, many = encode(stratum)
    share = np.bincount(arm, minlength=arms).min() / len(arm)
    if cluster is not None:
        small = _small(codes, many, arm, arms, share)[codes]
        codes = np.where(small, many + cluster, codes)
        codes, many = _dense(codes)
    small = _small(codes, many, arm, arms, share)[codes]
    codes, many = _dense(np.where(small, many, codes))
    if _small(codes, many, arm, arms, share)[-1] and many > 1:
        # What is left over is too small itself: it joins the largest.
        sizes = np.bincount(codes, minlength=many)
        codes, many = _dense(np.where(codes == many - 1, int(np.argmax(sizes[:-1])), codes))
    return codes, many


def _small(codes: Codes, many: int, arm: Codes, arms: int, share: float) -> npt.NDArray[np.bool_]:
    """Which strata are too small to be compared on their own [many]."""
    sizes = np.bincount(codes * arms + arm, minlength=many * arms).reshape(many, arms)
    expected = sizes.sum(axis=1) * share
    return np.asarray((expected < LEAST_EXPECTED) | (sizes.min(axis=1) < 2))


def _dense(codes: Codes) -> tuple[Codes, int]:
    seen = np.bincount(codes) > 0
    return (np.cumsum(seen) - 1)[codes], int(seen.sum())
