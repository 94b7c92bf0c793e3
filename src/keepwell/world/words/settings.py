"""How clients write: parameters of the texts, and the plans of a text."""

from __future__ import annotations

from typing import Final

from keepwell.world.settings import Part, setting


class WordsSettings(Part):
    """Shares of manners of writing; none of them changes what a text means to say."""

    casual: float = setting(
        0.35,
        "Share of texts in chat style: other languages' words mixed in, loose punctuation.",
        "assumption: most text to a broker comes from chat windows",
        low=0,
        high=1,
    )
    hasty: float = setting(
        0.25,
        "Share of texts written in haste: most typos are here; with casual at most 1.",
        "assumption: typos come in bunches, by writer and situation",
        low=0,
        high=1,
    )
    typos_plain: float = setting(
        0.02,
        "Mean typos a clause of a careful text.",
        "assumption: well below one word in a hundred",
        low=0,
        high=3,
    )
    typos_casual: float = setting(
        0.08,
        "Mean typos a clause of a chat-style text.",
        "assumption: about one word in a hundred",
        low=0,
        high=3,
    )
    typos_hasty: float = setting(
        0.35,
        "Mean typos a clause of a hasty text.",
        "assumption: about four words in a hundred, as in text typed on phones unchecked",
        low=0,
        high=3,
    )
    mixed: float = setting(
        0.25,
        "Share of clauses of chat-style texts with a word of the other language.",
        "assumption: code-switching is common among urban clients",
        low=0,
        high=1,
    )
    shortened: float = setting(
        0.4,
        "Share of clauses of chat-style and hasty texts with chat spellings.",
        "assumption: usual in chat",
        low=0,
        high=1,
    )
    withheld: float = setting(
        0.10,
        "Share of texts that keep the writer's feeling to themselves.",
        "assumption: hard cases that a reader of texts must live with",
        low=0,
        high=1,
    )
    ironic: float = setting(
        0.04,
        "Share of angry texts that praise in irony.",
        "assumption: irony is rare and hard",
        low=0,
        high=1,
    )
    conceding: float = setting(
        0.08,
        "Share of texts that first grant the opposite: 'usually good, but'.",
        "assumption: common in polite writing",
        low=0,
        high=1,
    )
    threatening: float = setting(
        0.05,
        "Share of angry texts that threaten to leave, whether or not the writer will.",
        "assumption: words of leaving come from those who stay, too",
        low=0,
        high=1,
    )
    silent: float = setting(
        0.45,
        "Share of surveys answered without a comment.",
        "assumption: about half of those who give a score write nothing",
        low=0,
        high=1,
    )


NOTHING, CORE, DETAIL, TONE, BACKGROUND, EXTRA, DEMAND = range(7)
"""Clauses of a text: what is wanted, what happened, the feeling, who writes, by the way, demand."""

CLAUSES: Final = 5
"""Most clauses a text can have."""

Plan = tuple[tuple[int, ...], tuple[float, float, float]]

PLANS: Final[dict[str, tuple[Plan, ...]]] = {
    "contact": (
        ((CORE,), (0.22, 0.06, 0.04)),
        ((CORE, DETAIL), (0.28, 0.10, 0.05)),
        ((CORE, TONE), (0.10, 0.23, 0.25)),
        ((CORE, DETAIL, TONE), (0.20, 0.32, 0.32)),
        ((TONE, CORE, DETAIL), (0.00, 0.08, 0.15)),
        ((BACKGROUND, CORE), (0.08, 0.04, 0.02)),
        ((BACKGROUND, CORE, DETAIL, TONE), (0.07, 0.10, 0.10)),
        ((CORE, EXTRA, BACKGROUND, DETAIL, TONE), (0.05, 0.07, 0.07)),
    ),
    "complaint": (
        ((CORE, DEMAND), (0.15, 0.08, 0.05)),
        ((CORE, DETAIL, DEMAND), (0.25, 0.12, 0.08)),
        ((CORE, DETAIL, TONE, DEMAND), (0.25, 0.30, 0.32)),
        ((BACKGROUND, CORE, DETAIL, TONE, DEMAND), (0.15, 0.25, 0.25)),
        ((TONE, CORE, DETAIL, EXTRA, DEMAND), (0.05, 0.10, 0.15)),
        ((CORE, EXTRA, DETAIL, TONE), (0.15, 0.15, 0.15)),
    ),
    "survey": (
        ((TONE,), (0.35, 0.30, 0.35)),
        ((DETAIL,), (0.30, 0.17, 0.10)),
        ((CORE,), (0.15, 0.03, 0.02)),
        ((TONE, DETAIL), (0.10, 0.20, 0.23)),
        ((DETAIL, TONE), (0.05, 0.15, 0.15)),
        ((CORE, TONE), (0.05, 0.15, 0.15)),
    ),
}
"""Clauses in their order, and how often the plan is used for sentiments 0, 1 and 2 either way."""
