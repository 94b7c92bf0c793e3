"""What clients are worth, beside their assets, and what that is made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Json

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

AMOUNTS = ("value", "value_low", "value_high", "value_lost")


def upgrade() -> None:
    """Add the columns; they fill with the next publication."""
    for name in AMOUNTS:
        op.add_column("client", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("generation", sa.Column("value_basis", Json, nullable=True))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("generation", "value_basis")
    for name in reversed(AMOUNTS):
        op.drop_column("client", name)
