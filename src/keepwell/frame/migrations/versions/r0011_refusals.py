"""What the gate refused, one row for each recommendation and code, so that it can be counted."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BATCH = 500


def upgrade() -> None:
    """Make the table, and fill it from the recommendations stored so far."""
    table = op.create_table(
        "refusal",
        sa.Column("recommendation_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("rules", Json, nullable=False),
        sa.Column("actions", Json, nullable=False),
        sa.Column("fields", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["recommendation_id"], ["recommendation.recommendation_id"],
            name=op.f("fk_refusal_recommendation_id_recommendation"),
        ),
        sa.PrimaryKeyConstraint("recommendation_id", "code", name=op.f("pk_refusal")),
    )  # fmt: skip
    op.create_index("ix_refusal_at", "refusal", ["at", "code", "client_id"], unique=False)
    op.create_index(op.f("ix_refusal_client_id"), "refusal", ["client_id"], unique=False)
    _fill(op.get_bind(), table)


def downgrade() -> None:
    """Take it away."""
    op.drop_table("refusal")


def _fill(bind: Any, table: Any) -> None:
    stored = sa.table(
        "recommendation",
        sa.column("recommendation_id", sa.String()), sa.column("case_id", sa.String()),
        sa.column("client_id", sa.String()), sa.column("at", Instant()),
        sa.column("record", Json),
    )  # fmt: skip
    last = ""
    while True:
        found = bind.execute(
            sa.select(stored)
            .where(stored.c.recommendation_id > last)
            .order_by(stored.c.recommendation_id)
            .limit(BATCH)
        ).all()
        rows = [row for one in found for row in _refused(one)]
        if rows:
            bind.execute(sa.insert(table), rows)
        if len(found) < BATCH:
            return
        last = found[-1].recommendation_id


def _refused(stored: Any) -> list[dict[str, Any]]:
    record = json.loads(stored.record) if isinstance(stored.record, str) else stored.record
    by_code: dict[str, dict[str, Any]] = {}
    for option in ((record or {}).get("made") or {}).get("options", []):
        if option["answer"] != "drop":
            continue
        row = by_code.setdefault(
            option["code"],
            {
                "recommendation_id": stored.recommendation_id, "code": option["code"],
                "stage": option.get("stage", "worth"), "case_id": stored.case_id,
                "client_id": stored.client_id, "at": stored.at, "rules": option.get("rules", []),
                "actions": [], "fields": option.get("fields", {}),
            },
        )  # fmt: skip
        row["actions"].append(option["action"])
    return list(by_code.values())
