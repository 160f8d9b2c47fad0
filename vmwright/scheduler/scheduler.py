"""Choosing hosts: filters refuse, weighers order what is left, names decide between equals."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vmwright.ids import HostId, ServerGroupId
from vmwright.scheduler.decision import Candidate, Decision, Refusal
from vmwright.scheduler.filters.fitness import Capacity
from vmwright.scheduler.protocols import Filter, Weigher
from vmwright.scheduler.values import HostState, RequestSpec, Resource


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """The rules and preferences of a deployment. Pure: the same values give the same decision,
    in whichever order the hosts come."""

    filters: Sequence[Filter]
    weighers: Sequence[tuple[Weigher, float]]
    """Each with its multiplier."""

    def select_hosts(self, hosts: Iterable[HostState], request: RequestSpec) -> Decision:
        """Every host is in the decision: as a candidate, or with the reason why it is none.

        A host that an administrator forced is the only one that is looked at. It needs nothing
        but room, without which the claim would fail.
        """
        if request.forced_host is not None:
            return self._forced(hosts, request, request.forced_host)
        return self._selected(hosts, request, self.filters)

    def place_all(
        self, hosts: Iterable[HostState], requests: Iterable[RequestSpec]
    ) -> list[Decision]:
        """A decision for each request in turn, as if those before it had been carried out.

        What one takes, the next ones no longer find; members of one group see each other. One
        that finds no host takes nothing.
        """
        standing = {host.id: host for host in hosts}
        joined: dict[ServerGroupId, list[HostId]] = {}
        decisions = []
        for request in requests:
            current = _grown(request, joined)
            decision = self.select_hosts(standing.values(), current)
            decisions.append(decision)
            if decision.chosen is not None:
                chosen = decision.chosen
                standing[chosen.id] = _taken(chosen, current)
                if current.group is not None:
                    joined.setdefault(current.group.id, []).append(chosen.id)
        return decisions

    def _forced(self, hosts: Iterable[HostState], request: RequestSpec, forced: HostId) -> Decision:
        named = [host for host in hosts if host.id == forced]
        if named:
            return self._selected(named, request, [Capacity()])
        refusal = Refusal(host=forced, filter="forced_host", reason="no such host is registered")
        return Decision(candidates=(), refusals=(refusal,))

    def _selected(
        self, hosts: Iterable[HostState], request: RequestSpec, filters: Sequence[Filter]
    ) -> Decision:
        passing, refusals = [], []
        for host in sorted(hosts, key=lambda host: (host.name, host.id)):
            refusal = _refusal(host, request, filters)
            if refusal is None:
                passing.append(host)
            else:
                refusals.append(refusal)
        candidates = self._weighed(passing, request)
        # The sort is stable: between equals, names decide.
        candidates.sort(key=lambda candidate: -candidate.weight)
        return Decision(candidates=tuple(candidates), refusals=tuple(refusals))

    def _weighed(self, hosts: Sequence[HostState], request: RequestSpec) -> list[Candidate]:
        names = tuple([weigher.name for weigher, _ in self.weighers])
        if len(hosts) == 1:  # nobody to be preferred to
            return [Candidate(hosts[0], 0.0, names, (0.0,) * len(names))]
        scaled = [
            [
                multiplier * share
                for share in _scaled(weigher.name, [weigher.weigh(host, request) for host in hosts])
            ]
            for weigher, multiplier in self.weighers
        ]
        # Without weighers there is nothing to turn round: each host has no shares.
        shares = zip(*scaled, strict=True) if scaled else [()] * len(hosts)
        return [
            Candidate(host, sum(each), names, each)
            for host, each in zip(hosts, shares, strict=True)
        ]


def _refusal(host: HostState, request: RequestSpec, filters: Sequence[Filter]) -> Refusal | None:
    for each in filters:
        reason = each.why_not(host, request)
        if reason is not None:
            return Refusal(host=host.name, filter=each.name, reason=reason)
    return None


def _scaled(name: str, values: Sequence[float]) -> list[float]:
    """0 for the least and 1 for the most; nobody is preferred where all are equal."""
    least, most = min(values, default=0.0), max(values, default=0.0)
    if not all(map(math.isfinite, (*values, most - least))):
        raise ValueError(f"weigher {name!r} gives what cannot be compared: {list(values)[:20]}")
    if least == most:
        return [0.0] * len(values)
    return [(value - least) / (most - least) for value in values]


def _taken(host: HostState, request: RequestSpec) -> HostState:
    """The host once the instance is being built there."""

    def fuller(resource: Resource, amount: int) -> Resource:
        return replace(resource, used=resource.used + amount)

    return replace(
        host,
        vcpus=fuller(host.vcpus, request.vcpus),
        memory_mib=fuller(host.memory_mib, request.memory_mib),
        disk_gib=fuller(host.disk_gib, request.disk_gib),
        instances=host.instances + 1,
        neighbours=host.neighbours | {request.instance},
        builds=host.builds + 1,
    )


def _grown(request: RequestSpec, joined: Mapping[ServerGroupId, Sequence[HostId]]) -> RequestSpec:
    """The request with those in its group that were placed before it."""
    group = request.group
    if group is None or group.id not in joined:
        return request
    members = dict(group.members)
    for host in joined[group.id]:
        members[host] = members.get(host, 0) + 1
    return replace(request, group=replace(group, members=members))
