"""Addresses and room that were kept while something that was owed might still use them."""

import sqlalchemy as sa

from vmwright.ids import InstanceId
from vmwright.persistence.stores import Stores
from vmwright.states import ENDED, OperationState


def give_back_kept(stores: Stores, connection: sa.Connection, instance: InstanceId) -> None:
    """Give back what nothing uses any more of what an instance's operations had to keep.

    Called by whoever pays or drops a debt, and at each operation's end. Both hold the instance's
    row: the later of them sees what the other one did.
    """
    stores.instances.hold(connection, instance)
    known = stores.instances.known(connection, instance)
    if known is None:
        return
    addresses = not stores.debts.keep_addresses(connection, instance)
    room = not stores.debts.keep_room(connection, instance)
    for operation in stores.operations.of_instance(connection, instance):
        if operation.kind != "create":
            continue
        over = operation.state in ENDED and operation.state is not OperationState.DONE
        if over and addresses:
            stores.ports.release(connection, instance, operation.id)
        if room:
            before = None if over else operation.attempt
            stores.claims.release(connection, instance, operation.id, before=before)
    if known.deleted_at is not None and addresses:
        stores.ports.release(connection, instance, None)
    if known.deleted_at is not None and room:
        stores.claims.release(connection, instance, None)
