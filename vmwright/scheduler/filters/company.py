"""Which other instances are on a host."""

from vmwright.scheduler.values import HostState, RequestSpec


class SameHost:
    """Lets pass hosts of one of the instances of the hint same_host."""

    name = "same_host"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        if not request.same_host or request.same_host & host.neighbours:
            return None
        return f"none of the {len(request.same_host)} instances of same_host is there"


class DifferentHost:
    """Lets pass hosts without the instances of the hint different_host."""

    name = "different_host"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        there = request.different_host & host.neighbours
        if not there:
            return None
        return f"instance {min(there)} of different_host is there"


class ServerGroupPolicy:
    """Lets pass what keeps the policy of the instance's server group. The claim checks it again."""

    name = "server_group"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        group = request.group
        if group is None:
            return None
        here = group.members.get(host.id, 0)
        if group.policy == "affinity" and not here and any(group.members.values()):
            return f"server group {group.name!r} (affinity) is on another host"
        if group.policy == "anti-affinity" and here >= group.max_server_per_host:
            return (
                f"server group {group.name!r} (anti-affinity) has {here} instances there, "
                f"at most {group.max_server_per_host} may be"
            )
        return None
