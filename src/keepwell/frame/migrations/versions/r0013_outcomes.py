"""Outcomes by the label, and propensity and delivery of contacts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OF_CONTACTS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("treatment_id", sa.String(length=40)),
    ("propensity", sa.Double()),
    ("unassigned", sa.String(length=16)),
    ("delivery", sa.String(length=12)),
)


def upgrade() -> None:
    """Make the tables and the columns."""
    _outcome()
    _outcome_day()
    _contact_delivery()
    for name, kind in OF_CONTACTS:
        op.add_column("contact", sa.Column(name, kind, nullable=True))
    _run(GUARDS)


def downgrade() -> None:
    """Take them away."""
    _run(UNGUARDS)
    for name, _ in reversed(OF_CONTACTS):
        op.drop_column("contact", name)
    for table in ("contact_delivery", "outcome_day", "outcome"):
        op.drop_table(table)


def _outcome() -> None:
    op.create_table(
        "outcome",
        sa.Column("outcome_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("rule", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("treatment_id", sa.String(length=40), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("arm", sa.String(length=8), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=True),
        sa.Column("alert_id", sa.String(length=40), nullable=True),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column("generation_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(length=40), nullable=False),
        sa.Column("label_version", sa.Integer(), nullable=False),
        sa.Column("horizon", sa.String(length=16), nullable=False),
        sa.Column("gap", sa.String(length=16), nullable=False),
        sa.Column("y", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(length=20), nullable=True),
        sa.Column("left_day", sa.Date(), nullable=True),
        sa.Column("matured_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("manifest", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.String(length=40), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.CheckConstraint("y in (0, 1)", name=op.f("ck_outcome_y")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_outcome_revision")),
        sa.CheckConstraint(
            "propensity >= 0 and propensity <= 1", name=op.f("ck_outcome_propensity")
        ),
        sa.PrimaryKeyConstraint("outcome_id", name=op.f("pk_outcome")),
        sa.UniqueConstraint(
            "client_id", "day", "rule", "revision",
            name=op.f("uq_outcome_client_id_day_rule_revision"),
        ),
    )  # fmt: skip
    op.create_index("ix_outcome_day", "outcome", ["day", "outcome_id"])
    op.create_index("ix_outcome_batch_id", "outcome", ["batch_id"])
    op.create_index(op.f("ix_outcome_case_id"), "outcome", ["case_id"])


def _outcome_day() -> None:
    op.create_table(
        "outcome_day",
        sa.Column("rule", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("clients", sa.Integer(), nullable=False),
        sa.Column("matured_at", Instant(), nullable=False),
        sa.Column("checked_at", Instant(), nullable=False),
        sa.Column("manifest", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "day", name=op.f("pk_outcome_day")),
    )
    op.create_index("ix_outcome_day_checked_at", "outcome_day", ["rule", "checked_at"])


def _contact_delivery() -> None:
    op.create_table(
        "contact_delivery",
        sa.Column("delivery_id", sa.String(length=40), nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("delivery", sa.String(length=12), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "delivery in ('delivered', 'failed', 'unknown')",
            name=op.f("ck_contact_delivery_delivery"),
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_contact_delivery_number")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.contact_id"],
            name=op.f("fk_contact_delivery_contact_id_contact"),
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_contact_delivery")),
        sa.UniqueConstraint(
            "contact_id", "number", name=op.f("uq_contact_delivery_contact_id_number")
        ),
    )  # fmt: skip
    op.create_index("ix_contact_delivery_client_id", "contact_delivery", ["client_id", "at"])


def _run(statements: tuple[tuple[str, str], ...]) -> None:
    name = op.get_bind().dialect.name
    for dialect, statement in statements:
        if dialect == name:
            op.execute(statement)


GUARDS = (
    (
        "sqlite",
        'CREATE TRIGGER outcome_no_update BEFORE UPDATE ON outcome WHEN NOT (OLD."outcome_id" IS NEW."outcome_id" AND OLD."client_id" IS NEW."client_id" AND OLD."day" IS NEW."day" AND OLD."rule" IS NEW."rule" AND OLD."revision" IS NEW."revision" AND OLD."treatment_id" IS NEW."treatment_id" AND OLD."decision" IS NEW."decision" AND OLD."arm" IS NEW."arm" AND OLD."propensity" IS NEW."propensity" AND OLD."period" IS NEW."period" AND OLD."owner_id" IS NEW."owner_id" AND OLD."alert_id" IS NEW."alert_id" AND OLD."case_id" IS NEW."case_id" AND OLD."generation_id" IS NEW."generation_id" AND OLD."label" IS NEW."label" AND OLD."label_version" IS NEW."label_version" AND OLD."horizon" IS NEW."horizon" AND OLD."gap" IS NEW."gap" AND OLD."matured_at" IS NEW."matured_at" AND OLD."recorded_at" IS NEW."recorded_at" AND OLD."manifest" IS NEW."manifest" AND OLD."batch_id" IS NEW."batch_id" AND OLD."seal" IS NEW."seal") BEGIN SELECT RAISE(ABORT, \'the record only grows\'); END',
    ),
    (
        "sqlite",
        "CREATE TRIGGER outcome_no_delete BEFORE DELETE ON outcome BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION outcome_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        'CREATE TRIGGER outcome_guard BEFORE UPDATE ON outcome FOR EACH ROW WHEN (NOT ((OLD."outcome_id") IS NOT DISTINCT FROM (NEW."outcome_id") AND (OLD."client_id") IS NOT DISTINCT FROM (NEW."client_id") AND (OLD."day") IS NOT DISTINCT FROM (NEW."day") AND (OLD."rule") IS NOT DISTINCT FROM (NEW."rule") AND (OLD."revision") IS NOT DISTINCT FROM (NEW."revision") AND (OLD."treatment_id") IS NOT DISTINCT FROM (NEW."treatment_id") AND (OLD."decision") IS NOT DISTINCT FROM (NEW."decision") AND (OLD."arm") IS NOT DISTINCT FROM (NEW."arm") AND (OLD."propensity") IS NOT DISTINCT FROM (NEW."propensity") AND (OLD."period") IS NOT DISTINCT FROM (NEW."period") AND (OLD."owner_id") IS NOT DISTINCT FROM (NEW."owner_id") AND (OLD."alert_id") IS NOT DISTINCT FROM (NEW."alert_id") AND (OLD."case_id") IS NOT DISTINCT FROM (NEW."case_id") AND (OLD."generation_id") IS NOT DISTINCT FROM (NEW."generation_id") AND (OLD."label") IS NOT DISTINCT FROM (NEW."label") AND (OLD."label_version") IS NOT DISTINCT FROM (NEW."label_version") AND (OLD."horizon") IS NOT DISTINCT FROM (NEW."horizon") AND (OLD."gap") IS NOT DISTINCT FROM (NEW."gap") AND (OLD."matured_at") IS NOT DISTINCT FROM (NEW."matured_at") AND (OLD."recorded_at") IS NOT DISTINCT FROM (NEW."recorded_at") AND (OLD."manifest") IS NOT DISTINCT FROM (NEW."manifest") AND (OLD."batch_id") IS NOT DISTINCT FROM (NEW."batch_id") AND (OLD."seal") IS NOT DISTINCT FROM (NEW."seal"))) EXECUTE FUNCTION outcome_guard()',
    ),
    (
        "postgresql",
        "CREATE TRIGGER outcome_guard_del BEFORE DELETE ON outcome FOR EACH ROW EXECUTE FUNCTION outcome_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER outcome_guard_all BEFORE TRUNCATE ON outcome FOR EACH STATEMENT EXECUTE FUNCTION outcome_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER contact_no_update BEFORE UPDATE ON contact BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER contact_no_delete BEFORE DELETE ON contact BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION contact_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER contact_guard BEFORE UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION contact_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER contact_guard_del BEFORE DELETE ON contact FOR EACH ROW EXECUTE FUNCTION contact_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER contact_guard_all BEFORE TRUNCATE ON contact FOR EACH STATEMENT EXECUTE FUNCTION contact_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER contact_delivery_no_update BEFORE UPDATE ON contact_delivery BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER contact_delivery_no_delete BEFORE DELETE ON contact_delivery BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION contact_delivery_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER contact_delivery_guard BEFORE UPDATE ON contact_delivery FOR EACH ROW EXECUTE FUNCTION contact_delivery_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER contact_delivery_guard_del BEFORE DELETE ON contact_delivery FOR EACH ROW EXECUTE FUNCTION contact_delivery_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER contact_delivery_guard_all BEFORE TRUNCATE ON contact_delivery FOR EACH STATEMENT EXECUTE FUNCTION contact_delivery_guard()",
    ),
)
"""What is written stays as written; the triggers as this revision knew them."""

UNGUARDS = (
    ("sqlite", "DROP TRIGGER IF EXISTS outcome_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS outcome_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS outcome_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS contact_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS contact_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS contact_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS contact_delivery_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS contact_delivery_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS contact_delivery_guard() CASCADE"),
)
