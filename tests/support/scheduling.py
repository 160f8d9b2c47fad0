"""Hosts and requests as the scheduler sees them: plain ones, and any that hypothesis thinks of."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from hypothesis import strategies as st

from vmwright.host_query import checked_query
from vmwright.ids import HostId, InstanceId
from vmwright.scheduler.loading import load_scheduler
from vmwright.scheduler.scheduler import Scheduler
from vmwright.scheduler.values import HostState, InstanceGroup, Located, RequestSpec, Resource
from vmwright.settings import SchedulerSettings

SCHEDULER: Scheduler = load_scheduler(SchedulerSettings())

HOST_NAMES = [f"host{number}" for number in range(5)]
HOST_IDS = st.sampled_from([HostId(f"id-of-{name}") for name in HOST_NAMES])
INSTANCES = st.frozensets(st.sampled_from([InstanceId(f"vm{n}") for n in range(6)]), max_size=3)
ZONES = ["east", "west"]
TRAITS = ["FAST", "RED"]
QUERIES = [
    '[">=", "$free_ram_mb", 1024]',
    '["not", ["=", "$host", "host1"]]',
    '["or", ["in", "$hypervisor_type", "kvm"], ["<", "$vcpus_used", 3, 5]]',
]


def a_host(name: str = "host1", **values: Any) -> HostState:
    """A host with room for 8 vCPUs, 4096 MiB and 100 GiB."""
    roomy = {
        "vcpus": Resource(total=8),
        "memory_mib": Resource(total=4096),
        "disk_gib": Resource(total=100),
    }
    plain = {"id": HostId(f"id-of-{name}"), "name": name, "zone": "east"} | roomy
    return HostState(**(plain | values))


def a_request(**values: Any) -> RequestSpec:
    """An instance with 1 vCPU, 1024 MiB and 10 GiB that is at home everywhere."""
    plain = {"instance": InstanceId("new"), "vcpus": 1, "memory_mib": 1024, "disk_gib": 10}
    return RequestSpec(**(plain | values))


def seldom(strategy: st.SearchStrategy[Any], otherwise: Any = None) -> st.SearchStrategy[Any]:
    """So that most requests can be granted somewhere."""
    return st.sampled_from([st.just(otherwise)] * 7 + [strategy]).flatmap(lambda chosen: chosen)


def resources(total: int) -> st.SearchStrategy[Resource]:
    return st.builds(
        Resource,
        total=st.just(total),
        used=st.one_of(st.integers(0, total // 2), st.integers(0, 2 * total)),
        ratio=st.sampled_from([1.0, 1.5, 16.0, 0.9]),
    )


def _host(name: str) -> st.SearchStrategy[HostState]:
    return st.builds(
        a_host,
        name=st.just(name),
        zone=st.sampled_from(ZONES),
        vcpus=resources(16),
        memory_mib=resources(16384),
        disk_gib=resources(200),
        enabled=seldom(st.just(False), True),
        draining=seldom(st.just(True), False),
        uncleaned=seldom(st.integers(1, 3), 0),
        hypervisor_type=st.sampled_from([None, "kvm", "qemu"]),
        architecture=st.sampled_from([None, "x86_64", "aarch64"]),
        address=st.sampled_from([None, "10.0.0.7", "10.0.1.7", "fd00::7"]),
        traits=st.frozensets(st.sampled_from(TRAITS)),
        instances=st.integers(0, 9),
        neighbours=INSTANCES,
        builds=st.integers(0, 5),
        recent_failures=st.integers(0, 5),
    )


HOSTS = st.permutations(HOST_NAMES).flatmap(
    lambda names: st.integers(0, len(names)).flatmap(
        lambda count: st.tuples(*map(_host, names[:count])).map(list)
    )
)

LOCATED = st.builds(
    Located, name=st.sampled_from(["a", "b"]), hosts=st.frozensets(HOST_IDS, min_size=2)
)
TRAIT_RULES = st.dictionaries(
    st.sampled_from([f"trait:{trait}" for trait in TRAITS]),
    st.sampled_from(["required", "forbidden"]),
    max_size=1,
)
GROUPS = st.builds(
    InstanceGroup,
    id=st.sampled_from(["g1", "g2"]),
    name=st.just("web"),
    policy=st.sampled_from(["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]),
    max_server_per_host=st.integers(1, 3),
    members=st.dictionaries(HOST_IDS, st.integers(0, 3), max_size=4),
)


REQUESTS = st.builds(
    a_request,
    vcpus=st.integers(1, 8),
    memory_mib=st.integers(1, 4096),
    disk_gib=st.integers(0, 40),
    zone=seldom(st.sampled_from(ZONES)),
    forced_host=seldom(HOST_IDS),
    image_properties=seldom(
        st.fixed_dictionaries(
            {},
            optional={
                "hw_architecture": st.sampled_from(["x86_64", "i686", "aarch64"]),
                "img_hv_type": st.sampled_from(["kvm", "qemu"]),
            },
        ),
        {},
    ),
    extra_specs=seldom(TRAIT_RULES, {}),
    networks=seldom(st.lists(LOCATED, max_size=2).map(tuple), ()),
    volumes=seldom(st.lists(LOCATED, max_size=2).map(tuple), ()),
    same_host=seldom(INSTANCES, frozenset()),
    different_host=seldom(INSTANCES, frozenset()),
    query=seldom(st.sampled_from(QUERIES).map(checked_query)),
    build_near=seldom(st.sampled_from(["10.0.0.0/24", "fd00::/64"]).map(ip_network)),
    group=seldom(GROUPS),
    excluded=seldom(st.dictionaries(HOST_IDS, st.just("no disk"), max_size=2), {}),
)


def _numbered(requests: list[RequestSpec]) -> list[RequestSpec]:
    return [
        replace(request, instance=InstanceId(f"new{number}"))
        for number, request in enumerate(requests)
    ]


SERIES = st.lists(REQUESTS, max_size=6).map(_numbered)
"""Requests for instances that differ."""
