"""From a request to the spec that its flow works from: every name an id, every rule checked."""

from typing import Any

from vmwright.admission.catalogue import Catalogue
from vmwright.admission.devices import devices_of
from vmwright.admission.guest_data import key_of, refuse_too_much
from vmwright.admission.images import (
    BootImages,
    boot_images,
    config_drive_of,
    disk_config_of,
    flavor_of,
)
from vmwright.admission.nics import nics_of, refuse_silent_networks
from vmwright.admission.placement import placement_of
from vmwright.persistence.records import Flavor
from vmwright.request import CreateRequest
from vmwright.spec import HooksSpec, Spec


def spec_of(catalogue: Catalogue, request: CreateRequest) -> Spec:
    """What each instance of the request is to be; names and ids of one of several come later.

    Changes nothing. `NotFound` for an unknown name, `InvalidRequest` for a rule, `Conflict` for
    something in use, `QuotaExceeded` for a limit on one request.
    """
    settings, caller = catalogue.settings, catalogue.caller
    refuse_too_much(request, catalogue.limits)
    flavor = flavor_of(catalogue, request)
    boot = boot_images(catalogue, request, flavor)
    devices = devices_of(catalogue, request, flavor=flavor, boot=boot)
    nics = nics_of(catalogue, request)
    config_drive = config_drive_of(request, boot.properties)
    refuse_silent_networks(nics, config_drive=config_drive)
    key_name, key = key_of(catalogue, request)
    return Spec.parse(
        **_as_asked(request),
        **_machine(flavor, boot),
        **vars(devices),
        project=caller.project,
        user=caller.user,
        nics=nics,
        security_groups=catalogue.security_groups(request.security_groups),
        key=key,
        key_name=key_name,
        config_drive=config_drive,
        disk_config=disk_config_of(request, boot.properties),
        placement=placement_of(catalogue, request),
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
