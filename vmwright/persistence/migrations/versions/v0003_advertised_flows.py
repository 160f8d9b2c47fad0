"""What flows each process knows: a newer one's operations are not parked by an older one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
compatible_from = "0002"
"""It only adds: the release before this one works on, beside this one."""


def upgrade(prefix: str) -> None:
    """May be repeated: where DDL is not transactional, an interrupted run goes on here."""
    table = f"{prefix}owners"
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
    if "flows" not in known:
        op.add_column(table, sa.Column("flows", sa.JSON(none_as_null=True), nullable=True))
