"""Key figures: values by month, owners and targets, reviews with notes, two-weekly reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and keep them from being rewritten."""
    _reports()
    _values()
    _reviews()
    _set_by_people()
    _run(GUARDS)


def downgrade() -> None:
    """Take them away."""
    for name in ("kpi_note", "kpi_target", "kpi_review", "kpi_value", "kpi_report"):
        op.drop_table(name)
    _run(UNGUARDS)


def _run(statements: tuple[tuple[str, str], ...]) -> None:
    name = op.get_bind().dialect.name
    for dialect, statement in statements:
        if dialect == name:
            op.execute(statement)


def _reports() -> None:
    op.create_table(
        "kpi_report",
        sa.Column("report_id", sa.String(length=40), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("figures", Json, nullable=False),
        sa.CheckConstraint("since < until", name=op.f("ck_kpi_report_span")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_kpi_report")),
        sa.UniqueConstraint("until", name=op.f("uq_kpi_report_until")),
    )


def _values() -> None:
    op.create_table(
        "kpi_value",
        sa.Column("kpi_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("absent", sa.String(length=20), nullable=True),
        sa.Column("target", sa.Float(), nullable=True),
        sa.Column("known_by", Instant(), nullable=False),
        sa.Column("manifest", sa.Integer(), nullable=True),
        sa.Column("computed_at", Instant(), nullable=False),
        sa.CheckConstraint("(value is null) <> (absent is null)", name=op.f("ck_kpi_value_value")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_kpi_value_revision")),
        sa.PrimaryKeyConstraint(
            "kpi_id", "version", "month", "revision", name=op.f("pk_kpi_value")
        ),
    )


def _reviews() -> None:
    op.create_table(
        "kpi_review",
        sa.Column("review_id", sa.String(length=40), nullable=False),
        sa.Column("kpi_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("months", Json, nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=True),
        sa.Column("changes", sa.Text(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("closed_by", sa.String(length=40), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at is not null and findings is not null and changes is not null)",
            name=op.f("ck_kpi_review_closure"),
        ),
        sa.CheckConstraint("state in ('open', 'closed')", name=op.f("ck_kpi_review_state")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["app_user.user_id"], name=op.f("fk_kpi_review_owner_id_app_user")
        ),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_kpi_review")),
        sa.UniqueConstraint("kpi_id", "since", name=op.f("uq_kpi_review_kpi_id_since")),
    )
    op.create_index(op.f("ix_kpi_review_owner_id"), "kpi_review", ["owner_id"], unique=False)
    op.create_index(
        "ix_kpi_review_state", "kpi_review", ["state", "due_on", "review_id"], unique=False
    )


def _set_by_people() -> None:
    op.create_table(
        "kpi_target",
        sa.Column("target_id", sa.String(length=40), nullable=False),
        sa.Column("kpi_id", sa.String(length=40), nullable=False),
        sa.Column("from_month", sa.Date(), nullable=False),
        sa.Column("target", sa.Float(), nullable=True),
        sa.Column("owner_id", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("set_by", sa.String(length=40), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["app_user.user_id"], name=op.f("fk_kpi_target_owner_id_app_user")
        ),
        sa.PrimaryKeyConstraint("target_id", name=op.f("pk_kpi_target")),
    )
    op.create_index(
        "ix_kpi_target_kpi_id", "kpi_target", ["kpi_id", "from_month", "set_at"], unique=False
    )
    op.create_index(op.f("ix_kpi_target_owner_id"), "kpi_target", ["owner_id"], unique=False)
    op.create_table(
        "kpi_note",
        sa.Column("review_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author_id", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["review_id"], ["kpi_review.review_id"], name=op.f("fk_kpi_note_review_id_kpi_review")
        ),
        sa.PrimaryKeyConstraint("review_id", "number", name=op.f("pk_kpi_note")),
    )


GUARDS = (
    (
        "sqlite",
        "CREATE TRIGGER kpi_value_no_update BEFORE UPDATE ON kpi_value BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER kpi_value_no_delete BEFORE DELETE ON kpi_value BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION kpi_value_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_value_guard BEFORE UPDATE ON kpi_value FOR EACH ROW EXECUTE FUNCTION kpi_value_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_value_guard_del BEFORE DELETE ON kpi_value FOR EACH ROW EXECUTE FUNCTION kpi_value_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_value_guard_all BEFORE TRUNCATE ON kpi_value FOR EACH STATEMENT EXECUTE FUNCTION kpi_value_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER kpi_target_no_update BEFORE UPDATE ON kpi_target BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER kpi_target_no_delete BEFORE DELETE ON kpi_target BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION kpi_target_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_target_guard BEFORE UPDATE ON kpi_target FOR EACH ROW EXECUTE FUNCTION kpi_target_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_target_guard_del BEFORE DELETE ON kpi_target FOR EACH ROW EXECUTE FUNCTION kpi_target_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_target_guard_all BEFORE TRUNCATE ON kpi_target FOR EACH STATEMENT EXECUTE FUNCTION kpi_target_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER kpi_note_no_update BEFORE UPDATE ON kpi_note BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER kpi_note_no_delete BEFORE DELETE ON kpi_note BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION kpi_note_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_note_guard BEFORE UPDATE ON kpi_note FOR EACH ROW EXECUTE FUNCTION kpi_note_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_note_guard_del BEFORE DELETE ON kpi_note FOR EACH ROW EXECUTE FUNCTION kpi_note_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_note_guard_all BEFORE TRUNCATE ON kpi_note FOR EACH STATEMENT EXECUTE FUNCTION kpi_note_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER kpi_report_no_update BEFORE UPDATE ON kpi_report BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER kpi_report_no_delete BEFORE DELETE ON kpi_report BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION kpi_report_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_report_guard BEFORE UPDATE ON kpi_report FOR EACH ROW EXECUTE FUNCTION kpi_report_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_report_guard_del BEFORE DELETE ON kpi_report FOR EACH ROW EXECUTE FUNCTION kpi_report_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER kpi_report_guard_all BEFORE TRUNCATE ON kpi_report FOR EACH STATEMENT EXECUTE FUNCTION kpi_report_guard()",
    ),
)

UNGUARDS = (
    (
        "postgresql",
        "DROP FUNCTION IF EXISTS kpi_value_guard() CASCADE",
    ),
    (
        "postgresql",
        "DROP FUNCTION IF EXISTS kpi_target_guard() CASCADE",
    ),
    (
        "postgresql",
        "DROP FUNCTION IF EXISTS kpi_note_guard() CASCADE",
    ),
    (
        "postgresql",
        "DROP FUNCTION IF EXISTS kpi_report_guard() CASCADE",
    ),
)
