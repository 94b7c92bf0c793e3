"""Events of what clients do and say as rows of the contract: sessions, views, words, touches."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from keepwell.world import terms
from keepwell.world.files.columns import Numbers, Words, flag, instant, instants, whole
from keepwell.world.files.dealing import Builder, Columns, happened

if TYPE_CHECKING:
    from keepwell.world.files.naming import Names
    from keepwell.world.words import Words as Texts

MISCODED = 8
"""One contact in so many is filed by the desk under a wrong topic (assumption: no desk files all
of them right)."""

COMPLAINT_TOPICS = (
    "slow service", "advice", "products", "app", "trust", "fees", "losses", "other",
)  # fmt: skip
"""What the desk files a complaint of each cause under."""

CAUSE_INTENTS = (
    terms.I_QUESTION, terms.I_ADVICE, terms.I_FEATURE, terms.I_APP, terms.I_COMPLAINT,
    terms.I_FEE, terms.I_MARKET, terms.I_LIFE,
)  # fmt: skip
"""What a survey's comment is about, by its cause."""

_SESSION_CHANNELS = Words(terms.SESSION_CHANNELS)
_TOPICS = Words(terms.TOPICS)
_CONTACT_CHANNELS = Words(terms.CONTACT_CHANNELS)
_INTENTS = Words(terms.INTENTS)
_COMPLAINT_STATES = Words(terms.COMPLAINT_STATES)
_COMPLAINT_TOPICS = Words(COMPLAINT_TOPICS)
_SURVEYS = Words(terms.SURVEYS)
_TOUCHPOINTS = Words(terms.TOUCHPOINTS)
_TOUCH_CHANNELS = Words(terms.TOUCH_CHANNELS)
_CAMPAIGNS = Words(terms.CAMPAIGNS)
_BY_STAFF = np.isin(terms.TOUCH_CHANNELS, ("phone", "wecom"))
_REVIEW = terms.FIRST_ACTION + terms.ADVISER_REVIEW


def session(names: Names, e: Any, day: int, t: int) -> Columns:
    """Visits to the app, the site or a terminal."""
    return {
        "session_id": names.rows("S", t, len(e)),
        "client_id": names.clients.column(e["client"]),
        **happened(day, e["second"]),
        "channel": _SESSION_CHANNELS.column(e["channel"]),
        "seconds": whole(e["seconds"]),
        "pages": whole(e["pages"]),
        "errors": whole(e["errors"]),
        "latency_ms": whole(e["latency"]),
    }


def view(names: Names, e: Any, day: int, t: int) -> Columns:
    """Pages and instruments looked at."""
    return {
        "view_id": names.rows("V", t, len(e)),
        "client_id": names.clients.column(e["client"]),
        **happened(day, e["second"]),
        "topic": _TOPICS.column(e["topic"]),
        "subject": names.subjects(e["topic"], e["subject"]),
    }


SIGNALS: dict[str, Builder] = {"session": session, "view": view}
"""Contract tables that follow from one kind of event alone."""


def complaint_sentiment(words: Numbers) -> Numbers:
    """True tone of complaints: bad or furious, by a bit of what chooses their words."""
    return np.where(words >> 7 & 1, -2, -1).astype(np.int8)


def survey_intent(cause: Numbers, sentiment: Numbers) -> Numbers:
    """True meaning of survey comments: praise, or what their cause is about."""
    meant = np.array([*CAUSE_INTENTS, terms.I_QUESTION], np.int8)[cause]
    return np.where((sentiment > 0) & (cause < 0), terms.I_PRAISE, meant).astype(np.int8)


