"""Rows that tests of the store begin with."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from taskflow.atom import Atom
from taskflow.task import FunctorTask

from vmwright.ids import (
    FlavorId,
    HostId,
    ImageId,
    InstanceId,
    KeyPairId,
    NetworkId,
    OperationId,
    PortId,
    SecurityGroupId,
    ServerGroupId,
    VolumeId,
    new_id,
)
from vmwright.persistence.new_runs import NewRun, NewRunStore, kind_of
from vmwright.persistence.records import (
    Attachment,
    HostRecord,
    Image,
    Instance,
    KeyPair,
    NetworkRecord,
    Operation,
    Port,
    SecurityGroup,
    SecurityGroupRule,
    ServerGroup,
    VolumeRecord,
)
from vmwright.persistence.stores import Stores
from vmwright.spec import ImageSpec, Spec
from vmwright.states import OperationState, PowerState, TaskState, VmState


def an_image(**changes: Any) -> Image:
    image = Image(
        id=ImageId(new_id()),
        project_id="default",
        name="image",
        disk_format="raw",
        size_bytes=1,
        virtual_size_bytes=1,
        sha256="0" * 64,
        location=f"{'0' * 64}.raw",
    )
    return replace(image, **changes)


def a_network(**changes: Any) -> NetworkRecord:
    network = NetworkRecord(
        id=NetworkId(new_id()), name="net", kind="nat", cidr="10.1.0.0/29", gateway="10.1.0.1"
    )
    return replace(network, **changes)


def a_host(**changes: Any) -> HostRecord:
    host = HostRecord(
        id=HostId(new_id()),
        hypervisor_uuid=new_id(),
        name="host",
        connection_uri="simulated:///host",
        vcpus=4,
        memory_mib=4096,
        disk_gib=40,
        vcpu_ratio=1.0,
        memory_ratio=1.0,
        disk_ratio=1.0,
        zone="nova",
        enabled=True,
    )
    return replace(host, **changes)


def a_volume(**changes: Any) -> VolumeRecord:
    volume = VolumeRecord(
        id=VolumeId(new_id()), project_id="default", name="volume", size_gib=1, disk_format="qcow2"
    )
    return replace(volume, **changes)


def a_spec(image: Image, **changes: Any) -> Spec:
    """What an instance of this image was asked to be."""
    fields: dict[str, Any] = {
        "name": "vm",
        "hostname": "vm",
        "project": "default",
        "image": image_spec(image),
        "flavor": FlavorId(new_id()),
        "vcpus": 1,
        "ram_mib": 64,
        "root_gib": 1,
        "nics": (),
        "volumes": (),
        "metadata": {},
        "key": None,
        "config_drive": False,
        "user_data": None,
    }
    return Spec(**(fields | changes))


def image_spec(image: Image) -> ImageSpec:
    return ImageSpec(
        id=image.id,
        name=image.name,
        disk_format=image.disk_format,
        size_bytes=image.size_bytes,
        virtual_size_bytes=image.virtual_size_bytes,
        sha256=image.sha256,
        location=image.location,
    )


def an_instance(**changes: Any) -> Instance:
    spec = changes.pop("spec", None)
    instance = Instance(
        id=InstanceId(new_id()),
        project_id="default",
        user_id="admin",
        reservation_id="r-1",
        name="vm",
        hostname="vm",
        vm_state=VmState.BUILDING,
        task_state=TaskState.SCHEDULING,
        power_state=PowerState.NOSTATE,
        host_id=None,
        image_id=spec.image.id if spec else ImageId(new_id()),
        flavor_id=FlavorId(new_id()),
        request=spec.to_store() if spec else {},
        request_version=1,
        operation_id=None,
        fault=None,
        launched_on=None,
        created_at=0.0,
        launched_at=None,
        deleted_at=None,
    )
    return replace(instance, **changes)


def an_operation(instance: InstanceId, **changes: Any) -> Operation:
    operation = Operation(
        id=OperationId(new_id()),
        kind="create",
        flow_name="create_instance",
        flow_version=1,
        instance_id=instance,
        project_id="default",
        user_id="admin",
        reservation_id="r-1",
        state=OperationState.QUEUED,
        flow_detail_id=new_id(),
    )
    return replace(operation, **changes)


def an_attachment(
    volume: VolumeId, instance: InstanceId, operation: OperationId, **changes: Any
) -> Attachment:
    attachment = Attachment(
        id=new_id(),
        volume_id=volume,
        instance_id=instance,
        operation_id=operation,
        position=0,
        delete_on_termination=False,
    )
    return replace(attachment, **changes)


def stored_instance(stores: Stores, connection: sa.Connection, **changes: Any) -> InstanceId:
    instance = an_instance(**changes)
    stores.instances.add(connection, instance)
    return instance.id


def stored_operation(stores: Stores, connection: sa.Connection, **changes: Any) -> Operation:
    """A queued operation on an instance of its own, in its first attempt."""
    instance = stored_instance(stores, connection)
    operation = an_operation(instance, **changes)
    stores.operations.add(connection, operation)
    stores.attempts.begin(connection, operation.id, 1)
    return stores.operations.get(connection, operation.id)


def new_flow_rows(
    connection: sa.Connection,
    stores: Stores,
    *,
    flow_name: str,
    detail_id: str,
    atoms: Iterable[Atom],
) -> NewRun:
    """A run that has not begun."""
    kinds = [kind_of(atom) for atom in atoms]
    run = NewRun(flow_name=flow_name, detail_id=detail_id, atoms=kinds)
    NewRunStore(stores.database.schema).add(connection, [run])
    return run


def a_port(network: NetworkId, **changes: Any) -> Port:
    """A port whose MAC and IP follow from `ip_offset`."""
    offset = changes.pop("ip_offset", 2)
    port = Port(
        id=PortId(new_id()),
        network_id=network,
        instance_id=None,
        operation_id=None,
        position=0,
        mac=f"52:54:00:00:00:{offset:02x}",
        ip=f"10.1.0.{offset}",
        ip_offset=offset,
        project_id="default",
    )
    return replace(port, **changes)


def a_key_pair(**changes: Any) -> KeyPair:
    pair = KeyPair(
        id=KeyPairId(new_id()),
        user_id="admin",
        name="key",
        public_key="ssh-ed25519 AAAA",
        fingerprint="SHA256:x",
    )
    return replace(pair, **changes)


def a_security_group(**changes: Any) -> SecurityGroup:
    group = SecurityGroup(id=SecurityGroupId(new_id()), project_id="default", name="web")
    return replace(group, **changes)


def a_rule(group: SecurityGroupId, **changes: Any) -> SecurityGroupRule:
    rule = SecurityGroupRule(id=new_id(), group_id=group, direction="ingress", ethertype="IPv4")
    return replace(rule, **changes)


def a_server_group(**changes: Any) -> ServerGroup:
    group = ServerGroup(
        id=ServerGroupId(new_id()),
        project_id="default",
        user_id="admin",
        name="apart",
        policy="anti-affinity",
    )
    return replace(group, **changes)


def tasks_named(*names: str) -> list[Atom]:
    """Tasks that do nothing."""
    return [FunctorTask(lambda: None, name=name) for name in names]
