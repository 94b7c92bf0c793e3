"""The texts clients write: contacts, complaints and survey comments in Chinese and English."""

from __future__ import annotations

from keepwell.world.words.pools import Forms
from keepwell.world.words.settings import WordsSettings
from keepwell.world.words.writer import Words

__all__ = ["Forms", "Words", "WordsSettings"]
