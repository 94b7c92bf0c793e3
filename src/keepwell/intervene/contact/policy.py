"""The gate before every contact: pure rules CT-1, CT-2, R-EXIT-3 and PI-4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """By which way."""

    PHONE = "phone"
    SMS = "sms"
    EMAIL = "email"
    WECOM = "wecom"
    APP = "app"
    BRANCH = "branch"
    VISIT = "visit"
    LETTER = "letter"


class Direction(StrEnum):
    """Who began: the desk (a touch) or the client."""

    OUT = "out"
    IN = "in"


class Aim(StrEnum):
    """What for: to keep the client, or for the client's own business."""

    RETENTION = "retention"
    SERVICE = "service"


class Result(StrEnum):
    """How it went."""

    REACHED = "reached"
    CALL_BACK = "call-back"
    REFUSED = "refused"
    NO_ANSWER = "no-answer"
    DELIVERED = "delivered"
    FAILED = "failed"


class Delivery(StrEnum):
    """Whether it arrived."""

    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Unassigned(StrEnum):
    """Why a contact has no propensity: no draw decided about it."""

    NO_ALERT = "no-alert"
    MANDATORY = "mandatory"
    NO_DRAW = "no-draw"


class Mark(StrEnum):
    """What about a recorded contact somebody should look at."""

    BACKDATED = "backdated"
    SELF_DECLARED = "self-declared"


MARK_TITLES: Final[dict[Mark, str]] = {
    Mark.BACKDATED: "Recorded long after the time stated",
    Mark.SELF_DECLARED: "Called service or inbound while the client was not to be contacted",
}
"""What each mark means, in English."""

SUCCESSES: Final = frozenset({Result.REACHED, Result.CALL_BACK, Result.REFUSED})
"""Results in which the client was spoken with; a refusal is an answer too."""

RESULT_TITLES: Final[dict[Result, str]] = {
    Result.REACHED: "Reached",
    Result.CALL_BACK: "Wants to be called back",
    Result.REFUSED: "Said no to such contacts",
    Result.NO_ANSWER: "No answer",
    Result.DELIVERED: "Delivered, not answered",
    Result.FAILED: "Could not be delivered",
}
"""Results, in English."""

DELIVERY_TITLES: Final[dict[Delivery, str]] = {
    Delivery.DELIVERED: "Arrived",
    Delivery.FAILED: "Did not arrive",
    Delivery.UNKNOWN: "Not known whether it arrived",
}
"""Whether contacts arrived, in English."""

UNASSIGNED_TITLES: Final[dict[Unassigned, str]] = {
    Unassigned.NO_ALERT: "No warning led to it; nobody was drawn for it",
    Unassigned.MANDATORY: "Service that everybody gets; nobody is drawn for it",
    Unassigned.NO_DRAW: "The newest decision about the warning was not one of the draw",
}
"""Why contacts have no propensity, in English."""

CHANNEL_TITLES: Final[dict[Channel, str]] = {
    Channel.PHONE: "Phone",
    Channel.SMS: "Text message",
    Channel.EMAIL: "E-mail",
    Channel.WECOM: "WeCom",
    Channel.APP: "App message",
    Channel.BRANCH: "At the branch",
    Channel.VISIT: "Visit to the client",
    Channel.LETTER: "Letter",
}
"""Channels, in English."""

DIRECTION_TITLES: Final[dict[Direction, str]] = {
    Direction.OUT: "We contacted the client",
    Direction.IN: "The client contacted us",
}
"""Who began, in English."""

AIM_TITLES: Final[dict[Aim, str]] = {
    Aim.RETENTION: "To keep the client",
    Aim.SERVICE: "For the client's own business (service)",
}
"""What a contact is for, in English."""

