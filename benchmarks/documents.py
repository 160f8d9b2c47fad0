"""Writes what was measured into the documents: no figure there is typed by hand.

    python -m benchmarks.documents [--check]

Reads docs/performance.json (`make bench RECORD=1` writes it) and docs/profiles.json, and fills the
parts of README.md and docs/explanation/performance.md between `<!-- measured: NAME -->` and
`<!-- end -->`, and the pictures. `--check` writes nothing, and ends with 1 if a file is not
current.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import nova, tables
from benchmarks.charts import clients_chart, history_chart, peers_chart
from benchmarks.layers import LAYERS
from benchmarks.meter import Figures
from benchmarks.processes import ROOT
from benchmarks.results import Results
from benchmarks.tables import Table, number

RECORD = ROOT / "docs" / "performance.json"
PROFILES = ROOT / "docs" / "profiles.json"
PAGES = (ROOT / "README.md", ROOT / "docs" / "explanation" / "performance.md")
PICTURES: Mapping[str, Callable[[Results], str]] = {
    "cost-by-history": history_chart,
    "cost-by-clients": clients_chart,
    "peers": peers_chart,
}
_PART = re.compile(r"(<!-- measured: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def current(results: Results, profiles: Figures) -> Iterator[tuple[Path, str]]:
    """Every file, as it is to be."""
    for name, draw in PICTURES.items():
        yield ROOT / "docs" / "images" / f"{name}.svg", draw(results)
    for page in PAGES:
        yield page, filled(page.read_text(), results, profiles)


def filled(text: str, results: Results, profiles: Figures) -> str:
    """A page with each of its parts measured."""

    def part(match: re.Match[str]) -> str:
        opening, name, closing = match.groups()
        return f"{opening}{_part(name, results, profiles)}\n{closing}"

    return _PART.sub(part, text)


def _part(name: str, results: Results, profiles: Figures) -> str:
    if name == "facts":
        return _facts(results)
    if name == "in-short":
        return in_short(results).markdown()
    if name == "profiles":
        return _profiles(profiles).markdown()
    make: Callable[[Results], Table] = getattr(tables, name)
    return make(results).markdown()


def _facts(results: Results) -> str:
    facts = results.facts
    peers = ", ".join(f"{name} {version}" for name, version in facts["peers"].items())
    trial = "**A trial with tiny numbers: these figures mean nothing.**\n" if facts["tiny"] else ""
    return (
        f"{trial}Measured at {facts['made_at']} (UTC) of `{facts['commit']}`, "
        f"medians of {facts['rounds']} rounds:\n"
        f"{facts['cores']} cores ({facts['processor']}), {facts['file_system']}, "
        f"{facts['system']},\n"
        f"Python {facts['python']}, SQLite {facts['sqlite']}, PostgreSQL {facts['postgresql']},\n"
        f"SQLAlchemy {facts['packages']['SQLAlchemy']}; peers: {peers}. "
        f"Load before: {facts['load_before']:g}, after: {facts['load_after']:g}.\n"
    )


def _of(results: Results, name: str, what: str) -> str:
    return number(results.value(name, what))


def _over(results: Results, name: str, other: str, what: str) -> str:
    return tables.times(results.ratio(name, other, what))


def in_short(results: Results) -> Table:
    """The key figures, for whoever reads no further."""
    ours, theirs = "engine/sqlite/vmwright", "engine/sqlite/dbos"
    stock, whole = "engine/sqlite/taskflow", "create/sqlite/vmwright"
    rate = results.value(f"{whole}/crowd", "per_second")
    sizes = [int(name.split("/")[1]) for name in results.names("history/")]
    longest = max(sizes, default=0)
    history = (f"history/{longest}/created", f"beside/{longest}/created")
    engine = (
        f"{_of(results, f'{ours}/crowd', 'per_second')}/s, "
        f"{_of(results, f'{ours}/alone', 'cpu_ms')} ms CPU"
    )
    faster = (
        f"{_over(results, f'{ours}/crowd', f'{theirs}/crowd', 'per_second')} DBOS, "
        f"{_over(results, f'{ours}/crowd', f'{stock}/crowd', 'per_second')} stock TaskFlow"
    )
    create = (
        f"{number(rate)}/s, {_of(results, f'{whole}/alone', 'cpu_ms')} ms CPU, "
        f"{_of(results, f'{whole}/counted', 'commits')} durable commits"
    )
    nova_rate = tables.times(None if rate is None else rate / nova.BUILDS_PER_SECOND)
    first = f"{_of(results, 'recovery/many/first', 'first_ms')} ms after a start"
    rows = [
        ["six durable tasks that do nothing, 50 workflows at once", engine, faster],
        ["a whole create on simulated hosts, 50 at once", create, f"{nova_rate} Nova, recorded"],
        [
            f"the same with {longest:,} finished operations in the store",
            f"{_of(results, history[0], 'cpu_ms')} ms CPU",
            f"{_over(results, *history, 'cpu_ms')} an empty store",
        ],
        ["the first of many interrupted builds runs again", first, ""],
        ["`vmwright list`", f"{_of(results, 'startup/list', 'seconds')} s", ""],
    ]
    return Table(title="In short", head=["", "vmwright", "beside"], rows=rows, words=3)


def _profiles(profiles: Figures) -> Table:
    """CPU ms of a create by layer, of each commit that was profiled."""
    names = list(profiles)
    rows = [
        [layer, *(number(profiles[name]["layers"].get(layer)) for name in names)]
        for layer in LAYERS
    ]
    rows.append(["**together**", *(number(profiles[name]["cpu_ms"]) for name in names)])
    return Table(title="Profiles", head=["layer", *names], rows=rows)


def write_documents(*, check: bool = False) -> list[Path]:
    """Bring the files up to date, unless it is only to be seen which are not; returns those."""
    results = Results.from_json(json.loads(RECORD.read_text()))
    stale = []
    for path, text in current(results, json.loads(PROFILES.read_text())):
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path)
        if not check:
            path.write_text(text)
    return stale


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = write_documents(check=check)
    for path in stale:
        print(f"{path.relative_to(ROOT)} was not current", file=sys.stderr)
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
