"""The results as tables, for the terminal and for the documents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks import nova
from benchmarks.results import Results
from benchmarks.targets import TARGETS, verdicts

_NONE = "-"

TITLES = {
    "vmwright": "**vmwright**",
    "dbos": "DBOS",
    "dbos-wal": "DBOS put into WAL",
    "taskflow": "TaskFlow, stock",
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
}
VERBS = {"created": "create", "listed": "list", "resumed": "resume"}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under a head."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    """How many columns, from the left, are words: the others are numbers."""

    def markdown(self) -> str:
        """With columns that also line up where nothing renders them; empty without rows."""
        if not self.rows:
            return ""
        lines = [self.head, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        rule = ["-" * max(3, widths[0]), *("-" * (max(3, width) - 1) + ":" for width in widths[1:])]
        return "\n".join(
            "| " + " | ".join(_padded(line, widths)) + " |"
            for line in (self.head, rule, *self.rows)
        )


def _padded(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for column, (text, width) in enumerate(zip(line, widths, strict=True)):
        yield text.ljust(max(3, width)) if column == 0 else text.rjust(max(3, width))


def number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return _NONE
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def times(value: float | None) -> str:
    return _NONE if value is None else f"{number(value)}x"


def engines(results: Results) -> Table:
    """Six no-op tasks, and how often more of them we do than each peer."""
    rows = []
    for name in results.names("engine/"):
        _, database, who, mode = name.split("/")
        if mode == "alone":
            rows.append([f"{TITLES[who]}, {TITLES[database]}", *_engine(results, database, who)])
    head = ["engine, store", "alone/s", "p50 ms", "50 at once/s", "CPU ms", "CPU ms, 50"]
    more = ["server's CPU ms", "statements", "durable commits", "ours alone", "ours, 50", "our CPU"]
    return Table(title="Six tasks that do nothing", head=[*head, *more], rows=rows)


def _engine(results: Results, database: str, who: str) -> list[str]:
    here, ours = f"engine/{database}/{who}", f"engine/{database}/vmwright"
    is_peer = who != "vmwright"
    return [
        number(results.value(f"{here}/alone", "per_second")),
        number(results.value(f"{here}/alone", "p50_ms")),
        number(results.value(f"{here}/crowd", "per_second")),
        number(results.value(f"{here}/alone", "cpu_ms")),
        number(results.value(f"{here}/crowd", "cpu_ms")),
        number(results.value(f"{here}/counted", "server_cpu_ms")),
        number(results.value(f"{here}/counted", "statements")),
        number(results.value(f"{here}/counted", "commits")),
        *(
            times(results.ratio(f"{ours}/{mode}", f"{here}/{mode}", what)) if is_peer else _NONE
            for mode, what in (
                ("alone", "per_second"),
                ("crowd", "per_second"),
                ("alone", "cpu_ms"),
            )
        ),
    ]


def creates(results: Results) -> Table:
    """Whole creates, beside what was recorded of Nova."""
    rows = []
    for name in results.names("create/"):
        _, database, who, mode = name.split("/")
        if mode == "alone":
            rows.append([f"{TITLES[who]}, {TITLES[database]}", *_create(results, name)])
    if rows:
        recorded = [number(nova.BUILDS_PER_SECOND), number(nova.CPU_MS)]
        rows.append(["Nova, recorded", _NONE, _NONE, *recorded, *[_NONE] * 6])
    head = ["", "alone/s", "p50 ms", "50 at once/s", "CPU ms", "server's CPU ms"]
    more = ["statements", "durable commits", "of the floor", "times Nova's rate", "of Nova's CPU"]
    return Table(title="Whole creates", head=[*head, *more], rows=rows)


def _create(results: Results, name: str) -> list[str]:
    here, database = name.removesuffix("/alone"), name.split("/")[1]
    rate, cpu = results.value(f"{here}/crowd", "per_second"), results.value(name, "cpu_ms")
    commits = results.value(f"{here}/counted", "commits")
    floor = results.value(f"disk/{database}", "per_second")
    share = None
    alone = results.value(name, "per_second")
    if alone is not None and commits is not None and floor is not None:
        share = alone * commits / floor
    return [
        number(alone),
        number(results.value(name, "p50_ms")),
        number(rate),
        number(cpu),
        number(results.value(f"{here}/counted", "server_cpu_ms")),
        number(results.value(f"{here}/counted", "statements")),
        number(commits),
        _NONE if share is None else f"{share:.0%}",
        times(None if rate is None else rate / nova.BUILDS_PER_SECOND),
        _NONE if cpu is None else f"1/{nova.CPU_MS / cpu:.0f}",
    ]


def histories(results: Results) -> Table:
    rows = []
    for name in results.names("history/"):
        _, size, verb = name.split("/")
        there, beside = f"history/{size}/{verb}", f"beside/{size}/{verb}"
        rows.append(
            [
                f"{VERBS[verb]}, {int(size):,} finished",
                number(results.value(there, "cpu_ms")),
                number(results.value(beside, "cpu_ms")),
                times(results.ratio(there, beside, "cpu_ms")),
                number(results.value(there, "p50_ms")),
                number(results.value(beside, "p50_ms")),
                times(results.ratio(there, beside, "p50_ms")),
            ]
        )
    head = ["", "CPU ms", "CPU ms, none", "ratio", "ms", "ms, none", "ratio"]
    return Table(title="With a history", head=head, rows=rows)


def crowds(results: Results) -> Table:
    rows = [
        [
            name.split("/")[1],
            *(number(results.value(name, what)) for what in ("per_second", "cpu_ms", "p50_ms")),
        ]
        for name in results.names("clients/")
    ]
    return Table(title="By clients", head=["clients", "creates/s", "CPU ms", "p50 ms"], rows=rows)


def others(results: Results) -> Table:
    """What is one figure each."""
    lines = (
        ("first of many interrupted runs again, ms", "recovery/many/first", "first_ms"),
        ("the same, from the start of the process, ms", "recovery/many/cold", "first_ms"),
        ("first of few, ms", "recovery/few/first", "first_ms"),
        ("peak memory with many interrupted, MiB", "recovery/many/memory", "peak_mib"),
        ("peak memory with few, MiB", "recovery/few/memory", "peak_mib"),
        ("memory of an operation that waits, KiB", "waiting", "kib_each"),
        ("builds/s of a service with one worker", "workers/1", "per_second"),
        ("builds/s of a service with two", "workers/2", "per_second"),
        ("`vmwright --help`, s", "startup/--help", "seconds"),
        ("`vmwright list`, s", "startup/list", "seconds"),
        ("real guest, s", "libvirt/vmwright", "p50_s"),
        ("the same libvirt calls from a bare script, s", "libvirt/bare", "p50_s"),
        ("virt-install, s", "libvirt/virt-install", "p50_s"),
        ("ten real guests at once, s", "libvirt/ten by vmwright", "p50_s"),
        ("ten bare scripts at once, s", "libvirt/ten by bare", "p50_s"),
        ("fdatasync/s", "disk/fdatasync", "per_second"),
        ("bare SQLite commits/s", "disk/sqlite", "per_second"),
        ("bare PostgreSQL commits/s, one client", "disk/postgresql", "per_second"),
        (
            "bare PostgreSQL commits/s, 50 threads of one client",
            "disk/postgresql/crowd",
            "per_second",
        ),
    )
    rows = [[words, number(results.value(name, what))] for words, name, what in lines]
    known = [row for row in rows if row[1] != _NONE]
    return Table(title="And", head=["", "measured"], rows=known)


def targets(results: Results) -> Table:
    """Those that were measured."""
    rows, judged = [], verdicts(results, TARGETS)
    for target in (one for those in TARGETS.values() for one in those):
        found = target.measured(results)
        if found is not None:
            bound = f"{target.relation} {target.bound:g}"
            met = "yes" if judged[target.name]["ok"] else "**no**"
            rows.append([target.words, f"{found:.4g}", bound, met])
    return Table(title="Targets", head=["target", "measured", "bound", "met"], rows=rows)


ALL = (engines, creates, crowds, histories, others, targets)


def report(results: Results) -> str:
    """Every table that has rows, and what could not be measured."""
    tables = [table for table in (make(results) for make in ALL) if table.rows]
    shown = [f"## {table.title}\n\n{table.markdown()}" for table in tables]
    missing = [f"{name}: {why}" for name, why in results.missing.items()]
    return "\n\n".join([*shown, *missing])
