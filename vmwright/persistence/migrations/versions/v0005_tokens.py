"""The tokens of a service's callers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Table, UniqueConstraint

from vmwright.persistence.migrations.exact_texts import compare_exactly

revision = "0005"
down_revision = "0004"
compatible_from = "0002"
"""It only adds: older releases work on beside this one, and know no tokens."""


def upgrade(prefix: str) -> None:
    """May be repeated: where DDL is not transactional, an interrupted run goes on here."""
    bind = op.get_bind()
    table = _tokens(prefix)
    compare_exactly(bind, [table])
    table.create(bind, checkfirst=True)


def _tokens(prefix: str) -> Table:
    """A frozen copy of the table."""
    return Table(
        f"{prefix}tokens",
        sa.MetaData(),
        Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        Column("id", sa.String(36), nullable=False),
        Column("name", sa.String(255), nullable=False),
        Column("digest", sa.String(64), nullable=False),
        Column("project_id", sa.String(255), nullable=False),
        Column("user_id", sa.String(255), nullable=False),
        Column("roles", sa.JSON(none_as_null=True), nullable=False),
        Column("expires_at", sa.Double(), nullable=True),
        Column("created_at", sa.Double(), nullable=False),
        UniqueConstraint("id", name=f"uniq_{prefix}tokens0id"),
        UniqueConstraint("name", name=f"uniq_{prefix}tokens0name"),
        UniqueConstraint("digest", name=f"uniq_{prefix}tokens0digest"),
        sqlite_autoincrement=True,
    )
