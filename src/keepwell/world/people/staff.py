"""Who serves: branches, managers and advisers of a shard, and whose clients are whose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepwell.world.people.society import StaffSettings


@dataclass(frozen=True)
class Staff:
    """Staff of a shard; numbers start at 0 within it.

    Attributes:
        managers: how many.
        advisers: how many.
        branches: how many.
        adviser_skill: 0 poor .. 1 excellent [advisers].
        branch_wait: multiplies waiting times, mean 1 over clients [branches].
        manager_branch: each manager's branch [managers].
        adviser_branch: each adviser's branch [advisers].
        branch_region: each branch's region, 0.. [branches].
        branch_share: each branch's expected share of clients [branches].
    """

    managers: int
    advisers: int
    branches: int
    adviser_skill: NDArray[np.float32]
    branch_wait: NDArray[np.float32]
    manager_branch: NDArray[np.int32]
    adviser_branch: NDArray[np.int32]
    branch_region: NDArray[np.int16]
    branch_share: NDArray[np.float64]


@dataclass(frozen=True)
class Served:
    """Who serves each household [households]."""

    branch: NDArray[np.int32]
    manager: NDArray[np.int32]
    adviser: NDArray[np.int32]
    region: NDArray[np.int16]


def _spread_over(count: int, share: NDArray[np.float64]) -> NDArray[np.int32]:
    """The branch of each of `count` people: one in each, the rest by share (largest remainder)."""
    rest = count - len(share)
    wanted = share * rest
    numbers = np.floor(wanted).astype(np.int64)
    short = np.argsort(numbers - wanted, kind="stable")[: rest - int(numbers.sum())]
    numbers[short] += 1
    return np.repeat(np.arange(len(share)), numbers + 1).astype(np.int32)


def draw_staff(rng: np.random.Generator, n: int, settings: StaffSettings) -> Staff:
    """Draw branches and the people in them.

    Args:
        rng: a stream of its own.
        n: number of clients to serve.
        settings: clients per head, and how staff differ.
    """
    branches = max(1, round(n / settings.per_branch))
    advisers = max(branches, round(n / settings.per_adviser))
    managers = max(branches, round(n / settings.per_manager))
    weight = np.exp(settings.branch_spread * rng.standard_normal(branches))
    share = weight / weight.sum()
    # Regions by Zipf's law, so that a few have most branches.
    odds = 1.0 / (1.0 + np.arange(settings.regions))
    region = rng.choice(settings.regions, size=branches, p=odds / odds.sum())
    wait = np.exp(settings.wait_spread * rng.standard_normal(branches))
    return Staff(
        managers,
        advisers,
        branches,
        rng.beta(*settings.skill, size=advisers).astype(np.float32),
        (wait / (wait @ share)).astype(np.float32),
        _spread_over(managers, share),
        _spread_over(advisers, share),
        region.astype(np.int16),
        share,
    )


def assign(
    rng: np.random.Generator, households: int, staff: Staff, settings: StaffSettings
) -> Served:
    """Give each household a branch, and a manager and an adviser of that branch.

    Args:
        rng: a stream of its own.
        households: how many.
        staff: of the shard.
        settings: size of a manager's pool of advisers, share living elsewhere.
    """
    ends = np.cumsum(staff.branch_share)
    branch = np.minimum(
        np.searchsorted(ends, rng.random(households), side="right"), staff.branches - 1
    )
    every = np.arange(staff.branches)
    manager_first = np.searchsorted(staff.manager_branch, every)
    manager_count = np.bincount(staff.manager_branch, minlength=staff.branches)
    adviser_first = np.searchsorted(staff.adviser_branch, every)
    adviser_count = np.bincount(staff.adviser_branch, minlength=staff.branches)
    place = (rng.random(households) * manager_count[branch]).astype(np.int64)
    # Managers share their branch's advisers evenly: neighbours have overlapping pools.
    home = place * adviser_count[branch] // manager_count[branch]
    pool = np.minimum(settings.pool, adviser_count[branch])
    step = (rng.random(households) * pool).astype(np.int64)
    moved = rng.random(households) < settings.elsewhere
    anywhere = rng.integers(0, settings.regions, households)
    return Served(
        branch.astype(np.int32),
        (manager_first[branch] + place).astype(np.int32),
        (adviser_first[branch] + (home + step) % adviser_count[branch]).astype(np.int32),
        np.where(moved, anywhere, staff.branch_region[branch]).astype(np.int16),
    )
