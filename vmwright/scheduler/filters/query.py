"""Conditions that users write themselves."""

from vmwright.host_query import Scalar, why_unmet
from vmwright.scheduler.values import HostState, RequestSpec

_MIB_PER_GIB = 1024


class JsonQuery:
    """Lets pass hosts for which the hint query holds."""

    name = "json_query"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        if request.query is None:
            return None
        return why_unmet(request.query, values_of(host))


def values_of(host: HostState) -> dict[str, Scalar | None]:
    """What queries may ask of a host. As in Nova, figures are what is there: no ratio is in them,
    so what is free may be negative."""
    return {
        "availability_zone": host.zone,
        "host": host.name,
        "host_ip": host.address,
        "hypervisor_type": host.hypervisor_type,
        "cpu_allocation_ratio": host.vcpus.ratio,
        "disk_allocation_ratio": host.disk_gib.ratio,
        "disk_mb_used": host.disk_gib.used * _MIB_PER_GIB,
        "failed_builds": host.recent_failures,
        "free_disk_mb": (host.disk_gib.total - host.disk_gib.used) * _MIB_PER_GIB,
        "free_ram_mb": host.memory_mib.total - host.memory_mib.used,
        "num_instances": host.instances,
        "num_io_ops": host.builds,
        "ram_allocation_ratio": host.memory_mib.ratio,
        "total_usable_disk_gb": host.disk_gib.total,
        "total_usable_ram_mb": host.memory_mib.total,
        "vcpus_total": host.vcpus.total,
        "vcpus_used": host.vcpus.used,
    }
