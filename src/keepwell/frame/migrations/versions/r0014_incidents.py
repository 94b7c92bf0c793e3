"""Incidents of data, who answers for them, and marks on the scores that rest on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _incident()
    op.create_table(
        "incident_owner",
        sa.Column("incident_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.incident_id"],
            name=op.f("fk_incident_owner_incident_id_incident"),
        ),
        sa.PrimaryKeyConstraint("incident_id", "owner", name=op.f("pk_incident_owner")),
    )  # fmt: skip
    op.create_index("ix_incident_owner_staff_id", "incident_owner", ["staff_id"])
    op.create_index("ix_incident_owner_user_id", "incident_owner", ["user_id"])
    op.create_table(
        "stale_mark",
        sa.Column("generation_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("table_name", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("incident_id", sa.String(length=40), nullable=True),
        sa.Column("finding", Json, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.incident_id"],
            name=op.f("fk_stale_mark_incident_id_incident"),
        ),
        sa.PrimaryKeyConstraint("generation_id", "table_name", "kind", name=op.f("pk_stale_mark")),
    )  # fmt: skip
    op.create_index(op.f("ix_stale_mark_incident_id"), "stale_mark", ["incident_id"])


def downgrade() -> None:
    """Take them away."""
    for table in ("stale_mark", "incident_owner", "incident"):
        op.drop_table(table)


def _incident() -> None:
    op.create_table(
        "incident",
        sa.Column("incident_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("findings", Json, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("told_at", Instant(), nullable=False),
        sa.Column("acknowledged_at", Instant(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=40), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("closed_by", sa.String(length=200), nullable=True),
        sa.Column("called_right", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state in ('open', 'acknowledged', 'closed')", name=op.f("ck_incident_state")
        ),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at is not null and closed_by is not null)",
            name=op.f("ck_incident_closure"),
        ),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incident")),
    )
    op.create_index("ix_incident_state", "incident", ["state", "opened_at", "incident_id"])
    op.create_index("ix_incident_opened_at", "incident", ["opened_at", "incident_id"])
