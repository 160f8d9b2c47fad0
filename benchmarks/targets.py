"""What must hold: each target with its bound, and whether the results meet it."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import nova
from benchmarks.meter import Figures
from benchmarks.results import Results

Measured = Callable[[Results], float | None]


@dataclass(frozen=True)
class Target:
    """One line of what must hold."""

    name: str
    words: str
    relation: str
    """`<=` or `>=`."""
    bound: float
    measured: Measured

    def is_met(self, value: float | None) -> bool:
        if value is None:
            return False
        return value <= self.bound if self.relation == "<=" else value >= self.bound


def ratio(name: str, other: str, what: str = "per_second") -> Measured:
    return lambda results: results.ratio(name, other, what)


def value(name: str, what: str, scale: float = 1.0) -> Measured:
    def measured(results: Results) -> float | None:
        found = results.value(name, what)
        return None if found is None else found * scale

    return measured


def most(name: str, what: str) -> Measured:
    """Of all rounds."""
    return lambda results: max((one[what] for one in results.rounds.get(name, ())), default=None)


def more_cpu(name: str, other: str) -> Measured:
    """CPU seconds for each second, beyond those that the same takes otherwise."""

    def measured(results: Results) -> float | None:
        used, less = (results.value(which, "cpu_seconds") for which in (name, other))
        seconds = results.value(name, "seconds")
        if used is None or less is None or not seconds:
            return None
        return max(0.0, used - less) / seconds

    return measured


def worst(*ratios: Measured) -> Measured:
    """The largest of several; None unless all were measured."""

    def measured(results: Results) -> float | None:
        known = [found for found in (one(results) for one in ratios) if found is not None]
        return max(known) if len(known) == len(ratios) else None

    return measured


def longest_over_none(verb: str) -> Measured:
    """With the longest history that was measured, over that beside it: CPU or time, whichever
    has grown more."""

    def measured(results: Results) -> float | None:
        sizes = [int(name.split("/")[1]) for name in results.names("history/")]
        longest = max(sizes, default=0)
        there, beside = (f"{where}/{longest}/{verb}" for where in ("history", "beside"))
        return worst(*(ratio(there, beside, what) for what in ("cpu_ms", "p50_ms")))(results)

    return measured


def _engine() -> Iterator[Target]:
    for database, mode, peer, bound in (
        ("sqlite", "alone", "dbos", 4.0),
        ("sqlite", "crowd", "dbos", 6.0),
        ("sqlite", "alone", "taskflow", 40.0),
        ("postgresql", "alone", "dbos", 2.5),
        ("postgresql", "crowd", "dbos", 5.0),
    ):
        ours, theirs = (f"engine/{database}/{who}/{mode}" for who in ("vmwright", peer))
        how = {"alone": "one at a time", "crowd": "50 at once"}[mode]
        yield Target(
            f"engine_{database}_{mode}_over_{peer}",
            f"workflows/s on {database}, {how}, over {peer}'s",
            ">=",
            bound,
            ratio(ours, theirs),
        )
    ours, theirs = (f"engine/sqlite/{who}" for who in ("vmwright", "dbos"))
    cpu = worst(
        *(ratio(f"{ours}/{mode}", f"{theirs}/{mode}", "cpu_ms") for mode in ("alone", "crowd"))
    )
    words = "CPU of a workflow on sqlite over dbos's, the worse of alone and 50 at once"
    yield Target("engine_sqlite_cpu_over_dbos", words, "<=", 0.3, cpu)
    words = "CPU ms of a workflow on sqlite"
    yield Target("engine_sqlite_cpu_ms", words, "<=", 3, value(f"{ours}/alone", "cpu_ms"))
    words = "durable commits of a workflow on sqlite"
    yield Target("engine_sqlite_commits", words, "<=", 8, value(f"{ours}/counted", "commits"))


def _create() -> Iterator[Target]:
    ours = "create/sqlite/vmwright"
    alone, crowd, counted = f"{ours}/alone", f"{ours}/crowd", f"{ours}/counted"
    rate, cpu = 1 / nova.BUILDS_PER_SECOND, 1 / nova.CPU_MS
    yield Target("create_cpu_ms", "CPU ms of a create", "<=", 5, value(alone, "cpu_ms"))
    words = "durable commits of a create"
    yield Target("create_commits", words, "<=", 8, value(counted, "commits"))
    words = "creates/s, 50 at once"
    yield Target("create_per_second", words, ">=", 100, value(crowd, "per_second"))
    words = "creates/s over Nova's, which is recorded"
    yield Target("create_rate_over_nova", words, ">=", 30, value(crowd, "per_second", rate))
    words = "CPU of a create over Nova's, which is recorded"
    yield Target("create_cpu_over_nova", words, "<=", 0.01667, value(alone, "cpu_ms", cpu))


def _history() -> Iterator[Target]:
    for verb, what in (("created", "a create"), ("listed", "a list"), ("resumed", "a resume")):
        words = f"CPU and time of {what} with the longest history, over none"
        yield Target(f"history_{verb}", words, "<=", 1.1, longest_over_none(verb))


def _recovery() -> Iterator[Target]:
    many, few = "recovery/many", "recovery/few"
    first = value(f"{many}/first", "first_ms", 0.001)
    words = "seconds from a start until the first of many interrupted runs again"
    yield Target("recovery_first_seconds", words, "<=", 0.2, first)
    memory = ratio(f"{many}/memory", f"{few}/memory", "peak_mib")
    words = "peak memory with many interrupted, over that with few"
    yield Target("recovery_memory", words, "<=", 1.1, memory)
    words = "KiB of an operation that waits"
    yield Target("waiting_kib", words, "<=", 50, value("waiting", "kib_each"))


def _libvirt() -> Iterator[Target]:
    real = ratio("libvirt/vmwright", "libvirt/bare", "p50_s")
    words = "a real create to running, over a bare script with the same calls"
    yield Target("libvirt_over_bare_script", words, "<=", 1.05, real)
    words = "uploads of one new image by ten builds"
    yield Target("libvirt_uploads_of_ten", words, "<=", 1, value("libvirt/ten", "uploads"))


def _pages() -> Iterator[Target]:
    for database in ("sqlite", "postgresql"):
        there, none = f"pages/{database}/open", f"pages/{database}/none"
        words = f"ms from the store ({database}) to 20 pages, of 200 builds at once, p99"
        yield Target(f"pages_{database}_p99_ms", words, "<=", 1000, value(there, "p99_ms"))
        words = f"events that pages have missed, which have dropped their lines ({database})"
        yield Target(f"pages_{database}_lost", words, "<=", 0, most(there, "lost"))
        words = f"of a processor that a service has used for them ({database})"
        yield Target(f"pages_{database}_cpu", words, "<=", 0.15, more_cpu(there, none))


def _startup() -> Iterator[Target]:
    for command, bound in (("--help", 0.3), ("list", 0.5)):
        name, words = f"startup_{command.strip('-')}_seconds", f"seconds of `vmwright {command}`"
        yield Target(name, words, "<=", bound, value(f"startup/{command}", "seconds"))


TARGETS: Mapping[str, Sequence[Target]] = {
    "engine": tuple(_engine()),
    "create": tuple(_create()),
    "history": tuple(_history()),
    "recovery": tuple(_recovery()),
    "libvirt": tuple(_libvirt()),
    "pages": tuple(_pages()),
    "startup": tuple(_startup()),
}
"""By the part of the suite that measures them."""


def verdicts(results: Results, parts: Collection[str]) -> dict[str, Figures]:
    """Every target by name. `ok` is None if its part was not asked for; what was asked for and
    could not be measured is missed."""
    return {
        target.name: _verdict(target, results, part, is_asked=part in parts)
        for part, targets in TARGETS.items()
        for target in targets
    }


def _verdict(target: Target, results: Results, part: str, *, is_asked: bool) -> Figures:
    found, why = target.measured(results), _why_not_whole(results, part)
    verdict: Figures = {
        "measured": None if found is None else round(found, 4),
        "bound": target.bound,
        "relation": target.relation,
        "ok": target.is_met(found) and why is None if is_asked else None,
    }
    if found is None or why is not None:
        verdict["why"] = (why or "no figure") if is_asked else "not asked for"
    return verdict


def _why_not_whole(results: Results, part: str) -> str | None:
    """What kept us from some of a part: what its other rounds or sizes came to says too little."""
    of_ours = re.compile(rf"{part}(/.*/vmwright)?")
    return next((why for name, why in results.missing.items() if of_ours.fullmatch(name)), None)


def is_missed(found: Mapping[str, Figures]) -> bool:
    return any(verdict["ok"] is False for verdict in found.values())
