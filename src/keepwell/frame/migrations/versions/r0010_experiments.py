"""Experiments: designs, draws, arms, looks, proven effects; and whose arm a recommendation is of."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = (
    "experiment",
    "experiment_assignment",
    "experiment_draw",
    "experiment_effect",
    "experiment_look",
)

ARM: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("experiment_id", sa.String(length=40)),
    ("arm", sa.String(length=100)),
    ("propensity", sa.Double()),
)


def upgrade() -> None:
    """Make the tables and the columns."""
    _experiment()
    _experiment_assignment()
    _experiment_draw()
    _experiment_effect()
    _experiment_look()
    for name, kind in ARM:
        op.add_column("recommendation", sa.Column(name, kind, nullable=True))
    _guard()


def downgrade() -> None:
    """Take them away, the last made first."""
    _unguard()
    for name, _ in reversed(ARM):
        op.drop_column("recommendation", name)
    for table in reversed(TABLES):
        op.drop_table(table)


def _experiment() -> None:
    op.create_table(
        "experiment",
        sa.Column("experiment_id", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("hypothesis", sa.Text(), nullable=False),
        sa.Column("about", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("design", Json, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("registered_at", Instant(), nullable=True),
        sa.Column("registered_by", sa.String(length=40), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("started_by", sa.String(length=40), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("ended_by", sa.String(length=40), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'registered', 'running', 'done', 'stopped')",
            name=op.f("ck_experiment_state"),
        ),
        sa.PrimaryKeyConstraint("experiment_id", name=op.f("pk_experiment")),
    )
    op.create_index(
        "ix_experiment_created_at", "experiment", ["created_at", "experiment_id"], unique=False
    )
    op.create_index("ix_experiment_state", "experiment", ["state", "about"], unique=False)


def _experiment_assignment() -> None:
    op.create_table(
        "experiment_assignment",
        sa.Column("experiment_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("unit_id", sa.String(length=210), nullable=False),
        sa.Column("arm", sa.String(length=100), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("block", sa.String(length=300), nullable=True),
        sa.Column("drawn_at", Instant(), nullable=False),
        sa.Column("manager_id", sa.String(length=64), nullable=True),
        sa.Column("tier", sa.String(length=16), nullable=True),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("assets", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "propensity > 0 AND propensity <= 1", name=op.f("ck_experiment_assignment_propensity")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.experiment_id"],
            name=op.f("fk_experiment_assignment_experiment_id_experiment"),
        ),
        sa.PrimaryKeyConstraint(
            "experiment_id", "client_id", name=op.f("pk_experiment_assignment")
        ),
    )
    op.create_index(
        "ix_experiment_assignment_batch",
        "experiment_assignment",
        ["experiment_id", "batch"],
        unique=False,
    )
    op.create_index(
        "ix_experiment_assignment_client_id", "experiment_assignment", ["client_id"], unique=False
    )


def _experiment_draw() -> None:
    op.create_table(
        "experiment_draw",
        sa.Column("experiment_id", sa.String(length=40), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("drawn_at", Instant(), nullable=False),
        sa.Column("drawn_by", sa.String(length=40), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("clients", sa.Integer(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(length=16), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.CheckConstraint("batch >= 1", name=op.f("ck_experiment_draw_batch")),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.experiment_id"],
            name=op.f("fk_experiment_draw_experiment_id_experiment"),
        ),
        sa.PrimaryKeyConstraint("experiment_id", "batch", name=op.f("pk_experiment_draw")),
    )


def _experiment_effect() -> None:
    op.create_table(
        "experiment_effect",
        sa.Column("experiment_id", sa.String(length=40), nullable=False),
        sa.Column("arm", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("action_id", sa.String(length=60), nullable=False),
        sa.Column("action_version", sa.Integer(), nullable=False),
        sa.Column("reduction", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.experiment_id"],
            name=op.f("fk_experiment_effect_experiment_id_experiment"),
        ),
        sa.PrimaryKeyConstraint("experiment_id", "arm", name=op.f("pk_experiment_effect")),
    )
    op.create_index(
        "ix_experiment_effect_action",
        "experiment_effect",
        ["action_id", "action_version"],
        unique=False,
    )


def _experiment_look() -> None:
    op.create_table(
        "experiment_look",
        sa.Column("experiment_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("looked_by", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("planned_share", sa.Double(), nullable=True),
        sa.Column("fraction", sa.Double(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("manifest", sa.Integer(), nullable=False),
        sa.Column("result", Json, nullable=False),
        sa.CheckConstraint(
            "kind IN ('planned', 'guardrails')", name=op.f("ck_experiment_look_kind")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_experiment_look_number")),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiment.experiment_id"],
            name=op.f("fk_experiment_look_experiment_id_experiment"),
        ),
        sa.PrimaryKeyConstraint("experiment_id", "number", name=op.f("pk_experiment_look")),
    )


def _guard() -> None:
    name = op.get_bind().dialect.name
    for dialect, statement in GUARDS:
        if dialect == name:
            op.execute(statement)


def _unguard() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in GROWING:
            for verb in ("update", "delete"):
                op.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
        return
    for table in GROWING:
        op.execute(f"DROP FUNCTION IF EXISTS {table}_guard() CASCADE")


GROWING = (
    "experiment_assignment",
    "experiment_draw",
    "experiment_effect",
    "experiment_look",
)

GUARDS = (
    (
        "sqlite",
        "CREATE TRIGGER experiment_draw_no_update BEFORE UPDATE ON experiment_draw BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER experiment_draw_no_delete BEFORE DELETE ON experiment_draw BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION experiment_draw_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_draw_guard BEFORE UPDATE ON experiment_draw FOR EACH ROW EXECUTE FUNCTION experiment_draw_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_draw_guard_del BEFORE DELETE ON experiment_draw FOR EACH ROW EXECUTE FUNCTION experiment_draw_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_draw_guard_all BEFORE TRUNCATE ON experiment_draw FOR EACH STATEMENT EXECUTE FUNCTION experiment_draw_guard()",
    ),
    (
        "sqlite",
        'CREATE TRIGGER experiment_assignment_no_update BEFORE UPDATE ON experiment_assignment WHEN NOT (OLD."experiment_id" IS NEW."experiment_id" AND OLD."client_id" IS NEW."client_id" AND OLD."unit_id" IS NEW."unit_id" AND OLD."arm" IS NEW."arm" AND OLD."propensity" IS NEW."propensity" AND OLD."batch" IS NEW."batch" AND OLD."drawn_at" IS NEW."drawn_at" AND OLD."manager_id" IS NEW."manager_id" AND OLD."assets" IS NEW."assets") BEGIN SELECT RAISE(ABORT, \'the record only grows\'); END',
    ),
    (
        "sqlite",
        "CREATE TRIGGER experiment_assignment_no_delete BEFORE DELETE ON experiment_assignment BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION experiment_assignment_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        'CREATE TRIGGER experiment_assignment_guard BEFORE UPDATE ON experiment_assignment FOR EACH ROW WHEN (NOT ((OLD."experiment_id") IS NOT DISTINCT FROM (NEW."experiment_id") AND (OLD."client_id") IS NOT DISTINCT FROM (NEW."client_id") AND (OLD."unit_id") IS NOT DISTINCT FROM (NEW."unit_id") AND (OLD."arm") IS NOT DISTINCT FROM (NEW."arm") AND (OLD."propensity") IS NOT DISTINCT FROM (NEW."propensity") AND (OLD."batch") IS NOT DISTINCT FROM (NEW."batch") AND (OLD."drawn_at") IS NOT DISTINCT FROM (NEW."drawn_at") AND (OLD."manager_id") IS NOT DISTINCT FROM (NEW."manager_id") AND (OLD."assets") IS NOT DISTINCT FROM (NEW."assets"))) EXECUTE FUNCTION experiment_assignment_guard()',
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_assignment_guard_del BEFORE DELETE ON experiment_assignment FOR EACH ROW EXECUTE FUNCTION experiment_assignment_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_assignment_guard_all BEFORE TRUNCATE ON experiment_assignment FOR EACH STATEMENT EXECUTE FUNCTION experiment_assignment_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER experiment_look_no_update BEFORE UPDATE ON experiment_look BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER experiment_look_no_delete BEFORE DELETE ON experiment_look BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION experiment_look_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_look_guard BEFORE UPDATE ON experiment_look FOR EACH ROW EXECUTE FUNCTION experiment_look_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_look_guard_del BEFORE DELETE ON experiment_look FOR EACH ROW EXECUTE FUNCTION experiment_look_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_look_guard_all BEFORE TRUNCATE ON experiment_look FOR EACH STATEMENT EXECUTE FUNCTION experiment_look_guard()",
    ),
    (
        "sqlite",
        "CREATE TRIGGER experiment_effect_no_update BEFORE UPDATE ON experiment_effect BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER experiment_effect_no_delete BEFORE DELETE ON experiment_effect BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION experiment_effect_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_effect_guard BEFORE UPDATE ON experiment_effect FOR EACH ROW EXECUTE FUNCTION experiment_effect_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_effect_guard_del BEFORE DELETE ON experiment_effect FOR EACH ROW EXECUTE FUNCTION experiment_effect_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER experiment_effect_guard_all BEFORE TRUNCATE ON experiment_effect FOR EACH STATEMENT EXECUTE FUNCTION experiment_effect_guard()",
    ),
)
