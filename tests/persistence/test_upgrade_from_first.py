"""A store of the first version is brought to this one with all that is in it."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from vmwright.ids import new_id
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.instances import InstanceStore
from vmwright.persistence.migrations.versions import v0001_first_schema as first
from vmwright.spec import Spec

IMAGE = {
    "id": new_id(),
    "name": "demo",
    "disk_format": "raw",
    "size_bytes": 1,
    "virtual_size_bytes": 1,
    "sha256": "0" * 64,
    "location": "x.raw",
}
NIC = {
    "port": new_id(),
    "network": new_id(),
    "network_name": "net1",
    "cidr": "10.1.0.0/24",
    "gateway": "10.1.0.1",
    "ip": None,
    "mac": None,
}
REQUEST = {
    "version": 1,
    "name": "vm1",
    "hostname": "vm1",
    "project": "lab",
    "image": IMAGE,
    "flavor": new_id(),
    "vcpus": 2,
    "ram_mib": 512,
    "root_gib": 1,
    "nics": [NIC],
    "volumes": [
        {
            "volume": new_id(),
            "source": source,
            "name": source,
            "size_gib": size,
            "image": None,
            "delete_on_termination": True,
        }
        for source, size in (("blank", 3), ("existing", 7))
    ],
    "metadata": {"a": "b"},
    "key": None,
    "config_drive": True,
    "user_data": None,
    "kernel": None,
    "ramdisk": None,
}
"""As the first version stored it."""


@pytest.fixture
def old(empty):
    """A database of the first version with one instance, its port, an operation and an attempt."""
    database = Database.open(empty)
    with database.write() as connection:
        command.upgrade(schema_version._config(connection, database), "0001")
    fill(database)
    yield database
    database.close()


def fill(database: Database) -> None:
    tables = first.Schema(database.schema.prefix)
    instance, operation = new_id(), new_id()
    with database.write() as connection:
        rows = [
            (tables.networks, {"id": NIC["network"], "name": "net1", "cidr": NIC["cidr"]}),
            (
                tables.instances,
                {"id": instance, "project_id": "lab", "name": "vm1", "request": REQUEST},
            ),
            (
                tables.ports,
                {"id": NIC["port"], "network_id": NIC["network"], "instance_id": instance},
            ),
            (tables.operations, {"id": operation, "instance_id": instance}),
            (tables.attempts, {"operation_id": operation}),
        ]
        for table, values in rows:
            connection.execute(sa.insert(table).values({**blank(table), **values}))


def blank(table: sa.Table) -> dict[str, Any]:
    """Something for every column that may not be null."""
    kinds = {
        sa.String: "building",
        sa.BigInteger: 1,
        sa.Double: 0.0,
        sa.Boolean: True,
        sa.JSON: {},
        sa.Text: "",
    }
    return {
        column.name: next(v for kind, v in kinds.items() if isinstance(column.type, kind))
        for column in table.columns
        if not column.nullable and column.name != "seq"
    }


def test_what_the_first_version_stored_is_counted_and_kept(old):
    schema_version.upgrade(old)
    schema_version.check(old)
    with old.read() as connection:
        instance = connection.execute(sa.select(old.schema.instances)).one()
        port = connection.execute(sa.select(old.schema.ports)).one()
        attempt = connection.execute(sa.select(old.schema.attempts)).one()
        network = connection.execute(sa.select(old.schema.networks)).one()
    counted = (instance.vcpus, instance.memory_mib, instance.new_volumes, instance.new_gib)
    assert counted == (2, 512, 1, 3)
    assert instance.new_ips == 1
    assert (port.project_id, port.user_made, port.instance_id) == ("lab", False, instance.id)
    assert attempt.ended_at is None
    assert network.dns == []
    assert json.loads(json.dumps(instance.request)) == REQUEST


def test_a_request_of_the_first_version_is_still_read(old):
    schema_version.upgrade(old)
    with old.read() as connection:
        (row,) = connection.execute(sa.select(old.schema.instances.c.id))
        instance = InstanceStore(old.schema).get(connection, row.id)
    spec = Spec.from_store(instance.request)
    assert (spec.version, spec.max_attempts, spec.disks) == (1, 1, ())
    assert [nic.kind for nic in spec.nics] == ["nat"]


def test_an_upgrade_that_was_interrupted_can_be_run_again(old):
    """Where DDL is not transactional, half of it may be there already."""
    prefix = old.schema.prefix
    with old.write() as connection:
        connection.execute(sa.text(f"ALTER TABLE {prefix}attempts ADD COLUMN ended_at FLOAT"))
        connection.execute(sa.text(f"ALTER TABLE {prefix}networks DROP COLUMN host_id"))
    schema_version.upgrade(old)
    schema_version.check(old)
