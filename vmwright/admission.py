"""The door: every name becomes an id, every rule is checked, and nothing is stored before that."""

import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.errors import Conflict, InvalidRequest
from vmwright.flows import newest, tasks_of
from vmwright.ids import ImageId, InstanceId, NetworkId, OperationId, PortId, VolumeId, new_id
from vmwright.persistence.logbook import new_flow_rows
from vmwright.persistence.records import (
    Event,
    Flavor,
    Image,
    Instance,
    NetworkRecord,
    Operation,
    Snapshot,
)
from vmwright.request import CreateRequest, NetworkRequest, VolumeRequest
from vmwright.spec import DiskSpec, ImageSpec, NicSpec, SnapshotSpec, Spec, VolumeSpec, hostname_of
from vmwright.states import (
    ENDED,
    OperationState,
    PowerState,
    TaskState,
    VmState,
)
from vmwright.tasks.task import Means

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Caller:
    """On whose behalf something is asked."""

    project: str = "default"
    user: str = "admin"


class Door:
    """Takes requests in: each as one transaction that stores all of it, or as an error."""

    def __init__(self, means: Means, clock: Callable[[], float]) -> None:
        self._means = means
        self._stores = means.stores
        self._clock = clock

    def create(
        self, connection: sa.Connection, request: CreateRequest, caller: Caller
    ) -> Operation:
        """Accept a build: instance, operation, its flow's rows and secrets. Nothing is reserved.

        `NotFound` for an unknown name, `InvalidRequest` for a rule, `Conflict` for something in
        use; then nothing was stored.
        """
        instance_id = InstanceId(new_id())
        flavor = self._stores.registries.flavors.find(connection, request.flavor)
        secret = new_id() if request.user_data is not None else None
        spec = self._resolve(connection, request, flavor, instance_id, caller, secret)
        operation = self._operation("create", instance_id, caller, after=None)
        instance = _instance(instance_id, spec, caller, operation)
        self._stores.instances.add(connection, instance)
        if request.user_data is not None and secret is not None:
            self._stores.secrets.keep(
                connection,
                secret,
                instance=instance_id,
                kind="user_data",
                content=request.user_data,
            )
        self._store(connection, operation)
        self._note(connection, operation, "instance", TaskState.SCHEDULING)
        return operation

    def check(self, connection: sa.Connection, request: CreateRequest, caller: Caller) -> None:
        """Raise what `create` would raise; store nothing."""
        flavor = self._stores.registries.flavors.find(connection, request.flavor)
        self._resolve(connection, request, flavor, InstanceId(new_id()), caller, None)

    def delete(self, connection: sa.Connection, name_or_id: str, caller: Caller) -> Operation:
        """Accept a delete, whatever runs on the instance: that is asked to stop, and waited for.

        Asked again while a delete is under way, that one is the answer.
        """
        stores = self._stores
        instance = stores.instances.find(connection, name_or_id)
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
        operation = self._operation(
            "delete", instance.id, caller, after=before.id if before else None
        )
        self._store(connection, operation)
        self._note(connection, operation, "instance", TaskState.DELETING)
        if before is not None:
            stores.operations.ask_to_cancel(connection, before.id, "the instance is being deleted")
        return operation

    def cancel(self, connection: sa.Connection, operation_id: str, reason: str) -> Operation:
        """Ask for a build to be taken back. Asked again, or once it is undoing, nothing changes."""
        operation = self._stores.operations.get(connection, OperationId(operation_id))
        if operation.state in ENDED:
            raise Conflict(f"operation {operation.id} has ended: it is {operation.state}")
        if operation.kind != "create":
            raise Conflict(
                f"operation {operation.id} is a {operation.kind}: it only goes forward",
            )
        self._stores.operations.ask_to_cancel(connection, operation.id, reason)
        return operation

    def _operation(
        self, kind: str, instance: InstanceId, caller: Caller, *, after: OperationId | None
    ) -> Operation:
        recipe = newest(kind)
        return Operation(
            id=OperationId(new_id()),
            kind=kind,
            flow_name=recipe.name,
            flow_version=recipe.version,
            instance_id=instance,
            project_id=caller.project,
            user_id=caller.user,
            reservation_id=f"r-{new_id()[:8]}",
            state=OperationState.QUEUED,
            flow_detail_id=new_id(),
            after_id=after,
        )

    def _store(self, connection: sa.Connection, operation: Operation) -> None:
        flow = newest(operation.kind).make(self._means)
        self._stores.operations.add(connection, operation)
        self._stores.operations.begin_attempt(connection, operation.id, operation.attempt)
        new_flow_rows(
            connection,
            self._stores,
            flow_name=operation.flow_name,
            detail_id=operation.flow_detail_id,
            atoms=[task.name for task in tasks_of(flow)],
        )
        self._note(connection, operation, "operation", OperationState.QUEUED)

    def _note(self, connection: sa.Connection, operation: Operation, kind: str, state: str) -> None:
        event = Event(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            kind=kind,
            state=state,
            at=self._clock(),
        )
        self._stores.operations.append(connection, [event])

    def _resolve(
        self,
        connection: sa.Connection,
        request: CreateRequest,
        flavor: Flavor,
        instance: InstanceId,
        caller: Caller,
        secret: str | None,
    ) -> Spec:
        image = None
        if request.image is not None:
            image = self._stores.registries.images.pin(connection, request.image)
            _check_fit(image, flavor)
        return Spec(
            name=request.name,
            hostname=hostname_of(request.name, instance),
            project=caller.project,
            image=_image_spec(image) if image else None,
            flavor=flavor.id,
            vcpus=flavor.vcpus,
            ram_mib=flavor.ram_mib,
            root_gib=flavor.disk_gib,
            nics=self._nics(connection, request),
            volumes=self._volumes(connection, request),
            disks=_disks(flavor),
            metadata=request.metadata,
            key=request.key,
            config_drive=request.config_drive,
            user_data=secret,
            kernel=self._boot_image(connection, request.kernel),
            ramdisk=self._boot_image(connection, request.ramdisk),
        )

    def _boot_image(self, connection: sa.Connection, name: str | None) -> ImageSpec | None:
        if name is None:
            return None
        return _image_spec(self._stores.registries.images.pin(connection, name))

    def _nics(self, connection: sa.Connection, request: CreateRequest) -> tuple[NicSpec, ...]:
        nics = tuple(
            self._nic(connection, wish) for wish in request.networks if not isinstance(wish, str)
        )
        fixed = [(nic.network, nic.ip) for nic in nics if nic.ip]
        if len(set(fixed)) != len(fixed):
            raise InvalidRequest("networks: the same ip is asked for twice")
        return nics

    def _nic(self, connection: sa.Connection, wish: NetworkRequest) -> NicSpec:
        network = self._stores.registries.networks.find(connection, str(wish.network))
        if wish.ip is not None:
            self._check_ip(connection, network, wish.ip)
        if wish.mac is not None and self._stores.ports.holder_of_mac(connection, wish.mac):
            raise InvalidRequest(
                f"MAC address {wish.mac} is in use", hint="leave it out to have one made"
            )
        return NicSpec(
            port=PortId(new_id()),
            network=NetworkId(network.id),
            network_name=network.name,
            cidr=network.cidr,
            gateway=network.gateway,
            ip=wish.ip,
            mac=wish.mac,
        )

    def _check_ip(self, connection: sa.Connection, network: NetworkRecord, ip: str) -> None:
        subnet, address = ipaddress.IPv4Network(network.cidr), ipaddress.IPv4Address(ip)
        where = f"fixed IP {ip}: network {network.name!r} ({network.cidr})"
        if address not in subnet:
            raise InvalidRequest(f"{where} does not hold it")
        if address in (subnet.network_address, subnet.broadcast_address):
            raise InvalidRequest(f"{where} uses it as its own or its broadcast address")
        if ip == network.gateway:
            raise InvalidRequest(f"{where} has its gateway there")
        offset = int(address) - int(subnet.network_address)
        if self._stores.ports.holder_of_ip(connection, network.id, offset):
            raise InvalidRequest(f"fixed IP {ip} is in use", hint="leave it out to have one chosen")

    def _volumes(self, connection: sa.Connection, request: CreateRequest) -> tuple[VolumeSpec, ...]:
        volumes = tuple(
            self._volume(connection, wish, f"{request.name[:240]}-volume-{number}")
            for number, wish in enumerate(request.volumes, 1)
        )
        # By its name and by its id, it is the same one.
        if len({volume.volume for volume in volumes}) != len(volumes):
            raise InvalidRequest("volumes: the same volume is asked for twice")
        return volumes

    def _volume(self, connection: sa.Connection, wish: VolumeRequest, name: str) -> VolumeSpec:
        if wish.volume is not None:
            return self._existing_volume(connection, wish)
        image = snapshot = None
        if wish.image is not None:
            image = self._stores.registries.images.pin(connection, wish.image)
        if wish.snapshot is not None:
            snapshot = self._stores.snapshots.find(connection, "default", wish.snapshot)
        least = math.ceil(image.virtual_size_bytes / GIB) if image else 1
        least = snapshot.size_gib if snapshot else least
        size = wish.size or least
        if size < least:
            raise InvalidRequest(
                f"a volume of {size} GiB is too small for image {wish.image!r}: it needs {least}"
            )
        return VolumeSpec(
            volume=VolumeId(new_id()),
            source="image" if image else "snapshot" if snapshot else "blank",
            name=wish.name or name,
            size_gib=size,
            image=_image_spec(image) if image else None,
            snapshot=_snapshot_spec(snapshot) if snapshot else None,
            delete_on_termination=wish.delete_on_termination is not False,
            boot_index=None if (wish.boot_index or 0) < 0 else wish.boot_index,
            bus=wish.bus or "virtio",
        )

    def _existing_volume(self, connection: sa.Connection, wish: VolumeRequest) -> VolumeSpec:
        record = self._stores.volumes.find(connection, str(wish.volume))
        held = self._stores.volumes.attachment_of(connection, record.id)
        if held is not None:
            raise InvalidRequest(
                f"volume {record.name!r} is in use by instance {held.instance_id}",
                hint="delete that instance first, or use another volume",
            )
        image = snapshot = None
        if record.location is None and record.image_id is not None:
            image = self._stores.registries.images.pin(connection, record.image_id)
        if record.location is None and record.snapshot_id is not None:
            snapshot = self._stores.snapshots.find(connection, "default", record.snapshot_id)
        return VolumeSpec(
            volume=record.id,
            source="existing",
            name=record.name,
            size_gib=record.size_gib,
            image=_image_spec(image) if image else None,
            snapshot=_snapshot_spec(snapshot) if snapshot else None,
            delete_on_termination=bool(wish.delete_on_termination),
            boot_index=None if (wish.boot_index or 0) < 0 else wish.boot_index,
            bus=wish.bus or "virtio",
        )


