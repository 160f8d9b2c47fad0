"""Addresses, room and volumes that were kept while something that was owed might still use them."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.ids import InstanceId
from vmwright.persistence.census import Held
from vmwright.persistence.debts import KeptFor
from vmwright.persistence.records import Operation
from vmwright.persistence.stores import Stores
from vmwright.states import ENDED, OperationState


@dataclass(frozen=True)
class Kept:
    """Something of an instance that nobody else is given yet."""

    kind: Held
    words: str
    """What users know it by."""


def give_back_kept(stores: Stores, connection: sa.Connection, instance: InstanceId) -> None:
    """Give back what nothing uses any more of what an instance's operations had to keep.

    Called by whoever pays or drops a debt, and at each operation's end. Both hold the instance's
    row: the later of them sees what the other one did.
    """
    stores.instances.hold(connection, instance)
    known = stores.instances.known(connection, instance)
    if known is None:
        return
    kept_for = stores.debts.kept_for(connection, instance)
    for operation in stores.operations.of_instance(connection, instance):
        if operation.kind == "create":
            _give_back_of_build(stores, connection, operation, kept_for)
    if known.deleted_at is None:
        return
    if not kept_for.addresses:
        stores.ports.release(connection, instance, None)
    if not kept_for.room:
        stores.claims.release(connection, instance, None)
    if not kept_for.volumes:
        stores.volumes.detach(connection, instance, None)


def kept_of(stores: Stores, connection: sa.Connection, instance: InstanceId) -> Sequence[Kept]:
    """What an instance has and would not have, were nothing of it owed."""
    kept_for = stores.debts.kept_for(connection, instance)
    kept: list[Kept] = []
    if kept_for.addresses:
        ports = stores.ports.of_instance(connection, instance)
        kept += [Kept(Held.PORT, f"address {port.ip}") for port in ports]
    if kept_for.room:
        hosts = stores.claims.hosts_of(connection, instance)
        kept += [Kept(Held.CLAIM, f"room on host {name}") for name in hosts]
    if kept_for.volumes:
        attached = stores.volumes.attached(connection, instance)
        kept += [Kept(Held.ATTACHMENT, f"volume {volume.name}") for _, volume in attached]
    return kept


def way_to_free(stores: Stores, connection: sa.Connection, instance: InstanceId) -> str:
    """What to do for a volume that this instance has, as a hint."""
    known = stores.instances.known(connection, instance)
    was_given_up = known is None or known.deleted_at is not None or known.launched_at is None
    if was_given_up and stores.debts.keep_volumes(connection, instance):
        return "its guest is still to be removed: see vmwright debt list"
    return f"delete it first: vmwright delete {instance}"


def _give_back_of_build(
    stores: Stores, connection: sa.Connection, build: Operation, kept_for: KeptFor
) -> None:
    """A build that is over and came to nothing needs nothing; any other one, no earlier attempt."""
    instance = build.instance_id
    over = build.state in ENDED and build.state is not OperationState.DONE
    if over and not kept_for.addresses:
        stores.ports.release(connection, instance, build.id)
    if over and not kept_for.volumes:
        stores.volumes.give_back(connection, instance, build.id)
    if not kept_for.room:
        before = None if over else build.attempt
        stores.claims.release(connection, instance, build.id, before=before)
