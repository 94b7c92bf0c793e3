"""Tables about what clients do and say: sessions, views, contacts, complaints, surveys, touches."""

from __future__ import annotations

from keepwell.observe.contract_types import Column, Kind, Table, at, choice, client_id, staff, text


def _count(name: str, meaning: str, unit: str = "count") -> Column:
    return Column(name, Kind.INT, meaning, unit, low=0)


def _words(meaning: str) -> Column:
    return text("text", meaning, "display", "sensitive")


SIGNALS: tuple[Table, ...] = (
    Table(
        "session",
        "One visit to the app, the site or a terminal.",
        ("session_id",),
        "at",
        True,
        (
            text("session_id", "Session's number.", "key", required=True),
            client_id(),
            at("When it began."),
            text("channel", "App, site or terminal."),
            _count("seconds", "How long it lasted.", "s"),
            _count("pages", "Pages seen."),
            _count("errors", "Errors shown."),
            _count("latency_ms", "Typical response time.", "ms"),
        ),
    ),
    Table(
        "view",
        "One page or feature looked at.",
        ("view_id",),
        "at",
        True,
        (
            text("view_id", "View's number.", "key", required=True),
            client_id(),
            at("When it was looked at."),
            choice(
                "topic",
                "What it was about.",
                ("instrument", "feature", "transfer_help", "close_help", "compare", "fee"),
                required=True,
            ),
            text("subject", "The instrument, feature or page."),
        ),
    ),
    Table(
        "contact",
        "One inbound contact: a call, a chat, a visit.",
        ("contact_id",),
        "at",
        True,
        (
            text("contact_id", "Contact's number.", "key", required=True),
            client_id(),
            at("When it began."),
            text("channel", "Phone, chat, e-mail, branch."),
            text("topic", "What it was about."),
            _count("wait_s", "Time waited.", "s"),
            _count("resolve_s", "Time until resolved.", "s"),
            Column("first_time", Kind.BOOL, "Resolved at the first contact."),
            _words("What was said."),
            Column("csat", Kind.INT, "Satisfaction with it, 1 to 5.", "score", low=1, high=5),
        ),
    ),
    Table(
        "complaint",
        "One complaint.",
        ("complaint_id",),
        "at",
        True,
        (
            text("complaint_id", "Complaint's number.", "key", required=True),
            client_id(),
            at("When it was made."),
            text("topic", "What it is about."),
            choice("status", "Where it stands.", ("open", "answered", "closed", "withdrawn")),
            Column("closed_at", Kind.INSTANT, "When it was closed.", past=True),
            _words("What was written."),
        ),
    ),
    Table(
        "survey",
        "One answer to a survey.",
        ("survey_id",),
        "at",
        True,
        (
            text("survey_id", "Answer's number.", "key", required=True),
            client_id(),
            at("When it was answered."),
            choice("kind", "Kind of survey.", ("nps", "csat", "ces"), required=True),
            Column(
                "score",
                Kind.INT,
                "Score given (NPS 0 to 10, others 1 to 7).",
                "score",
                low=0,
                high=10,
            ),
            text("touchpoint", "What was asked about."),
            _words("What was written."),
        ),
    ),
    Table(
        "touch",
        "One outbound contact by staff or a campaign.",
        ("touch_id",),
        "at",
        False,
        (
            text("touch_id", "Touch's number.", "key", required=True),
            client_id(),
            at("When it was made."),
            text("channel", "Phone, WeCom, SMS, push, e-mail."),
            text("campaign", "Campaign it belongs to."),
            staff("staff_id", "Who made it."),
            Column("delivered", Kind.BOOL, "Reached the client."),
            Column("opened", Kind.BOOL, "Opened or answered."),
            Column("replied", Kind.BOOL, "Replied to."),
            Column(
                "refused", Kind.BOOL, "The client asked not to be contacted.", purpose="compliance"
            ),
        ),
    ),
)
"""Tables about what clients do and say."""
