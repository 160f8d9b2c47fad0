"""How many instances a project may still have: counted from rows, in the accepting transaction."""

import math
from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.errors import QuotaExceeded
from vmwright.limits import QuotaSettings
from vmwright.persistence.stores import Stores
from vmwright.spec import Spec

UNLIMITED = -1

RESOURCES = ("instances", "cores", "ram", "volumes", "gigabytes", "fixed_ips")


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """What one instance adds to each counted resource."""

    instances: int = 1
    cores: int
    ram: int
    volumes: int
    gigabytes: int
    fixed_ips: int

    @classmethod
    def of(cls, spec: Spec) -> "Amounts":
        new = [volume for volume in spec.volumes if volume.source != "existing"]
        return cls(
            cores=spec.vcpus,
            ram=spec.ram_mib,
            volumes=len(new),
            gigabytes=sum(volume.size_gib for volume in new),
            fixed_ips=sum(not nic.given for nic in spec.nics),
        )


def granted(
    stores: Stores,
    connection: sa.Connection,
    project: str,
    wanted: Amounts,
    *,
    least: int,
    most: int,
    limits: QuotaSettings,
) -> int:
    """How many instances of these amounts the project may have now: `most`, or less, but not
    less than `least`. Raises `QuotaExceeded` that names each resource that is short.

    Whoever is to store them must hold the project: else two requests could both be the last.
    """
    used = stores.quotas.usage(connection, project)
    room = {
        resource: _room(
            getattr(limits, resource), getattr(used, resource), getattr(wanted, resource)
        )
        for resource in RESOURCES
    }
    count = min(most, *room.values())
    if count >= least:
        return int(count)
    raise QuotaExceeded(
        "; ".join(
            f"Quota exceeded for {resource}: Requested {getattr(wanted, resource) * least}, "
            f"but already used {getattr(used, resource)} of {getattr(limits, resource)} {resource}"
            for resource, fits in room.items()
            if fits < least
        ),
        hint="delete what is not needed, or have the quota raised: vmwright quota show",
    )


def limits_of(
    stores: Stores, connection: sa.Connection, project: str, settings: QuotaSettings
) -> QuotaSettings:
    """A project's limits: its own where it has some, else the deployment's."""
    return settings.overridden(stores.quotas.limits(connection, project))


def _room(limit: int, used: int, wanted: int) -> float:
    """How many times `wanted` still fits."""
    if limit == UNLIMITED or wanted == 0:
        return math.inf
    return max(0, limit - used) // wanted
