"""Tables about clients: who they are, who serves them, what they agreed to."""

from __future__ import annotations

from keepwell.observe.contract_types import (
    Column,
    Kind,
    Table,
    at,
    choice,
    client_id,
    currency,
    money,
    staff,
    text,
)

_LEVELS = ("C1", "C2", "C3", "C4", "C5")

PEOPLE: tuple[Table, ...] = (
    Table(
        "client",
        "A client's profile from an instant on; the newest row known counts.",
        ("client_id", "valid_from"),
        "valid_from",
        False,
        (
            client_id(),
            Column(
                "valid_from", Kind.INSTANT, "From when the profile holds.", required=True, past=True
            ),
            Column(
                "opened_on",
                Kind.DAY,
                "Day the relationship was opened.",
                sensitivity="personal",
                past=True,
            ),
            Column(
                "birth_year",
                Kind.INT,
                "Year of birth.",
                "year",
                sensitivity="personal",
                purpose="display",
                low=1900,
                high=2100,
            ),
            text("region", "Province or region of residence.", "display", "personal"),
            text("city_tier", "Size class of the city of residence.", "display"),
            choice(
                "investor_class",
                "Investor class under suitability rules.",
                ("ordinary", "lowest", "professional"),
                purpose="compliance",
            ),
            choice(
                "risk_level",
                "Risk tolerance, C1 (least) to C5 (most).",
                _LEVELS,
                purpose="compliance",
            ),
            Column(
                "assessed_on",
                Kind.DAY,
                "Day of the last risk assessment.",
                purpose="compliance",
                past=True,
            ),
            staff("manager_id", "Relationship manager in charge."),
            staff("adviser_id", "Investment adviser in charge."),
            staff("branch_id", "Branch in charge."),
            text("segment_hint", "Segment the broker puts the client in.", "display"),
            choice(
                "status",
                "State of the relationship.",
                ("open", "dormant", "frozen", "closed"),
                purpose="display",
            ),
            Column(
                "closed_on",
                Kind.DAY,
                "Day the relationship ended.",
                sensitivity="personal",
                past=True,
            ),
            choice("closed_reason", "Who ended the relationship.", ("client", "broker", "death")),
            text("name", "Client's name.", "display", "personal"),
            text("phone", "Client's phone number.", "display", "sensitive"),
        ),
    ),
    Table(
        "account",
        "An account in its present state.",
        ("account_id",),
        "",
        False,
        (
            text("account_id", "Account's number.", "key", "personal", required=True),
            client_id(),
            choice("kind", "Kind of account.", ("ordinary", "margin", "option", "fund", "pension")),
            text("permissions", "Trading permissions granted, separated by commas."),
            Column(
                "fee_rate",
                Kind.RATIO,
                "Commission rate of the fee plan, as a share of value.",
                "share",
                low=0,
                high=1,
            ),
            money("fee_minimum", "Least commission per trade of the fee plan."),
            Column("opened_on", Kind.DAY, "Day the account was opened.", past=True),
            choice("state", "State of the account.", ("open", "dormant", "frozen", "closed")),
            Column(
                "id_expiry",
                Kind.DAY,
                "Day the identity document expires.",
                sensitivity="sensitive",
                purpose="compliance",
            ),
            currency(),
        ),
    ),
    Table(
        "service",
        "Who serves a client from an instant on.",
        ("client_id", "valid_from"),
        "valid_from",
        False,
        (
            client_id(),
            Column(
                "valid_from", Kind.INSTANT, "From when the service holds.", required=True, past=True
            ),
            staff("manager_id", "Relationship manager in charge."),
            staff("adviser_id", "Investment adviser in charge."),
            text("team", "Members of the service team (1+3+5), separated by commas.", "display"),
            Column("wecom", Kind.BOOL, "Connected to the manager on WeCom."),
        ),
    ),
    Table(
        "relation",
        "A tie between two clients.",
        ("client_id", "other_id", "kind"),
        "",
        False,
        (
            client_id(),
            text("other_id", "The other client's number.", "key", "personal", required=True),
            choice("kind", "Kind of tie.", ("household", "referrer", "joint"), required=True),
            Column("since", Kind.DAY, "Day the tie began.", sensitivity="personal"),
        ),
    ),
    Table(
        "consent",
        "A client's word on one purpose at an instant; the newest counts.",
        ("client_id", "purpose", "at"),
        "at",
        False,
        (
            client_id(),
            text("purpose", "Purpose asked about.", "compliance", required=True),
            at("When the client gave or withdrew consent."),
            Column(
                "granted",
                Kind.BOOL,
                "Given (true) or withdrawn (false).",
                required=True,
                purpose="compliance",
            ),
        ),
    ),
)
"""Tables about clients."""
