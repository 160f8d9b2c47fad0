"""From a request to the spec that its flow works from: every name an id, every rule checked."""

from typing import Any

import sqlalchemy as sa

from vmwright.admission.caller import Caller
from vmwright.admission.devices import devices_of
from vmwright.admission.guest_data import key_of, refuse_too_much, security_groups_of
from vmwright.admission.images import (
    BootImages,
    boot_images,
    config_drive_of,
    disk_config_of,
    flavor_of,
)
from vmwright.admission.nics import nics_of, refuse_silent_networks
from vmwright.admission.placement import placement_of
from vmwright.admission.quota import limits_of
from vmwright.persistence.records import Flavor
from vmwright.persistence.stores import Stores
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.spec import HooksSpec, Spec


def spec_of(
    stores: Stores,
    connection: sa.Connection,
    request: CreateRequest,
    caller: Caller,
    settings: Settings,
) -> Spec:
    """What each instance of the request is to be; names and ids of one of several come later.

    Changes nothing. `NotFound` for an unknown name, `InvalidRequest` for a rule, `Conflict` for
    something in use, `QuotaExceeded` for a limit on one request.
    """
    limits = limits_of(stores, connection, caller.project, settings.quota)
    refuse_too_much(request, limits)
    flavor = flavor_of(stores, connection, request)
    boot = boot_images(stores, connection, request, caller, flavor)
    devices = devices_of(
        stores, connection, request, caller=caller, flavor=flavor, boot=boot, limits=limits
    )
    nics = nics_of(stores, connection, request, caller)
    config_drive = config_drive_of(request, boot.properties)
    refuse_silent_networks(nics, config_drive=config_drive)
    key_name, key = key_of(stores, connection, request, caller)
    zone = settings.scheduler.default_schedule_zone
    return Spec.parse(
        **_as_asked(request),
        **_machine(flavor, boot),
        **vars(devices),
        project=caller.project,
        user=caller.user,
        nics=nics,
        security_groups=security_groups_of(stores, connection, request, caller),
        key=key,
        key_name=key_name,
        config_drive=config_drive,
        disk_config=disk_config_of(request, boot.properties),
        placement=placement_of(stores, connection, request, caller, zone),
        max_attempts=settings.operations.max_attempts,
        hooks=HooksSpec(pre=settings.hooks.pre_create, post=settings.hooks.post_create),
    )


def _as_asked(request: CreateRequest) -> dict[str, Any]:
    """What needs no looking up. Each instance gets its hostname and its secrets later."""
    return {
        "name": request.name,
        "hostname": "",
        "description": request.description,
        "access_ip_v4": request.access_ip_v4,
        "access_ip_v6": request.access_ip_v6,
        "metadata": request.metadata,
        "tags": request.tags,
        "config_drive_format": request.config_drive_format,
        "user_data": None,
        "shutdown_terminate": request.shutdown_terminate,
    }


def _machine(flavor: Flavor, boot: BootImages) -> dict[str, Any]:
    return {
        "image": boot.image,
        "image_properties": boot.properties,
        "kernel": boot.kernel,
        "ramdisk": boot.ramdisk,
        "flavor": flavor.id,
        "flavor_name": flavor.name,
        "extra_specs": flavor.extra_specs,
        "vcpus": flavor.vcpus,
        "ram_mib": flavor.ram_mib,
        "root_gib": flavor.disk_gib if boot.image else 0,
    }
