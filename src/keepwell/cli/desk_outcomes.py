"""How `keepwell desk outcomes` shows staff against label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keepwell.cli.terminal import say, show
from keepwell.core.text import percent, tr

if TYPE_CHECKING:
    from keepwell.client import Item


def show_mismatch(found: Item) -> None:
    """The counts by what staff typed and by manager, and the cases that differ.

    Args:
        found: the answer of GET /outcomes/mismatch.
    """
    from keepwell.intervene.case.policy import STATE_TITLES, State

    show(
        ["What staff typed", "Label: stayed", "Label: left", "Not counted", "Not known yet"],
        [
            [tr(STATE_TITLES[State(row["state"])]), row["stayed"], row["left"], row["unsaid"],
             row["waiting"]]
            for row in found["states"]
        ],
        right=(1, 2, 3, 4),
    )  # fmt: skip
    say("Share that differs: {share}", share=_share(found["whole"]["mismatch"]))
    if found["managers"]:
        show(
            ["Manager", "Label and staff agree", "They differ", "Share that differs"],
            [
                [row["name"] or row["key"], row["agree"], row["differ"], _share(row["mismatch"])]
                for row in found["managers"]
            ],
            right=(1, 2),
        )
    for row in found["differing"]:
        left = tr("Label: left") if row["left"] else tr("Label: stayed")
        typed = tr(STATE_TITLES[State(row["state"])])
        say("  - {case}, {client}: {typed}; {left}", case=row["case_id"], client=row["client_id"],
            typed=typed, left=left)  # fmt: skip
    say("{definition}", definition=found["definition"])


def _share(share: Any) -> str:
    if share["share"] is None:
        return "–"
    low, high = percent(share["low"]), percent(share["high"])
    return tr("{share} ({low} – {high})", share=percent(share["share"]), low=low, high=high)
