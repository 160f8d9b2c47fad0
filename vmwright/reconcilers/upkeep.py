"""What operators ask for to keep store and hosts alike."""

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from vmwright.errors import Conflict, StoreRestored, Unavailable
from vmwright.ids import DeploymentId, InstanceId, volume_of_name
from vmwright.persistence.debts import BEING_MADE
from vmwright.persistence.history import History, may_have_gone_well
from vmwright.persistence.records import Event, HostRecord, Instance, Operation
from vmwright.reconcilers.audit import QUIET, Audit, Repair
from vmwright.settings import Settings
from vmwright.states import CLAIMABLE, OperationState
from vmwright.tasks.task import Means
from vmwright.waiting import Wait

_PAGE = 500

_UNFINISHED = CLAIMABLE | {OperationState.PARKED}
"""What may have ended since, well: what was parked at the backup may have been resumed."""


class Upkeep:
    """Audit, repair, and what is to be done after the store came from a backup."""

    def __init__(self, means: Means, deployment: DeploymentId, settings: Settings) -> None:
        stores = means.stores
        self.history = History.of(stores.database.schema, settings.state_dir, deployment)
        self._means = means
        self._stores = stores
        self._settings = settings
        self._deployment = deployment
        self.auditor = Audit(
            means,
            deployment,
            self.history,
            settings.audit,
            state_dir=settings.state_dir,
            patience=settings.operations.undo_deadline,
        )

    def audit(self, *, everything: bool = False) -> Sequence[dict[str, Any]]:
        """What is not as it should be; with `everything` also what is not ours, and what ends by
        itself. Changes nothing."""
        found = self.auditor.findings()
        hosts = self.auditor.hosts()
        return [one.to_store(hosts) for one in found if everything or one.verdict not in QUIET]

    def needs_eyes(self, found: Sequence[dict[str, Any]]) -> bool:
        """Whether something is to be done about any of what `audit` returned."""
        return any(one["verdict"] not in QUIET for one in found)

    def repair(self, *, adopt_unknown: bool = False) -> Sequence[dict[str, Any]]:
        """Remove what is left over, and with `adopt_unknown` also what the store does not know.

        Returns what was done, and what is still to be looked at: each with an ``outcome``,
        ``removed``, ``owed`` or ``left``. Raises `StoreRestored` until that was accepted.
        """
        repair = Repair(self.auditor, pause=self._settings.reconcile_interval)
        done = repair.run(adopt_unknown=adopt_unknown)
        hosts = self.auditor.hosts()
        return [one.finding.to_store(hosts) | {"outcome": one.outcome} for one in done]

    def accept_restored(self) -> Sequence[Operation]:
        """Go on with a store that came from a backup, or from a replica that lagged behind.

        What was under way may have ended since: it is parked, and returned, for somebody to look
        at. A snapshot that was being made may have been finished: it is owed no more.
        """
        reason = StoreRestored(
            "the store was restored from a backup while this was under way",
            hint="see: vmwright audit; then vmwright operation resume, or vmwright delete",
        )
        parked: list[Operation] = []
        with self._stores.database.write() as connection:
            for debt in self._stores.debts.all(connection):
                if debt.reason == BEING_MADE:
                    self._stores.debts.drop(connection, kind=debt.kind, key=debt.key)
            after = 0
            while page := self._stores.lists.operations(
                connection, states=_UNFINISHED, after=after, limit=_PAGE
            ):
                parked += page
                after = page[-1].seq
            for operation in parked:
                self._park(connection, operation, reason)
            self.history.accept(connection, time.time())
        return parked

    def refuse_to_touch_guest(self, operation: Operation) -> None:
        """`Conflict` if the operation was parked since the store was restored, and its guest is
        there, or was and has left data: it was finished, in a history that the store has
        forgotten."""
        if not _may_have_gone_well(operation):
            return
        for host in self._hosts():
            try:
                if self._has_guest(host, operation.instance_id):
                    what = "the guest"
                elif self._has_data(host, operation.instance_id):
                    what = "data volumes"
                else:
                    continue
            except Unavailable as error:
                raise Conflict(
                    f"host {host.name!r} cannot be asked whether it has the guest of "
                    f"instance {operation.instance_id}: {error.message}",
                    hint="try again once it answers",
                ) from error
            raise Conflict(
                f"host {host.name!r} has {what} of instance {operation.instance_id}: its build may "
                "have been finished after the backup that the store was restored from",
                hint="keep it as it is, or take what is on it elsewhere and delete it: "
                f"vmwright delete {operation.instance_id}",
            )

    def learn_of_guest(self, instance: Instance) -> None:
        """Before a delete: write down what the store has forgotten, that the guest was active, and
        where it is. What it has written to volumes is its user's, and not a failed build's.

        A host that cannot be asked may have it.
        """
        with self._stores.database.read() as connection:
            operations = self._stores.operations.of_instance(connection, instance.id)
        if not any(map(_may_have_gone_well, operations)):
            return
        for host in self._hosts():
            try:
                at = host.id if self._has_guest(host, instance.id) else None
                if at is None and not self._has_data(host, instance.id):
                    continue
            except Unavailable:
                at = None
            with self._stores.database.write() as connection:
                self._stores.instances.was_launched(connection, instance.id)
                if at is not None:
                    self._stores.instances.place(connection, instance.id, at)

    def _has_guest(self, host: HostRecord, instance: InstanceId) -> bool:
        hypervisor = self._means.backend.host(host.connection_uri).hypervisor
        return hypervisor.find_domain(instance, self._patience()) is not None

    def _has_data(self, host: HostRecord, instance: InstanceId) -> bool:
        """A guest may have written to them, and be deleted since."""
        volumes = self._means.backend.host(host.connection_uri).volumes
        return any(
            stored.mark is not None
            and (stored.mark.deployment, stored.mark.instance) == (self._deployment, instance)
            and volume_of_name(stored.name) is not None
            for stored in volumes.volumes(self._patience())
        )

    def _patience(self) -> Wait:
        return Wait(self._settings.operations.undo_deadline)

    def _hosts(self) -> Sequence[HostRecord]:
        with self._stores.database.read() as connection:
            return self._stores.registries.hosts.all(connection)

    def _park(self, connection: sa.Connection, operation: Operation, reason: StoreRestored) -> None:
        operations, told = self._stores.operations, reason.to_store()
        # Damaged rows of one must not keep the others from being accepted.
        before = operation.error if isinstance(operation.error, dict) else {}
        error = {**before, "parked": told}
        if operation.state is OperationState.PARKED:
            operations.change(connection, operation.id, error=error)
        elif not operations.park(connection, operation, error):
            return
        event = Event(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            kind="operation",
            state=OperationState.PARKED,
            attempt=operation.attempt if isinstance(operation.attempt, int) else 1,
            at=time.time(),
            error=told,
        )
        operations.append(connection, [event])


def _may_have_gone_well(operation: Operation) -> bool:
    is_parked_build = operation.state is OperationState.PARKED and operation.kind == "create"
    return is_parked_build and may_have_gone_well(operation.error)
