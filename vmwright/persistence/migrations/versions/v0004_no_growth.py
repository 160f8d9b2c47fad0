"""An index for every question, and a small table for what is left of things long gone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Table, UniqueConstraint

from vmwright.persistence.migrations.exact_texts import compare_exactly

revision = "0004"
down_revision = "0003"
compatible_from = "0002"
"""Older releases work on beside this one: they know neither the table nor the column, and miss no
index."""

_INDEXES: dict[str, list[tuple[str, ...]]] = {
    "operations": [("project_id", "seq")],
    "attempts": [("outcome", "ended_at", "host_id")],
    "claims": [("host_id", "vcpus", "memory_mib", "disk_gib")],
    "debts": [("operation_id",), ("reason", "host_id"), ("kind", "key")],
    "instances": [
        ("deleted_at", "seq"),
        ("project_id", "deleted_at", "seq"),
        ("vm_state", "host_id"),
    ],
    "secrets": [("erased_at",)],
    "volumes": [
        ("deleted_at", "seq"),
        ("project_id", "deleted_at", "seq"),
        ("host_id", "deleted_at"),
        ("made_by",),
    ],
    "snapshots": [("project_id", "deleted_at"), ("host_id", "deleted_at")],
}
_ONLY = {
    ("outcome", "ended_at", "host_id"): "outcome = 'failed'",
    ("erased_at",): "erased_at IS NULL",
    ("vm_state", "host_id"): "vm_state = 'building'",
    ("made_by",): "deleted_at IS NULL",
}
"""Which rows an index holds, where the database has such indexes."""

_NO_MORE: dict[str, list[tuple[str, ...]]] = {
    "attempts": [("host_id", "ended_at")],
    "claims": [("host_id",)],
    "events": [("instance_id", "seq")],
    "instances": [("project_id", "deleted_at")],
    "volumes": [("project_id", "deleted_at")],
}
"""No statement needs them, and every build had to write them."""


def upgrade(prefix: str) -> None:
    """May be repeated: where DDL is not transactional, an interrupted run goes on here."""
    bind = op.get_bind()
    columns = sa.inspect(bind).get_columns(f"{prefix}deployment")
    if "pruned_to" not in {column["name"] for column in columns}:
        op.add_column(f"{prefix}deployment", Column("pruned_to", sa.BigInteger(), nullable=True))
    table = _tombstones(prefix)
    compare_exactly(bind, [table])
    table.create(bind, checkfirst=True)
    for name, indexes in _INDEXES.items():
        known = _known(prefix + name)
        for names in indexes:
            index = _name(prefix, name, names)
            if index not in known:
                only = sa.text(_ONLY[names]) if names in _ONLY else None
                op.create_index(
                    index, prefix + name, list(names), sqlite_where=only, postgresql_where=only
                )
    for name, indexes in _NO_MORE.items():
        known = _known(prefix + name)
        for names in indexes:
            index = _name(prefix, name, names)
            if index in known:
                op.drop_index(index, prefix + name)


def _known(table: str) -> set[str | None]:
    return {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}


def _name(prefix: str, table: str, columns: tuple[str, ...]) -> str:
    return f"ix_{prefix}{table}_{'_'.join(columns)}"


def _tombstones(prefix: str) -> Table:
    """A frozen copy of the table."""
    return Table(
        f"{prefix}tombstones",
        sa.MetaData(),
        Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        Column("id", sa.String(36), nullable=False),
        Column("kind", sa.String(64), nullable=False),
        Column("deleted_at", sa.Double(), nullable=False),
        UniqueConstraint("id", name=f"uniq_{prefix}tombstones0id"),
        sqlite_autoincrement=True,
    )
