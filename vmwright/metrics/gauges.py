"""How things stand, read when somebody asks."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from vmwright.backends.circuit import CircuitState
from vmwright.errors import StoreUnavailable
from vmwright.feed import Feed
from vmwright.overview import HostStanding, Numbers, Overview
from vmwright.persistence.durations import BOUNDS
from vmwright.persistence.tallies import UNFINISHED, Unfinished

_MIB, _GIB = 2**20, 2**30
_BOUNDS = [*map(str, BOUNDS), "+Inf"]


class Gauges(Collector):
    """Of the store, of hosts as this machine sees them, and of this process."""

    def __init__(self, overview: Overview, feed: Feed) -> None:
        self._overview = overview
        self._feed = feed

    def describe(self) -> Sequence[Metric]:
        """Nothing need be read to register it."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Without the store, what this process knows by itself."""
        try:
            numbers = self._overview.numbers()
        except StoreUnavailable:
            yield _gauge("vmwright_store_up", "Whether the store answers.", 0)
        else:
            yield _gauge("vmwright_store_up", "Whether the store answers.", 1)
            yield from _of_operations(numbers)
            yield from _of_debts(numbers)
            yield from _of_hosts(numbers.hosts)
        yield from self._of_process()

    def _of_process(self) -> Iterator[Metric]:
        standing = self._overview.process()
        yield _gauge("vmwright_runs", "Operations that this process runs now.", standing.running)
        if standing.lease_left is not None:
            yield _gauge(
                "vmwright_owner_lease_seconds",
                "Seconds for which others leave this process what it runs, if the store is not "
                "heard of again.",
                standing.lease_left,
            )
        yield CounterMetricFamily(
            "vmwright_claims_lost",
            "Runs that ended in this process because their operations were not its own any more.",
            value=standing.lost,
        )
        yield _gauge("vmwright_listeners", "Streams of events.", self._feed.listening())
        times = HistogramMetricFamily(
            "vmwright_store_transaction_seconds",
            "Transactions of this process, from the wait for their turn to the answer.",
            labels=["access"],
        )
        for access, durations in self._overview.transactions().items():
            counts, total = durations.read()
            times.add_metric([access], list(zip(_BOUNDS, counts, strict=True)), total)
        yield times


def _of_operations(numbers: Numbers) -> Iterator[Metric]:
    found = [(state, numbers.operations.get(state, Unfinished())) for state in UNFINISHED]
    yield _by(
        "vmwright_operations_unfinished",
        "Operations that have not ended, by where they stand.",
        ["state"],
        {(state,): one.number for state, one in found},
    )
    yield _by(
        "vmwright_operations_oldest_age_seconds",
        "Since the submission of the first of them; 0 where there is none.",
        ["state"],
        {(state,): one.oldest for state, one in found},
    )
    yield _gauge("vmwright_owners", "Processes with a lease on this store.", numbers.owners)


def _of_debts(numbers: Numbers) -> Iterator[Metric]:
    names = {one.host.id: one.host.name for one in numbers.hosts}
    owed = {(names.get(one.host, "gone"), one.kind): one for one in numbers.debts}
    yield _by(
        "vmwright_debts",
        "What must become absent on a host, and is not yet.",
        ["host", "kind"],
        {labels: one.number for labels, one in owed.items()},
    )
    yield _by(
        "vmwright_debts_oldest_age_seconds",
        "Since the first of them was made.",
        ["host", "kind"],
        {labels: one.oldest for labels, one in owed.items()},
    )


def _of_hosts(hosts: Sequence[HostStanding]) -> Iterator[Metric]:
    yield _by(
        "vmwright_host_circuit_state",
        "1 for how the controllers of this machine stand with a host, 0 for how they do not.",
        ["host", "state"],
        {
            (one.host.name, state): one.condition.state is state
            for one in hosts
            for state in CircuitState
        },
    )
    for name, words, value in _HOST:
        those: dict[tuple[str, ...], float] = {(one.host.name,): value(one) for one in hosts}
        yield _by(f"vmwright_host_{name}", words, ["host"], those)


def _silence(standing: HostStanding) -> float:
    since = standing.condition.since
    return 0.0 if since is None else max(0.0, time.time() - since)


_HOST: Sequence[tuple[str, str, Callable[[HostStanding], float]]] = (
    (
        "silent_seconds",
        "Since it first did not answer a controller of this machine; 0 if it does.",
        _silence,
    ),
    ("enabled", "Whether it may be given instances.", lambda one: one.host.enabled),
    ("draining", "Whether it is being emptied.", lambda one: one.host.draining),
    ("instances", "Instances that it has, or is being given.", lambda one: one.load.instances),
    ("builds", "Those of them that are being built.", lambda one: one.load.builds),
    (
        "recent_failures",
        "Tries that failed on it within [scheduler] failure_window.",
        lambda one: one.load.failures,
    ),
    ("vcpus", "As registered.", lambda one: one.host.vcpus),
    ("vcpus_limit", "That may be claimed.", lambda one: one.host.vcpus * one.host.vcpu_ratio),
    ("vcpus_claimed", "By instances.", lambda one: one.load.vcpus),
    ("memory_bytes", "As registered.", lambda one: one.host.memory_mib * _MIB),
    (
        "memory_limit_bytes",
        "That may be claimed.",
        lambda one: one.host.memory_mib * one.host.memory_ratio * _MIB,
    ),
    ("memory_claimed_bytes", "By instances.", lambda one: one.load.memory_mib * _MIB),
    ("disk_bytes", "As registered.", lambda one: one.host.disk_gib * _GIB),
    (
        "disk_limit_bytes",
        "That may be claimed.",
        lambda one: one.host.disk_gib * one.host.disk_ratio * _GIB,
    ),
    ("disk_claimed_bytes", "By instances.", lambda one: one.load.disk_gib * _GIB),
)
"""What is told of each host, and what that is."""


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _by(
    name: str, words: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]
) -> Metric:
    found = GaugeMetricFamily(name, words, labels=labels)
    for those, value in values.items():
        found.add_metric([*those], value)
    return found
