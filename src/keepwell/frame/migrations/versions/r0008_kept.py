"""Proofs of what was kept, budgets proposed on them, and what a score said at the draw."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

AT_THE_DRAW: tuple[tuple[str, str, sa.types.TypeEngine[Any]], ...] = (
    ("holdout_period", "model_version", sa.String(length=100)),
    ("holdout_arm", "probability", sa.Double()),
    ("holdout_arm", "tier", sa.String(length=16)),
)


def upgrade() -> None:
    """Make the tables and the columns."""
    for table, name, kind in AT_THE_DRAW:
        op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_table(
        "kept_proof",
        sa.Column("proof_id", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.Integer(), nullable=False),
        sa.Column("treated", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("stopped", sa.String(length=40), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("record", Json, nullable=False),
        sa.CheckConstraint("days >= 1", name=op.f("ck_kept_proof_days")),
        sa.CheckConstraint("treated >= 0 AND held >= 0", name=op.f("ck_kept_proof_arms")),
        sa.ForeignKeyConstraint(
            ["period"], ["holdout_period.period"],
            name=op.f("fk_kept_proof_period_holdout_period"),
        ),
        sa.PrimaryKeyConstraint("proof_id", name=op.f("pk_kept_proof")),
    )  # fmt: skip
    op.create_index("ix_kept_proof_at", "kept_proof", ["at", "proof_id"], unique=False)
    op.create_index(op.f("ix_kept_proof_digest"), "kept_proof", ["digest"], unique=False)
    _budgets()
    _run(GUARDS)


def _budgets() -> None:
    op.create_table(
        "budget_proposal",
        sa.Column("proposal_id", sa.String(length=40), nullable=False),
        sa.Column("proof_id", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("proposed_by", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("parts", Json, nullable=False),
        sa.Column("rule", Json, nullable=False),
        sa.Column("words", sa.String(length=1000), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'rejected', 'expired')",
            name=op.f("ck_budget_proposal_state"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_budget_proposal_amount")),
        sa.ForeignKeyConstraint(
            ["proof_id"], ["kept_proof.proof_id"],
            name=op.f("fk_budget_proposal_proof_id_kept_proof"),
        ),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_budget_proposal")),
    )  # fmt: skip
    op.create_index("ix_budget_proposal_at", "budget_proposal", ["at", "proposal_id"], unique=False)
    op.create_table(
        "budget_approval",
        sa.Column("approval_id", sa.String(length=40), nullable=False),
        sa.Column("proposal_id", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("words", sa.String(length=1000), nullable=False),
        sa.CheckConstraint(
            "answer IN ('approve', 'reject')", name=op.f("ck_budget_approval_answer")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["budget_proposal.proposal_id"],
            name=op.f("fk_budget_approval_proposal_id_budget_proposal"),
        ),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_budget_approval")),
        sa.UniqueConstraint(
            "proposal_id", "user_id", name=op.f("uq_budget_approval_proposal_id_user_id")
        ),
    )  # fmt: skip


def downgrade() -> None:
    """Take them away."""
    _run(UNGUARDS)
    for table in ("budget_approval", "budget_proposal", "kept_proof"):
        op.drop_table(table)
    for table, name, _ in reversed(AT_THE_DRAW):
        op.drop_column(table, name)


def _run(statements: tuple[tuple[str, str], ...]) -> None:
    name = op.get_bind().dialect.name
    for dialect, statement in statements:
        if dialect == name:
            op.execute(statement)


GUARDS = (
    (
        "sqlite",
        "CREATE TRIGGER kept_proof_no_update BEFORE UPDATE ON kept_proof BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER kept_proof_no_delete BEFORE DELETE ON kept_proof BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION kept_proof_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kept_proof_guard BEFORE UPDATE ON kept_proof FOR EACH ROW EXECUTE FUNCTION kept_proof_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kept_proof_guard_del BEFORE DELETE ON kept_proof FOR EACH ROW EXECUTE FUNCTION kept_proof_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kept_proof_guard_all BEFORE TRUNCATE ON kept_proof FOR EACH STATEMENT EXECUTE FUNCTION kept_proof_guard()",
    ),
    (
        "sqlite",
        'CREATE TRIGGER budget_proposal_no_update BEFORE UPDATE ON budget_proposal WHEN NOT (OLD."proposal_id" IS NEW."proposal_id" AND OLD."proof_id" IS NEW."proof_id" AND OLD."at" IS NEW."at" AND OLD."proposed_by" IS NEW."proposed_by" AND OLD."kind" IS NEW."kind" AND OLD."amount" IS NEW."amount" AND OLD."parts" IS NEW."parts" AND OLD."rule" IS NEW."rule" AND OLD."words" IS NEW."words" AND OLD."expires_at" IS NEW."expires_at") BEGIN SELECT RAISE(ABORT, \'the record only grows\'); END',
    ),
    (
        "sqlite",
        "CREATE TRIGGER budget_proposal_no_delete BEFORE DELETE ON budget_proposal BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION budget_proposal_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        'CREATE TRIGGER budget_proposal_guard BEFORE UPDATE ON budget_proposal FOR EACH ROW WHEN (NOT ((OLD."proposal_id") IS NOT DISTINCT FROM (NEW."proposal_id") AND (OLD."proof_id") IS NOT DISTINCT FROM (NEW."proof_id") AND (OLD."at") IS NOT DISTINCT FROM (NEW."at") AND (OLD."proposed_by") IS NOT DISTINCT FROM (NEW."proposed_by") AND (OLD."kind") IS NOT DISTINCT FROM (NEW."kind") AND (OLD."amount") IS NOT DISTINCT FROM (NEW."amount") AND (OLD."parts") IS NOT DISTINCT FROM (NEW."parts") AND (OLD."rule") IS NOT DISTINCT FROM (NEW."rule") AND (OLD."words") IS NOT DISTINCT FROM (NEW."words") AND (OLD."expires_at") IS NOT DISTINCT FROM (NEW."expires_at"))) EXECUTE FUNCTION budget_proposal_guard()',
    ),
    (
        "postgresql",
        "CREATE TRIGGER budget_proposal_guard_del BEFORE DELETE ON budget_proposal FOR EACH ROW EXECUTE FUNCTION budget_proposal_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER budget_proposal_guard_all BEFORE TRUNCATE ON budget_proposal FOR EACH STATEMENT EXECUTE FUNCTION budget_proposal_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER budget_approval_no_update BEFORE UPDATE ON budget_approval BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER budget_approval_no_delete BEFORE DELETE ON budget_approval BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION budget_approval_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER budget_approval_guard BEFORE UPDATE ON budget_approval FOR EACH ROW EXECUTE FUNCTION budget_approval_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER budget_approval_guard_del BEFORE DELETE ON budget_approval FOR EACH ROW EXECUTE FUNCTION budget_approval_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER budget_approval_guard_all BEFORE TRUNCATE ON budget_approval FOR EACH STATEMENT EXECUTE FUNCTION budget_approval_guard()",
    ),
)

UNGUARDS = (
    ("sqlite", "DROP TRIGGER IF EXISTS kept_proof_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS kept_proof_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS kept_proof_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS budget_proposal_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS budget_proposal_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS budget_proposal_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS budget_approval_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS budget_approval_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS budget_approval_guard() CASCADE"),
)
