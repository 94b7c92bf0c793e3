"""Writes the texts: every text is a choice of phrases by the bits of its `words`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from keepwell.world import terms
from keepwell.world.dynamics.chance import key_of
from keepwell.world.words import settings as plan
from keepwell.world.words.pools import (
    CASUAL,
    CONCEDE,
    HASTY,
    IRONY,
    NO_CAUSE,
    NO_INTENT,
    PLAIN,
    STRAIGHT,
    THREAT,
    WITHHELD,
    Forms,
    Pools,
    build_pools,
)
from keepwell.world.words.settings import WordsSettings

_ROWS: Final = 131_072
"""Texts written at a time: their phrases stay in the processor's cache."""

_TOLD: Final = 0.7
"""Share of complaints that begin with the matter of their cause."""

_MATTERS: Final = np.array(
    [
        terms.I_COMPLAINT, terms.I_ADVICE, terms.I_FEATURE, terms.I_APP, terms.I_COMPLAINT,
        terms.I_FEE, terms.I_MARKET, terms.I_LIFE, terms.I_COMPLAINT,
    ]
)  # fmt: skip
"""What a complaint of each cause, or of none, is about."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

Codes = npt.NDArray[np.integer]
Bits = npt.NDArray[np.uint64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """The writer of one world's texts.

    Attributes:
        settings: shares of manners.
        pools: the phrases.
        key: of the choices.

    Example:
        >>> words = Words.make(7)
        >>> one = dict(cause=[3], sentiment=[-2], english=[1], words=[12])
        >>> codes = {name: np.array(code, np.int8) for name, code in one.items()}
        >>> len(words.texts("contact", np.array([2], np.int8), **codes))
        1
    """

    settings: WordsSettings
    pools: Pools
    key: int

    @classmethod
    def make(cls, seed: int, settings: WordsSettings | None = None) -> Words:
        """A writer; the same one for the same seed and settings.

        Args:
            seed: the world's.
            settings: shares of manners; the defaults when None.
        """
        return _make(seed, settings or WordsSettings())

    def describe(self) -> Forms:
        """How many surface forms there are."""
        return self.pools.forms

    def texts(
        self,
        kind: str,
        intent: Codes,
        cause: Codes,
        sentiment: Codes,
        english: Codes,
        words: Codes,
    ) -> pa.StringArray:
        """Texts with given meanings.

        Equal arguments give equal texts whatever stands beside them. A survey may have null: no
        comment; contacts and complaints are never null or empty.

        Args:
            kind: one of `terms.TEXT_KINDS`.
            intent: [m], places in `terms.INTENTS`; -1 for none: a survey's comment in general (in
                other kinds a question).
            cause: [m], places in `terms.CAUSES`; -1 for none.
            sentiment: [m], -2 (furious) .. 2 (delighted).
            english: [m], 1 for English, 0 for Chinese.
            words: [m], 32 bits that choose the text.

        Returns:
            Texts [m].

        Raises:
            ValueError: an unknown kind.
        """
        place = terms.TEXT_KINDS.index(kind)
        pieces = [
            self._piece(
                place,
                np.where(intent[here] < 0, NO_INTENT, intent[here]),
                np.where(cause[here] < 0, NO_CAUSE, cause[here]),
                sentiment[here].astype(np.int64),
                english[here].astype(np.int64),
                words[here],
            )
            for here in (slice(at, at + _ROWS) for at in range(0, len(words), _ROWS))
        ]
        return pa.concat_arrays(pieces) if pieces else pa.array([], pa.string())

    def _piece(
        self,
        kind: int,
        intent: Codes,
        cause: Codes,
        sentiment: Index,
        english: Index,
        words: Codes,
    ) -> pa.StringArray:
        """Texts of one piece of the rows."""
        pools, draw = self.pools, _Draws(self.key, words)
        style = self._style(draw.share())
        way = self._way(draw.share(), sentiment)
        intent = self._matter(kind, intent, cause, draw.share())
        mood = np.sign(sentiment) + 1
        # Who keeps the feeling back keeps it out of the wish and the ending, too.
        shown = np.where(way == WITHHELD, 1, mood)
        clauses = _plans(kind, np.abs(sentiment), draw.share())
        spoken = {
            plan.CORE: pools.core[english, style, kind, intent, shown],
            plan.DETAIL: pools.detail[english, style, kind, cause, mood],
            plan.TONE: pools.tone[english, style, kind, way, sentiment + 2],
            plan.BACKGROUND: pools.background[english, style],
            plan.EXTRA: pools.extra[english, style],
            plan.DEMAND: pools.demand[english, style, mood],
        }
        by_clause = np.stack([np.zeros_like(style), *spoken.values()])
        rows = np.arange(len(words))
        columns = [self._choose(pools.opening[english, style, kind, shown], draw)]
        asked = np.zeros(len(words), np.int64)
        for place in range(plan.CLAUSES):
            clause = clauses[:, place]
            phrase = self._choose(by_clause[clause, rows], draw)
            if place:
                link = self._choose(pools.between[english, style, asked], draw)
                columns.append(np.where(clause == plan.NOTHING, 0, link))
            columns.append(phrase)
            asked = np.where(clause == plan.NOTHING, asked, pools.asks[phrase])
        columns.append(self._choose(self._end(kind, english, style, way, sentiment, asked), draw))
        text = pc.binary_join_element_wise(*(pools.phrases.take(pa.array(c)) for c in columns), "")
        if terms.TEXT_KINDS[kind] == "survey":
            silent = pa.array(draw.share() < self.settings.silent)
            text = pc.if_else(silent, pa.scalar(None, pa.string()), text)
        return text

    def _matter(
        self, kind: int, intent: Codes, cause: Codes, share: npt.NDArray[np.float64]
    ) -> Codes:
        """Intents, but that a complaint mostly tells what it is about instead of that it is one."""
        if terms.TEXT_KINDS[kind] != "complaint":
            return intent
        told = (intent == terms.I_COMPLAINT) & (share < _TOLD)
        return np.where(told, _MATTERS[cause], intent)

    def _style(self, share: npt.NDArray[np.float64]) -> Index:
        """Style of each text."""
        hasty = self.settings.hasty
        return np.select(
            [share < hasty, share < hasty + self.settings.casual], [HASTY, CASUAL], PLAIN
        )

    def _way(self, share: npt.NDArray[np.float64], sentiment: Index) -> Index:
        """How each text shows its feeling."""
        told = self.settings
        bad = np.cumsum([told.withheld, told.conceding, told.ironic, told.threatening])
        way = np.select(
            [share < bad[0], share < bad[1], share < bad[2], share < bad[3]],
            [WITHHELD, CONCEDE, IRONY, THREAT],
            STRAIGHT,
        )
        return np.where((sentiment == 0) | ((sentiment > 0) & (way > CONCEDE)), STRAIGHT, way)

    def _end(
        self, kind: int, english: Index, style: Index, way: Index, sentiment: Index, asked: Index
    ) -> npt.NDArray[np.int32]:
        """Pools of endings."""
        what = np.where(way == WITHHELD, 2, sentiment + 2)
        if terms.TEXT_KINDS[kind] == "complaint":
            what = np.full_like(what, 7)
        what = np.where(asked == 1, 6, np.where(way == IRONY, 5, what))
        return self.pools.end[english, style, what]

    def _choose(self, pool: npt.NDArray[np.int32], draw: _Draws) -> Index:
        """A phrase of each pool."""
        pools = self.pools
        return pools.start[pool] + ((draw.bits() * pools.size[pool]) >> np.uint64(32)).astype(
            np.int64
        )


@lru_cache(maxsize=4)
def _make(seed: int, settings: WordsSettings) -> Words:
    return Words(settings, build_pools(seed, settings), key_of(seed, "texts"))


class _Draws:
    """32 random bits a text, again and again (splitmix64, as in dynamics.chance)."""

    def __init__(self, key: int, words: Codes) -> None:
        self._state: Bits = _mix(words.astype(np.uint64) + np.uint64(key))
        self._left: Bits | None = None

    def bits(self) -> Bits:
        """The next 32 bits."""
        if self._left is not None:
            left, self._left = self._left, None
            return left
        self._state += _GOLDEN
        whole = _mix(self._state)
        self._left = whole >> np.uint64(32)
        return whole & np.uint64(0xFFFFFFFF)

    def share(self) -> npt.NDArray[np.float64]:
        """The next draws in [0, 1)."""
        return np.asarray(self.bits() * 2.0**-32, np.float64)


def _mix(x: Bits) -> Bits:
    """Splitmix64's finaliser."""
    x = (x ^ (x >> np.uint64(30))) * _A
    x = (x ^ (x >> np.uint64(27))) * _B
    return x ^ (x >> np.uint64(31))


def _plans(kind: int, strength: Index, share: npt.NDArray[np.float64]) -> Index:
    """Clauses of each text [m, CLAUSES].

    Args:
        kind: place in `terms.TEXT_KINDS`.
        strength: 0..2, of the sentiment.
        share: draws in [0, 1).
    """
    plans = plan.PLANS[terms.TEXT_KINDS[kind]]
    clauses = np.zeros((len(plans), plan.CLAUSES), np.int64)
    for row, (order, _) in enumerate(plans):
        clauses[row, : len(order)] = order
    upto = np.cumsum([weights for _, weights in plans], axis=0)
    limits = (upto / upto[-1])[:-1]
    row = (share[:, None] >= limits.T[strength]).sum(axis=1)
    return np.asarray(clauses[row])
