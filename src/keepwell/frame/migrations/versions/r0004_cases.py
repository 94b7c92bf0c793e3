"""Cases and contacts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = (
    "case_reassignment",
    "retention_case",
    "case_event",
    "case_file",
    "case_note",
    "case_task",
    "contact",
)


def upgrade() -> None:
    """Make the tables."""
    _case_reassignment()
    _retention_case()
    _case_event()
    _case_file()
    _case_note()
    _case_task()
    _contact()
    _guard()


def downgrade() -> None:
    """Drop the tables, the last made first."""
    _unguard()
    for table in reversed(TABLES):
        op.drop_table(table)


def _case_reassignment() -> None:
    op.create_table(
        "case_reassignment",
        sa.Column("plan_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("moves", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("batch_id", sa.String(length=40), nullable=True),
        sa.Column("done_at", Instant(), nullable=True),
        sa.Column("undone_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_case_reassignment")),
        sa.UniqueConstraint("batch_id", name=op.f("uq_case_reassignment_batch_id")),
    )
    _case_reassignment_indexes()


def _case_reassignment_indexes() -> None:
    op.create_index(
        op.f("ix_case_reassignment_user_id"), "case_reassignment", ["user_id"], unique=False
    )


def _retention_case() -> None:
    op.create_table('retention_case',
        sa.Column('case_id', sa.String(length=40), nullable=False),
        sa.Column('client_id', sa.String(length=200), nullable=False),
        sa.Column('reason', sa.String(length=40), nullable=False),
        sa.Column('tier', sa.String(length=16), nullable=False),
        sa.Column('urgency', sa.Integer(), nullable=False),
        sa.Column('title', sa.String(length=200), nullable=False),
        sa.Column('plan', sa.Text(), nullable=False),
        sa.Column('state', sa.String(length=16), nullable=False),
        sa.Column('live', sa.Boolean(), nullable=False),
        sa.Column('owner_id', sa.String(length=64), nullable=True),
        sa.Column('level', sa.Integer(), nullable=False),
        sa.Column('escalated_to', sa.String(length=64), nullable=True),
        sa.Column('retention', sa.String(length=8), nullable=False),
        sa.Column('alerts', sa.Integer(), nullable=False),
        sa.Column('alert_id', sa.String(length=40), nullable=True),
        sa.Column('previous_id', sa.String(length=40), nullable=True),
        sa.Column('opened_at', Instant(), nullable=False),
        sa.Column('state_at', Instant(), nullable=False),
        sa.Column('contacted_at', Instant(), nullable=True),
        sa.Column('closed_at', Instant(), nullable=True),
        sa.Column('close_reason', sa.String(length=40), nullable=True),
        sa.Column('close_note', sa.Text(), nullable=True),
        sa.Column('next_due_at', Instant(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.CheckConstraint("(state in ('recovered', 'lost', 'false-alarm', 'withdrawn')) = (closed_at is not null and close_reason is not null)", name=op.f('ck_retention_case_closure')),
        sa.CheckConstraint("live = (state in ('open', 'contacted', 'plan', 'saving'))", name=op.f('ck_retention_case_live')),
        sa.CheckConstraint("reason in ('risk', 'first-large-transfer', 'closing-question', 'complaint-overdue', 'exit-request', 'manual')", name=op.f('ck_retention_case_reason')),
        sa.CheckConstraint("retention in ('free', 'once', 'none')", name=op.f('ck_retention_case_retention')),
        sa.CheckConstraint("state in ('open', 'contacted', 'plan', 'saving', 'recovered', 'lost', 'false-alarm', 'withdrawn')", name=op.f('ck_retention_case_state')),
        sa.CheckConstraint("tier in ('none', 'mild', 'moderate', 'severe')", name=op.f('ck_retention_case_tier')),
        sa.CheckConstraint('level between 0 and 2', name=op.f('ck_retention_case_level')),
        sa.ForeignKeyConstraint(['escalated_to'], ['staff.staff_id'], name=op.f('fk_retention_case_escalated_to_staff')),
        sa.ForeignKeyConstraint(['owner_id'], ['staff.staff_id'], name=op.f('fk_retention_case_owner_id_staff')),
        sa.ForeignKeyConstraint(['previous_id'], ['retention_case.case_id'], name=op.f('fk_retention_case_previous_id_retention_case')),
        sa.PrimaryKeyConstraint('case_id', name=op.f('pk_retention_case'))
)  # fmt: skip
    _retention_case_indexes()


def _retention_case_indexes() -> None:
    op.create_index(
        "ix_retention_case_client",
        "retention_case",
        ["client_id", "reason", "opened_at"],
        unique=False,
    )
    op.create_index(
        "ix_retention_case_due",
        "retention_case",
        ["live", "next_due_at", "urgency", "case_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_retention_case_escalated_to"), "retention_case", ["escalated_to"], unique=False
    )
    op.create_index(
        "ix_retention_case_opened", "retention_case", ["opened_at", "case_id"], unique=False
    )
    op.create_index(
        "ix_retention_case_owner",
        "retention_case",
        ["owner_id", "live", "next_due_at", "urgency", "case_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_retention_case_previous_id"), "retention_case", ["previous_id"], unique=False
    )
    op.create_index(
        "ix_retention_case_urgent",
        "retention_case",
        ["next_due_at", "urgency", "case_id"],
        unique=False,
    )
    op.create_index(
        "uq_retention_case_live",
        "retention_case",
        ["client_id", "reason"],
        unique=True,
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )


def _case_event() -> None:
    op.create_table(
        "case_event",
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("old", Json, nullable=False),
        sa.Column("new", Json, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "kind in ('alerted', 'attached', 'closed', 'contacted', 'edited', 'escalated', 'limited', 'moved', 'noted', 'opened', 'reassigned', 'reopened', 'task-added', 'task-changed')",
            name=op.f("ck_case_event_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["retention_case.case_id"],
            name=op.f("fk_case_event_case_id_retention_case"),
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_case_event")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_case_event_case_id_number")),
    )


def _case_file() -> None:
    op.create_table(
        "case_file",
        sa.Column("file_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["retention_case.case_id"],
            name=op.f("fk_case_file_case_id_retention_case"),
        ),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_case_file")),
    )
    _case_file_indexes()


def _case_file_indexes() -> None:
    op.create_index("ix_case_file_case_id", "case_file", ["case_id", "number"], unique=False)
    op.create_index(op.f("ix_case_file_sha256"), "case_file", ["sha256"], unique=False)


def _case_note() -> None:
    op.create_table(
        "case_note",
        sa.Column("note_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("corrects_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["retention_case.case_id"],
            name=op.f("fk_case_note_case_id_retention_case"),
        ),
        sa.ForeignKeyConstraint(
            ["corrects_id"], ["case_note.note_id"], name=op.f("fk_case_note_corrects_id_case_note")
        ),
        sa.PrimaryKeyConstraint("note_id", name=op.f("pk_case_note")),
    )
    _case_note_indexes()


def _case_note_indexes() -> None:
    op.create_index("ix_case_note_case_id", "case_note", ["case_id", "number"], unique=False)
    op.create_index(op.f("ix_case_note_corrects_id"), "case_note", ["corrects_id"], unique=False)


def _case_task() -> None:
    op.create_table(
        "case_task",
        sa.Column("task_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("assignee_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("done_at", Instant(), nullable=True),
        sa.Column("done_by", sa.String(length=40), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["staff.staff_id"], name=op.f("fk_case_task_assignee_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["retention_case.case_id"],
            name=op.f("fk_case_task_case_id_retention_case"),
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_case_task")),
    )
    _case_task_indexes()


def _case_task_indexes() -> None:
    op.create_index(
        "ix_case_task_assignee_id", "case_task", ["assignee_id", "done_at", "due_at"], unique=False
    )
    op.create_index("ix_case_task_case_id", "case_task", ["case_id", "number"], unique=False)


def _contact() -> None:
    op.create_table(
        "contact",
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("aim", sa.String(length=16), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=True),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("exit_request_id", sa.String(length=40), nullable=True),
        sa.Column("breach", sa.String(length=40), nullable=True),
        sa.Column("marks", Json, nullable=False),
        sa.CheckConstraint("aim in ('retention', 'service')", name=op.f("ck_contact_aim")),
        sa.CheckConstraint(
            "channel in ('phone', 'sms', 'email', 'wecom', 'app', 'branch', 'visit', 'letter')",
            name=op.f("ck_contact_channel"),
        ),
        sa.CheckConstraint("direction in ('out', 'in')", name=op.f("ck_contact_direction")),
        sa.CheckConstraint(
            "result in ('reached', 'call-back', 'refused', 'no-answer', 'delivered', 'failed')",
            name=op.f("ck_contact_result"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["retention_case.case_id"], name=op.f("fk_contact_case_id_retention_case")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.staff_id"], name=op.f("fk_contact_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_contact")),
    )
    _contact_indexes()


def _contact_indexes() -> None:
    op.create_index("ix_contact_case_id", "contact", ["case_id", "number"], unique=False)
    op.create_index("ix_contact_client_id", "contact", ["client_id", "at"], unique=False)
    op.create_index(op.f("ix_contact_staff_id"), "contact", ["staff_id"], unique=False)
    op.create_index(
        "uq_contact_exit",
        "contact",
        ["exit_request_id"],
        unique=True,
        sqlite_where=sa.text("exit_request_id is not null and breach is null"),
        postgresql_where=sa.text("exit_request_id is not null and breach is null"),
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
        'CREATE TRIGGER case_event_no_update BEFORE UPDATE ON case_event WHEN NOT (OLD."event_id" IS NEW."event_id" AND OLD."case_id" IS NEW."case_id" AND OLD."number" IS NEW."number" AND OLD."at" IS NEW."at" AND OLD."actor_id" IS NEW."actor_id" AND OLD."kind" IS NEW."kind" AND json_remove(OLD."old", \'$.score\', \'$.tier\') IS json_remove(NEW."old", \'$.score\', \'$.tier\') AND json_remove(OLD."new", \'$.score\', \'$.tier\') IS json_remove(NEW."new", \'$.score\', \'$.tier\') AND OLD."reason" IS NEW."reason") BEGIN SELECT RAISE(ABORT, \'the record only grows\'); END',
    ),
    (
        "sqlite",
        "CREATE TRIGGER case_event_no_delete BEFORE DELETE ON case_event BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION case_event_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        'CREATE TRIGGER case_event_guard BEFORE UPDATE ON case_event FOR EACH ROW WHEN (NOT ((OLD."event_id") IS NOT DISTINCT FROM (NEW."event_id") AND (OLD."case_id") IS NOT DISTINCT FROM (NEW."case_id") AND (OLD."number") IS NOT DISTINCT FROM (NEW."number") AND (OLD."at") IS NOT DISTINCT FROM (NEW."at") AND (OLD."actor_id") IS NOT DISTINCT FROM (NEW."actor_id") AND (OLD."kind") IS NOT DISTINCT FROM (NEW."kind") AND (OLD."old" - \'score\' - \'tier\') IS NOT DISTINCT FROM (NEW."old" - \'score\' - \'tier\') AND (OLD."new" - \'score\' - \'tier\') IS NOT DISTINCT FROM (NEW."new" - \'score\' - \'tier\') AND (OLD."reason") IS NOT DISTINCT FROM (NEW."reason"))) EXECUTE FUNCTION case_event_guard()',
    ),
    (
        "postgresql",
        "CREATE TRIGGER case_event_guard_del BEFORE DELETE ON case_event FOR EACH ROW EXECUTE FUNCTION case_event_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER case_event_guard_all BEFORE TRUNCATE ON case_event FOR EACH STATEMENT EXECUTE FUNCTION case_event_guard()",
    ),
)
"""What is written stays as written; the triggers as this revision knew them."""

UNGUARDS = (
    ("sqlite", "DROP TRIGGER IF EXISTS case_event_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS case_event_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS case_event_guard() CASCADE"),
)
