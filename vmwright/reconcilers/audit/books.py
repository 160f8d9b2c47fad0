"""Reads what the store says of things that were found."""

from collections.abc import Iterable

import sqlalchemy as sa

from vmwright.ids import DeploymentId, InstanceId, SnapshotId, volume_of_name
from vmwright.persistence.census import Holding
from vmwright.persistence.stores import Stores
from vmwright.reconcilers.audit.verdicts import Books, Thing


def books_of(
    stores: Stores,
    connection: sa.Connection,
    deployment: DeploymentId,
    things: Iterable[Thing] = (),
    holdings: Iterable[Holding] = (),
) -> Books:
    """All that `judge` and `judge_holding` need to know of these."""
    census, things = stores.census, list(things)
    ours = [t.mark for t in things if t.mark is not None and t.mark.deployment == deployment]
    instances = {mark.instance for mark in ours}
    instances |= {InstanceId(h.instance_id) for h in holdings if h.instance_id is not None}
    volumes = [volume_of_name(t.key) for t in things if t.kind == "volume"]
    snapshots = {SnapshotId(t.mark.instance) for t in things if t.mark and t.kind == "snapshot"}
    return Books(
        deployment=deployment,
        now=census.clock(connection),
        instances=census.instances(connection, instances),
        operations=census.operations(connection, instances),
        volumes=census.volumes(connection, [v for v in volumes if v is not None]),
        snapshots=census.snapshots(connection, snapshots),
        debts={(d.host_id, d.kind, d.key): d for d in stores.debts.all(connection)},
    )
