"""Staff, users, sessions, tokens and the book."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keepwell.frame.database import Instant, Json

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "generation",
    "idempotency_key",
    "login_failure",
    "region",
    "unmasking",
    "branch",
    "client",
    "generation_pointer",
    "team",
    "staff",
    "app_user",
    "client_grant",
    "api_token",
    "user_session",
)


def upgrade() -> None:
    """Make the tables."""
    _generation()
    _idempotency_key()
    _login_failure()
    _region()
    _unmasking()
    _branch()
    _client()
    _generation_pointer()
    _team()
    _staff()
    _app_user()
    _client_grant()
    _api_token()
    _user_session()
    _guard()


def downgrade() -> None:
    """Drop the tables, the last made first."""
    _unguard()
    for table in reversed(TABLES):
        op.drop_table(table)


def _generation() -> None:
    op.create_table(
        "generation",
        sa.Column("generation_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("model_version", sa.String(length=100), nullable=False),
        sa.Column("manifest", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("clients", sa.Integer(), nullable=False),
        sa.Column("scored", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("published_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("generation_id", name=op.f("pk_generation")),
    )


def _idempotency_key() -> None:
    op.create_table(
        "idempotency_key",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", Json, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_key")),
    )
    _idempotency_key_indexes()


def _idempotency_key_indexes() -> None:
    op.create_index(
        "ix_idempotency_key_created_at", "idempotency_key", ["created_at"], unique=False
    )


def _login_failure() -> None:
    op.create_table(
        "login_failure",
        sa.Column("subject", sa.String(length=260), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("locked_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_failure")),
    )
    _login_failure_indexes()


def _login_failure_indexes() -> None:
    op.create_index(op.f("ix_login_failure_last_at"), "login_failure", ["last_at"], unique=False)


def _region() -> None:
    op.create_table(
        "region",
        sa.Column("region_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("region_id", name=op.f("pk_region")),
    )


def _unmasking() -> None:
    op.create_table(
        "unmasking",
        sa.Column("unmasking_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("fields", Json, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("unmasking_id", name=op.f("pk_unmasking")),
    )
    _unmasking_indexes()


def _unmasking_indexes() -> None:
    op.create_index("ix_unmasking_at", "unmasking", ["at", "unmasking_id"], unique=False)
    op.create_index("ix_unmasking_client_id_at", "unmasking", ["client_id", "at"], unique=False)
    op.create_index(op.f("ix_unmasking_user_id"), "unmasking", ["user_id"], unique=False)


def _branch() -> None:
    op.create_table(
        "branch",
        sa.Column("branch_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["region_id"], ["region.region_id"], name=op.f("fk_branch_region_id_region")
        ),
        sa.PrimaryKeyConstraint("branch_id", name=op.f("pk_branch")),
    )
    _branch_indexes()


def _branch_indexes() -> None:
    op.create_index(op.f("ix_branch_region_id"), "branch", ["region_id"], unique=False)


def _client() -> None:
    op.create_table(
        "client",
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("birth_year", sa.Integer(), nullable=True),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("region", sa.String(length=200), nullable=True),
        sa.Column("city_tier", sa.String(length=64), nullable=True),
        sa.Column("investor_class", sa.String(length=16), nullable=True),
        sa.Column("risk_level", sa.String(length=2), nullable=True),
        sa.Column("assessed_on", sa.Date(), nullable=True),
        sa.Column("manager_id", sa.String(length=64), nullable=True),
        sa.Column("adviser_id", sa.String(length=64), nullable=True),
        sa.Column("branch_id", sa.String(length=64), nullable=True),
        sa.Column("segment", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=True),
        sa.Column("assets", sa.BigInteger(), nullable=True),
        sa.Column("last_activity", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("rank_score", sa.Double(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("coverage", sa.Double(), nullable=True),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("top_reason", sa.String(length=60), nullable=True),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["generation.generation_id"],
            name=op.f("fk_client_generation_id_generation"),
        ),
        sa.PrimaryKeyConstraint("generation_id", "client_id", name=op.f("pk_client")),
    )
    _client_indexes()


def _client_indexes() -> None:
    op.create_index(
        "ix_client_adviser",
        "client",
        ["generation_id", "adviser_id", "rank_score", "client_id"],
        unique=False,
    )
    op.create_index(
        "ix_client_assets", "client", ["generation_id", "assets", "client_id"], unique=False
    )
    op.create_index(
        "ix_client_branch",
        "client",
        ["generation_id", "branch_id", "rank_score", "client_id"],
        unique=False,
    )
    op.create_index(
        "ix_client_manager",
        "client",
        ["generation_id", "manager_id", "rank_score", "client_id"],
        unique=False,
    )
    op.create_index(
        "ix_client_rank", "client", ["generation_id", "rank_score", "client_id"], unique=False
    )
    op.create_index(
        "ix_client_phone",
        "client",
        ["generation_id", "phone"],
        unique=False,
        sqlite_where=sa.text("phone is not null"),
        postgresql_where=sa.text("phone is not null"),
    )
    for column, rare in (
        ("tier", None),
        ("segment", None),
        ("top_reason", "top_reason is not null"),
        ("note", "note <> 'scored'"),
        ("status", "status <> 'open'"),
    ):
        where = None if rare is None else sa.text(rare)
        op.create_index(
            f"ix_client_{column}",
            "client",
            ["generation_id", column, "rank_score", "client_id"],
            unique=False,
            sqlite_where=where,
            postgresql_where=where,
        )


def _generation_pointer() -> None:
    op.create_table(
        "generation_pointer",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_generation_pointer_single")),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["generation.generation_id"],
            name=op.f("fk_generation_pointer_generation_id_generation"),
        ),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_generation_pointer")),
    )


def _team() -> None:
    op.create_table(
        "team",
        sa.Column("team_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("branch_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.branch_id"], name=op.f("fk_team_branch_id_branch")
        ),
        sa.PrimaryKeyConstraint("team_id", name=op.f("pk_team")),
    )
    _team_indexes()


def _team_indexes() -> None:
    op.create_index(op.f("ix_team_branch_id"), "team", ["branch_id"], unique=False)


def _staff() -> None:
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("team_id", sa.String(length=64), nullable=True),
        sa.Column("branch_id", sa.String(length=64), nullable=True),
        sa.Column("region_id", sa.String(length=64), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "role in ('manager', 'adviser', 'lead', 'director', 'compliance', 'analyst', 'admin', 'auditor', 'integration')",
            name=op.f("ck_staff_role"),
        ),
        sa.CheckConstraint("capacity >= 0", name=op.f("ck_staff_capacity")),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.branch_id"], name=op.f("fk_staff_branch_id_branch")
        ),
        sa.ForeignKeyConstraint(
            ["region_id"], ["region.region_id"], name=op.f("fk_staff_region_id_region")
        ),
        sa.ForeignKeyConstraint(["team_id"], ["team.team_id"], name=op.f("fk_staff_team_id_team")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff")),
    )
    _staff_indexes()


def _staff_indexes() -> None:
    op.create_index(op.f("ix_staff_branch_id"), "staff", ["branch_id"], unique=False)
    op.create_index(op.f("ix_staff_region_id"), "staff", ["region_id"], unique=False)
    op.create_index(op.f("ix_staff_team_id"), "staff", ["team_id"], unique=False)


def _app_user() -> None:
    op.create_table(
        "app_user",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(length=2), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("locale in ('en', 'zh')", name=op.f("ck_app_user_locale")),
        sa.CheckConstraint(
            "role in ('manager', 'adviser', 'lead', 'director', 'compliance', 'analyst', 'admin', 'auditor', 'integration')",
            name=op.f("ck_app_user_role"),
        ),
        sa.CheckConstraint(
            "scope in ('none', 'own', 'team', 'branch', 'region', 'all')",
            name=op.f("ck_app_user_scope"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.staff_id"], name=op.f("fk_app_user_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_app_user")),
        sa.UniqueConstraint("login", name=op.f("uq_app_user_login")),
        sa.UniqueConstraint("staff_id", name=op.f("uq_app_user_staff_id")),
    )


def _client_grant() -> None:
    op.create_table(
        "client_grant",
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.staff_id"], name=op.f("fk_client_grant_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("staff_id", "client_id", "source", name=op.f("pk_client_grant")),
    )
    _client_grant_indexes()


def _client_grant_indexes() -> None:
    op.create_index("ix_client_grant_client_id", "client_grant", ["client_id"], unique=False)


def _api_token() -> None:
    op.create_table(
        "api_token",
        sa.Column("token_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("permissions", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.user_id"], name=op.f("fk_api_token_user_id_app_user")
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_token_digest")),
    )
    _api_token_indexes()


def _api_token_indexes() -> None:
    op.create_index(op.f("ix_api_token_user_id"), "api_token", ["user_id"], unique=False)


def _user_session() -> None:
    op.create_table(
        "user_session",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.user_id"], name=op.f("fk_user_session_user_id_app_user")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_user_session")),
    )
    _user_session_indexes()


def _user_session_indexes() -> None:
    op.create_index(op.f("ix_user_session_user_id"), "user_session", ["user_id"], unique=False)


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
        "CREATE TRIGGER unmasking_no_update BEFORE UPDATE ON unmasking BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER unmasking_no_delete BEFORE DELETE ON unmasking BEGIN SELECT RAISE(ABORT, 'the record only grows'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION unmasking_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the record only grows''; END'",
    ),
    (
        "postgresql",
        "CREATE TRIGGER unmasking_guard BEFORE UPDATE ON unmasking FOR EACH ROW EXECUTE FUNCTION unmasking_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER unmasking_guard_del BEFORE DELETE ON unmasking FOR EACH ROW EXECUTE FUNCTION unmasking_guard()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER unmasking_guard_all BEFORE TRUNCATE ON unmasking FOR EACH STATEMENT EXECUTE FUNCTION unmasking_guard()",
    ),
)
"""What is written stays as written; the triggers as this revision knew them."""

UNGUARDS = (
    ("sqlite", "DROP TRIGGER IF EXISTS unmasking_no_update"),
    ("sqlite", "DROP TRIGGER IF EXISTS unmasking_no_delete"),
    ("postgresql", "DROP FUNCTION IF EXISTS unmasking_guard() CASCADE"),
)
