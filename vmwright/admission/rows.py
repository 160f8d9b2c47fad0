"""What an accepted operation begins with in the store."""

from collections.abc import Callable

import sqlalchemy as sa

from vmwright.admission.guest_data import packed_files
from vmwright.admission.quota import Amounts
from vmwright.flows import NO_HOOKS, atoms_of, newest
from vmwright.ids import ImageId, InstanceId, OperationId, new_id
from vmwright.persistence.logbook import new_flow_rows
from vmwright.persistence.records import Event, Instance, Operation
from vmwright.persistence.stores import Stores
from vmwright.request import CreateRequest
from vmwright.spec import HooksSpec, Spec
from vmwright.states import OperationState, PowerState, TaskState, VmState
from vmwright.tasks.task import Means


class Rows:
    """Writes operations with all that belongs to them, in the caller's transaction."""

    def __init__(self, means: Means, clock: Callable[[], float]) -> None:
        self._means = means
        self._stores: Stores = means.stores
        self._clock = clock

    def store_build(
        self,
        connection: sa.Connection,
        operation: Operation,
        spec: Spec,
        request: CreateRequest,
        password: str | None,
    ) -> None:
        """An instance and the operation that builds it, with its secrets. Nothing is reserved."""
        contents = {
            "user_data": request.user_data,
            "injected_files": packed_files(request.injected_files)
            if request.injected_files
            else None,
            "admin_password": password.encode() if password else None,
        }
        secrets = {kind: new_id() for kind, content in contents.items() if content is not None}
        whole = spec.model_copy(update=secrets)
        self._stores.instances.add(connection, _instance(operation, whole))
        for kind, secret in secrets.items():
            self._stores.secrets.keep(
                connection,
                secret,
                instance=operation.instance_id,
                kind=kind,
                content=contents[kind] or b"",
            )
        if spec.placement.group is not None:
            self._stores.server_groups.add_member(
                connection, spec.placement.group, operation.instance_id
            )
        self.store_operation(connection, operation, spec.hooks)
        self.note(connection, operation, "instance", TaskState.SCHEDULING)

    def store_operation(
        self, connection: sa.Connection, operation: Operation, hooks: HooksSpec = NO_HOOKS
    ) -> None:
        """An operation, its first attempt, and TaskFlow's rows: whoever claims it can run it."""
        flow = newest(operation.kind).make(self._means, hooks)
        self._stores.operations.add(connection, operation)
        self._stores.attempts.begin(connection, operation.id, operation.attempt)
        new_flow_rows(
            connection,
            self._stores,
            flow_name=operation.flow_name,
            detail_id=operation.flow_detail_id,
            atoms=atoms_of(flow),
        )
        self.note(connection, operation, "operation", OperationState.QUEUED)

    def note(self, connection: sa.Connection, operation: Operation, kind: str, state: str) -> None:
        event = Event(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            kind=kind,
            state=state,
            at=self._clock(),
        )
        self._stores.operations.append(connection, [event])


def new_operation(
    kind: str,
    instance: InstanceId,
    project: str,
    user: str,
    *,
    reservation: str | None = None,
    after: OperationId | None = None,
) -> Operation:
    """One that has not begun, of the newest flow of its kind."""
    recipe = newest(kind)
    return Operation(
        id=OperationId(new_id()),
        kind=kind,
        flow_name=recipe.name,
        flow_version=recipe.version,
        instance_id=instance,
        project_id=project,
        user_id=user,
        reservation_id=reservation or new_reservation(),
        state=OperationState.QUEUED,
        flow_detail_id=new_id(),
        after_id=after,
    )


def new_reservation() -> str:
    return f"r-{new_id()[:8]}"


def _instance(operation: Operation, spec: Spec) -> Instance:
    amounts = Amounts.of(spec)
    return Instance(
        id=operation.instance_id,
        project_id=spec.project,
        user_id=spec.user,
        reservation_id=operation.reservation_id,
        name=spec.name,
        hostname=spec.label,
        vm_state=VmState.BUILDING,
        task_state=TaskState.SCHEDULING,
        power_state=PowerState.NOSTATE,
        host_id=None,
        image_id=spec.image.id if spec.image else ImageId(""),
        flavor_id=spec.flavor,
        request=spec.to_store(),
        request_version=spec.version,
        operation_id=operation.id,
        fault=None,
        launched_on=None,
        created_at=0.0,
        launched_at=None,
        deleted_at=None,
        vcpus=amounts.cores,
        memory_mib=amounts.ram,
        new_volumes=amounts.volumes,
        new_gib=amounts.gigabytes,
        new_ips=amounts.fixed_ips,
    )