RULES: Final[dict[str, str]] = {
    "contact.complaint-open": "CT-2",
    "contact.consent-missing": "CT-1",
    "contact.exit-completed": "R-EXIT-3",
    "contact.exit-contacted": "R-EXIT-3",
    "contact.exit-refused": "R-EXIT-3",
    "contact.marketing-refused": "CT-1",
    "contact.profiling-refused": "PI-4",
    "contact.quiet-hours": "CT-1",
    "contact.service-refused": "CT-1",
}
"""Which rule forbids, by code; the words of a code are among the errors of the desk."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gate must know.

    Attributes:
        aim: what the contact is for.
        direction: who begins.
        local: time of day of the contact, in the workspace's zone.
        recorded: time of day at which it is recorded, where that is later; quiet time is judged at
            both, so that a time stated by hand does not get around it.
        quiet_from: quiet time begins.
        quiet_until: quiet time ends; the same as its beginning: there is none.
        require_consent: without consent on record no retention contact.
        marketing_refused: the client's newest word on such contacts is no.
        marketing_given: it is yes.
        service_refused: the client refuses even service messages.
        profiling_refused: the client refuses profiling.
        from_score: the contact follows from the score.
        complaints: complaints that are open.
        exiting: the client has asked to leave and has not yet left.
        exit_contacts: retention contacts made since about it.
        exit_refused: the client said no to any contact about leaving, and it still counts.
        left: the client has left, and has not agreed to contacts since.
    """

    aim: Aim
    local: time
    direction: Direction = Direction.OUT
    quiet_from: time = time(21)
    quiet_until: time = time(8)
    require_consent: bool = False
    marketing_refused: bool = False
    marketing_given: bool = False
    service_refused: bool = False
    profiling_refused: bool = False
    from_score: bool = False
    complaints: int = 0
    exiting: bool = False
    exit_contacts: int = 0
    exit_refused: bool = False
    left: bool = False
    recorded: time | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says.

    Attributes:
        allowed: whether the contact may be made now.
        code: why not; None when it may.
    """

    allowed: bool
    code: str | None = None

    @property
    def rule(self) -> str | None:
        """The rule that forbids it."""
        return RULES[self.code] if self.code else None


ALLOWED: Final = Verdict(True)


@dataclass(frozen=True, slots=True)
class Use:
    """What a contact carried out.

    Attributes:
        action_id: an action of the catalogue; None: none.
        version: its version.
        script_id: name and version of the script; None: none.
    """

    action_id: str | None = None
    version: int | None = None
    script_id: str | None = None


NO_USE: Final = Use()


def may_contact(facts: Facts) -> Verdict:
    """Decide about a contact; the gravest reason against it is the one given.

    A client who calls is always answered. A service contact is stopped only by the client's own
    refusal of such messages, and not even by that while a complaint or an exit is open.

    Args:
        facts: about client, contact and time.

    Example:
        >>> may_contact(Facts(Aim.RETENTION, time(10), complaints=1)).code
        'contact.complaint-open'
        >>> may_contact(Facts(Aim.SERVICE, time(10), complaints=1)).allowed
        True
    """
    if facts.direction is Direction.IN:
        return ALLOWED
    if facts.aim is Aim.SERVICE:
        needed = facts.complaints > 0 or facts.exiting
        if facts.service_refused and not needed:
            return Verdict(False, "contact.service-refused")
        return ALLOWED
    against = (
        (facts.marketing_refused, "contact.marketing-refused"),
        (facts.exit_refused, "contact.exit-refused"),
        (facts.left and not facts.exiting, "contact.exit-completed"),
        (facts.exiting and facts.exit_contacts > 0, "contact.exit-contacted"),
        (facts.complaints > 0, "contact.complaint-open"),
        (facts.profiling_refused and facts.from_score, "contact.profiling-refused"),
        (facts.require_consent and not facts.marketing_given, "contact.consent-missing"),
        (_quiet(facts), "contact.quiet-hours"),
    )
    return next((Verdict(False, code) for holds, code in against if holds), ALLOWED)


def _quiet(facts: Facts) -> bool:
    times = [facts.local] if facts.recorded is None else [facts.local, facts.recorded]
    return any(is_quiet(at, facts.quiet_from, facts.quiet_until) for at in times)


def is_quiet(local: time, since: time, until: time) -> bool:
    """Whether a time of day lies in quiet time [since, until), which may pass midnight.

    Example:
        >>> is_quiet(time(21), time(21), time(8)), is_quiet(time(8), time(21), time(8))
        (True, False)
    """
    if since <= until:
        return since <= local < until
    return local >= since or local < until


_SPOKEN: Final = frozenset({Channel.PHONE, Channel.BRANCH, Channel.VISIT})


def delivery_of(channel: Channel, direction: Direction, result: Result) -> Delivery:
    """Whether a contact arrived, as far as its result says so.

    Nobody answering a call or a door means that nothing was said; of a message it says nothing.

    Example:
        >>> delivery_of(Channel.SMS, Direction.OUT, Result.NO_ANSWER).value
        'unknown'
        >>> delivery_of(Channel.PHONE, Direction.OUT, Result.NO_ANSWER).value
        'failed'
    """
    if direction is Direction.IN or result in SUCCESSES or result is Result.DELIVERED:
        return Delivery.DELIVERED
    if result is Result.FAILED or channel in _SPOKEN:
        return Delivery.FAILED
    return Delivery.UNKNOWN
