"""What people prefer on their pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Json

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "preference",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.user_id"], name=op.f("fk_preference_user_id_app_user")
        ),
        sa.PrimaryKeyConstraint("user_id", "name", name=op.f("pk_preference")),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("preference")
