"""Jobs, evidence, consent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "consent",
    "evidence_checkpoint",
    "evidence_entry",
    "evidence_log",
    "evidence_node",
    "evidence_salt",
    "job",
    "job_schedule",
    "job_worker",
    "evidence_leaf",
    "evidence_opening",
    "evidence_pending",
)


def upgrade() -> None:
    """Make the tables."""
    _consent()
    _evidence_checkpoint()
    _evidence_entry()
    _evidence_log()
    _evidence_node()
    _evidence_salt()
    _job()
    _job_schedule()
    _job_worker()
    _evidence_leaf()
    _evidence_opening()
    _evidence_pending()
    _guard()


def downgrade() -> None:
    """Drop the tables, the last made first."""
    _unguard()
    for table in reversed(TABLES):
        op.drop_table(table)


def _consent() -> None:
    op.create_table(
        "consent",
        sa.Column("consent_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("newest", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(length=40), nullable=False),
        sa.CheckConstraint(
            "purpose in ('marketing', 'profiling', 'service')", name=op.f("ck_consent_purpose")
        ),
        sa.PrimaryKeyConstraint("consent_id", name=op.f("pk_consent")),
    )
    _consent_indexes()


def _consent_indexes() -> None:
    op.create_index(
        "ix_consent_client_id_at", "consent", ["client_id", "at", "consent_id"], unique=False
    )
    op.create_index("ix_consent_purpose", "consent", ["purpose", "granted", "newest"], unique=False)
    op.create_index(
        "uq_consent_newest",
        "consent",
        ["client_id", "purpose"],
        unique=True,
        sqlite_where=sa.text("newest"),
        postgresql_where=sa.text("newest"),
    )


def _evidence_checkpoint() -> None:
    op.create_table(
        "evidence_checkpoint",
        sa.Column(
            "size",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("signed_at", Instant(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_evidence_checkpoint")),
    )


def _evidence_entry() -> None:
    op.create_table(
        "evidence_entry",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("client", sa.String(length=40), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_evidence_entry")),
    )
    _evidence_entry_indexes()


def _evidence_entry_indexes() -> None:
    op.create_index("ix_evidence_entry_at", "evidence_entry", ["at", "entry_id"], unique=False)
    op.create_index(
        "ix_evidence_entry_client", "evidence_entry", ["client", "entry_id"], unique=False
    )
    op.create_index("ix_evidence_entry_kind", "evidence_entry", ["kind", "entry_id"], unique=False)
    op.create_index(
        "ix_evidence_entry_subject", "evidence_entry", ["subject", "entry_id"], unique=False
    )


def _evidence_log() -> None:
    op.create_table(
        "evidence_log",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("signed_size", sa.BigInteger(), nullable=False),
        sa.Column("signed_at", Instant(), nullable=True),
        sa.Column("verifier", sa.String(length=300), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_evidence_log_single")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_evidence_log")),
    )


def _evidence_node() -> None:
    op.create_table(
        "evidence_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_evidence_node")),
    )


def _evidence_salt() -> None:
    op.create_table(
        "evidence_salt",
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_evidence_salt")),
        sa.UniqueConstraint("token", name=op.f("uq_evidence_salt_token")),
    )


def _job() -> None:
    op.create_table(
        "job",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("lane", sa.String(length=8), nullable=False),
        sa.Column(
            "key",
            sa.String(length=260).with_variant(sa.String(length=260, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("payload", Json, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("owner", sa.String(length=40), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.CheckConstraint("lane in ('inside', 'outside')", name=op.f("ck_job_lane")),
        sa.CheckConstraint("state <> 'running' or owner is not null", name=op.f("ck_job_owned")),
        sa.CheckConstraint(
            "state in ('waiting', 'running', 'done', 'dead', 'cancelled')",
            name=op.f("ck_job_state"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_job")),
    )
    _job_indexes()


def _job_indexes() -> None:
    op.create_index(
        "ix_job_due",
        "job",
        ["lane", "due_at", "number"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_job_finished", "job", ["state", "finished_at"], unique=False)
    op.create_index("ix_job_kind", "job", ["kind", "number"], unique=False)
    op.create_index(
        "ix_job_lease",
        "job",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'running'"),
        sqlite_where=sa.text("state = 'running'"),
    )
    op.create_index("ix_job_state", "job", ["state", "number"], unique=False)
    op.create_index(
        "uq_job_live_key",
        "job",
        ["key"],
        unique=True,
        postgresql_where=sa.text("state in ('waiting', 'running')"),
        sqlite_where=sa.text("state in ('waiting', 'running')"),
    )


def _job_schedule() -> None:
    op.create_table(
        "job_schedule",
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("tick", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_job_schedule")),
    )


def _job_worker() -> None:
    op.create_table(
        "job_worker",
        sa.Column("worker_id", sa.String(length=40), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_job_worker")),
    )
    _job_worker_indexes()


def _job_worker_indexes() -> None:
    op.create_index("ix_job_worker_seen_at", "job_worker", ["seen_at"], unique=False)


def _evidence_leaf() -> None:
    op.create_table(
        "evidence_leaf",
        sa.Column(
            "leaf_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("leaf_index >= 0", name=op.f("ck_evidence_leaf_index")),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["evidence_entry.entry_id"],
            name=op.f("fk_evidence_leaf_entry_id_evidence_entry"),
        ),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_evidence_leaf")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_evidence_leaf_entry_id")),
    )


def _evidence_opening() -> None:
    op.create_table(
        "evidence_opening",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=100), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["evidence_entry.entry_id"],
            name=op.f("fk_evidence_opening_entry_id_evidence_entry"),
        ),
        sa.PrimaryKeyConstraint("entry_id", "field", name=op.f("pk_evidence_opening")),
    )
    _evidence_opening_indexes()


def _evidence_opening_indexes() -> None:
    op.create_index(
        "ix_evidence_opening_client_id", "evidence_opening", ["client_id"], unique=False
    )


def _evidence_pending() -> None:
    op.create_table(
        "evidence_pending",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["evidence_entry.entry_id"],
            name=op.f("fk_evidence_pending_entry_id_evidence_entry"),
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_evidence_pending")),
    )


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
        "CREATE TRIGGER evidence_entry_no_update BEFORE UPDATE ON evidence_entry BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER evidence_entry_no_delete BEFORE DELETE ON evidence_entry BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION evidence_entry_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_entry_guard BEFORE UPDATE ON evidence_entry FOR EACH ROW EXECUTE FUNCTION evidence_entry_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_entry_guard_del BEFORE DELETE ON evidence_entry FOR EACH ROW EXECUTE FUNCTION evidence_entry_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_entry_guard_all BEFORE TRUNCATE ON evidence_entry FOR EACH STATEMENT EXECUTE FUNCTION evidence_entry_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER evidence_leaf_no_update BEFORE UPDATE ON evidence_leaf BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER evidence_leaf_no_delete BEFORE DELETE ON evidence_leaf BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION evidence_leaf_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_leaf_guard BEFORE UPDATE ON evidence_leaf FOR EACH ROW EXECUTE FUNCTION evidence_leaf_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_leaf_guard_del BEFORE DELETE ON evidence_leaf FOR EACH ROW EXECUTE FUNCTION evidence_leaf_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_leaf_guard_all BEFORE TRUNCATE ON evidence_leaf FOR EACH STATEMENT EXECUTE FUNCTION evidence_leaf_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER evidence_node_no_update BEFORE UPDATE ON evidence_node BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER evidence_node_no_delete BEFORE DELETE ON evidence_node BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION evidence_node_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_node_guard BEFORE UPDATE ON evidence_node FOR EACH ROW EXECUTE FUNCTION evidence_node_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_node_guard_del BEFORE DELETE ON evidence_node FOR EACH ROW EXECUTE FUNCTION evidence_node_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_node_guard_all BEFORE TRUNCATE ON evidence_node FOR EACH STATEMENT EXECUTE FUNCTION evidence_node_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER evidence_checkpoint_no_update BEFORE UPDATE ON evidence_checkpoint BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER evidence_checkpoint_no_delete BEFORE DELETE ON evidence_checkpoint BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION evidence_checkpoint_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_checkpoint_guard BEFORE UPDATE ON evidence_checkpoint FOR EACH ROW EXECUTE FUNCTION evidence_checkpoint_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_checkpoint_guard_del BEFORE DELETE ON evidence_checkpoint FOR EACH ROW EXECUTE FUNCTION evidence_checkpoint_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER evidence_checkpoint_guard_all BEFORE TRUNCATE ON evidence_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION evidence_checkpoint_guard()",
    ),
    (
        "sqlite",
        'CREATE TRIGGER consent_no_update BEFORE UPDATE ON consent WHEN NOT (OLD."consent_id" IS NEW."consent_id" AND OLD."client_id" IS NEW."client_id" AND OLD."purpose" IS NEW."purpose" AND OLD."granted" IS NEW."granted" AND OLD."at" IS NEW."at" AND OLD."source" IS NEW."source" AND OLD."recorded_at" IS NEW."recorded_at" AND OLD."recorded_by" IS NEW."recorded_by") BEGIN SELECT RAISE(ABORT, \'the record only grows\'); END',
    ),
    (
        "sqlite",
        "CREATE TRIGGER consent_no_delete BEFORE DELETE ON consent BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION consent_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        'CREATE TRIGGER consent_guard BEFORE UPDATE ON consent FOR EACH ROW WHEN (NOT ((OLD."consent_id") IS NOT DISTINCT FROM (NEW."consent_id") AND (OLD."client_id") IS NOT DISTINCT FROM (NEW."client_id") AND (OLD."purpose") IS NOT DISTINCT FROM (NEW."purpose") AND (OLD."granted") IS NOT DISTINCT FROM (NEW."granted") AND (OLD."at") IS NOT DISTINCT FROM (NEW."at") AND (OLD."source") IS NOT DISTINCT FROM (NEW."source") AND (OLD."recorded_at") IS NOT DISTINCT FROM (NEW."recorded_at") AND (OLD."recorded_by") IS NOT DISTINCT FROM (NEW."recorded_by"))) EXECUTE FUNCTION consent_guard()',
    ),
    (
        "postgresql",
        "CREATE TRIGGER consent_guard_del BEFORE DELETE ON consent FOR EACH ROW EXECUTE FUNCTION consent_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER consent_guard_all BEFORE TRUNCATE ON consent FOR EACH STATEMENT EXECUTE FUNCTION consent_guard()",
    ),
)
"""What is written stays as written; the triggers as this revision knew them."""

UNGUARDS = (
    ("sqlite", "DROP TRIGGER IF EXISTS evidence_entry_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS evidence_entry_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS evidence_entry_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS evidence_leaf_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS evidence_leaf_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS evidence_leaf_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS evidence_node_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS evidence_node_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS evidence_node_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS evidence_checkpoint_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS evidence_checkpoint_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS evidence_checkpoint_guard() CASCADE"),
    ("sqlite", "DROP TRIGGER IF EXISTS consent_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS consent_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS consent_guard() CASCADE"),
)
