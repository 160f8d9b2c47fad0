"""The first schema: all of our tables, and TaskFlow's three with the indexes that it lacks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

from vmwright.persistence.migrations.exact_texts import compare_exactly

revision = "0001"
down_revision = None


def upgrade(prefix: str) -> None:
    """May be repeated: where DDL is not transactional, an interrupted run goes on here."""
    bind = op.get_bind()
    schema = Schema(prefix)
    compare_exactly(bind, schema.metadata.sorted_tables)
    schema.metadata.create_all(bind, checkfirst=True)
    for table in schema.metadata.sorted_tables:
        for index in table.indexes:
            index.create(bind, checkfirst=True)


BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text()
JSON = sa.JSON(none_as_null=True)
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
TASKFLOW_JSON = sa.Text().with_variant(sa.JSON(), "postgresql")


def _uuid(name: str, *more: ForeignKey, nullable: bool = False) -> Column[str]:
    return Column(name, sa.String(36), *more, nullable=nullable)


def _word(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, sa.String(64), nullable=nullable)


def _name(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, sa.String(255), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, sa.Double(), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, sa.BigInteger(), nullable=nullable)


class Schema:
    """A frozen copy of the tables as they were at this version."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.metadata = sa.MetaData()
        self._logbook()
        self._atoms()
        self._registries()
        self._hosts()
        self._instances()
        self._belongings()
        self._volumes()
        self._operations()
        self._runs()
        self._outside()

    def _table(self, name: str, *columns: Column[object] | sa.schema.SchemaItem) -> Table:
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

    def _logbook(self) -> None:
        """Under TaskFlow's own names: stock TaskFlow reads them. Where an embedder has them
        already they are shared, and only our indexes are added."""
        Table(
            "logbooks",
            self.metadata,
            Column("created_at", sa.DateTime()),
            Column("updated_at", sa.DateTime()),
            Column("meta", TASKFLOW_JSON),
            Column("name", sa.String(255)),
            Column("uuid", sa.String(64), primary_key=True, nullable=False, unique=True),
        )
        Table(
            "flowdetails",
            self.metadata,
            Column("created_at", sa.DateTime()),
            Column("updated_at", sa.DateTime()),
            Column("parent_uuid", sa.String(64), ForeignKey("logbooks.uuid", ondelete="CASCADE")),
            Column("meta", TASKFLOW_JSON),
            Column("name", sa.String(255)),
            Column("state", sa.String(255)),
            Column("uuid", sa.String(64), primary_key=True, nullable=False, unique=True),
            Index(f"ix_{self.prefix}flowdetails_parent_uuid", "parent_uuid"),
            Index(f"ix_{self.prefix}flowdetails_state", "state"),
        )

    def _atoms(self) -> None:
        Table(
            "atomdetails",
            self.metadata,
            Column("created_at", sa.DateTime()),
            Column("updated_at", sa.DateTime()),
            Column("meta", TASKFLOW_JSON),
            Column(
                "parent_uuid", sa.String(64), ForeignKey("flowdetails.uuid", ondelete="CASCADE")
            ),
            Column("name", sa.String(255)),
            Column("version", sa.String(64)),
            Column("state", sa.String(255)),
            Column("uuid", sa.String(64), primary_key=True, nullable=False, unique=True),
            Column("failure", TASKFLOW_JSON),
            Column("results", TASKFLOW_JSON),
            Column("revert_results", TASKFLOW_JSON),
            Column("revert_failure", TASKFLOW_JSON),
            Column("atom_type", sa.Enum("TASK_DETAIL", "RETRY_DETAIL", name="atom_types")),
            Column(
                "intention",
                sa.Enum("EXECUTE", "IGNORE", "REVERT", "RETRY", name="intentions"),
            ),
            Index(f"ix_{self.prefix}atomdetails_parent_uuid", "parent_uuid"),
        )

    def _registries(self) -> None:
        self.deployment = self._table("deployment", _uuid("id"), _time("created_at"))
        self.flavors = self._table(
            "flavors",
            _uuid("id"),
            _name("name"),
            _number("vcpus"),
            _number("ram_mib"),
            _number("disk_gib"),
            Column("extra_specs", JSON, nullable=False),
            _time("created_at"),
            self._unique("flavors", "id"),
            self._unique("flavors", "name"),
        )
        self.images = self._table(
            "images",
            _uuid("id"),
            _name("project_id"),
            _name("name"),
            _word("disk_format"),
            _number("size_bytes"),
            _number("virtual_size_bytes"),
            _word("sha256"),
            _number("min_disk_gib"),
            _number("min_ram_mib"),
            Column("location", TEXT, nullable=False),
            Column("properties", JSON, nullable=False),
            _time("created_at"),
            self._unique("images", "id"),
            self._unique("images", "name"),
        )

    def _hosts(self) -> None:
        self.hosts = self._table(
            "hosts",
            _uuid("id"),
            _uuid("hypervisor_uuid"),
            _name("name"),
            _name("connection_uri"),
            _number("vcpus"),
            _number("memory_mib"),
            _number("disk_gib"),
            Column("vcpu_ratio", sa.Double(), nullable=False),
            Column("memory_ratio", sa.Double(), nullable=False),
            Column("disk_ratio", sa.Double(), nullable=False),
            _name("zone"),
            Column("enabled", sa.Boolean(), nullable=False),
            _name("disabled_reason", nullable=True),
            _number("claim_serial"),
            _time("created_at"),
            self._unique("hosts", "id"),
            self._unique("hosts", "name"),
            self._unique("hosts", "connection_uri"),
        )
        self.networks = self._table(
            "networks",
            _uuid("id"),
            _name("name"),
            _word("kind"),
            _word("cidr"),
            _word("gateway"),
            _uuid("host_id", nullable=True),
            _name("bridge", nullable=True),
            _time("created_at"),
            self._unique("networks", "id"),
            self._unique("networks", "name"),
        )

    def _instances(self) -> None:
        self.instances = self._table(
            "instances",
            _uuid("id"),
            _name("project_id"),
            _name("user_id"),
            _word("reservation_id"),
            _name("name"),
            _word("hostname"),
            _word("vm_state"),
            _word("task_state", nullable=True),
            _number("power_state"),
            _uuid("host_id", nullable=True),
            _uuid("image_id"),
            _uuid("flavor_id"),
            Column("request", JSON, nullable=False),
            _number("request_version"),
            _uuid("operation_id", nullable=True),
            Column("fault", JSON),
            _name("launched_on", nullable=True),
            _time("created_at"),
            _time("launched_at", nullable=True),
            _time("deleted_at", nullable=True),
            self._unique("instances", "id"),
            self._index("instances", "deleted_at", "name"),
            self._index("instances", "reservation_id"),
            self._index("instances", "host_id"),
        )

    def _belongings(self) -> None:
        self.ports = self._table(
            "ports",
            _uuid("id"),
            _uuid("network_id", self._to("networks")),
            _uuid("instance_id", self._to("instances")),
            _uuid("operation_id"),
            _number("position"),
            _word("mac"),
            _word("ip"),
            _number("ip_offset"),
            self._unique("ports", "id"),
            self._unique("ports", "mac"),
            self._unique("ports", "network_id", "ip_offset"),
            self._index("ports", "instance_id"),
        )
        self.secrets = self._table(
            "secrets",
            _uuid("id"),
            _uuid("instance_id", self._to("instances")),
            _word("kind"),
            Column("ciphertext", LONG_TEXT),
            _time("created_at"),
            _time("erased_at", nullable=True),
            self._unique("secrets", "id"),
            self._index("secrets", "instance_id"),
        )

    def _volumes(self) -> None:
        self.volumes = self._table(
            "volumes",
            _uuid("id"),
            _name("project_id"),
            _name("name"),
            _number("size_gib"),
            _word("disk_format"),
            _uuid("image_id", nullable=True),
            _uuid("host_id", nullable=True),
            _name("location", nullable=True),
            _uuid("made_by", nullable=True),
            _time("created_at"),
            _time("deleted_at", nullable=True),
            self._unique("volumes", "id"),
            self._index("volumes", "deleted_at", "name"),
        )
        self.attachments = self._table(
            "attachments",
            _uuid("id"),
            _uuid("volume_id", self._to("volumes")),
            _uuid("instance_id", self._to("instances")),
            _uuid("operation_id"),
            _number("position"),
            Column("delete_on_termination", sa.Boolean(), nullable=False),
            self._unique("attachments", "id"),
            self._unique("attachments", "volume_id"),
            self._index("attachments", "instance_id"),
        )

    def _operations(self) -> None:
        self.operations = self._table(
            "operations",
            _uuid("id"),
            _word("kind"),
            _word("flow_name"),
            _number("flow_version"),
            _uuid("instance_id", self._to("instances")),
            _name("project_id"),
            _name("user_id"),
            _word("reservation_id"),
            _name("idempotency_key", nullable=True),
            _word("state"),
            _uuid("owner_id", nullable=True),
            _number("epoch"),
            _number("attempt"),
            _uuid("flow_detail_id"),
            _uuid("after_id", nullable=True),
            _name("cancel_reason", nullable=True),
            _number("undo_tries"),
            _time("not_before"),
            Column("error", JSON),
            _time("created_at"),
            _time("started_at", nullable=True),
            _time("finished_at", nullable=True),
            self._unique("operations", "id"),
            self._unique("operations", "project_id", "idempotency_key"),
            self._index("operations", "state", "seq"),
            self._index("operations", "owner_id", "state"),
            self._index("operations", "instance_id", "seq"),
        )

    def _runs(self) -> None:
        self.owners = self._table(
            "owners",
            _uuid("id"),
            _name("machine"),
            Column("lock_path", TEXT, nullable=False),
            _time("started_at"),
            _time("expires_at"),
            self._unique("owners", "id"),
        )
        self.attempts = self._table(
            "attempts",
            _uuid("operation_id", self._to("operations")),
            _number("number"),
            _uuid("host_id", nullable=True),
            _word("outcome", nullable=True),
            Column("fault", JSON),
            self._unique("attempts", "operation_id", "number"),
        )
        self.events = self._table(
            "events",
            _uuid("operation_id", self._to("operations")),
            _uuid("instance_id"),
            _word("kind"),
            _word("task", nullable=True),
            _number("attempt"),
            _word("direction", nullable=True),
            _word("state"),
            _time("at"),
            Column("error", JSON),
            Column("detail", JSON),
            self._index("events", "operation_id", "seq"),
            self._index("events", "instance_id", "seq"),
        )

    def _outside(self) -> None:
        self.claims = self._table(
            "claims",
            _uuid("host_id", self._to("hosts")),
            _uuid("instance_id", self._to("instances")),
            _uuid("operation_id"),
            _number("attempt"),
            _number("vcpus"),
            _number("memory_mib"),
            _number("disk_gib"),
            self._unique("claims", "instance_id", "operation_id", "attempt"),
            self._index("claims", "host_id"),
        )
        self.debts = self._table(
            "debts",
            _uuid("id"),
            _uuid("host_id"),
            _word("kind"),
            _name("key"),
            Column("whose", JSON, nullable=False),
            _word("reason"),
            _uuid("operation_id", nullable=True),
            _uuid("instance_id", nullable=True),
            _time("not_before"),
            _number("tries"),
            Column("last_error", JSON),
            _time("created_at"),
            self._unique("debts", "id"),
            self._unique("debts", "host_id", "kind", "key"),
            self._index("debts", "not_before"),
            self._index("debts", "instance_id"),
        )
