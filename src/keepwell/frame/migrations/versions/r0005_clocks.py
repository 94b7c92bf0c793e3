"""Clocks, exit requests, notices, webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = (
    "clock_policy",
    "exit_request",
    "webhook_endpoint",
    "clock",
    "clock_policy_active",
    "exit_hold",
    "webhook_message",
    "clock_event",
    "webhook_delivery",
    "notice",
)


def upgrade() -> None:
    """Make the tables."""
    _clock_policy()
    _exit_request()
    _webhook_endpoint()
    _clock()
    _clock_policy_active()
    _exit_hold()
    _webhook_message()
    _clock_event()
    _webhook_delivery()
    _notice()
    _guard()


def downgrade() -> None:
    """Drop the tables, the last made first."""
    _unguard()
    for table in reversed(TABLES):
        op.drop_table(table)


def _clock_policy() -> None:
    op.create_table(
        "clock_policy",
        sa.Column("policy_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_clock_policy")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_clock_policy_name_version")),
    )


def _exit_request() -> None:
    op.create_table(
        "exit_request",
        sa.Column("request_id", sa.String(length=200), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("completed_at", Instant(), nullable=True),
        sa.Column("cancelled_at", Instant(), nullable=True),
        sa.Column("reported", Json, nullable=False),
        sa.Column("retention_contacts", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("refused_at", Instant(), nullable=True),
        sa.Column("recorded_by", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind in ('close', 'revoke', 'transfer')", name=op.f("ck_exit_request_kind")
        ),
        sa.CheckConstraint(
            "state in ('requested', 'settled', 'completed', 'cancelled')",
            name=op.f("ck_exit_request_state"),
        ),
        sa.CheckConstraint("retention_contacts >= 0", name=op.f("ck_exit_request_contacts")),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_exit_request")),
    )
    _exit_request_indexes()


def _exit_request_indexes() -> None:
    op.create_index(
        "ix_exit_request_client_id", "exit_request", ["client_id", "state"], unique=False
    )
    op.create_index(
        "ix_exit_request_requested_at", "exit_request", ["requested_at", "request_id"], unique=False
    )


def _webhook_endpoint() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("patterns", Json, nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("off_reason", sa.String(length=10), nullable=False),
        sa.Column("dead_in_row", sa.Integer(), nullable=False),
        sa.Column("secret_number", sa.Integer(), nullable=False),
        sa.Column("rotated_at", Instant(), nullable=True),
        sa.Column("approved_at", Instant(), nullable=True),
        sa.Column("approved_by", sa.String(length=40), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "(off_reason = '') = active", name=op.f("ck_webhook_endpoint_off_with_reason")
        ),
        sa.CheckConstraint(
            "off_reason in ('', 'manual', 'dead', 'gone')",
            name=op.f("ck_webhook_endpoint_off_reason"),
        ),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_webhook_endpoint")),
    )
    _webhook_endpoint_indexes()


def _webhook_endpoint_indexes() -> None:
    op.create_index(
        "ix_webhook_endpoint_created_at",
        "webhook_endpoint",
        ["created_at", "endpoint_id"],
        unique=False,
    )


def _clock() -> None:
    op.create_table(
        "clock",
        sa.Column("clock_id", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=8), nullable=False),
        sa.Column("subject_id", sa.String(length=200), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("policy_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("calendar", sa.String(length=16), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=True),
        sa.Column("tier", sa.String(length=16), nullable=True),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("target_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("elapsed_us", sa.BigInteger(), nullable=False),
        sa.Column("running_since", Instant(), nullable=True),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("due_rank", Instant(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("pause_reason", sa.String(length=32), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "calendar in ('always', 'exchange', 'office')", name=op.f("ck_clock_calendar")
        ),
        sa.CheckConstraint(
            "state in ('running', 'paused', 'breached', 'met', 'cancelled')",
            name=op.f("ck_clock_state"),
        ),
        sa.CheckConstraint("subject_kind in ('case', 'exit')", name=op.f("ck_clock_subject_kind")),
        sa.CheckConstraint("target_us > 0", name=op.f("ck_clock_target")),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["clock_policy.policy_id"], name=op.f("fk_clock_policy_id_clock_policy")
        ),
        sa.PrimaryKeyConstraint("clock_id", name=op.f("pk_clock")),
    )
    _clock_indexes()


def _clock_indexes() -> None:
    op.create_index("ix_clock_client_id", "clock", ["client_id"], unique=False)
    op.create_index("ix_clock_due_rank", "clock", ["due_rank", "clock_id"], unique=False)
    op.create_index(op.f("ix_clock_policy_id"), "clock", ["policy_id"], unique=False)
    op.create_index("ix_clock_state", "clock", ["state", "due_rank", "clock_id"], unique=False)
    op.create_index("ix_clock_subject", "clock", ["subject_kind", "subject_id"], unique=False)


def _clock_policy_active() -> None:
    op.create_table(
        "clock_policy_active",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("policy_id", sa.String(length=40), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_clock_policy_active_single")),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["clock_policy.policy_id"],
            name=op.f("fk_clock_policy_active_policy_id_clock_policy"),
        ),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_clock_policy_active")),
    )


def _exit_hold() -> None:
    op.create_table(
        "exit_hold",
        sa.Column("hold_id", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("placed_by", sa.String(length=40), nullable=False),
        sa.Column("placed_at", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("appeal", sa.String(length=4000), nullable=False),
        sa.Column("lifted_at", Instant(), nullable=True),
        sa.Column("lifted_by", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "code in ('aml-hold', 'court-order', 'exploitation-hold', 'margin-debt', 'pending-ipo', 'unsettled-trades')",
            name=op.f("ck_exit_hold_code"),
        ),
        sa.CheckConstraint("until > placed_at", name=op.f("ck_exit_hold_until")),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["exit_request.request_id"],
            name=op.f("fk_exit_hold_request_id_exit_request"),
        ),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_exit_hold")),
    )
    _exit_hold_indexes()


def _exit_hold_indexes() -> None:
    op.create_index(op.f("ix_exit_hold_request_id"), "exit_hold", ["request_id"], unique=False)


def _webhook_message() -> None:
    op.create_table(
        "webhook_message",
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("message_id", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("fault", sa.String(length=20), nullable=False),
        sa.Column("tried", sa.Integer(), nullable=False),
        sa.Column("tried_before", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'delivered', 'dead')", name=op.f("ck_webhook_message_state")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.endpoint_id"],
            name=op.f("fk_webhook_message_endpoint_id_webhook_endpoint"),
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "message_id", name=op.f("pk_webhook_message")),
    )
    _webhook_message_indexes()


def _webhook_message_indexes() -> None:
    op.create_index(
        "ix_webhook_message_created_at", "webhook_message", ["created_at"], unique=False
    )
    op.create_index(
        "ix_webhook_message_list",
        "webhook_message",
        ["endpoint_id", "created_at", "message_id"],
        unique=False,
    )
    op.create_index(
        "ix_webhook_message_state",
        "webhook_message",
        ["endpoint_id", "state", "created_at", "message_id"],
        unique=False,
    )


def _clock_event() -> None:
    op.create_table(
        "clock_event",
        sa.Column("clock_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("note", sa.String(length=4000), nullable=True),
        sa.ForeignKeyConstraint(
            ["clock_id"], ["clock.clock_id"], name=op.f("fk_clock_event_clock_id_clock")
        ),
        sa.PrimaryKeyConstraint("clock_id", "number", name=op.f("pk_clock_event")),
    )


def _webhook_delivery() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("message_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("fault", sa.String(length=20), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("response", sa.String(length=2048), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id", "message_id"],
            ["webhook_message.endpoint_id", "webhook_message.message_id"],
            name=op.f("fk_webhook_delivery_endpoint_id_webhook_message"),
        ),
        sa.PrimaryKeyConstraint(
            "endpoint_id", "message_id", "number", name=op.f("pk_webhook_delivery")
        ),
    )


def _notice() -> None:
    op.create_table(
        "notice",
        sa.Column("notice_id", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=True),
        sa.Column("data", Json, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("read_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "(staff_id is null) <> (user_id is null)", name=op.f("ck_notice_recipient")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.staff_id"], name=op.f("fk_notice_staff_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.user_id"], name=op.f("fk_notice_user_id_app_user")
        ),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_notice")),
    )
    _notice_indexes()


def _notice_indexes() -> None:
    op.create_index("ix_notice_read_at", "notice", ["read_at"], unique=False)
    op.create_index("ix_notice_staff_id", "notice", ["staff_id", "at", "notice_id"], unique=False)
    op.create_index("ix_notice_user_id", "notice", ["user_id", "at", "notice_id"], unique=False)


def _guard() -> None:
    name = op.get_bind().dialect.name
    for dialect, statement in GUARDS:
        if dialect == name:
            op.execute(statement)


def _unguard() -> None:
    name = op.get_bind().dialect.name
    for dialect, statement in UNGUARDS:
        if dialect == name:
            op.execute(statement)


GUARDS = (
    (
        "sqlite",
        'CREATE TRIGGER clock_event_no_update BEFORE UPDATE ON clock_event WHEN NOT (OLD."clock_id" IS NEW."clock_id" AND OLD."number" IS NEW."number" AND OLD."kind" IS NEW."kind" AND OLD."at" IS NEW."at" AND OLD."actor_id" IS NEW."actor_id" AND json_remove(OLD."data", \'$.score\', \'$.tier\') IS json_remove(NEW."data", \'$.score\', \'$.tier\') AND OLD."note" IS NEW."note") BEGIN SELECT RAISE(ABORT, \'the record only grows\'); END',
    ),
    (
        "sqlite",
        "CREATE TRIGGER clock_event_no_delete BEFORE DELETE ON clock_event BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION clock_event_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        'CREATE TRIGGER clock_event_guard BEFORE UPDATE ON clock_event FOR EACH ROW WHEN (NOT ((OLD."clock_id") IS NOT DISTINCT FROM (NEW."clock_id") AND (OLD."number") IS NOT DISTINCT FROM (NEW."number") AND (OLD."kind") IS NOT DISTINCT FROM (NEW."kind") AND (OLD."at") IS NOT DISTINCT FROM (NEW."at") AND (OLD."actor_id") IS NOT DISTINCT FROM (NEW."actor_id") AND (OLD."data" - \'score\' - \'tier\') IS NOT DISTINCT FROM (NEW."data" - \'score\' - \'tier\') AND (OLD."note") IS NOT DISTINCT FROM (NEW."note"))) EXECUTE FUNCTION clock_event_guard()',
    ),
    (
        "postgresql",
        "CREATE TRIGGER clock_event_guard_del BEFORE DELETE ON clock_event FOR EACH ROW EXECUTE FUNCTION clock_event_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER clock_event_guard_all BEFORE TRUNCATE ON clock_event FOR EACH STATEMENT EXECUTE FUNCTION clock_event_guard()",
    ),
)
"""What is written stays as written; the triggers as this revision knew them."""

UNGUARDS = (
    ("sqlite", "DROP TRIGGER IF EXISTS clock_event_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS clock_event_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS clock_event_guard() CASCADE"),
)
