"""Which clients leave more, and what matters to whom."""

from __future__ import annotations

from keepwell.world.setting_types import Pair, Positive3, Tilts
from keepwell.world.settings import Part, setting


class LeavingTargets(Part):
    """Yearly rates of leaving of parts of the book; only their ratios matter to `onset`."""

    by_age: Positive3 = setting(
        (0.203, 0.147, 0.066),
        "Relative leaving rates of clients aged 25-35, 36-45 and all others.",
        "source report 10.1 (25-35: 20.1 %); 2.2 (62 % and 28 % of leavers) for the others; a "
        "little wider apart, as contagion and tastes level them",
        unit="share a year",
    )
    by_city: Pair = setting(
        (0.182, 0.094),
        "Relative leaving rates in cities of tiers 1-2 and of tiers 3-4.",
        "source report 2.2 (18 % and 10 %); a little wider apart, as contagion levels them",
        unit="share a year",
    )
    by_assets: Positive3 = setting(
        (0.130, 0.168, 0.185),
        "Relative leaving rates of clients with little, middling and large assets.",
        "source report 10.1 (wealthy: 18.5 %); 2.2 (55 % and 15 % of leavers) for the others; a "
        "little wider apart, as tastes level them",
        unit="share a year",
    )


class TasteSettings(Part):
    """How much each cause of leaving matters to a client."""

    shape: float = setting(
        1.5,
        "Shape of the Gamma distribution of tastes; the larger, the more alike clients are.",
        "assumption: most clients care for one or two things",
        low=0.2,
        high=100,
    )
    by_age: Tilts = setting(
        (0.20, 0.20, -0.30, -0.35, 0.10, -0.25, 0.0, 0.10),
        "Change of log taste for each cause with one standard deviation of age.",
        "source report 2.4: the young leave over features, the wealthy over service; sizes assumed",
    )
    by_assets: Tilts = setting(
        (0.30, 0.30, -0.10, -0.20, 0.15, -0.25, 0.10, 0.0),
        "Change of log taste for each cause with one standard deviation of wealth.",
        "source report 2.4: the young leave over features, the wealthy over service; sizes assumed",
    )
