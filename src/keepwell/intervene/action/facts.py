"""What the gate is told: of a client, and of the broker's own limits. Plain values, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final, Literal

from keepwell.intervene.action.catalogue import TierCode
from keepwell.intervene.contact.policy import Channel
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import Profile
from keepwell.warn.reason_codes import ReasonCode


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many contacts in any span of so many days.

    Attributes:
        most: contacts in the span; 0: none at all.
        days: length of the sliding span that ends now.
        channel: by this way; None: by all ways together.
    """

    most: int
    days: int
    channel: Channel | None = None


DEFAULT_CAPS: Final = (
    Cap(3, 7),
    Cap(8, 30),
    Cap(2, 7, Channel.PHONE),
    Cap(2, 7, Channel.SMS),
    Cap(2, 7, Channel.EMAIL),
    Cap(3, 7, Channel.WECOM),
    Cap(3, 7, Channel.APP),
    Cap(1, 7, Channel.BRANCH),
    Cap(1, 30, Channel.VISIT),
    Cap(1, 30, Channel.LETTER),
)
"""Our own caps; change them in settings."""


@dataclass(frozen=True, slots=True)
class ContactPolicy:
    """When and how often clients are contacted.

    Attributes:
        quiet_from: quiet time begins, client's zone.
        quiet_until: quiet time ends; the same as its beginning: there is none.
        caps: sliding limits.
        on_cap: what happens when the best channel's limit is reached: another channel is taken,
            or one waits for it, or the action is dropped.
        longest_delay: what could be done only later than this is dropped.
        require_consent: no retention contact without consent to marketing on record.
    """

    quiet_from: time = time(21)
    quiet_until: time = time(8)
    caps: tuple[Cap, ...] = DEFAULT_CAPS
    on_cap: Literal["downgrade", "delay", "drop"] = "downgrade"
    longest_delay: timedelta = timedelta(days=7)
    require_consent: bool = False


@dataclass(frozen=True, slots=True)
class Touch:
    """A contact that the desk began.

    Attributes:
        at: when, an instant with its zone.
        channel: by which way.
        action_id: the action it belonged to; None when it was none.
    """

    at: datetime
    channel: Channel
    action_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """All that the gate knows about a client; no name, no score, no value.

    Attributes:
        client_id: the client's number.
        tier: tier code, 'none' to 'severe'.
        reasons: reason codes of the client, the gravest first.
        profile: what suitability needs.
        consents: newest word on each purpose; a purpose that is absent was never asked.
        touches: contacts that the desk began, newest last or in any order.
        complaints: complaints that are open.
        exiting: the client has asked to leave and has not yet left.
        exit_contacts: retention contacts made since about it.
        exit_refused: the client said no to any contact about leaving, and it still counts.
        left: the client has left, and has not agreed to contacts since.
        held_out: the client is in the hold-out.
        reached_by: ways that reach the client; None: not known, all are tried.
        refused_channels: ways that the client refuses.
        from_score: tier and reasons come from profiling; false for a case opened by hand.
        service_only: it is the client's own business that is at hand; nobody keeps them now.
        warned: a warning about the client was shown; only then does the desk recommend to keep
            them. Without one both arms of the hold-out look alike, so that no refusal tells it.
    """

    client_id: str
    tier: TierCode
    reasons: tuple[ReasonCode, ...]
    profile: Profile
    consents: Mapping[Purpose, bool] = field(default_factory=dict)
    touches: tuple[Touch, ...] = ()
    complaints: int = 0
    exiting: bool = False
    exit_contacts: int = 0
    exit_refused: bool = False
    left: bool = False
    held_out: bool = False
    reached_by: frozenset[Channel] | None = None
    refused_channels: frozenset[Channel] = frozenset()
    from_score: bool = True
    service_only: bool = False
    warned: bool = True
