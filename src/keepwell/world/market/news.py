"""What is written about the broker, its rivals and the market.

A piece is put together from an opening, a core and an ending; the Chinese of each stands in the
catalogue. A topic's tone is known, so the sentiment is true by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.text import tr
from keepwell.world.dynamics.chance import stream
from keepwell.world.market.happenings import Outage
from keepwell.world.market.instruments import SECTORS
from keepwell.world.market.settings import MarketSettings
from keepwell.world.terms import BROKERS

if TYPE_CHECKING:
    from keepwell.world.scenario import Happening

_OWN: Final = "Watchtower Securities"

OPENINGS: Final = (
    "{core}", "{core}", "Media report: {core}", "Forum post: {core}", "In brief: {core}",
    "Industry notes: {core}", "On the wires: {core}", "Around the market: {core}",
)  # fmt: skip
"""How a piece begins."""

CORES: Final[dict[str, tuple[str, ...]]] = {
    "own_good": (
        "{own} wins an award for investor education",
        "{own} shortens account opening to three minutes",
        "{own} widens its choice of low-cost funds",
        "analysts praise the new app of {own}",
        "{own} reports more clients and fewer complaints",
    ),
    "own_neutral": (
        "{own} opens a branch in the new district",
        "{own} announces maintenance of its systems at the weekend",
        "{own} appoints a new head of its {sector} research",
        "{own} publishes its half-year figures, in line with expectations",
        "{own} holds an open day for its clients",
    ),
    "own_bad": (
        "clients of {own} complain of slow service",
        "{own} is criticised for advice that did not suit older clients",
        "a product sold by {own} falls short of its expected return",
        "{own} loses several senior advisers at once",
        "fees at {own} are higher than elsewhere, a comparison finds",
        "questions are raised about how {own} handles clients' data",
    ),
    "own_outage_trading": (
        "clients of {own} could not place orders for {minutes} minutes",
        "orders at {own} hung for {minutes} minutes, clients demand compensation",
        "{own} apologises for the failure of its trading system",
        "another failure at {own}: investors post screenshots of error messages",
    ),
    "own_outage_app": (
        "the app of {own} failed during the session, clients demand compensation",
        "log-ins at {own} were down for {minutes} minutes",
        "{own} apologises for the failure of its app",
        "another failure at {own}: investors post screenshots of error messages",
    ),
    "own_outage_quotes": (
        "quotes at {own} stood still for {minutes} minutes",
        "wrong prices in the app of {own}, clients demand compensation",
        "{own} apologises for delayed quotes",
    ),
    "own_outage_payments": (
        "transfers between bank and {own} failed for {minutes} minutes",
        "clients of {own} could not withdraw money for {minutes} minutes",
        "{own} apologises for the failure of its bank transfers",
    ),
    "own_regulator": (
        "the regulator sends {own} a warning letter over its sales practice",
        "{own} is ordered to put its internal controls right",
        "{own} is fined over the suitability of products it sold",
        "an inquiry into {own} has been opened, says the regulator",
        "new business of {own} is suspended in part until its controls are put right",
    ),
    "rival_good": (
        "{rival} launches an intelligent trading assistant",
        "{rival} gains clients for the third month running",
        "{rival} adds night-time service by video",
        "{rival} brings out {sector} funds without a front load",
    ),
    "rival_neutral": (
        "{rival} moves into a new head office",
        "{rival} publishes its outlook on {sector}",
        "{rival} changes the design of its app",
        "{rival} names a new chief technology officer",
    ),
    "rival_bad": (
        "the app of {rival} stalls in the opening minutes",
        "{rival} receives a warning letter from the regulator",
        "complaints about {rival} rise",
        "{rival} has to correct statements of account",
    ),
    "rival_offer": (
        "{rival} cuts its commission to {bp} hundredths of a per cent",
        "{rival} waives the minimum commission for new clients",
        "{rival} pays clients who transfer their shares to it",
        "price war: {rival} undercuts the whole industry with {bp} hundredths of a per cent",
        "{rival} gives new clients a year of level-2 quotes for nothing",
        "{rival} lowers its margin interest to win clients over",
    ),
    "market_up": (
        "shares close {percent} % higher, led by {sector}",
        "turnover grows as the index gains {percent} %",
        "{sector} in demand, the index adds {percent} %",
        "confidence returns: the main index rises {percent} %",
    ),
    "market_down": (
        "shares close {percent} % lower, {sector} falls most",
        "heavy selling in {sector}, the index loses {percent} %",
        "investors turn cautious, the main index falls {percent} %",
        "funds flow out of {sector} as the index gives up {percent} %",
    ),
    "market_flat": (
        "quiet session, the index hardly moves",
        "shares mixed, {sector} slightly firmer",
        "little turnover before the next economic figures",
        "the index ends where it began, {sector} draws attention",
    ),
}
"""The news itself, by topic; a topic is its subject and its tone or cause."""

ENDINGS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "{text}.", "{text}.", "{text}!", "{text}. Investors are pleased.",
        "{text}. Comments are friendly.", "{text}, better than expected.",
    ),
    0: (
        "{text}.", "{text}.", "{text}. Details are to follow.", "{text}. Few comments so far.",
        "{text}, as announced.",
    ),
    -1: (
        "{text}.", "{text}.", "{text}! Many are angry.", "{text}. Investors are worried.",
        "{text}. Some speak of leaving.", "{text}, worse than feared.",
    ),
}  # fmt: skip
"""How a piece ends, by tone: 1 good, 0 neutral, -1 bad."""

# Mean and spread of the sentiment; outages, regulators and the market have their own mean.
_TONE: Final = {
    "own_good": 0.5, "own_neutral": 0.05, "own_bad": -0.45,
    "rival_good": 0.45, "rival_neutral": 0.0, "rival_bad": -0.45, "rival_offer": 0.4,
    "market_flat": 0.0,
}  # fmt: skip
_SPREAD: Final = 0.12
_NEUTRAL: Final = 0.15
_FLAT: Final = 0.003


@dataclass(frozen=True)
class News:
    """A piece of news.

    Attributes:
        day: day number of its publication.
        second: of the local day.
        subject: 'own', 'rival' or 'market'.
        sentiment: tone towards the subject, -1 bad .. 1 good.
        text: a headline of a sentence or two, in Chinese or English.
    """

    day: int
    second: int
    subject: str
    sentiment: float
    text: str


def draw_news(
    settings: MarketSettings,
    happenings: Sequence[Happening],
    start: int,
    trading: npt.NDArray[np.bool_],
    returns: npt.NDArray[np.float64],
    rival: npt.NDArray[np.float64],
    outages: list[Outage],
    seed: int,
) -> list[News]:
    """Draw all news of a world.

    Args:
        settings: how often there is news, and of which tone.
        happenings: those of the scenario: price wars, regulators' acts and bad news.
        start: day number of the first day.
        trading: which days have a session; only these have news of the market.
        returns: log returns of the index.
        rival: strength of rivals' offers, whose beginning is news.
        outages: failures; the worse, the likelier they are news.
        seed: the world's. What a scenario orders has luck of its own, so that it changes nothing
            of the usual news.

    Returns:
        The pieces, by time.
    """
    rng = stream(seed, "news")
    writer = _Writer(settings, rng)
    days = len(trading)
    counts = rng.poisson(
        [settings.own_news, settings.rival_news, settings.market_news], (days, 3)
    ).tolist()
    for t, (own, others, market) in enumerate(counts):
        for _ in range(own):
            topic = "own_bad" if rng.random() < settings.bad_news else writer.either("own")
            writer.write(start + t, topic)
        for _ in range(others):
            writer.write(start + t, writer.either("rival"))
        for _ in range(market if trading[t] else 0):
            writer.market(start + t, float(returns[t]))
    pieces = writer.pieces
    offers = _Writer(settings, stream(seed, "news of offers"))
    begun = (rival > 0) & (rival != np.concatenate([[0.0], rival[:-1]]))
    for t in np.flatnonzero(begun).tolist():
        offers.write(start + t, "rival_offer")
    pieces += offers.pieces
    for outage in outages:
        luck = stream(seed, "news of outages", outage.day, outage.second)
        # Medium failures have strength 1; the worst are always written about.
        if luck.random() < settings.outage_news * outage.strength**2:
            report = _Writer(settings, luck)
            report.outage(outage)
            pieces += report.pieces
    ordered = _Writer(settings, stream(seed, "news of the scenario"))
    for happening in happenings:
        ordered.happening(happening, start, days)
    pieces += ordered.pieces
    return sorted(pieces, key=lambda piece: (piece.day, piece.second, piece.text))


class _Writer:
    """Puts pieces together."""

    def __init__(self, settings: MarketSettings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._rng = rng
        self.pieces: list[News] = []

    def either(self, subject: str) -> str:
        """A good or a neutral topic; of rivals also a bad one."""
        tones = ("good", "neutral", "bad") if subject == "rival" else ("good", "neutral")
        return f"{subject}_{tones[int(self._rng.integers(len(tones)))]}"

    def market(self, day: int, moved: float) -> None:
        """A report on the session, after its close at 15:00."""
        topic = "market_flat" if abs(moved) < _FLAT else f"market_{'up' if moved > 0 else 'down'}"
        second = int(self._rng.integers(15 * 3600 + 300, 21 * 3600))
        tone = float(np.tanh(moved / 0.02))
        percent = f"{abs(np.expm1(moved)) * 100:.1f}"
        self.write(day, topic, tone if topic != "market_flat" else 0.0, second, percent=percent)

    def outage(self, outage: Outage) -> None:
        """A report on a failure, after it began."""
        second = min(outage.second + outage.seconds + 1200, 86_000)
        tone = -0.3 - 0.3 * min(outage.strength, 2.0)
        minutes = str(max(outage.seconds // 60, 1))
        self.write(outage.day, f"own_outage_{outage.system}", tone, second, minutes=minutes)

    def happening(self, happening: Happening, start: int, days: int) -> None:
        """What is written about a price war, a regulator's act, or bad news of the scenario."""
        topics = {"price_war": "rival_offer", "regulator": "own_regulator", "news": "own_bad"}
        topic = topics.get(happening.kind)
        if topic is None or happening.strength <= 0:
            return
        worst = min(1.0, happening.strength)
        for t in range(happening.day, min(happening.day + happening.days, days)):
            pieces = int(self._rng.poisson(self._settings.event_news))
            if topic == "own_bad" or (t == happening.day and topic == "own_regulator"):
                pieces += 1
            for _ in range(pieces):
                tone = 0.4 if topic == "rival_offer" else -0.85 * worst
                self.write(start + t, topic, tone)

    def write(
        self,
        day: int,
        topic: str,
        tone: float | None = None,
        second: int | None = None,
        **fields: str,
    ) -> None:
        """Add a piece on a topic, with chance wording and a sentiment near its tone."""
        rng = self._rng
        mean = _TONE[topic] if tone is None else tone
        sentiment = float(np.clip(rng.normal(mean, _SPREAD), -1.0, 1.0))
        # Chance must not turn bad news into good news.
        if mean and sentiment * mean < 0:
            sentiment = mean / 2.0
        language = "en" if rng.random() < self._settings.english_news else "zh"
        mood = 0 if abs(mean) < _NEUTRAL else int(np.sign(mean))
        begin, core, end = (
            options[int(rng.integers(len(options)))]
            for options in (OPENINGS, CORES[topic], ENDINGS[mood])
        )
        words = {
            "own": tr(_OWN, language),
            "rival": tr(BROKERS[int(rng.integers(len(BROKERS)))], language),
            "sector": SECTORS[int(rng.integers(len(SECTORS)))],
            "bp": f"{rng.integers(8, 20) / 10:.1f}",
            "minutes": "30",
            **fields,
        }
        if language == "zh":
            words["sector"] = tr(f"sector {words['sector']}", "zh")
        text = tr(core, language).format(**words)
        text = tr(begin, language, core=text)
        text = tr(end, language, text=text)
        hour = int(rng.integers(7 * 3600, 22 * 3600)) if second is None else second
        subject = topic.split("_")[0]
        self.pieces.append(
            News(day, hour, subject, round(sentiment, 3), text[0].upper() + text[1:])
        )
