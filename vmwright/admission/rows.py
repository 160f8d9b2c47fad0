"""What accepted operations begin with in the store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from vmwright.admission.guest_data import packed_files
from vmwright.admission.quota import Amounts
from vmwright.flows import NO_HOOKS, atoms_of, newest, shared_flow
from vmwright.ids import ImageId, InstanceId, OperationId, ServerGroupId, new_id
from vmwright.persistence.new_runs import AtomKind, NewRun, NewRunStore, kind_of
from vmwright.persistence.records import Event, Instance, Operation
from vmwright.persistence.secrets import NewSecret
from vmwright.request import CreateRequest
from vmwright.spec import HooksSpec, Spec
from vmwright.states import OperationState, PowerState, TaskState, VmState
from vmwright.tasks.task import Means


@dataclass(frozen=True, kw_only=True)
class Build:
    """A build as it was accepted: what a run of it begins with."""

    operation: Operation
    spec: Spec
    run: NewRun


@dataclass
class Batch:
    """Rows that are still to be stored."""

    instances: list[Instance] = field(default_factory=list)
    secrets: list[NewSecret] = field(default_factory=list)
    members: list[tuple[ServerGroupId, InstanceId]] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    runs: list[NewRun] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Rows:
    """Writes operations with all that belongs to them, in the caller's transaction.

    However many they are, the rows of one table go in one statement.
    """

    def __init__(self, means: Means, clock: Callable[[], float]) -> None:
        self._means = means
        self._stores = means.stores
        self._runs = NewRunStore(means.stores.database.schema)
        self._clock = clock
        self._atoms: dict[tuple[object, ...], tuple[AtomKind, ...]] = {}

    def add_build(
        self,
        batch: Batch,
        operation: Operation,
        spec: Spec,
        request: CreateRequest,
        password: str | None,
    ) -> Build:
        """An instance and the operation that builds it, with its secrets. Nothing is reserved."""
        secrets = [
            NewSecret(id=new_id(), instance=operation.instance_id, kind=kind, content=content)
            for kind, content in _contents(request, password).items()
        ]
        whole = spec.changed(**{secret.kind: secret.id for secret in secrets})
        batch.instances.append(_instance(operation, whole))
        batch.secrets += secrets
        if spec.placement.group is not None:
            batch.members.append((spec.placement.group, operation.instance_id))
        run = self.add_operation(batch, operation, spec.hooks)
        self.add_note(batch, operation, "instance", TaskState.SCHEDULING)
        return Build(operation=operation, spec=whole, run=run)

    def add_operation(
        self, batch: Batch, operation: Operation, hooks: HooksSpec = NO_HOOKS
    ) -> NewRun:
        """An operation, its first attempt, and TaskFlow's rows: whoever claims it can run it."""
        run = NewRun(
            flow_name=operation.flow_name,
            detail_id=operation.flow_detail_id,
            atoms=self.atoms(operation.kind, hooks),
        )
        batch.operations.append(operation)
        batch.runs.append(run)
        self.add_note(batch, operation, "operation", OperationState.QUEUED)
        return run

    def add_note(self, batch: Batch, operation: Operation, kind: str, state: str) -> None:
        event = Event(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            kind=kind,
            state=state,
            at=self._clock(),
        )
        batch.events.append(event)

    def store(self, connection: sa.Connection, batch: Batch) -> None:
        """Write them: what others refer to first."""
        stores = self._stores
        if batch.instances:
            stores.instances.add(connection, *batch.instances)
        stores.secrets.keep(connection, *batch.secrets)
        stores.server_groups.add_members(connection, batch.members)
        if batch.operations:
            stores.operations.add(connection, *batch.operations)
            stores.attempts.add_first(connection, [one.id for one in batch.operations])
            self._runs.add(connection, batch.runs)
        stores.operations.append(connection, batch.events)

    def atoms(self, kind: str, hooks: HooksSpec) -> tuple[AtomKind, ...]:
        """The atoms of the newest flow of this kind with these plug-ins. `InvalidRequest` or
        `PackageMissing` for one that is not to be had, or does not fit."""
        recipe = newest(kind)
        key = (recipe.name, recipe.version, hooks.pre, hooks.post)
        if key not in self._atoms:
            flow = shared_flow(recipe, self._means, hooks)
            self._atoms[key] = tuple(kind_of(atom) for atom in atoms_of(flow))
        return self._atoms[key]


def new_operation(
    kind: str,
    instance: InstanceId,
    project: str,
    user: str,
    *,
    reservation: str | None = None,
    after: OperationId | None = None,
    **more: Any,
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
        **more,
    )


def new_reservation() -> str:
    return f"r-{new_id()[:8]}"


def _contents(request: CreateRequest, password: str | None) -> dict[str, bytes]:
    """What is secret of a request, by the field of the spec that names it."""
    contents = {
        "user_data": request.user_data,
        "injected_files": packed_files(request.injected_files) if request.injected_files else None,
        "admin_password": password.encode() if password else None,
    }
    return {kind: content for kind, content in contents.items() if content is not None}


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