class Speech:
    """Rows that carry words of clients; days must come in their order.

    Args:
        texts: the grammar.
        english: which clients write English [clients].
    """

    def __init__(self, texts: Texts, english: Numbers) -> None:
        self._texts = texts
        self._english = english
        # What the open complaint of each client is about: its answer repeats topic and text.
        self._cause = np.zeros(len(english), np.int8)
        self._chosen = np.zeros(len(english), np.uint32)

    def copy(self) -> Speech:
        """The same, to go on with another future."""
        other = copy(self)
        other._cause, other._chosen = self._cause.copy(), self._chosen.copy()
        return other

    @property
    def rows(self) -> dict[str, Builder]:
        """What makes the rows of each kind of event."""
        return {"contact": self.contact, "complaint": self.complaint, "survey": self.survey}

    def _words(
        self, kind: str, e: Any, intent: Numbers, sentiment: Numbers, cause: Numbers, words: Numbers
    ) -> pa.Array:
        english = self._english[e["client"]]
        return self._texts.texts(kind, intent, cause, sentiment, english, words)

    def _complained(self, e: Any) -> tuple[Numbers, Numbers]:
        """Cause and choice of words of complaints; of answers those of what they answer."""
        done, client = e["revision"] > 0, e["client"]
        cause = np.where(done, self._cause[client], e["cause"])
        words = np.where(done, self._chosen[client], e["words"])
        self._cause[client[~done]], self._chosen[client[~done]] = cause[~done], words[~done]
        return cause, words

    def contact(self, names: Names, e: Any, day: int, t: int) -> Columns:
        """Contacts, known when they are resolved."""
        filed = np.where(e["words"] % MISCODED == 0, terms.I_QUESTION, e["intent"])
        resolved = e["second"] + e["wait"].astype(np.int64) + e["resolve"]
        return {
            "contact_id": names.rows("K", t, len(e)),
            "client_id": names.clients.column(e["client"]),
            "at": instant(instants(day, e["second"])),
            "channel": _CONTACT_CHANNELS.column(e["channel"]),
            "topic": _INTENTS.column(filed),
            "wait_s": whole(e["wait"]),
            "resolve_s": whole(e["resolve"]),
            "first_time": flag(e["first_time"]),
            "text": self._words("contact", e, e["intent"], e["sentiment"], e["cause"], e["words"]),
            "csat": whole(e["csat"], e["csat"] > 0),
            "known_at": instant(instants(day, resolved)),
        }

    def complaint(self, names: Names, e: Any, day: int, t: int) -> Columns:
        """Complaints; answered, they come again as revision 1, known then."""
        del t
        done = e["revision"] > 0
        asked_day = np.where(done, e["day"], day)
        asked_second = np.where(done, e["asked_second"], e["second"])
        now = instants(day, e["second"])
        cause, words = self._complained(e)
        intent, tone = np.full(len(e), terms.I_COMPLAINT, np.int8), complaint_sentiment(words)
        return {
            "complaint_id": names.case("P", e["client"], asked_day, asked_second),
            "client_id": names.clients.column(e["client"]),
            "at": instant(instants(asked_day, asked_second)),
            "topic": _COMPLAINT_TOPICS.column(np.where(cause < 0, terms.LIFE, cause)),
            "status": _COMPLAINT_STATES.column(e["status"]),
            "closed_at": instant(now, done),
            "text": self._words("complaint", e, intent, tone, cause, words),
            "known_at": instant(now),
            "revision": whole(e["revision"]),
        }

    def survey(self, names: Names, e: Any, day: int, t: int) -> Columns:
        """Answers to surveys, some without a comment."""
        intent = survey_intent(e["cause"], e["sentiment"])
        return {
            "survey_id": names.rows("N", t, len(e)),
            "client_id": names.clients.column(e["client"]),
            **happened(day, e["second"]),
            "kind": _SURVEYS.column(e["kind"]),
            "score": whole(e["score"]),
            "touchpoint": _TOUCHPOINTS.column(e["touchpoint"]),
            "text": self._words("survey", e, intent, e["sentiment"], e["cause"], e["words"]),
        }


def touch(names: Names, e: Any, day: int, t: int, manager: Numbers, adviser: Numbers) -> Columns:
    """Touches; calls and messages of a person name her: the adviser for reviews, else the manager.

    Args:
        names: the shard's names.
        e: events.
        day: day number.
        t: days since the start.
        manager: number of the manager who serves the client of each event.
        adviser: the same of the adviser.
    """
    reviewed = e["campaign"] == _REVIEW
    count = len(names.managers.pool)
    return {
        "touch_id": names.rows("O", t, len(e)),
        "client_id": names.clients.column(e["client"]),
        **happened(day, e["second"]),
        "channel": _TOUCH_CHANNELS.column(e["channel"]),
        "campaign": _CAMPAIGNS.column(e["campaign"]),
        "staff_id": names.staff.text(
            np.where(reviewed, count + adviser, manager), _BY_STAFF[e["channel"]] | reviewed
        ),
        "delivered": flag(e["delivered"]),
        "opened": flag(e["opened"]),
        "replied": flag(e["replied"]),
        "refused": flag(e["refused"]),
    }
