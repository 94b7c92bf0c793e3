"""Chance that depends on what it is for, never on who asks first.

Outside the kernels `stream` gives a generator per purpose. Inside, a draw is a hash of seed,
client, day and purpose (splitmix64: Steele, Lea & Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014), so that the number of cores changes nothing, and so that two worlds
which differ in one action share all other luck.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any, Final

import numba
import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


inner: Final = numba.njit(nogil=True, cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compiles what only kernels call; without the wrappers for Python it takes a fifth less time."""


def key_of(seed: int, purpose: str, *more: int) -> int:
    """A 64-bit key of a seed and a purpose."""
    text = "|".join([str(seed), purpose, *map(str, more)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, purpose: str, *more: int) -> np.random.Generator:
    """A generator for one purpose.

    Args:
        seed: the world's.
        purpose: a name such as 'market'.
        *more: numbers that tell this stream from others of the purpose, such as the shard.

    Example:
        >>> stream(7, "market").random() == stream(7, "market").random()
        True
    """
    return np.random.Generator(np.random.Philox(key=key_of(seed, purpose, *more)))


@inner
def mix(x: Any) -> Any:
    """Splitmix64's finaliser; uint64 to uint64."""
    x = (x ^ (x >> _S30)) * _A
    x = (x ^ (x >> _S27)) * _B
    return x ^ (x >> _S31)


@inner
def begin(rng: Any, key: Any, client: Any, day: Any, purpose: Any) -> None:
    """Set a stream (uint64 [1]) to the draws of one client, day and purpose."""
    x = mix(key + np.uint64(client) * _GOLDEN)
    rng[0] = mix(x ^ (np.uint64(day) * _A + np.uint64(purpose) * _B))


@inner
def uniform(rng: Any) -> Any:
    """The next draw in [0, 1)."""
    rng[0] = rng[0] + _GOLDEN
    return (mix(rng[0]) >> _S11) * (1.0 / 9007199254740992.0)


@inner
def bits(rng: Any) -> Any:
    """The next 64 bits."""
    rng[0] = rng[0] + _GOLDEN
    return mix(rng[0])


@inner
def normal(rng: Any) -> Any:
    """A standard normal draw (Box and Muller, 1958)."""
    u = 1.0 - uniform(rng)
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * uniform(rng))


@inner
def poisson(rng: Any, mean: Any) -> Any:
    """A Poisson draw by multiplication (Knuth), mean at most 30."""
    if mean <= 0.0:
        return 0
    limit = math.exp(-min(mean, 30.0))
    k = 0
    product = uniform(rng)
    while product > limit:
        k += 1
        product *= uniform(rng)
    return k
