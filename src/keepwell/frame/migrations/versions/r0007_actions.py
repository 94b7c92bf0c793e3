"""Recommendations, and which action and script a contact used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

USED = (
    ("action_id", sa.String(length=60)),
    ("action_version", sa.Integer()),
    ("script_id", sa.String(length=100)),
)


def upgrade() -> None:
    """Make the table and the columns."""
    op.create_table(
        "recommendation",
        sa.Column("recommendation_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("best_id", sa.String(length=60), nullable=True),
        sa.Column("best_version", sa.Integer(), nullable=True),
        sa.Column("next_id", sa.String(length=60), nullable=True),
        sa.Column("next_version", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=True),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        sa.Column("script_id", sa.String(length=100), nullable=True),
        sa.Column("answer", sa.String(length=64), nullable=True),
        sa.Column("record", Json, nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_recommendation_number")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["retention_case.case_id"],
            name=op.f("fk_recommendation_case_id_retention_case"),
        ),
        sa.PrimaryKeyConstraint("recommendation_id", name=op.f("pk_recommendation")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_recommendation_case_id_number")),
    )  # fmt: skip
    op.create_index(
        op.f("ix_recommendation_client_id"), "recommendation", ["client_id"], unique=False
    )
    for name, kind in USED:
        op.add_column("contact", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """Take them away."""
    for name, _ in reversed(USED):
        op.drop_column("contact", name)
    op.drop_table("recommendation")
