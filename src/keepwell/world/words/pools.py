"""Pools of ready phrases: every slip is made here once, so that a text is only a choice of phrases.

All phrases of both languages stand in one dictionary; a pool is a run of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.world import terms
from keepwell.world.dynamics.chance import stream
from keepwell.world.words.grammar import Grammar, Template, read_grammar
from keepwell.world.words.settings import WordsSettings
from keepwell.world.words.slips import Slips

LANGUAGES: Final = ("zh", "en")
STYLES: Final = ("plain", "casual", "hasty")
PLAIN, CASUAL, HASTY = range(3)
MOODS: Final = ("bad", "plain", "good")
NO_INTENT: Final = len(terms.INTENTS)
NO_CAUSE: Final = len(terms.CAUSES)
WAYS: Final = ("straight", "withheld", "irony", "concede", "threat")
STRAIGHT, WITHHELD, IRONY, CONCEDE, THREAT = range(5)
SURVEY: Final = terms.TEXT_KINDS.index("survey")

_SIZES: Final = {"clause": 160, "tone": 120, "opening": 96}
_ASKS: Final = {
    "zh": re.compile(
        r"(?:[吗呢么]$|(?:什么|怎么|多少|几[点天个]|哪|多久|要不要|能不能|是不是|有没有)[^，]*$)"
    ),
    "en": re.compile(
        r"(?:^|, )(?:how|what|when|where|why|who|whom|which|can|could|should|is|are|am|do|does|did|"
        r"has|will|would|must|until|in what)\b[^,]*$",
        re.IGNORECASE,
    ),
}
_ASKED: Final = (0.9, 0.5, 0.25)
"""Share of questions that get their mark, by style."""

Pool = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Forms:
    """How many surface forms there are.

    Attributes:
        templates: lines of the phrase files.
        phrases: different phrases the lines stand for, before any slip.
        pooled: different phrases in the pools of one seed, slips included.
        texts: least number of different contacts of one language, intent, cause and sentiment that
            the pools of one seed allow in the plan of wish, happening and feeling.
    """

    templates: int
    phrases: int
    pooled: int
    texts: int


@dataclass(frozen=True, slots=True)
class Pools:
    """Phrases and where each pool of them stands.

    Every array of pools holds numbers of pools and begins with [language, style].

    Attributes:
        phrases: the dictionary; its first entry is empty.
        asks: which of them end as a question.
        start: first phrase of a pool.
        size: phrases of a pool; at least 1.
        core: [2, 3, kind, intent or NO_INTENT, mood].
        detail: [2, 3, kind, cause or NO_CAUSE, mood].
        tone: [2, 3, kind, way, sentiment + 2].
        opening: [2, 3, kind, mood].
        background: [2, 3].
        extra: [2, 3], by the way.
        demand: [2, 3, mood].
        between: [2, 3, whether the clause before asks].
        end: [2, 3, what: 0..4 sentiment + 2, 5 irony, 6 question, 7 complaint].
        forms: counts.
    """

    phrases: pa.StringArray
    asks: npt.NDArray[np.bool_]
    start: npt.NDArray[np.int64]
    size: npt.NDArray[np.uint64]
    core: Pool
    detail: Pool
    tone: Pool
    opening: Pool
    background: Pool
    extra: Pool
    demand: Pool
    between: Pool
    end: Pool
    forms: Forms


def build_pools(seed: int, settings: WordsSettings) -> Pools:
    """Draw all pools.

    Args:
        seed: the world's.
        settings: shares of slips and habits.
    """
    return _Builder(seed, settings).build()


class _Builder:
    """Collects pools."""

    def __init__(self, seed: int, settings: WordsSettings) -> None:
        self._settings = settings
        self._draws = _draws(stream(seed, "words"))
        self._phrases = [""]
        self._asks = [False]
        self._start = [0]
        self._size = [1]
        self._made: dict[tuple[str, str, str, int], int] = {}

    def build(self) -> Pools:
        """All pools of all languages and styles."""
        arrays: dict[str, Pool] = {
            name: np.zeros((2, 3, *shape), np.int32)
            for name, shape in {
                "core": (3, NO_INTENT + 1, 3), "detail": (3, NO_CAUSE + 1, 3),
                "tone": (3, len(WAYS), 5), "opening": (3, 3), "background": (), "extra": (),
                "demand": (3,), "between": (2,), "end": (8,),
            }.items()
        }  # fmt: skip
        grammars = [read_grammar(language) for language in LANGUAGES]
        for number, (language, grammar) in enumerate(zip(LANGUAGES, grammars, strict=True)):
            slips = Slips(grammar, english=language == "en")
            for style in range(len(STYLES)):
                here = {name: array[number, style] for name, array in arrays.items()}
                _Voice(self, language, grammar, slips, style).fill(here)
                for name in ("background", "extra"):
                    arrays[name][number, style] = self._made[
                        language, "detail.none" if name == "extra" else name, "", style
                    ]
        size = np.array(self._size, np.uint64)
        return Pools(
            phrases=pa.array(self._phrases, pa.string()),
            asks=np.array(self._asks),
            start=np.array(self._start, np.int64),
            size=size,
            forms=_count(grammars, self._phrases, arrays, size),
            **arrays,
        )

    def pool(self, voice: _Voice, name: str, mood: str = "", *, kind: str = "clause") -> int:
        """The number of a pool, made when first asked for."""
        key = (voice.language, name, mood, voice.style)
        if key not in self._made:
            templates = voice.grammar.templates(name, mood)
            fixed = kind == "fixed"
            # Where a phrase may come again, that is its weight.
            again = kind in ("fixed", "opening")
            # Few phrases need few draws; the rest would only repeat them.
            few = max(24, 4 * sum(line.forms() for line in templates))
            wanted = len(templates) if fixed else min(few, _SIZES[kind])
            drawn = {}
            for place in range(wanted):
                plain = templates[place % len(templates)].phrase(self._draw)
                text = plain if fixed else self._written(plain, voice, opening=kind == "opening")
                drawn[(text, place if again else 0)] = bool(
                    kind == "clause"
                    and _ASKS[voice.language].search(plain)
                    and self._draw() < _ASKED[voice.style]
                )
            self._made[key] = len(self._start)
            self._start.append(len(self._phrases))
            self._size.append(len(drawn))
            self._phrases += [text for text, _ in drawn]
            self._asks += drawn.values()
        return self._made[key]

    def _draw(self) -> float:
        return next(self._draws)

    def _written(self, text: str, voice: _Voice, *, opening: bool) -> str:
        """The phrase as somebody of a style writes it."""
        settings, slips, style, draw = self._settings, voice.slips, voice.style, self._draw
        text = text if opening else " ".join(text.split())
        if style == CASUAL and draw() < settings.mixed:
            text = slips.swap("mix", text, draw)
        if style != PLAIN and draw() < settings.shortened:
            text = slips.swap("chat", text, draw)
        rate = (settings.typos_plain, settings.typos_casual, settings.typos_hasty)[style]
        # A greeting is typed from habit.
        rate = rate / 5 if opening else rate
        for _ in range(_poisson(rate, draw())):
            text = slips.typo(text, draw)
        if voice.language != "en" or not text:
            return text
        if style == PLAIN:
            return text[0].upper() + text[1:]
        return text.lower() if style == HASTY else text


@dataclass(frozen=True, slots=True)
class _Voice:
    """One language in one style."""

    builder: _Builder
    language: str
    grammar: Grammar
    slips: Slips
    style: int

    def fill(self, arrays: dict[str, Pool]) -> None:
        """Make the voice's pools and note their numbers."""
        pool = self.builder.pool
        for k, kind in enumerate(terms.TEXT_KINDS):
            for m, mood in enumerate(MOODS):
                arrays["opening"][k, m] = pool(self, f"opening.{kind}", mood, kind="opening")
                for i, intent in enumerate((*terms.INTENTS, "none")):
                    # Only a survey's comment can be about nothing in particular.
                    what = "question" if intent == "none" and kind != "survey" else intent
                    arrays["core"][k, i, m] = pool(self, f"{kind}.{what}", mood)
                for c, cause in enumerate(terms.CAUSES):
                    arrays["detail"][k, c, m] = pool(self, f"detail.{cause}", mood)
                arrays["detail"][k, NO_CAUSE, m] = (
                    pool(self, "detail.survey.none", mood)
                    if kind == "survey"
                    else pool(self, "detail.none")
                )
        for m, mood in enumerate(MOODS):
            arrays["demand"][m] = pool(self, "demand", mood)
        pool(self, "background")
        self._tones(arrays["tone"])
        style = STYLES[self.style]
        arrays["between"][:] = (
            pool(self, f"sep.{style}", kind="fixed"),
            pool(self, f"sep.ask.{style}", kind="fixed"),
        )
        ends = (*(str(s) for s in range(-2, 3)), "irony", "ask", "complaint")
        arrays["end"][:] = [pool(self, f"end.{name}", kind="fixed") for name in ends]

    def _tones(self, tone: Pool) -> None:
        """Pools of feeling by way and sentiment."""
        pool = self.builder.pool
        straight = [pool(self, f"tone.{s}", kind="tone") for s in range(-2, 3)]
        tone[:] = straight
        tone[SURVEY, STRAIGHT, 2] = pool(self, "tone.survey.0", kind="tone")
        tone[:, WITHHELD] = tone[:, STRAIGHT, 2, None]
        tone[:, IRONY, :2] = pool(self, "irony", kind="tone")
        tone[:, THREAT, :2] = pool(self, "threat", kind="tone")
        tone[:, CONCEDE, :2] = pool(self, "concede.bad", kind="tone")
        tone[:, CONCEDE, 3:] = pool(self, "concede.good", kind="tone")


