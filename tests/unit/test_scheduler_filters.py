"""Every filter lets the right hosts pass and says of the others why not."""

from ipaddress import ip_network

import pytest

from tests.support.scheduling import SCHEDULER, a_host, a_request
from vmwright.host_query import VARIABLES, checked_query
from vmwright.scheduler.filters.query import values_of
from vmwright.scheduler.values import HostState, InstanceGroup, Located, RequestSpec, Resource

HERE, ELSEWHERE = a_host("host1").id, a_host("host2").id
FILTERS = {each.name: each for each in SCHEDULER.filters}
NEAR = ip_network("10.1.0.0/24")


def group(policy: str, members: dict[str, int], most: int = 1) -> InstanceGroup:
    return InstanceGroup(
        id="g1", name="web", policy=policy, members=members, max_server_per_host=most
    )


def query(text: str) -> RequestSpec:
    return a_request(query=checked_query(text))


PASSING = {
    "enabled": [(a_host(), a_request())],
    "retry": [
        (a_host(), a_request()),
        (a_host(), a_request(excluded={ELSEWHERE: "no disk"})),
    ],
    "zone": [(a_host(), a_request()), (a_host(zone="west"), a_request(zone="west"))],
    "capacity": [
        (a_host(), a_request(vcpus=8, memory_mib=4096, disk_gib=100)),
        (a_host(vcpus=Resource(total=1, used=15, ratio=16.0)), a_request()),
        (a_host(disk_gib=Resource(total=10, used=10)), a_request(disk_gib=0)),
    ],
    "image_properties": [
        (a_host(), a_request(image_properties={"os_distro": "debian"})),
        (a_host(architecture="x86_64"), a_request(image_properties={"hw_architecture": "x86_64"})),
        (a_host(architecture="x86_64"), a_request(image_properties={"architecture": "AMD64"})),
        (a_host(architecture="x86_64"), a_request(image_properties={"hw_architecture": "i386"})),
        (a_host(architecture="aarch64"), a_request(image_properties={"architecture": "arm64"})),
        (a_host(hypervisor_type="kvm"), a_request(image_properties={"img_hv_type": "kvm"})),
        (a_host(hypervisor_type="kvm"), a_request(image_properties={"hypervisor_type": "QEMU"})),
    ],
    "traits": [
        (a_host(), a_request(extra_specs={"hw:cpu_policy": "shared"})),
        (a_host(traits=frozenset({"FAST"})), a_request(extra_specs={"trait:FAST": "required"})),
        (a_host(), a_request(image_properties={"trait:FAST": "forbidden"})),
    ],
    "network_location": [
        (a_host(), a_request()),
        (a_host(), a_request(networks=(Located(name="lan", hosts=frozenset({HERE})),))),
    ],
    "volume_location": [
        (a_host(), a_request()),
        (a_host(), a_request(volumes=(Located(name="data", hosts=frozenset({HERE})),))),
    ],
    "same_host": [
        (a_host(), a_request()),
        (a_host(neighbours=frozenset({"a"})), a_request(same_host=frozenset({"a", "b"}))),
    ],
    "different_host": [
        (a_host(neighbours=frozenset({"a"})), a_request()),
        (a_host(neighbours=frozenset({"a"})), a_request(different_host=frozenset({"b"}))),
    ],
    "server_group": [
        (a_host(), a_request()),
        (a_host(), a_request(group=group("affinity", {}))),
        (a_host(), a_request(group=group("affinity", {ELSEWHERE: 0}))),
        (a_host(), a_request(group=group("affinity", {HERE: 1, ELSEWHERE: 1}))),
        (a_host(), a_request(group=group("anti-affinity", {ELSEWHERE: 1}))),
        (a_host(), a_request(group=group("anti-affinity", {HERE: 1}, most=2))),
        (a_host(), a_request(group=group("soft-affinity", {ELSEWHERE: 1}))),
        (a_host(), a_request(group=group("soft-anti-affinity", {HERE: 1}))),
    ],
    "near_address": [
        (a_host(), a_request()),
        (a_host(address="10.1.0.9"), a_request(build_near=NEAR)),
        (a_host(address="fd00::9"), a_request(build_near=ip_network("fd00::/64"))),
    ],
    "json_query": [
        (a_host(), a_request()),
        (a_host(), query('["and", [">=", "$free_ram_mb", 4096], ["=", "$vcpus_total", 8]]')),
    ],
}

