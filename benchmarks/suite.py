"""What is measured, part by part."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from benchmarks.contest import Contestant, Stores, alternate, goes_on, of_ours, of_peer
from benchmarks.deployment import of_sqlalchemy
from benchmarks.peers_venv import interpreter
from benchmarks.postgresql import Missing, PostgreSQL
from benchmarks.processes import ROOT, Failed, directory, module, run
from benchmarks.results import Results
from benchmarks.sizes import Sizes


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the parts share."""

    sizes: Sizes
    results: Results
    server: PostgreSQL | None
    """None where there is none, or it is not to be measured."""
    peers: bool
    """Whether the peers are run too."""

    def stores(self) -> Iterator[Stores]:
        yield Stores(None)
        if self.server is not None:
            yield Stores(self.server)


def disk(bench: Bench) -> None:
    """The floor under everything else: commits that wait for the disk, and nothing around them."""
    for _ in range(bench.sizes.rounds):
        with directory() as place:
            urls = [] if bench.server is None else [bench.server.database()]
            for line in run(*module("disk", place, *urls)).lines:
                crowd = "" if line["threads"] == 1 else "/crowd"
                bench.results.add(f"disk/{line['what']}{crowd}", line)


def engine(bench: Bench) -> None:
    """Six no-op tasks, on our engine and on others."""
    sizes = bench.sizes
    ours = Contestant(
        name="vmwright", command=of_ours("engine"), alone=sizes.engine[0], crowd=sizes.engine[1]
    )
    for stores in bench.stores():
        contestants = [ours, *(_peers(sizes, stores.kind) if bench.peers else ())]
        alternate(bench.results, "engine", stores, contestants, sizes.rounds)
        for one in contestants:
            # Those that are slow are counted with fewer.
            where, count = f"engine/{stores.kind}/{one.name}", max(1, one.alone // 3)
            with goes_on(bench.results, where):
                counted = stores.counted(one.command, min(sizes.counted, count))
                bench.results.add(f"{where}/counted", counted)


def _peers(sizes: Sizes, database: str) -> Iterator[Contestant]:
    python = interpreter()
    for name, (alone, crowd), crowds in (
        ("dbos", sizes.dbos, sizes.rounds),
        ("dbos-wal", sizes.dbos, sizes.rounds),
        ("taskflow", sizes.taskflow, 1),
    ):
        if name == "dbos-wal" and database != "sqlite":
            continue
        command = of_peer(name, python)
        yield Contestant(name=name, command=command, alone=alone, crowd=crowd, crowds=crowds)


def create(bench: Bench) -> None:
    """Whole creates, one at a time and at once, and by the number of clients."""
    sizes, command = bench.sizes, of_ours("create")
    ours = Contestant(
        name="vmwright", command=command, alone=sizes.create[0], crowd=sizes.create[1]
    )
    for stores in bench.stores():
        alternate(bench.results, "create", stores, [ours], sizes.rounds)
        counted = stores.counted(command, sizes.counted)
        bench.results.add(f"create/{stores.kind}/vmwright/counted", counted)
    clients = ",".join(map(str, sizes.clients))
    for _ in range(sizes.rounds):
        with Stores(None).fresh() as url:
            words = module("create", url, 0, sizes.create[0], "--clients", clients)
            for line in run(*words).lines:
                bench.results.add(f"clients/{line['threads']}", line)


def history(bench: Bench) -> None:
    """Create, list and resume with ever more finished operations in the store, and beside it in a
    store without any, in which as much has happened since."""
    sizes = bench.sizes
    with directory() as grown, directory() as empty:
        there = 0
        for size in sizes.history:
            if size > there:
                _history(grown, "--finished", size - there)
                # A million of them are gigabytes, which are not to be written meanwhile.
                os.sync()
            there = size
            for number in range(sizes.rounds):
                places = [(f"history/{size}", grown), (f"beside/{size}", empty)]
                for prefix, place in places if number % 2 == 0 else reversed(places):
                    for line in run(*module("grown", _url(place), place, sizes.calls)).lines:
                        bench.results.add(f"{prefix}/{line['subject']}", line)


def recovery(bench: Bench) -> None:
    """How soon interrupted operations go on, and what memory it takes to have many of them."""
    sizes, names = bench.sizes, ("few", "many")
    with directory() as few, directory() as many:
        places = dict(zip(names, (few, many), strict=True))
        for name, number in zip(names, sizes.interrupted, strict=True):
            _history(places[name], "--interrupted", number)
        for _ in range(sizes.rounds):
            for name, place in places.items():
                for how, options in (("first", []), ("cold", ["--cold"])):
                    words = module("resume", _url(place), place, *options)
                    bench.results.add(f"recovery/{name}/{how}", run(*words).line)
        for name, place in places.items():
            words = module("resume", _url(place), place, "--until", sizes.ended)
            bench.results.add(f"recovery/{name}/memory", run(*words).line)
    with Stores(None).fresh() as url:
        bench.results.add("waiting", run(*module("waiting", url, sizes.waiting)).line)


def workers(bench: Bench) -> None:
    """A service of one process, and of two."""
    for line in run(*_script("workers.py", bench.sizes.builds)).lines:
        bench.results.add(f"workers/{line['workers']}", line)


def pages(bench: Bench) -> None:
    """A service with open pages, and without."""
    sizes = bench.sizes
    for stores in bench.stores():
        with stores.fresh() as url, directory() as place:
            words = module("pages", of_sqlalchemy(url), place, *sizes.pages, sizes.rounds)
            for line in run(*words).lines:
                who = "open" if line["listeners"] else "none"
                bench.results.add(f"pages/{stores.kind}/{who}", line)


def startup(bench: Bench) -> None:
    """The command, from nothing to its answer."""
    for line in run(*module("startup", bench.sizes.starts)).lines:
        bench.results.add(f"startup/{line['command']}", line)


def libvirt(bench: Bench) -> None:
    """Real guests on a private libvirtd, beside a script with the same calls."""
    for line in run(*_script("real_build.py", bench.sizes.guests)).lines:
        if "why_not" in line:
            bench.results.missing[f"libvirt/{line['variant']}"] = line["why_not"]
            if line["variant"] != "virt-install":
                bench.results.missing["libvirt"] = line["why_not"]
        else:
            bench.results.add(f"libvirt/{line['variant']}", line)


Part = Callable[[Bench], None]

PARTS: Mapping[str, Part] = {
    part.__name__: part
    for part in (disk, engine, create, history, recovery, workers, pages, startup, libvirt)
}


def run_parts(bench: Bench, names: frozenset[str]) -> None:
    """Measure these; what cannot be is noted, and does not keep the others from it."""
    for name, part in PARTS.items():
        if name not in names:
            continue
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            part(bench)
        except (Failed, Missing, CalledProcessError, FileNotFoundError) as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            bench.results.missing[name] = str(error).strip().splitlines()[-1]


def _history(place: Path, option: str, count: int) -> None:
    run(*_script("history.py", _url(place), option, count, "--state-dir", place))


def _script(name: str, *words: object) -> list[str]:
    return [sys.executable, str(ROOT / "benchmarks" / name), *map(str, words)]


def _url(place: Path) -> str:
    return f"sqlite:///{place / 'store.db'}"
