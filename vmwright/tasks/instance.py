"""Tasks about the instance itself: where it begins and where it ends."""

import logging
from typing import Any, cast

from vmwright.backends.hypervisor import Domain
from vmwright.errors import Cancelled, Refused, Unavailable
from vmwright.ids import domain_name
from vmwright.persistence.records import HostRecord
from vmwright.states import PowerState
from vmwright.tasks.task import RemovingTask, Run, StoreTask, Task

LOG = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds to wait for one host's word; the one that is claimed is asked again by spawn."""


class CheckNotCreated(Task):
    """Refuse if a guest with this uuid or name exists that this operation did not make."""

    task_name = "check_not_created"
    only_looks = True

    def execute(self, run: Run) -> None:
        stores = self._means.stores
        with stores.database.read() as connection:
            hosts = [host for host in stores.registries.hosts.all(connection) if host.enabled]
        for host in hosts:
            self._check(run, host)

    def _check(self, run: Run, host: HostRecord) -> None:
        hypervisor = self._means.backend.host(host.connection_uri).hypervisor
        wait = run.wait.within(_PATIENCE)
        try:
            found = [
                hypervisor.find_domain(run.instance, wait),
                hypervisor.find_domain_named(domain_name(run.instance), wait),
            ]
        except Unavailable as error:
            # A host that does not answer is not one that this build will be put on.
            LOG.warning("host %s was not asked for foreign guests: %s", host.name, error)
            return
        for domain in found:
            if domain is not None and not run.whose.covers(domain.mark):
                raise _foreign(domain, host)


def _foreign(domain: Domain, host: HostRecord) -> Refused:
    error = Refused(
        f"host {host.name} has a guest {domain.name!r} ({domain.uuid}) that is not of this build",
        hint="remove or rename it, then create again",
    )
    error.host = host.name
    return error


class MarkActive(StoreTask):
    """The guest runs: say so to the world. Nothing after this may fail."""

    task_name = "mark_active"

    def execute(self, run: Run, host: dict[str, Any], power_state: int) -> None:
        stores = self._means.stores
        if stores.instances.enter(run.connection, run.instance, None):
            run.note("instance", "none")
        active = stores.instances.activate(
            run.connection,
            run.instance,
            power_state=PowerState(power_state),
            launched_on=host["name"],
        )
        if not active:
            raise Cancelled("the instance is being deleted")
        stores.secrets.erase(run.connection, run.instance)


class MarkDeleted(StoreTask, RemovingTask):
    """Nothing of the instance is left: keep a tombstone, so that what turns up can be told."""

    task_name = "mark_deleted"

    def execute(self, run: Run) -> None:
        stores = self._means.stores
        stores.secrets.erase(run.connection, run.instance)
        # Else every claim for its group would read all that were ever in it.
        stores.server_groups.forget_member(run.connection, run.instance)
        stores.instances.bury(run.connection, run.instance)


class LocateGuest(StoreTask, RemovingTask):
    """Find where the instance lies, and under which marks its builds made things there."""

    task_name = "locate_guest"
    default_provides = ("host", "marks")

    def execute(self, run: Run) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        self._means.stores.debts.adopt(run.connection, run.instance, run.operation)
        return self.look(run)

    def look(self, run: Run) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The same, and nothing is changed."""
        stores = self._means.stores
        instance = stores.instances.get(run.connection, run.instance)
        host = instance.host_id and stores.registries.hosts.get(run.connection, instance.host_id)
        marks = [
            {"operation": operation.id, "attempt": attempt}
            for operation in stores.operations.of_instance(run.connection, run.instance)
            if operation.kind == "create"
            for attempt in range(1, operation.attempt + 1)
        ]
        return (host_value(host) if host else None), marks


def host_value(host: HostRecord) -> dict[str, Any]:
    """A host as it flows between tasks."""
    value = {"id": host.id, "name": host.name, "uri": host.connection_uri, "zone": host.zone}
    return cast("dict[str, Any]", value)
