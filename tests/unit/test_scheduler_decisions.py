"""What is decided keeps every rule, prefers what it should, and depends on nothing else."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_flows import UNHURRIED
from tests.support.scheduling import HOSTS, REQUESTS, SCHEDULER, SERIES, a_host, a_request
from vmwright.ids import HostId, InstanceId
from vmwright.scheduler.decision import Decision, Refusal, why_no_host
from vmwright.scheduler.filters.fitness import Capacity
from vmwright.scheduler.loading import load_scheduler, load_weighers
from vmwright.scheduler.scheduler import Scheduler
from vmwright.scheduler.values import HostState, InstanceGroup, RequestSpec, Resource
from vmwright.settings import SchedulerSettings

PACKING = load_scheduler(SchedulerSettings(placement="pack"))


def names(decision: Decision) -> list[str]:
    return [candidate.host.name for candidate in decision.candidates]


def with_memory(name: str, used: int, **values) -> HostState:
    return a_host(name, memory_mib=Resource(total=8192, used=used), **values)


def group(policy: str, **values) -> InstanceGroup:
    return InstanceGroup(id="g1", name="web", policy=policy, **values)


# What holds for all hosts and requests


@UNHURRIED
@given(HOSTS, REQUESTS)
def test_every_host_is_a_candidate_or_refused_and_no_candidate_breaks_a_rule(
    hosts: list[HostState], request_spec: RequestSpec
) -> None:
    decision = SCHEDULER.select_hosts(hosts, replace(request_spec, forced_host=None))
    refused = [refusal.host for refusal in decision.refusals]
    assert sorted(names(decision) + refused) == sorted(host.name for host in hosts)
    assert refused == sorted(refused)
    for candidate in decision.candidates:
        for each in SCHEDULER.filters:
            assert each.why_not(candidate.host, request_spec) is None
    filters = {each.name: each for each in SCHEDULER.filters}
    by_name = {host.name: host for host in hosts}
    for refusal in decision.refusals:
        host = by_name[refusal.host]
        assert filters[refusal.filter].why_not(host, request_spec) == refusal.reason


@UNHURRIED
@given(HOSTS, REQUESTS, st.randoms())
def test_order_is_total_and_does_not_depend_on_how_hosts_come(
    hosts: list[HostState], request_spec: RequestSpec, random
) -> None:
    decision = SCHEDULER.select_hosts(hosts, request_spec)
    keys = [(-candidate.weight, candidate.host.name) for candidate in decision.candidates]
    assert keys == sorted(set(keys))
    shuffled = list(hosts)
    random.shuffle(shuffled)
    assert SCHEDULER.select_hosts(shuffled, request_spec) == decision


@UNHURRIED
@given(HOSTS, REQUESTS)
def test_weight_is_the_sum_of_what_each_weigher_gave(
    hosts: list[HostState], request_spec: RequestSpec
) -> None:
    multipliers = {weigher.name: multiplier for weigher, multiplier in SCHEDULER.weighers}
    for candidate in SCHEDULER.select_hosts(hosts, request_spec).candidates:
        assert candidate.weights.keys() == multipliers.keys()
        assert candidate.weight == sum(candidate.weights.values())
        assert all(0 <= share <= multipliers[name] for name, share in candidate.weights.items())


@UNHURRIED
@given(HOSTS, SERIES)
def test_placing_many_never_gives_out_more_than_there_is(
    hosts: list[HostState], requests: list[RequestSpec]
) -> None:
    decisions = SCHEDULER.place_all(hosts, requests)
    assert len(decisions) == len(requests)
    for host in hosts:
        placed = [
            request
            for request, decision in zip(requests, decisions, strict=True)
            if decision.chosen is not None and decision.chosen.id == host.id
        ]
        if placed:
            assert sum(request.vcpus for request in placed) <= host.vcpus.free
            assert sum(request.memory_mib for request in placed) <= host.memory_mib.free
            assert sum(request.disk_gib for request in placed) <= host.disk_gib.free


@UNHURRIED
@given(HOSTS, SERIES, st.integers(1, 3), st.booleans())
def test_placing_many_never_breaks_the_policy_of_a_group(
    hosts: list[HostState], requests: list[RequestSpec], most: int, apart: bool
) -> None:
    policy = "anti-affinity" if apart else "affinity"
    web = group(policy, max_server_per_host=most)
    members = [replace(request, group=web, forced_host=None) for request in requests]
    decisions = SCHEDULER.place_all(hosts, members)
    counts = Counter(decision.chosen.id for decision in decisions if decision.chosen)
    if apart:
        assert all(count <= most for count in counts.values())
    else:
        assert len(counts) <= 1


@UNHURRIED
@given(HOSTS, SERIES)
def test_placing_many_is_deciding_one_after_the_other(
    hosts: list[HostState], requests: list[RequestSpec]
) -> None:
    alone = [replace(request, group=None) for request in requests]
    standing = {host.id: host for host in hosts}
    for request, decision in zip(alone, SCHEDULER.place_all(hosts, alone), strict=True):
        assert decision == SCHEDULER.select_hosts(standing.values(), request)
        if decision.chosen is not None:
            host = decision.chosen
            standing[host.id] = replace(
                host,
                vcpus=replace(host.vcpus, used=host.vcpus.used + request.vcpus),
                memory_mib=replace(host.memory_mib, used=host.memory_mib.used + request.memory_mib),
                disk_gib=replace(host.disk_gib, used=host.disk_gib.used + request.disk_gib),
                instances=host.instances + 1,
                neighbours=host.neighbours | {request.instance},
                builds=host.builds + 1,
            )


# Preferences


def test_spread_prefers_the_emptiest_host_and_pack_the_fullest() -> None:
    hosts = [with_memory("host1", 2048), with_memory("host2", 0), with_memory("host3", 6000)]
    assert names(SCHEDULER.select_hosts(hosts, a_request())) == ["host2", "host1", "host3"]
    assert names(PACKING.select_hosts(hosts, a_request())) == ["host3", "host1", "host2"]


@pytest.mark.parametrize("resource", ["vcpus", "memory_mib", "disk_gib"])
def test_every_kind_of_room_counts(resource: str) -> None:
    fuller = a_host("host1", **{resource: replace(getattr(a_host(), resource), used=1)})
    small = a_request(vcpus=1, memory_mib=1, disk_gib=1)
    assert names(SCHEDULER.select_hosts([fuller, a_host("host2")], small)) == ["host2", "host1"]
    assert names(PACKING.select_hosts([a_host("host2"), fuller], small)) == ["host1", "host2"]


@pytest.mark.parametrize("scheduler", [SCHEDULER, PACKING])
def test_a_host_that_failed_of_late_comes_last_however_empty_it_is(scheduler: Scheduler) -> None:
    hosts = [
        with_memory("host1", 0, recent_failures=2),
        with_memory("host2", 1024, recent_failures=1),
        with_memory("host3", 4096),
        with_memory("host4", 2048),
    ]
    assert names(scheduler.select_hosts(hosts, a_request()))[2:] == ["host2", "host1"]


def test_a_host_that_builds_less_is_preferred() -> None:
    hosts = [a_host("host1", builds=2), a_host("host2", builds=1), a_host("host3", builds=3)]
    assert names(SCHEDULER.select_hosts(hosts, a_request())) == ["host2", "host1", "host3"]


@pytest.mark.parametrize(
    ("policy", "order"),
    [
        ("soft-affinity", ["host2", "host3", "host1"]),
        ("soft-anti-affinity", ["host1", "host3", "host2"]),
    ],
)
def test_soft_policies_prefer_and_do_not_refuse(policy: str, order: list[str]) -> None:
    hosts = [a_host(name) for name in ("host1", "host2", "host3")]
    members = {hosts[1].id: 2, hosts[2].id: 1}
    request = a_request(group=group(policy, members=members))
    assert names(SCHEDULER.select_hosts(hosts, request)) == order


def test_names_decide_between_equals() -> None:
    hosts = [a_host(name) for name in ("host3", "host1", "host2")]
    assert names(SCHEDULER.select_hosts(hosts, a_request())) == ["host1", "host2", "host3"]


@pytest.mark.parametrize("weights", [(1.0, float("nan"), 2.0), (-1.7e308, 0.0, 1.7e308)])
def test_weigher_that_gives_no_number_is_found_out(weights: tuple[float, ...]) -> None:
    class Lost:
        name = "lost"

        def weigh(self, host: HostState, request: RequestSpec) -> float:
            return weights[int(host.name[-1]) - 1]

    hosts = [a_host(name) for name in ("host1", "host2", "host3")]
    scheduler = Scheduler(filters=[], weighers=[(Lost(), 1.0)])
    with pytest.raises(ValueError, match="weigher 'lost' gives what cannot be compared"):
        scheduler.select_hosts(hosts, a_request())


def test_multipliers_turn_a_preference_up_off_and_round() -> None:
    hosts = [with_memory("host1", 1024, builds=0), with_memory("host2", 0, builds=1)]
    outcomes = []
    for ram in (2.0, 0.0, -1.0):
        weighers = load_weighers({"ram": ram, "builds_in_progress": 1.0})
        scheduler = Scheduler(filters=[], weighers=weighers)
        outcomes.append(names(scheduler.select_hosts(hosts, a_request()))[0])
    assert outcomes == ["host2", "host1", "host1"]


# Forced hosts


def test_forced_host_needs_nothing_but_room() -> None:
    unfit = a_host("host2", enabled=False, uncleaned=3, zone="west")
    request = a_request(forced_host=unfit.id, zone="east", excluded={unfit.id: "no disk"})
    decision = SCHEDULER.select_hosts([a_host("host1"), unfit], request)
    assert (decision.chosen, decision.refusals) == (unfit, ())

    decision = SCHEDULER.select_hosts([a_host("host1"), unfit], replace(request, vcpus=9))
    assert decision.chosen is None
    assert decision.refusals == (
        Refusal(host="host2", filter="capacity", reason="9 vCPUs wanted, 8 free"),
    )


def test_forced_host_that_is_not_there_is_said_to_be_missing() -> None:
    decision = SCHEDULER.select_hosts([a_host()], a_request(forced_host=HostId("gone")))
    assert decision.chosen is None
    assert decision.refusals == (
        Refusal(host="gone", filter="forced_host", reason="no such host is registered"),
    )


# Several instances


def series(count: int, **values) -> list[RequestSpec]:
    return [a_request(instance=InstanceId(f"new{number}"), **values) for number in range(count)]


def placed(decisions: list[Decision]) -> list[str | None]:
    return [decision.chosen.name if decision.chosen else None for decision in decisions]


def test_instances_of_one_request_spread_and_take_room_from_each_other() -> None:
    hosts = [a_host("host1"), a_host("host2")]
    decisions = SCHEDULER.place_all(hosts, series(5, memory_mib=2048))
    assert placed(decisions) == ["host1", "host2", "host1", "host2", None]
    assert [refusal.reason for refusal in decisions[-1].refusals] == [
        "2048 MiB memory wanted, 0 free"
    ] * 2


def test_members_of_a_group_see_each_other() -> None:
    hosts = [a_host(f"host{number}") for number in range(1, 4)]
    apart = group("anti-affinity", members={hosts[0].id: 1})
    assert placed(SCHEDULER.place_all(hosts, series(3, group=apart))) == ["host2", "host3", None]
    pairs = replace(apart, max_server_per_host=2)
    pairwise = ["host1", "host2", "host3", "host2", "host3", None]
    assert placed(SCHEDULER.place_all(hosts, series(6, group=pairs))) == pairwise
    together = group("affinity")
    assert placed(SCHEDULER.place_all(hosts, series(3, group=together))) == ["host1"] * 3
    other = replace(group("anti-affinity"), id="g2")
    mixed = [*series(1, group=apart), *series(1, group=other)]
    assert placed(SCHEDULER.place_all(hosts, mixed)) == ["host2", "host1"]


def test_one_that_finds_no_host_takes_nothing_from_the_next() -> None:
    requests = [*series(1, vcpus=100), *series(1)]
    assert placed(SCHEDULER.place_all([a_host()], requests)) == [None, "host1"]


def test_hint_finds_an_instance_that_was_placed_before() -> None:
    first = a_request(instance=InstanceId("first"))
    second = a_request(same_host=frozenset({first.instance}))
    third = a_request(instance=InstanceId("third"), different_host=frozenset({first.instance}))
    hosts = [a_host("host1"), a_host("host2")]
    assert placed(SCHEDULER.place_all(hosts, [first, second, third])) == ["host1", "host1", "host2"]


# What a user reads


def test_error_gives_each_host_its_reason_in_one_line() -> None:
    hosts = [a_host("host2", enabled=False, disabled_reason="new disks"), a_host("host1")]
    message = why_no_host(SCHEDULER.select_hosts(hosts, a_request(zone="west")).refusals)
    assert message == (
        "no host can take the guest: host1: zone is east, not west; host2: disabled (new disks)"
    )


def test_error_without_hosts_says_so() -> None:
    message = why_no_host(SCHEDULER.select_hosts([], a_request()).refusals)
    assert message == "no host can take the guest: none is registered"


def test_error_of_many_hosts_is_short() -> None:
    hosts = [
        a_host(f"host{number:04}", zone="west" if number % 3 else "east", vcpus=Resource(total=0))
        for number in range(1000)
    ]
    refusals = SCHEDULER.select_hosts(hosts, a_request(zone="east")).refusals
    message = why_no_host(refusals)
    assert message.count(": zone is west, not east") + message.count(": 1 vCPUs wanted") == 20
    assert "host0019" in message
    assert "host0020" not in message
    assert message.endswith("; 980 more hosts: 653 by zone, 327 by capacity")


def test_reason_of_a_plug_in_stays_on_one_line_and_is_cut() -> None:
    refusal = Refusal(host="host1", filter="odd", reason="line\nline\t" * 500)
    message = why_no_host([refusal])
    assert "\n" not in message
    assert "\t" not in message
    assert len(message) < 400


def test_capacity_is_the_filter_that_a_claim_would_fail_by() -> None:
    """A claim is refused if used + wanted > total * ratio, in the database's arithmetic."""
    for used in range(30):
        host = a_host(vcpus=Resource(total=7, used=used, ratio=1.9))
        fits = Capacity().why_not(host, a_request(vcpus=3)) is None
        assert fits == (used + 3 <= 7 * 1.9)