def _disks(flavor: Flavor) -> tuple[DiskSpec, ...]:
    disks = []
    if flavor.ephemeral_gib:
        disks.append(DiskSpec(role="ephemeral0", size_mib=flavor.ephemeral_gib * 1024))
    if flavor.swap_mib:
        disks.append(DiskSpec(role="swap", size_mib=flavor.swap_mib, guest_format="swap"))
    return tuple(disks)


def _snapshot_spec(snapshot: Snapshot) -> SnapshotSpec:
    return SnapshotSpec(id=snapshot.id, host=snapshot.host_id, location=snapshot.location)


def _check_fit(image: Image, flavor: Flavor) -> None:
    disk = flavor.disk_gib * GIB
    if disk and image.virtual_size_bytes > disk:
        raise InvalidRequest(
            f"flavor {flavor.name!r} has a disk of {disk} bytes, image {image.name!r} describes "
            f"one of {image.virtual_size_bytes}",
            hint="choose a flavor with a larger disk",
        )
    if flavor.disk_gib and flavor.disk_gib < image.min_disk_gib:
        raise InvalidRequest(
            f"image {image.name!r} needs {image.min_disk_gib} GiB of disk, flavor "
            f"{flavor.name!r} has {flavor.disk_gib}"
        )
    if flavor.ram_mib < image.min_ram_mib:
        raise InvalidRequest(
            f"image {image.name!r} needs {image.min_ram_mib} MiB of memory, flavor "
            f"{flavor.name!r} has {flavor.ram_mib}"
        )


