"""How many instances a project may still have: counted from rows, in the accepting transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from vmwright.admission.catalogue import Catalogue
from vmwright.errors import QuotaExceeded
from vmwright.persistence.quotas import Usage
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
        new = [volume.size_gib for volume in spec.volumes if volume.source != "existing"]
        return cls(
            cores=spec.vcpus,
            ram=spec.ram_mib,
            volumes=len(new),
            gigabytes=sum(new),
            fixed_ips=[nic.given for nic in spec.nics].count(False),
        )


class Room:
    """What a project may still have, while one transaction accepts builds for it."""

    def __init__(self, catalogue: Catalogue, *, decides: bool) -> None:
        """Where it `decides`, nobody else counts from the first question on until the transaction
        ends: else two requests could both be the last."""
        self._catalogue = catalogue
        self.decides = decides
        self._given = dict.fromkeys(RESOURCES, 0)

    def granted(self, wanted: Amounts, *, least: int, most: int) -> int:
        """How many instances of these amounts the project may have now: `most`, or less, but not
        less than `least`. Raises `QuotaExceeded` that names each resource that is short.

        They are the project's from then on.
        """
        room = {resource: self._left(resource, wanted) for resource in self._limited(wanted)}
        count = int(min(most, *room.values())) if room else most
        if count < least:
            raise self._exceeded(
                wanted, [name for name, fits in room.items() if fits < least], least
            )
        for resource in RESOURCES:
            self._given[resource] += count * getattr(wanted, resource)
        return count

    def _limited(self, wanted: Amounts) -> list[str]:
        """What of it there is a limit to: the rest is not counted."""
        limits = self._catalogue.limits
        return [
            resource
            for resource in RESOURCES
            if getattr(limits, resource) != UNLIMITED and getattr(wanted, resource)
        ]

    def _left(self, resource: str, wanted: Amounts) -> int:
        """How many times as much still fits."""
        limit: int = getattr(self._catalogue.limits, resource)
        times: int = max(0, limit - self._used(resource)) // getattr(wanted, resource)
        return times

    def _used(self, resource: str) -> int:
        counted: int = getattr(self._usage, resource)
        return counted + self._given[resource]

    @cached_property
    def _usage(self) -> Usage:
        quotas, project = self._catalogue.stores.quotas, self._catalogue.caller.project
        if self.decides:
            quotas.hold(self._catalogue.connection, project)
        return quotas.usage(self._catalogue.connection, project)

    def _exceeded(self, wanted: Amounts, short: Sequence[str], least: int) -> QuotaExceeded:
        limits = self._catalogue.limits
        return QuotaExceeded(
            "; ".join(
                f"Quota exceeded for {resource}: Requested {getattr(wanted, resource) * least}, "
                f"but already used {self._used(resource)} of {getattr(limits, resource)} {resource}"
                for resource in short
            ),
            hint="delete what is not needed, or have the quota raised: vmwright quota show",
        )
