"""The hold-out, alerts, rules, events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = (
    "alert",
    "complaint",
    "event_batch",
    "event_mark",
    "holdout_period",
    "rule_signal",
    "tier_state",
    "alert_signal",
    "holdout_arm",
    "holdout_block",
    "treatment",
)


def upgrade() -> None:
    """Make the tables."""
    _alert()
    _complaint()
    _event_batch()
    _event_mark()
    _holdout_period()
    _rule_signal()
    _tier_state()
    _alert_signal()
    _holdout_arm()
    _holdout_block()
    _treatment()
    _guard()


def downgrade() -> None:
    """Drop the tables, the last made first."""
    _unguard()
    for table in reversed(TABLES):
        op.drop_table(table)


def _alert() -> None:
    op.create_table(
        "alert",
        sa.Column("alert_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("tier_rank", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("owner_id", sa.String(length=64), nullable=True),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("raised_at", Instant(), nullable=False),
        sa.Column("signal_at", Instant(), nullable=False),
        sa.Column("signals", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=True),
        sa.Column("held_at", Instant(), nullable=True),
        sa.Column("shown_at", Instant(), nullable=True),
        sa.Column("shown_day", sa.Date(), nullable=True),
        sa.Column("acknowledged_at", Instant(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=40), nullable=True),
        sa.Column("snoozed_at", Instant(), nullable=True),
        sa.Column("wake_at", Instant(), nullable=True),
        sa.Column("wake_on", sa.String(length=20), nullable=True),
        sa.Column("snooze_reason", sa.String(length=200), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("closed_reason", sa.String(length=40), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('risk', 'first-large-transfer', 'closing-question', 'complaint-overdue', 'exit-request')",
            name=op.f("ck_alert_reason"),
        ),
        sa.CheckConstraint(
            "status IN ('shown', 'held-back', 'held-out', 'acknowledged', 'snoozed', 'closed')",
            name=op.f("ck_alert_status"),
        ),
        sa.CheckConstraint(
            "tier IN ('none', 'mild', 'moderate', 'severe')", name=op.f("ck_alert_tier")
        ),
        sa.CheckConstraint(
            "wake_on IS NULL OR wake_on IN ('next-contact', 'next-login', 'next-flow')",
            name=op.f("ck_alert_wake_on"),
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert")),
    )
    _alert_indexes()


def _alert_indexes() -> None:
    op.create_index("ix_alert_case_id", "alert", ["case_id"], unique=False)
    op.create_index("ix_alert_client_id", "alert", ["client_id", "raised_at"], unique=False)
    op.create_index("ix_alert_owner_day", "alert", ["owner_id", "shown_day"], unique=False)
    op.create_index(
        "ix_alert_owner_status",
        "alert",
        ["owner_id", "status", "tier_rank", "weight"],
        unique=False,
    )
    op.create_index("ix_alert_raised_at", "alert", ["raised_at", "alert_id"], unique=False)
    op.create_index("ix_alert_status", "alert", ["status", "owner_id"], unique=False)
    op.create_index("ix_alert_urgency", "alert", ["tier_rank", "weight", "alert_id"], unique=False)
    op.create_index(
        "uq_alert_live",
        "alert",
        ["client_id", "reason"],
        unique=True,
        sqlite_where=sa.text("status <> 'closed'"),
        postgresql_where=sa.text("status <> 'closed'"),
    )


def _complaint() -> None:
    op.create_table(
        "complaint",
        sa.Column("complaint_id", sa.String(length=200), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("overdue_at", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("complaint_id", name=op.f("pk_complaint")),
    )
    _complaint_indexes()


def _complaint_indexes() -> None:
    op.create_index("ix_complaint_client_id", "complaint", ["client_id", "closed_at"], unique=False)


def _event_batch() -> None:
    op.create_table(
        "event_batch",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("batch", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("table", sa.String(length=64), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("applied_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_event_batch")),
        sa.UniqueConstraint("source", "batch", name=op.f("uq_event_batch_source_batch")),
    )
    _event_batch_indexes()


def _event_batch_indexes() -> None:
    op.create_index(
        "ix_event_batch_applied_at_sequence",
        "event_batch",
        ["applied_at", "sequence"],
        unique=False,
    )


def _event_mark() -> None:
    op.create_table(
        "event_mark",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_mark")),
    )


def _holdout_period() -> None:
    op.create_table(
        "holdout_period",
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(length=16), nullable=False),
        sa.Column("drawn_at", Instant(), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.CheckConstraint("share >= 0 AND share <= 500000", name=op.f("ck_holdout_period_share")),
        sa.PrimaryKeyConstraint("period", name=op.f("pk_holdout_period")),
    )


def _rule_signal() -> None:
    op.create_table(
        "rule_signal",
        sa.Column("table_name", sa.String(length=40), nullable=False),
        sa.Column("row_key", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("large", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=True),
        sa.Column("until", Instant(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "rule IS NULL OR rule IN ('first-large-transfer', 'closing-question', 'complaint-overdue')",
            name=op.f("ck_rule_signal_rule"),
        ),
        sa.PrimaryKeyConstraint("table_name", "row_key", name=op.f("pk_rule_signal")),
    )
    _rule_signal_indexes()


def _rule_signal_indexes() -> None:
    op.create_index("ix_rule_signal_client_id", "rule_signal", ["client_id", "at"], unique=False)
    op.create_index(
        "ix_rule_signal_rule", "rule_signal", ["rule", "client_id", "until"], unique=False
    )


def _tier_state() -> None:
    op.create_table(
        "tier_state",
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("low_since", Instant(), nullable=True),
        sa.Column("raised_by", sa.String(length=40), nullable=True),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "tier IN ('none', 'mild', 'moderate', 'severe')", name=op.f("ck_tier_state_tier")
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_tier_state")),
    )
    _tier_state_indexes()


def _tier_state_indexes() -> None:
    op.create_index(
        "ix_tier_state_generation", "tier_state", ["generation_id", "client_id"], unique=False
    )


def _alert_signal() -> None:
    op.create_table(
        "alert_signal",
        sa.Column("signal_id", sa.String(length=40), nullable=False),
        sa.Column("alert_id", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("facts", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alert.alert_id"], name=op.f("fk_alert_signal_alert_id_alert")
        ),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_alert_signal")),
    )
    _alert_signal_indexes()


def _alert_signal_indexes() -> None:
    op.create_index(
        "ix_alert_signal_alert_id", "alert_signal", ["alert_id", "at", "signal_id"], unique=False
    )


def _holdout_arm() -> None:
    op.create_table(
        "holdout_arm",
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("arm", sa.String(length=8), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("stratum", sa.String(length=100), nullable=False),
        sa.Column("drawn_at", Instant(), nullable=False),
        sa.CheckConstraint("arm IN ('contact', 'hold-out')", name=op.f("ck_holdout_arm_arm")),
        sa.ForeignKeyConstraint(
            ["period"], ["holdout_period.period"], name=op.f("fk_holdout_arm_period_holdout_period")
        ),
        sa.PrimaryKeyConstraint("period", "client_id", name=op.f("pk_holdout_arm")),
    )


def _holdout_block() -> None:
    op.create_table(
        "holdout_block",
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("stratum", sa.String(length=100), nullable=False),
        sa.Column("manager_id", sa.String(length=64), nullable=False),
        sa.Column("clients", sa.Integer(), nullable=False),
        sa.Column("held_out", sa.Integer(), nullable=False),
        sa.Column("drawn_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["period"],
            ["holdout_period.period"],
            name=op.f("fk_holdout_block_period_holdout_period"),
        ),
        sa.PrimaryKeyConstraint("period", "stratum", name=op.f("pk_holdout_block")),
    )
    _holdout_block_indexes()


def _holdout_block_indexes() -> None:
    op.create_index(
        "ix_holdout_block_manager_id", "holdout_block", ["period", "manager_id"], unique=False
    )


def _treatment() -> None:
    op.create_table(
        "treatment",
        sa.Column("treatment_id", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("alert_id", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("arm", sa.String(length=8), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=True),
        sa.Column("generation_id", sa.Integer(), nullable=True),
        sa.Column("policy", sa.String(length=16), nullable=False),
        sa.CheckConstraint("arm IN ('contact', 'hold-out')", name=op.f("ck_treatment_arm")),
        sa.CheckConstraint(
            "cause IN ('draw', 'ceiling', 'release', 'mandatory', 'profiling', 'exit', 'person', 'signal')",
            name=op.f("ck_treatment_cause"),
        ),
        sa.CheckConstraint(
            "decision IN ('shown', 'held-out', 'held-back', 'exempt', 'profiling-refused', 'exit-requested', 'by-hand', 'ended')",
            name=op.f("ck_treatment_decision"),
        ),
        sa.CheckConstraint(
            "propensity >= 0 AND propensity <= 1", name=op.f("ck_treatment_propensity")
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alert.alert_id"], name=op.f("fk_treatment_alert_id_alert")
        ),
        sa.PrimaryKeyConstraint("treatment_id", name=op.f("pk_treatment")),
    )
    _treatment_indexes()


def _treatment_indexes() -> None:
    op.create_index("ix_treatment_alert_id", "treatment", ["alert_id"], unique=False)
    op.create_index("ix_treatment_at", "treatment", ["at", "treatment_id"], unique=False)
    op.create_index("ix_treatment_client_id", "treatment", ["client_id", "at"], unique=False)


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
        'CREATE TRIGGER treatment_no_update BEFORE UPDATE ON treatment WHEN NOT (OLD."treatment_id" IS NEW."treatment_id" AND OLD."at" IS NEW."at" AND OLD."client_id" IS NEW."client_id" AND OLD."alert_id" IS NEW."alert_id" AND OLD."reason" IS NEW."reason" AND OLD."decision" IS NEW."decision" AND OLD."cause" IS NEW."cause" AND OLD."arm" IS NEW."arm" AND OLD."propensity" IS NEW."propensity" AND OLD."period" IS NEW."period" AND OLD."owner_id" IS NEW."owner_id" AND OLD."generation_id" IS NEW."generation_id" AND OLD."policy" IS NEW."policy") BEGIN SELECT RAISE(ABORT, \'the record only grows\'); END',
    ),
    (
        "sqlite",
        "CREATE TRIGGER treatment_no_delete BEFORE DELETE ON treatment BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION treatment_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        'CREATE TRIGGER treatment_guard BEFORE UPDATE ON treatment FOR EACH ROW WHEN (NOT ((OLD."treatment_id") IS NOT DISTINCT FROM (NEW."treatment_id") AND (OLD."at") IS NOT DISTINCT FROM (NEW."at") AND (OLD."client_id") IS NOT DISTINCT FROM (NEW."client_id") AND (OLD."alert_id") IS NOT DISTINCT FROM (NEW."alert_id") AND (OLD."reason") IS NOT DISTINCT FROM (NEW."reason") AND (OLD."decision") IS NOT DISTINCT FROM (NEW."decision") AND (OLD."cause") IS NOT DISTINCT FROM (NEW."cause") AND (OLD."arm") IS NOT DISTINCT FROM (NEW."arm") AND (OLD."propensity") IS NOT DISTINCT FROM (NEW."propensity") AND (OLD."period") IS NOT DISTINCT FROM (NEW."period") AND (OLD."owner_id") IS NOT DISTINCT FROM (NEW."owner_id") AND (OLD."generation_id") IS NOT DISTINCT FROM (NEW."generation_id") AND (OLD."policy") IS NOT DISTINCT FROM (NEW."policy"))) EXECUTE FUNCTION treatment_guard()',
    ),
    (
        "postgresql",
        "CREATE TRIGGER treatment_guard_del BEFORE DELETE ON treatment FOR EACH ROW EXECUTE FUNCTION treatment_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER treatment_guard_all BEFORE TRUNCATE ON treatment FOR EACH STATEMENT EXECUTE FUNCTION treatment_guard()",
    ),
    (
        "sqlite",
        'CREATE TRIGGER alert_signal_no_update BEFORE UPDATE ON alert_signal WHEN NOT (OLD."signal_id" IS NEW."signal_id" AND OLD."alert_id" IS NEW."alert_id" AND OLD."at" IS NEW."at" AND OLD."source" IS NEW."source") BEGIN SELECT RAISE(ABORT, \'the record only grows\'); END',
    ),
    (
        "sqlite",
        "CREATE TRIGGER alert_signal_no_delete BEFORE DELETE ON alert_signal BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION alert_signal_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        'CREATE TRIGGER alert_signal_guard BEFORE UPDATE ON alert_signal FOR EACH ROW WHEN (NOT ((OLD."signal_id") IS NOT DISTINCT FROM (NEW."signal_id") AND (OLD."alert_id") IS NOT DISTINCT FROM (NEW."alert_id") AND (OLD."at") IS NOT DISTINCT FROM (NEW."at") AND (OLD."source") IS NOT DISTINCT FROM (NEW."source"))) EXECUTE FUNCTION alert_signal_guard()',
    ),
    (
        "postgresql",
        "CREATE TRIGGER alert_signal_guard_del BEFORE DELETE ON alert_signal FOR EACH ROW EXECUTE FUNCTION alert_signal_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER alert_signal_guard_all BEFORE TRUNCATE ON alert_signal FOR EACH STATEMENT EXECUTE FUNCTION alert_signal_guard()",
    ),
)
"""What is written stays as written; the triggers as this revision knew them."""

UNGUARDS = (
    ("sqlite", "DROP TRIGGER IF EXISTS treatment_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS treatment_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS treatment_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS alert_signal_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS alert_signal_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS alert_signal_guard() CASCADE"),
)