REFUSED = {
    "enabled": [
        (a_host(enabled=False), a_request(), "disabled (no reason given)"),
        (
            a_host(enabled=False, disabled_reason="new disks", draining=True),
            a_request(),
            "disabled (new disks)",
        ),
        (a_host(draining=True), a_request(), "draining: it takes no new instances"),
        (
            a_host(uncleaned=3),
            a_request(),
            "was away and still has to be cleaned of 3 things",
        ),
    ],
    "retry": [(a_host(), a_request(excluded={HERE: "no disk"}), "tried already: no disk")],
    "zone": [(a_host(zone="west"), a_request(zone="east"), "zone is west, not east")],
    "capacity": [
        (
            a_host(memory_mib=Resource(total=4096, used=3072)),
            a_request(memory_mib=4096),
            "4096 MiB memory wanted, 1024 free",
        ),
        (
            a_host(vcpus=Resource(total=1, used=16, ratio=16.0)),
            a_request(vcpus=2, disk_gib=101),
            "2 vCPUs wanted, 0 free, 101 GiB disk wanted, 100 free",
        ),
        (
            a_host(disk_gib=Resource(total=1000, used=900, ratio=0.5)),
            a_request(disk_gib=0),
            "0 GiB disk wanted, -400 free",
        ),
        (
            a_host(memory_mib=Resource(total=3_000_001, ratio=1.5)),
            a_request(memory_mib=4_500_002),
            "4500002 MiB memory wanted, 4500001 free",
        ),
    ],
    "image_properties": [
        (
            a_host(architecture="x86_64"),
            a_request(image_properties={"hw_architecture": "aarch64", "architecture": "x86_64"}),
            "the image needs architecture aarch64, the host's is x86_64",
        ),
        (
            a_host(),
            a_request(image_properties={"architecture": "x86_64"}),
            "the image needs architecture x86_64, the host's is not known",
        ),
        (
            a_host(architecture="i686"),
            a_request(image_properties={"architecture": "x86_64"}),
            "the image needs architecture x86_64, the host's is i686",
        ),
        (
            a_host(hypervisor_type="qemu"),
            a_request(image_properties={"img_hv_type": "kvm"}),
            "the image needs hypervisor kvm, the host's is qemu",
        ),
        (
            a_host(hypervisor_type="kvm"),
            a_request(image_properties={"hypervisor_type": "xen"}),
            "the image needs hypervisor xen, the host's is kvm",
        ),
    ],
    "traits": [
        (
            a_host(),
            a_request(extra_specs={"trait:FAST": "required"}),
            "it lacks trait FAST, which the flavor requires",
        ),
        (
            a_host(traits=frozenset({"FAST"})),
            a_request(image_properties={"trait:FAST": "forbidden"}),
            "it has trait FAST, which the image forbids",
        ),
        (
            a_host(),
            a_request(
                extra_specs={"trait:FAST": "forbidden"},
                image_properties={"trait:FAST": "required"},
            ),
            "it lacks trait FAST, which the image requires",
        ),
        (
            a_host(),
            a_request(extra_specs={"trait:FAST": "preferred"}),
            "the flavor says of trait FAST neither required nor forbidden",
        ),
    ],
    "network_location": [
        (
            a_host(),
            a_request(networks=(Located(name="lan", hosts=frozenset({ELSEWHERE})),)),
            "network 'lan' is not there",
        )
    ],
    "volume_location": [
        (
            a_host(),
            a_request(
                volumes=(
                    Located(name="data", hosts=frozenset({HERE})),
                    Located(name="data", hosts=frozenset({ELSEWHERE})),
                )
            ),
            "volume 'data' is on another host",
        )
    ],
    "same_host": [
        (
            a_host(neighbours=frozenset({"c"})),
            a_request(same_host=frozenset({"a", "b"})),
            "none of the 2 instances of same_host is there",
        )
    ],
    "different_host": [
        (
            a_host(neighbours=frozenset({"a", "b"})),
            a_request(different_host=frozenset({"a", "b"})),
            "instance a of different_host is there",
        )
    ],
    "server_group": [
        (
            a_host(),
            a_request(group=group("affinity", {ELSEWHERE: 1})),
            "server group 'web' (affinity) is on another host",
        ),
        (
            a_host(),
            a_request(group=group("anti-affinity", {HERE: 2}, most=2)),
            "server group 'web' (anti-affinity) has 2 instances there, at most 2 may be",
        ),
    ],
    "near_address": [
        (
            a_host(),
            a_request(build_near=NEAR),
            "its address is not known, and must be in 10.1.0.0/24",
        ),
        (
            a_host(address="10.1.1.9"),
            a_request(build_near=NEAR),
            "its address 10.1.1.9 is not in 10.1.0.0/24",
        ),
        (
            a_host(address="fd00::9"),
            a_request(build_near=NEAR),
            "its address fd00::9 is not in 10.1.0.0/24",
        ),
    ],
    "json_query": [
        (
            a_host(memory_mib=Resource(total=4096, used=4000)),
            query('["and", ["=", "$host", "host1"], [">=", "$free_ram_mb", 1024]]'),
            '[">=", "$free_ram_mb", 1024] does not hold: $free_ram_mb is 96',
        )
    ],
}


