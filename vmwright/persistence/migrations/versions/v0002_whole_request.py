"""Everything that a request may name: groups, keys, quotas, ports of users, snapshots."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from vmwright.persistence.migrations.exact_texts import compare_exactly

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text()
JSON = sa.JSON(none_as_null=True)
NOTHING = sa.text("0")
NO, YES = sa.false(), sa.true()


def upgrade(prefix: str) -> None:
    """May be repeated: where DDL is not transactional, an interrupted run goes on here."""
    _add_columns(prefix)
    _let_ports_be_free(prefix)
    _drop_columns(prefix)
    _fill_in(prefix)
    _add_indexes(prefix)
    bind = op.get_bind()
    schema = Schema(prefix)
    compare_exactly(bind, schema.new)
    schema.metadata.create_all(bind, tables=schema.new, checkfirst=True)
    for table in schema.new:
        for index in table.indexes:
            index.create(bind, checkfirst=True)


def _added() -> Mapping[str, list[Column[Any]]]:
    return {
        "flavors": [_number("ephemeral_gib", 0), _number("swap_mib", 0), _truth("enabled", YES)],
        "hosts": [
            _truth("draining", NO),
            _json("traits"),
            _word("hypervisor_type"),
            _word("architecture"),
            _name("address"),
        ],
        "networks": [
            _name("libvirt_network"),
            _word("pool_first"),
            _word("pool_last"),
            _json("dns"),
        ],
        "instances": [
            _number(name, 0)
            for name in ("vcpus", "memory_mib", "new_volumes", "new_gib", "new_ips")
        ],
        "ports": [
            Column("project_id", sa.String(255), nullable=False, server_default=""),
            _name("name"),
            _truth("user_made", NO),
        ],
        "volumes": [
            Column("snapshot_id", sa.String(36)),
            Column("made_for", sa.String(36)),
            _truth("bootable", NO),
            _number("uses", 0),
        ],
        "operations": [_word("request_digest")],
        "attempts": [Column("ended_at", sa.Double())],
    }


def _add_columns(prefix: str) -> None:
    for table, columns in _added().items():
        known = _columns(prefix + table)
        for column in columns:
            if column.name not in known:
                op.add_column(prefix + table, column)


def _let_ports_be_free(prefix: str) -> None:
    """A port may exist before the instance that gets it, and after it."""
    nullable = _columns(f"{prefix}ports")
    with op.batch_alter_table(f"{prefix}ports") as batch:
        for name in ("instance_id", "operation_id"):
            if not nullable[name]:
                batch.alter_column(name, existing_type=sa.String(36), nullable=True)


def _drop_columns(prefix: str) -> None:
    if "host_id" in _columns(f"{prefix}networks"):
        op.drop_column(f"{prefix}networks", "host_id")


def _fill_in(prefix: str) -> None:
    """What is counted per project was in the request before, where no sum can be made of it."""
    bind = op.get_bind()
    instances = sa.table(
        f"{prefix}instances",
        sa.column("id"),
        sa.column("vcpus"),
        sa.column("memory_mib"),
        sa.column("new_volumes"),
        sa.column("new_gib"),
        sa.column("new_ips"),
        sa.column("project_id"),
        sa.column("request", JSON),
    )
    for identifier, request in bind.execute(sa.select(instances.c.id, instances.c.request)).all():
        counted = sa.update(instances).where(instances.c.id == identifier)
        bind.execute(counted.values(_amounts(request)))
    ports = sa.table(f"{prefix}ports", sa.column("instance_id"), sa.column("project_id"))
    project = sa.select(instances.c.project_id).where(instances.c.id == ports.c.instance_id)
    bind.execute(
        sa.update(ports)
        .where(ports.c.project_id == "")
        .values(project_id=sa.func.coalesce(project.scalar_subquery(), ""))
    )


def _amounts(request: dict[str, Any]) -> dict[str, int]:
    new = [volume for volume in request["volumes"] if volume["source"] != "existing"]
    return {
        "vcpus": request["vcpus"],
        "memory_mib": request["ram_mib"],
        "new_volumes": len(new),
        "new_gib": sum(volume["size_gib"] for volume in new),
        "new_ips": len(request["nics"]),
    }


def _add_indexes(prefix: str) -> None:
    wanted: dict[str, list[tuple[str, ...]]] = {
        "instances": [("project_id", "deleted_at")],
        "ports": [("project_id",)],
        "volumes": [("project_id", "deleted_at")],
        "operations": [("reservation_id",)],
        "attempts": [("host_id", "ended_at")],
    }
    for table, indexes in wanted.items():
        known = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(prefix + table)}
        for columns in indexes:
            name = f"ix_{prefix}{table}_{'_'.join(columns)}"
            if name not in known:
                op.create_index(name, prefix + table, list(columns))


def _columns(table: str) -> dict[str, bool]:
    """The columns that a table has, and whether each may be null."""
    found = sa.inspect(op.get_bind()).get_columns(table)
    return {column["name"]: column["nullable"] for column in found}


def _uuid(name: str, *more: ForeignKey, nullable: bool = False) -> Column[str]:
    return Column(name, sa.String(36), *more, nullable=nullable)


def _word(name: str, *, nullable: bool = True) -> Column[str]:
    return Column(name, sa.String(64), nullable=nullable)


def _name(name: str, *, nullable: bool = True) -> Column[str]:
    return Column(name, sa.String(255), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, sa.Double(), nullable=nullable)


def _number(name: str, default: int | None = None, *, nullable: bool = False) -> Column[int]:
    server_default = None if default is None else NOTHING
    return Column(name, sa.BigInteger(), nullable=nullable, server_default=server_default)


def _truth(name: str, default: sa.ColumnElement[bool] | None = None) -> Column[bool]:
    return Column(name, sa.Boolean(), nullable=False, server_default=default)


def _json(name: str) -> Column[Any]:
    """An expression: MariaDB and MySQL give no literal default to such a column."""
    return Column(name, JSON, nullable=False, server_default=sa.text("('[]')"))


class Schema:
    """A frozen copy of the tables that are new at this version, and of those they refer to."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.metadata = sa.MetaData()
        for name in ("networks", "hosts", "instances", "volumes"):
            Table(f"{prefix}{name}", self.metadata, _uuid("id"))
        self.new = [
            self._table(
                "network_hosts",
                _uuid("network_id", self._to("networks")),
                _uuid("host_id", self._to("hosts")),
                self._unique("network_hosts", "network_id", "host_id"),
                self._index("network_hosts", "host_id"),
            ),
            self._key_pairs(),
            *self._security_groups(),
            *self._server_groups(),
            *self._projects(),
            self._snapshots(),
        ]

    def _key_pairs(self) -> Table:
        return self._table(
            "key_pairs",
            _uuid("id"),
            _name("user_id", nullable=False),
            _name("name", nullable=False),
            Column("public_key", TEXT, nullable=False),
            _name("fingerprint", nullable=False),
            _time("created_at"),
            self._unique("key_pairs", "id"),
            self._unique("key_pairs", "user_id", "name"),
        )

    def _security_groups(self) -> list[Table]:
        groups = self._table(
            "security_groups",
            _uuid("id"),
            _name("project_id", nullable=False),
            _name("name", nullable=False),
            _name("description", nullable=False),
            _time("created_at"),
            self._unique("security_groups", "id"),
            self._unique("security_groups", "project_id", "name"),
        )
        rules = self._table(
            "security_group_rules",
            _uuid("id"),
            _uuid("group_id", self._to("security_groups")),
            _word("direction", nullable=False),
            _word("ethertype", nullable=False),
            _word("protocol"),
            _number("port_range_min", nullable=True),
            _number("port_range_max", nullable=True),
            _word("remote_ip_prefix"),
            _uuid("remote_group_id", self._to("security_groups"), nullable=True),
            _time("created_at"),
            self._unique("security_group_rules", "id"),
            self._index("security_group_rules", "group_id"),
            self._index("security_group_rules", "remote_group_id"),
        )
        return [groups, rules]

    def _server_groups(self) -> list[Table]:
        groups = self._table(
            "server_groups",
            _uuid("id"),
            _name("project_id", nullable=False),
            _name("user_id", nullable=False),
            _name("name", nullable=False),
            _word("policy", nullable=False),
            _number("max_server_per_host", nullable=True),
            _number("serial"),
            _time("created_at"),
            self._unique("server_groups", "id"),
            self._unique("server_groups", "project_id", "name"),
        )
        members = self._table(
            "server_group_members",
            _uuid("group_id", self._to("server_groups")),
            _uuid("instance_id", self._to("instances")),
            self._unique("server_group_members", "instance_id"),
            self._index("server_group_members", "group_id"),
        )
        return [groups, members]

    def _projects(self) -> list[Table]:
        projects = self._table(
            "projects",
            _name("id", nullable=False),
            _number("serial"),
            self._unique("projects", "id"),
        )
        quotas = self._table(
            "quotas",
            _name("project_id", nullable=False),
            _word("resource", nullable=False),
            _number("hard_limit"),
            self._unique("quotas", "project_id", "resource"),
        )
        return [projects, quotas]

    def _snapshots(self) -> Table:
        return self._table(
            "snapshots",
            _uuid("id"),
            _name("project_id", nullable=False),
            _name("name", nullable=False),
            _uuid("volume_id", self._to("volumes")),
            _number("size_gib"),
            _uuid("host_id", self._to("hosts")),
            _name("location", nullable=False),
            _truth("bootable"),
            _time("created_at"),
            _time("deleted_at", nullable=True),
            self._unique("snapshots", "id"),
            self._index("snapshots", "deleted_at", "name"),
            self._index("snapshots", "volume_id"),
        )

    def _table(self, name: str, *columns: Column[Any] | sa.schema.SchemaItem) -> Table:
        return Table(
            f"{self.prefix}{name}",
            self.metadata,
            Column("seq", BIG, primary_key=True, autoincrement=True),
            *columns,
            sqlite_autoincrement=True,
        )

    def _unique(self, table: str, *columns: str) -> UniqueConstraint:
        """Named as oslo.db expects, so that a duplicate names its columns."""
        return UniqueConstraint(*columns, name=f"uniq_{self.prefix}{table}0{'0'.join(columns)}")

    def _index(self, table: str, *columns: str) -> Index:
        return Index(f"ix_{self.prefix}{table}_{'_'.join(columns)}", *columns)

    def _to(self, table: str) -> ForeignKey:
        return ForeignKey(f"{self.prefix}{table}.id")
