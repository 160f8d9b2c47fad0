"""Every table, under the prefix that the deployment chose.

Times are seconds since the epoch as doubles, on the database's clock where an order between
processes depends on them. `seq` is the key that pages are cut by.
"""

from functools import cache

from sqlalchemy import Column

from vmwright.persistence.tables.columns import JSON, TEXT, name, number, time, uuid, word
from vmwright.persistence.tables.owned import OwnedTables

FAILED = "outcome = 'failed'"
"""Which attempts an index holds: the others end well, and are many."""


class Schema(OwnedTables):
    """The tables of one deployment, as attributes."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self._operations()
        self._runs()
        self._outside()
        self._remains()

    def _operations(self) -> None:
        self.operations = self._table(
            "operations",
            uuid("id"),
            word("kind"),
            word("flow_name"),
            number("flow_version"),
            uuid("instance_id", self._to("instances")),
            name("project_id"),
            name("user_id"),
            word("reservation_id"),
            name("idempotency_key", nullable=True),
            word("state"),
            uuid("owner_id", nullable=True),
            number("epoch"),
            number("attempt"),
            uuid("flow_detail_id"),
            uuid("after_id", nullable=True),
            name("cancel_reason", nullable=True),
            number("undo_tries"),
            time("not_before"),
            Column("error", JSON),
            time("created_at"),
            time("started_at", nullable=True),
            time("finished_at", nullable=True),
            word("request_digest", nullable=True),
            self._unique("operations", "id"),
            self._unique("operations", "project_id", "idempotency_key"),
            self._index("operations", "state", "seq"),
            self._index("operations", "owner_id", "state"),
            self._index("operations", "instance_id", "seq"),
            self._index("operations", "reservation_id"),
            self._index("operations", "project_id", "seq"),
        )

    def _runs(self) -> None:
        self.owners = self._table(
            "owners",
            uuid("id"),
            name("machine"),
            Column("lock_path", TEXT, nullable=False),
            time("started_at"),
            time("expires_at"),
            Column("flows", JSON),
            self._unique("owners", "id"),
        )
        self.attempts = self._table(
            "attempts",
            uuid("operation_id", self._to("operations")),
            number("number"),
            uuid("host_id", nullable=True),
            word("outcome", nullable=True),
            Column("fault", JSON),
            time("ended_at", nullable=True),
            self._unique("attempts", "operation_id", "number"),
            self._index("attempts", "outcome", "ended_at", "host_id", only=FAILED),
        )
        self.events = self._table(
            "events",
            uuid("operation_id", self._to("operations")),
            uuid("instance_id"),
            word("kind"),
            word("task", nullable=True),
            number("attempt"),
            word("direction", nullable=True),
            word("state"),
            time("at"),
            Column("error", JSON),
            Column("detail", JSON),
            self._index("events", "operation_id", "seq"),
        )

    def _outside(self) -> None:
        self.claims = self._table(
            "claims",
            uuid("host_id", self._to("hosts")),
            uuid("instance_id", self._to("instances")),
            uuid("operation_id"),
            number("attempt"),
            number("vcpus"),
            number("memory_mib"),
            number("disk_gib"),
            self._unique("claims", "instance_id", "operation_id", "attempt"),
            self._index("claims", "host_id", "vcpus", "memory_mib", "disk_gib"),
        )
        self.debts = self._table(
            "debts",
            uuid("id"),
            uuid("host_id"),
            word("kind"),
            name("key"),
            Column("whose", JSON, nullable=False),
            word("reason"),
            uuid("operation_id", nullable=True),
            uuid("instance_id", nullable=True),
            time("not_before"),
            number("tries"),
            Column("last_error", JSON),
            time("created_at"),
            self._unique("debts", "id"),
            self._unique("debts", "host_id", "kind", "key"),
            self._index("debts", "not_before"),
            self._index("debts", "instance_id"),
            self._index("debts", "operation_id"),
            self._index("debts", "reason", "host_id"),
            self._index("debts", "kind", "key"),
        )

    def _remains(self) -> None:
        self.tombstones = self._table(
            "tombstones",
            uuid("id"),
            word("kind"),
            time("deleted_at"),
            self._unique("tombstones", "id"),
        )


@cache
def schema_of(prefix: str) -> Schema:
    """The tables under this prefix. Made once: that takes longer than to open a database."""
    return Schema(prefix)
