"""Pays debts: makes absent what an undo had to leave behind."""

import logging
import threading
import time

from vmwright.backends.removal import Removal
from vmwright.concerning import concerning
from vmwright.errors import Cancelled, Internal, StoreUnavailable, Unavailable, VmwrightError
from vmwright.ids import HostId
from vmwright.persistence.kept import give_back_kept
from vmwright.persistence.records import Debt, Event, HostRecord
from vmwright.tasks.task import Means
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0


def pay_debts(
    means: Means, *, patience: float, pause: float, stopping: threading.Event | None = None
) -> int:
    """Pay what is due and can be paid; returns how many debts remain.

    A host is given `patience` seconds and asked no more in this round once it was silent; its
    debts come back after `pause` seconds, and later each time. `Cancelled` once `stopping` is set.
    """
    stores = means.stores
    silent: set[HostId] = set()
    tried: set[str] = set()
    while due := _due(means, silent, tried):
        for debt, host in due:
            tried.add(debt.id)
            if host is None:
                silent.add(debt.host_id)
            if debt.host_id not in silent and host is not None:
                wait = Wait(patience, cancelled=stopping)
                if not _is_answered(means, debt, host, wait, pause):
                    silent.add(debt.host_id)
    with stores.database.read() as connection:
        return stores.debts.remaining(connection)


def _due(
    means: Means, silent: set[HostId], tried: set[str]
) -> list[tuple[Debt, HostRecord | None]]:
    """What may be paid and was not tried in this round, however much a silent host owes."""
    stores = means.stores
    with stores.database.read() as connection:
        hosts = {host.id: host for host in stores.registries.hosts.all(connection)}
        due = stores.debts.due(connection, without=silent)
    return [(debt, hosts.get(debt.host_id)) for debt in due if debt.id not in tried]


def _is_answered(means: Means, debt: Debt, host: HostRecord, wait: Wait, pause: float) -> bool:
    """Whether the host has said something to it; what it does not pay is put off."""
    with concerning(operation_id=debt.operation_id, instance_id=debt.instance_id, host=host.name):
        error = _tried(means, debt, host, wait)
        if error is not None:
            _postpone(means, debt, error, pause)
        return not isinstance(error, Unavailable)


def _tried(means: Means, debt: Debt, host: HostRecord, wait: Wait) -> VmwrightError | None:
    """Why it could not be paid, or None once it is."""
    try:
        _pay(means, debt, host, wait)
    except (StoreUnavailable, Cancelled):
        raise
    except VmwrightError as error:
        return error
    except Exception:
        # One debt that cannot be read must not keep the others from being paid.
        LOG.exception("debt %s cannot be paid", debt.id)
        return Internal(f"debt {debt.id} cannot be paid; see the log")
    return None


def _pay(means: Means, debt: Debt, host: HostRecord, wait: Wait) -> None:
    removal = Removal.from_store({"kind": debt.kind, "key": debt.key, "whose": debt.whose})
    place = means.backend.host(host.connection_uri)
    removal.settle(place, wait)
    removal.carry_out(place, wait)
    with means.stores.database.write() as connection:
        paid = means.stores.debts.paid(connection, debt)
        if paid and debt.instance_id:
            give_back_kept(means.stores, connection, debt.instance_id)
        if paid and debt.operation_id and debt.instance_id:
            event = Event(
                operation_id=debt.operation_id,
                instance_id=debt.instance_id,
                kind="debt",
                state="paid",
                at=time.time(),
                detail={"host": host.name, "what": removal.describe()},
            )
            means.stores.operations.append(connection, [event])
    LOG.info("paid on host %s: %s is absent", host.name, removal.describe())


def _postpone(means: Means, debt: Debt, error: VmwrightError, pause: float) -> None:
    delay = min(pause * 2 ** min(debt.tries, 10), _LONGEST_PAUSE)
    with means.stores.database.write() as connection:
        means.stores.debts.postpone(connection, debt, delay=delay, error=error.to_store())
    LOG.info("owed on host %s: %s %s: %s", debt.host_id, debt.kind, debt.key, error)
