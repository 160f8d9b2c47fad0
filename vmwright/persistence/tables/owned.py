"""Tables of instances and of what belongs to them."""

from sqlalchemy import Column

from vmwright.persistence.tables.columns import (
    JSON,
    LONG_TEXT,
    name,
    number,
    time,
    truth,
    uuid,
    word,
)
from vmwright.persistence.tables.registered import RegisteredTables

BUILDING = "vm_state = 'building'"
LIVING = "deleted_at IS NULL"
KEPT = "erased_at IS NULL"
"""Which secrets an index holds: those of builds, not of all that ever were."""


class OwnedTables(RegisteredTables):
    """What users own."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self._instances()
        self._group_members()
        self._belongings()
        self._volumes()
        self._copies()

    def _instances(self) -> None:
        self.instances = self._table(
            "instances",
            uuid("id"),
            name("project_id"),
            name("user_id"),
            word("reservation_id"),
            name("name"),
            word("hostname"),
            word("vm_state"),
            word("task_state", nullable=True),
            number("power_state"),
            uuid("host_id", nullable=True),
            uuid("image_id"),
            uuid("flavor_id"),
            Column("request", JSON, nullable=False),
            number("request_version"),
            uuid("operation_id", nullable=True),
            Column("fault", JSON),
            name("launched_on", nullable=True),
            time("created_at"),
            time("launched_at", nullable=True),
            time("deleted_at", nullable=True),
            number("vcpus"),
            number("memory_mib"),
            number("new_volumes"),
            number("new_gib"),
            number("new_ips"),
            self._unique("instances", "id"),
            self._index("instances", "deleted_at", "name"),
            self._index("instances", "deleted_at", "seq"),
            self._index("instances", "vm_state", "host_id", only=BUILDING),
            self._index("instances", "reservation_id"),
            self._index("instances", "host_id"),
            self._index("instances", "project_id", "deleted_at", "seq"),
        )

    def _group_members(self) -> None:
        self.server_group_members = self._table(
            "server_group_members",
            uuid("group_id", self._to("server_groups")),
            uuid("instance_id", self._to("instances")),
            self._unique("server_group_members", "instance_id"),
            self._index("server_group_members", "group_id"),
        )

    def _belongings(self) -> None:
        self.ports = self._table(
            "ports",
            uuid("id"),
            uuid("network_id", self._to("networks")),
            uuid("instance_id", self._to("instances"), nullable=True),
            uuid("operation_id", nullable=True),
            number("position"),
            word("mac"),
            word("ip"),
            number("ip_offset"),
            name("project_id"),
            name("name", nullable=True),
            truth("user_made"),
            self._unique("ports", "id"),
            self._unique("ports", "mac"),
            self._unique("ports", "network_id", "ip_offset"),
            self._index("ports", "instance_id"),
            self._index("ports", "project_id"),
        )
        self.secrets = self._table(
            "secrets",
            uuid("id"),
            uuid("instance_id", self._to("instances")),
            word("kind"),
            Column("ciphertext", LONG_TEXT),
            time("created_at"),
            time("erased_at", nullable=True),
            self._unique("secrets", "id"),
            self._index("secrets", "instance_id"),
            self._index("secrets", "erased_at", only=KEPT),
        )

    def _volumes(self) -> None:
        self.volumes = self._table(
            "volumes",
            uuid("id"),
            name("project_id"),
            name("name"),
            number("size_gib"),
            word("disk_format"),
            uuid("image_id", nullable=True),
            uuid("host_id", nullable=True),
            name("location", nullable=True),
            uuid("made_by", nullable=True),
            time("created_at"),
            time("deleted_at", nullable=True),
            uuid("snapshot_id", nullable=True),
            uuid("made_for", nullable=True),
            truth("bootable"),
            number("uses"),
            self._unique("volumes", "id"),
            self._index("volumes", "deleted_at", "name"),
            self._index("volumes", "deleted_at", "seq"),
            self._index("volumes", "project_id", "deleted_at", "seq"),
            self._index("volumes", "host_id", "deleted_at"),
            self._index("volumes", "made_by", only=LIVING),
        )

    def _copies(self) -> None:
        self.snapshots = self._table(
            "snapshots",
            uuid("id"),
            name("project_id"),
            name("name"),
            uuid("volume_id", self._to("volumes")),
            number("size_gib"),
            uuid("host_id", self._to("hosts")),
            name("location"),
            truth("bootable"),
            time("created_at"),
            time("deleted_at", nullable=True),
            self._unique("snapshots", "id"),
            self._index("snapshots", "deleted_at", "name"),
            self._index("snapshots", "volume_id"),
            self._index("snapshots", "project_id", "deleted_at"),
            self._index("snapshots", "host_id", "deleted_at"),
        )
        self.attachments = self._table(
            "attachments",
            uuid("id"),
            uuid("volume_id", self._to("volumes")),
            uuid("instance_id", self._to("instances")),
            uuid("operation_id"),
            number("position"),
            truth("delete_on_termination"),
            self._unique("attachments", "id"),
            self._unique("attachments", "volume_id"),
            self._index("attachments", "instance_id"),
        )
