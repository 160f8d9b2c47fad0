"""Tasks about the instance itself: where it begins and where it ends."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from vmwright.backends.hypervisor import Domain
from vmwright.errors import Cancelled, Refused, Unavailable
from vmwright.ids import domain_name
from vmwright.persistence.records import HostRecord
from vmwright.persistence.registries import Address
from vmwright.scheduler.values import HostState
from vmwright.states import PowerState
from vmwright.tasks.task import RemovingTask, Run, StoreTask, Task

LOG = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds to wait for one host's word; the one that is claimed is asked again by spawn."""

_IN_TURN, _AT_ONCE = 8, 16
"""So many hosts are asked one after the other; of more, so many at the same time."""


class CheckNotCreated(Task):
    """Refuse if a guest with this uuid or name exists that this operation did not make."""

    task_name = "check_not_created"
    only_looks = True

    def intend(self, run: Run) -> None:
        run.noted[self.name] = self._means.stores.registries.hosts.enabled(run.connection)

    def execute(self, run: Run) -> None:
        hosts = run.noted.get(self.name)
        if hosts is None:  # nothing was committed before it
            with self._means.stores.database.read() as connection:
                hosts = self._means.stores.registries.hosts.enabled(connection)
        if len(hosts) <= _IN_TURN:
            for host in hosts:
                self._check(run, host)
            return
        with ThreadPoolExecutor(_AT_ONCE, "ask-hosts") as threads:
            for _ in threads.map(lambda host: self._check(run, host), hosts):
                """The first that refuses ends the build; those that are being asked may answer."""

    def _check(self, run: Run, host: Address) -> None:
        hypervisor = self._means.backend.host(host.uri).hypervisor
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


def _foreign(domain: Domain, host: Address) -> Refused:
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
        launched = {"power_state": PowerState(power_state), "launched_on": host["name"]}
        if stores.instances.finish_building(run.connection, run.instance, **launched):
            run.note("instance", "none")
        elif not self._is_active(run, launched):
            raise Cancelled("the instance is being deleted")
        stores.secrets.erase(run.connection, run.instance)

    def _is_active(self, run: Run, launched: dict[str, Any]) -> bool:
        """Whether this is the second time, or somebody had the build go on."""
        instances = self._means.stores.instances
        if instances.enter(run.connection, run.instance, None):
            run.note("instance", "none")
        return instances.activate(run.connection, run.instance, **launched)


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


def host_value(host: HostRecord | HostState) -> dict[str, Any]:
    """A host as it flows between tasks."""
    value = {"id": host.id, "name": host.name, "uri": host.connection_uri, "zone": host.zone}
    return cast("dict[str, Any]", value)