def _image_spec(image: Image) -> ImageSpec:
    return ImageSpec(
        id=image.id,
        name=image.name,
        disk_format=image.disk_format,
        size_bytes=image.size_bytes,
        virtual_size_bytes=image.virtual_size_bytes,
        sha256=image.sha256,
        location=image.location,
    )


def _instance(instance: InstanceId, spec: Spec, caller: Caller, operation: Operation) -> Instance:
    return Instance(
        id=instance,
        project_id=caller.project,
        user_id=caller.user,
        reservation_id=operation.reservation_id,
        name=spec.name,
        hostname=spec.hostname,
        vm_state=VmState.BUILDING,
        task_state=TaskState.SCHEDULING,
        power_state=PowerState.NOSTATE,
        host_id=None,
        image_id=spec.image.id if spec.image else ImageId(""),
        flavor_id=spec.flavor,
        request=spec.to_store(),
        request_version=spec.version,
        vcpus=spec.vcpus,
        memory_mib=spec.ram_mib,
        new_volumes=sum(volume.source != "existing" for volume in spec.volumes),
        new_gib=sum(v.size_gib for v in spec.volumes if v.source != "existing"),
        new_ips=len(spec.nics),
        operation_id=operation.id,
        fault=None,
        launched_on=None,
        created_at=0.0,
        launched_at=None,
        deleted_at=None,
    )