def _draws(chance: np.random.Generator) -> Iterator[float]:
    """Draws in [0, 1), many at a time."""
    while True:
        yield from chance.random(65536).tolist()


def _poisson(rate: float, draw: float) -> int:
    """A Poisson number by inversion, at most 3."""
    term = total = float(np.exp(-rate))
    number = 0
    while draw >= total and number < 3:
        number += 1
        term *= rate / number
        total += term
    return number


def _count(
    grammars: list[Grammar],
    phrases: list[str],
    arrays: dict[str, Pool],
    size: npt.NDArray[np.uint64],
) -> Forms:
    """Counts for the documentation."""
    lines: list[Template] = [
        line for grammar in grammars for body in grammar.sections.values() for line in body
    ]
    # By language: careful style, as it has the smallest pools.
    core = size[arrays["core"][:, PLAIN, 0, :NO_INTENT]].min(axis=(1, 2))
    detail = size[arrays["detail"][:, PLAIN, 0]].min(axis=(1, 2))
    tone = size[arrays["tone"][:, PLAIN, 0, STRAIGHT]].min(axis=1)
    return Forms(
        templates=len(lines),
        phrases=sum(line.forms() for line in lines),
        pooled=len(set(phrases)),
        texts=int((core * detail * tone).min()),
    )
