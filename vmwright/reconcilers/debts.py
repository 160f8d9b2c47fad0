"""Pays debts: makes absent what an undo had to leave behind."""

import logging
import time

from vmwright.backends.removal import Removal
from vmwright.errors import Unavailable, VmwrightError
from vmwright.persistence.records import Debt, Event, HostRecord
from vmwright.tasks.task import Means
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0


def pay_debts(means: Means, *, patience: float, pause: float) -> int:
    """Pay what is due and can be paid; returns how many debts remain.

    A host is given `patience` seconds and asked no more in this round once it was silent; its
    debts come back after `pause` seconds, and later each time.
    """
    stores, silent = means.stores, set()
    with stores.database.read() as connection:
        due = stores.debts.due(connection)
        hosts = {host.id: host for host in stores.registries.hosts.all(connection)}
    for debt in due:
        if debt.host_id in silent or debt.host_id not in hosts:
            continue
        try:
            _pay(means, debt, hosts[debt.host_id], patience)
        except VmwrightError as error:
            if isinstance(error, Unavailable):
                silent.add(debt.host_id)
            _postpone(means, debt, error, pause)
    with stores.database.read() as connection:
        return len(stores.debts.all(connection))


def _pay(means: Means, debt: Debt, host: HostRecord, patience: float) -> None:
    removal = Removal.from_store({"kind": debt.kind, "key": debt.key, "whose": debt.whose})
    place, wait = means.backend.host(host.connection_uri), Wait(patience)
    removal.settle(place, wait)
    removal.carry_out(place, wait)
    with means.stores.database.write() as connection:
        if means.stores.debts.paid(connection, debt) and debt.operation_id and debt.instance_id:
            paid = Event(
                operation_id=debt.operation_id,
                instance_id=debt.instance_id,
                kind="debt",
                state="paid",
                at=time.time(),
                detail={"host": host.name, "what": removal.describe()},
            )
            means.stores.operations.append(connection, [paid])
    LOG.info("paid on host %s: %s is absent", host.name, removal.describe())


def _postpone(means: Means, debt: Debt, error: VmwrightError, pause: float) -> None:
    delay = min(pause * 2 ** min(debt.tries, 10), _LONGEST_PAUSE)
    with means.stores.database.write() as connection:
        means.stores.debts.postpone(connection, debt, delay=delay, error=error.to_store())
    LOG.info("owed on host %s: %s %s: %s", debt.host_id, debt.kind, debt.key, error)
