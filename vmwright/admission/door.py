"""The door: every name becomes an id, every rule is checked, and nothing is stored before that."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from vmwright.admission.caller import Caller
from vmwright.admission.gate import Gate, Rights
from vmwright.admission.intake import Answers, Intake, Reservation, Specs
from vmwright.admission.rows import Batch, Rows, new_operation
from vmwright.admission.rules import DELETE
from vmwright.admission.several import Wish
from vmwright.errors import Conflict
from vmwright.ids import InstanceId, OperationId
from vmwright.persistence.records import Instance, Operation
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.states import ENDED, TaskState
from vmwright.tasks.task import Means

__all__ = ["Answers", "Door", "Reservation", "Wish"]


class Door:
    """Takes requests in: each as one transaction that stores all of it, or as an error."""

    def __init__(self, means: Means, settings: Settings, clock: Callable[[], float]) -> None:
        self._means = means
        self._gate = Gate(settings.policy_file)
        self._stores = means.stores
        self._settings = settings
        self._rows = Rows(means, clock)

    def check(
        self, connection: sa.Connection, requests: Sequence[CreateRequest], caller: Caller
    ) -> bool:
        """Raise what `create` would raise, but for quotas; store nothing.

        Returns whether something would be built: False if all was answered before.
        """
        return self._intake(connection, caller).refuse(requests)

    def create(
        self,
        connection: sa.Connection,
        wishes: Sequence[Wish],
        caller: Caller,
        *,
        again: bool = False,
    ) -> Answers:
        """Accept builds: instances, operations, their flows' rows and secrets, all or none.

        `Forbidden` by a policy, `NotFound` for an unknown name, `InvalidRequest` for a rule,
        `Conflict` for something in use, `QuotaExceeded`; then nothing was stored. `again` if a try
        before may have stored them, as where the answer to its commit was lost.
        """
        return self._intake(connection, caller).accept(wishes, again=again)

    def acceptable(
        self, connection: sa.Connection, request: CreateRequest, caller: Caller
    ) -> Specs:
        """What `create` would build if it were asked now; raises what it would raise.

        Changes nothing and holds nothing. Ids are made up, and others when it is really built.
        """
        return self._intake(connection, caller).acceptable(request)

    def _intake(self, connection: sa.Connection, caller: Caller) -> Intake:
        return Intake(self._means, self._gate, self._rows, self._settings, connection, caller)

    def delete(self, connection: sa.Connection, name_or_id: str, caller: Caller) -> Operation:
        """Accept a delete, whatever runs on the instance: that is asked to stop, and waited for.

        Asked again while a delete is under way, that one is the answer.
        """
        instance = self._stores.instances.find(connection, name_or_id, project=caller.sees)
        self._gate.require(caller, [DELETE], project=instance.project_id, user=instance.user_id)
        return self._end(connection, instance, caller.user)

    def end(self, connection: sa.Connection, instance_id: InstanceId) -> Operation:
        """As `delete`, for an instance whose request asked for its end: no policy is asked."""
        instance = self._stores.instances.find(connection, instance_id)
        return self._end(connection, instance, instance.user_id)

    def _end(self, connection: sa.Connection, instance: Instance, user: str) -> Operation:
        stores = self._stores
        # It takes the row: of several who delete at once, the others then see the first's.
        stores.instances.mark_deleting(connection, instance.id)
        unfinished = [
            operation
            for operation in stores.operations.of_instance(connection, instance.id)
            if operation.state not in ENDED
        ]
        for known in unfinished:
            if known.kind == "delete":
                return known
        before = unfinished[-1] if unfinished else None
        operation = new_operation(
            "delete",
            instance.id,
            instance.project_id,
            user,
            after=before.id if before else None,
        )
        batch = Batch()
        self._rows.add_operation(batch, operation)
        self._rows.add_note(batch, operation, "instance", TaskState.DELETING)
        self._rows.store(connection, batch)
        if before is not None:
            stores.operations.ask_to_cancel(connection, before.id, "the instance is being deleted")
        return operation

    def cancel(
        self, connection: sa.Connection, operation_id: str, reason: str, caller: Caller
    ) -> Operation:
        """Ask for a build to be taken back. Asked again, or once it is undoing, nothing changes."""
        operation = self._stores.operations.get(
            connection, OperationId(operation_id), project=caller.sees
        )
        Rights(self._gate, caller).run(operation.project_id)
        if operation.state in ENDED:
            raise Conflict(f"operation {operation.id} has ended: it is {operation.state}")
        if operation.kind != "create":
            raise Conflict(
                f"operation {operation.id} is a {operation.kind}: it only goes forward",
            )
        self._stores.operations.ask_to_cancel(connection, operation.id, reason)
        return operation