@pytest.mark.parametrize(
    ("name", "host", "request_spec"),
    [(name, *case) for name, cases in PASSING.items() for case in cases],
)
def test_filter_lets_pass(name: str, host: HostState, request_spec: RequestSpec) -> None:
    assert FILTERS[name].why_not(host, request_spec) is None


@pytest.mark.parametrize(
    ("name", "host", "request_spec", "reason"),
    [(name, *case) for name, cases in REFUSED.items() for case in cases],
)
def test_filter_refuses_with_a_reason(
    name: str, host: HostState, request_spec: RequestSpec, reason: str
) -> None:
    assert FILTERS[name].why_not(host, request_spec) == reason


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_is_seen_to_pass_and_to_refuse(name: str) -> None:
    assert PASSING[name]
    assert REFUSED[name]


def test_hosts_have_everything_that_a_query_may_ask_for() -> None:
    values = values_of(a_host(address="10.0.0.7", hypervisor_type="kvm"))
    assert {name: type(value) for name, value in values.items()} == VARIABLES


def test_query_sees_figures_without_ratios() -> None:
    values = values_of(
        a_host(
            vcpus=Resource(total=4, used=6, ratio=16.0),
            memory_mib=Resource(total=1000, used=1200, ratio=1.5),
            disk_gib=Resource(total=10, used=3, ratio=2.0),
            instances=2,
            builds=1,
            recent_failures=2,
        )
    )
    assert {name: value for name, value in values.items() if not isinstance(value, str)} == {
        "host_ip": None,
        "hypervisor_type": None,
        "cpu_allocation_ratio": 16.0,
        "disk_allocation_ratio": 2.0,
        "disk_mb_used": 3072,
        "failed_builds": 2,
        "free_disk_mb": 7168,
        "free_ram_mb": -200,
        "num_instances": 2,
        "num_io_ops": 1,
        "ram_allocation_ratio": 1.5,
        "total_usable_disk_gb": 10,
        "total_usable_ram_mb": 1000,
        "vcpus_total": 4,
        "vcpus_used": 6,
    }
