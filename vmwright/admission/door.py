"""The door: every name becomes an id, every rule is checked, and nothing is stored before that."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from vmwright.admission.caller import Caller
from vmwright.admission.gate import Gate, Rights
from vmwright.admission.guest_data import new_password
from vmwright.admission.placement import refuse_full_group
from vmwright.admission.quota import Amounts, granted, limits_of
from vmwright.admission.resolve import spec_of
from vmwright.admission.rows import Rows, new_operation, new_reservation
from vmwright.admission.rules import DELETE, rules_of, rules_of_spec
from vmwright.admission.several import individual, names_of
from vmwright.errors import Conflict
from vmwright.flows import NO_HOOKS, newest
from vmwright.ids import InstanceId, OperationId, new_id
from vmwright.persistence.records import Instance, Operation
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.spec import Spec
from vmwright.states import ENDED, TaskState
from vmwright.tasks.task import Means

_DEFAULT_GROUP = "default"


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The answer to a request: its instances share the id, and are built side by side."""

    id: str
    operations: Sequence[Operation]
    """One for each instance, in the order of their names."""
    passwords: dict[InstanceId, str] = field(default_factory=dict, repr=False)
    """Told now and never again."""


class Door:
    """Takes requests in: each as one transaction that stores all of it, or as an error."""

    def __init__(self, means: Means, settings: Settings, clock: Callable[[], float]) -> None:
        self._means = means
        self._gate = Gate(settings.policy_file)
        self._stores = means.stores
        self._settings = settings
        self._rows = Rows(means, clock)

    def check(self, connection: sa.Connection, request: CreateRequest, caller: Caller) -> bool:
        """Raise what `create` would raise, but for quotas; store nothing.

        Returns whether something would be built: False if the request was answered before.
        """
        self._allow(caller, rules_of(request))
        if self._answered(connection, request, caller) is not None:
            return False
        self.specs(connection, request, caller)
        return True

    def create(
        self, connection: sa.Connection, request: CreateRequest, caller: Caller
    ) -> Reservation:
        """Accept builds: instances, operations, their flows' rows and secrets, all or none.

        `Forbidden` by a policy, `NotFound` for an unknown name, `InvalidRequest` for a rule,
        `Conflict` for something in use, `QuotaExceeded`; then nothing was stored.
        """
        self._allow(caller, rules_of(request))
        answered = self._answered(connection, request, caller)
        if answered is not None:
            return answered
        if _DEFAULT_GROUP in request.security_groups:
            self._stores.security_groups.ensure_default(connection, caller.project)
        specs = self.specs(connection, request, caller)
        self._stores.quotas.hold(connection, caller.project)
        group = specs[0][1].placement.group
        if group is not None:
            self._stores.server_groups.hold(connection, group)
        granted_specs = self._granted(connection, request, caller, specs)
        return self._store(connection, request, caller, granted_specs)

    def acceptable(
        self, connection: sa.Connection, request: CreateRequest, caller: Caller
    ) -> list[tuple[InstanceId, Spec]]:
        """What `create` would build if it were asked now; raises what it would raise.

        Changes nothing and holds nothing. Ids are made up, and others when it is really built.
        """
        self._allow(caller, rules_of(request))
        specs = self.specs(connection, request, caller)
        return self._granted(connection, request, caller, specs)

    def _granted(
        self,
        connection: sa.Connection,
        request: CreateRequest,
        caller: Caller,
        specs: list[tuple[InstanceId, Spec]],
    ) -> list[tuple[InstanceId, Spec]]:
        """As many of them as quotas allow, and not fewer than the request wants."""
        _, first = specs[0]
        limits = limits_of(self._stores, connection, caller.project, self._settings.quota)
        count = granted(
            self._stores,
            connection,
            caller.project,
            Amounts.of(first),
            least=request.min_count,
            most=request.count,
            limits=limits,
        )
        refuse_full_group(self._stores, connection, first.placement, limits, count)
        return specs[:count]

    def specs(
        self, connection: sa.Connection, request: CreateRequest, caller: Caller
    ) -> list[tuple[InstanceId, Spec]]:
        """What each instance is to be, as if quotas allowed them all. Changes nothing."""
        names = names_of(request)
        shared = spec_of(self._stores, connection, request, caller, self._settings)
        self._refuse_missing_plugins(shared)
        self._allow(caller, rules_of_spec(shared))
        found = []
        for number, name in enumerate(names):
            instance = InstanceId(new_id())
            found.append((instance, individual(shared, instance, name, number, request)))
        return found

    def _refuse_missing_plugins(self, spec: Spec) -> None:
        """The build would look for them, and be taken back for want of them."""
        if spec.hooks != NO_HOOKS:
            newest("create").make(self._means, spec.hooks)
        self._means.placement.load()

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
        self._rows.store_operation(connection, operation)
        self._rows.note(connection, operation, "instance", TaskState.DELETING)
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

    def _allow(self, caller: Caller, rules: Iterable[str]) -> None:
        self._gate.require(caller, rules)

    def _answered(
        self, connection: sa.Connection, request: CreateRequest, caller: Caller
    ) -> Reservation | None:
        """The answer that the request's idempotency key has got before."""
        key = request.idempotency_key
        if key is None:
            return None
        known = self._stores.operations.with_key(connection, caller.project, key)
        if known is None:
            return None
        if known.request_digest != self._digest(request):
            raise Conflict(
                f"idempotency key {key!r} was used with another request",
                hint="use a new key for a new request",
            )
        operations = self._stores.operations.of_reservation(connection, known.reservation_id)
        return Reservation(
            id=known.reservation_id,
            operations=operations,
            passwords=self._stores.secrets.passwords(
                connection, [operation.instance_id for operation in operations]
            ),
        )

    def _digest(self, request: CreateRequest) -> str | None:
        """Made with the key file: a plain digest of a body with a password could be guessed."""
        if request.idempotency_key is None:
            return None
        # Without defaults, so that a later version with further fields knows it again.
        body = request.model_dump_json(exclude_defaults=True)
        return self._stores.secrets.digest(body.encode())

    def _store(
        self,
        connection: sa.Connection,
        request: CreateRequest,
        caller: Caller,
        specs: list[tuple[InstanceId, Spec]],
    ) -> Reservation:
        reservation, operations, passwords = new_reservation(), [], {}
        for number, (instance, spec) in enumerate(specs):
            operation = new_operation(
                "create", instance, caller.project, caller.user, reservation=reservation
            )
            if number == 0:
                operation = replace(
                    operation,
                    idempotency_key=request.idempotency_key,
                    request_digest=self._digest(request),
                )
            if spec.config_drive:
                passwords[instance] = request.admin_password or new_password()
            self._rows.store_build(connection, operation, spec, request, passwords.get(instance))
            operations.append(operation)
        return Reservation(id=reservation, operations=operations, passwords=passwords)
