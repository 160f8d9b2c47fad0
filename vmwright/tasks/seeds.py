"""What a guest is told at its first boot, put together from its spec."""

import ipaddress
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vmwright.backends.guest_data import (
    InjectedFile,
    SecurityGroup,
    SecurityGroupRule,
    Seed,
    SeedDisk,
    SeedNic,
)
from vmwright.ids import InstanceId
from vmwright.networks import subnet_of
from vmwright.persistence.secrets import SecretStore
from vmwright.spec import NicSpec, SecurityGroupSpec, Spec
from vmwright.tasks.guest_parts import serial

_KEY = "default"
"""The name of an ssh key that was given as text."""


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What nobody but the guest may read, in clear: only while its config drive is written."""

    user_data: bytes | None = field(default=None, repr=False)
    files: tuple[InjectedFile, ...] = ()
    admin_password: str | None = field(default=None, repr=False)


def secrets_of(store: SecretStore, spec: Spec, sealed: Mapping[str, str | None]) -> Secrets:
    """The secrets of the spec, from all that are stored of the instance."""
    contents = store.opened({secret: sealed.get(secret) for secret in spec.secrets})

    def told(secret: str | None) -> bytes | None:
        return None if secret is None else contents[secret]

    files = json.loads(told(spec.injected_files) or b"[]")
    password = told(spec.admin_password)
    return Secrets(
        user_data=told(spec.user_data),
        files=tuple(
            InjectedFile(path=file["path"], content=b64decode(file["content"])) for file in files
        ),
        admin_password=password.decode() if password is not None else None,
    )


def seed_of(
    instance: InstanceId,
    spec: Spec,
    network_info: list[dict[str, Any]],
    secrets: Secrets,
    *,
    zone: str,
) -> Seed:
    """Everything that the guest is told."""
    return Seed(
        instance=instance,
        name=spec.name,
        hostname=spec.hostname,
        project=spec.project,
        launch_index=spec.launch_index,
        availability_zone=zone,
        metadata=spec.metadata,
        public_keys={spec.key_name or _KEY: spec.key} if spec.key else {},
        nics=tuple(_nic(*told) for told in zip(spec.nics, network_info, strict=True)),
        disks=_disks(spec),
        files=secrets.files,
        security_groups=tuple(map(_security_group, spec.security_groups)),
        admin_password=secrets.admin_password,
        user_data=secrets.user_data,
        auto_disk_config=spec.disk_config == "AUTO",
    )


def _nic(wish: NicSpec, port: dict[str, Any]) -> SeedNic:
    prefix = subnet_of(wish.cidr).prefixlen
    return SeedNic(
        port=wish.port,
        mac=port["mac"],
        network=wish.network,
        dhcp=wish.kind == "nat",
        address=ipaddress.IPv4Interface(f"{port['ip']}/{prefix}"),
        gateway=ipaddress.IPv4Address(wish.gateway),
        dns=tuple(map(ipaddress.IPv4Address, wish.dns)),
        tags=_tags(wish.tag),
    )


def _disks(spec: Spec) -> tuple[SeedDisk, ...]:
    """Every disk that may have a tag, or that the guest is to make something of."""
    root = [SeedDisk(serial="root", bus=spec.root_bus, tags=_tags(spec.root_tag))]
    local = [
        SeedDisk(
            serial=disk.role,
            bus=disk.bus,
            tags=_tags(disk.tag),
            guest_format=disk.guest_format,
            label=disk.role if disk.role == "ephemeral0" else None,
        )
        for disk in spec.disks
    ]
    volumes = [
        SeedDisk(
            serial=serial(volume.volume),
            bus=volume.bus,
            tags=_tags(volume.tag),
            guest_format=volume.guest_format,
        )
        for volume in spec.volumes
    ]
    return (*(root if spec.image is not None else []), *local, *volumes)


def _tags(tag: str | None) -> tuple[str, ...]:
    return () if tag is None else (tag,)


def _security_group(group: SecurityGroupSpec) -> SecurityGroup:
    rules = tuple(SecurityGroupRule(**vars(rule)) for rule in group.rules)
    return SecurityGroup(name=group.name, rules=rules)
