"""Preferences among hosts that may take an instance, each an entry point of
``vmwright.scheduler.weighers``. More is better in all of them; the configuration says how much
each counts."""

from vmwright.scheduler.values import HostState, RequestSpec


class FreeRoom:
    """Marks weighers of free room: `placement = pack` turns them round."""


class Ram(FreeRoom):
    """Prefers the host with the most free memory."""

    name = "ram"

    def weigh(self, host: HostState, request: RequestSpec) -> float:
        del request
        return host.memory_mib.free


class Cpu(FreeRoom):
    """Prefers the host with the most free vCPUs."""

    name = "cpu"

    def weigh(self, host: HostState, request: RequestSpec) -> float:
        del request
        return host.vcpus.free


class Disk(FreeRoom):
    """Prefers the host with the most free disk space."""

    name = "disk"

    def weigh(self, host: HostState, request: RequestSpec) -> float:
        del request
        return host.disk_gib.free


class BuildFailure:
    """Prefers hosts that failed less of late."""

    name = "build_failure"

    def weigh(self, host: HostState, request: RequestSpec) -> float:
        del request
        return -host.recent_failures


class BuildsInProgress:
    """Prefers hosts that build less right now."""

    name = "builds_in_progress"

    def weigh(self, host: HostState, request: RequestSpec) -> float:
        del request
        return -host.builds


class SoftAffinity:
    """Prefers hosts with many members of a server group that would rather be together."""

    name = "soft_affinity"

    def weigh(self, host: HostState, request: RequestSpec) -> float:
        return _members(host, request, "soft-affinity")


class SoftAntiAffinity:
    """Prefers hosts with few members of a server group that would rather be apart."""

    name = "soft_anti_affinity"

    def weigh(self, host: HostState, request: RequestSpec) -> float:
        return -_members(host, request, "soft-anti-affinity")


def _members(host: HostState, request: RequestSpec, policy: str) -> int:
    """How many members of the instance's group are there; 0 if it has another policy."""
    group = request.group
    return group.members.get(host.id, 0) if group and group.policy == policy else 0
