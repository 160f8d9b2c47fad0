"""make chaos: controllers that build and delete at once are killed for a while; nothing may come
of it."""

import argparse
import resource
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.crew import notes, wish_of
from tests.chaos.driver import Driver, Ground
from tests.chaos.ground import SimulatedGround
from tests.chaos.oracle import Verdict, judge
from tests.chaos.outages import outage_of
from tests.chaos.secrets_in_clear import found
from tests.chaos.store import Store
from tests.support import databases, private_host
from tests.support.lab import preload
from tests.support.servers import running
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database

_IN_CALLS = 0.3
"""The share of kills inside of a backend call, at least."""


def main() -> int:
    asked = _arguments()
    seed = asked.seed or secrets.randbelow(10**9)
    home = Path(tempfile.mkdtemp(prefix="vmwright-chaos-"))
    print(f"seed={seed} database={asked.db} backend={asked.backend} directory={home}", flush=True)
    with _store(asked.db, home) as url:
        marker = f"marker-{secrets.token_hex(16)}".encode()
        with _ground(asked.backend, home / "run", url) as ground:
            store = Store(url)
            driver = Driver(ground, seed, wish_of(marker, ground.choices), outage_of(store))
            wrong = _run(driver, ground, home, asked.seconds)
            verdict = judge(store, ground.world, notes(driver.journal))
            wrong += verdict.complaints()
            secret = found(marker, ground.home, store, ground.is_for_secrets)
            wrong += [f"secret in clear: {place}" for place in secret]
            return _report(driver, verdict, wrong, home)


@contextmanager
def _ground(backend: str, home: Path, url: str) -> Iterator[Ground]:
    home.mkdir()
    if backend == "simulated":
        yield SimulatedGround(home, url)
        return
    if reason := private_host.missing():
        sys.exit(reason)
    from tests.chaos.libvirt_ground import LibvirtGround

    with LibvirtGround.at(home, url) as ground:
        yield ground


def _run(driver: Driver, ground: Ground, home: Path, seconds: float) -> list[str]:
    """The run; what is wrong with the run itself."""
    preload(home / "preload")
    driver.whole(ground.settings, ground.prepare)
    driver.enumerate_points()
    driver.run(seconds)
    wrong = [] if driver.settle() == 0 else ["what was left could not be settled: see logs"]
    toll = driver.toll
    if ground.steps:  # of real hosts, which are slow, not every place can be asked for
        wrong += [f"nobody was killed at: {place}" for place in driver.missed]
    if toll.in_call < _IN_CALLS * toll.kills:
        wrong.append(f"only {toll.in_call} of {toll.kills} kills were inside of a backend call")
    return wrong


def _report(driver: Driver, verdict: Verdict, wrong: list[str], home: Path) -> int:
    toll = driver.toll
    print(
        f"places={len(driver.places)} in_call={toll.in_call} stopped={toll.stops}"
        f" blows={toll.befallen} ended={toll.failures} cpu={_cpu():.0f}s"
    )
    failed = [text for text in wrong if not text.startswith("parked")]
    print("\n".join(wrong))
    print(verdict.line(toll.kills))
    if failed:
        print(f"evidence: {home}")
        return 1
    shutil.rmtree(home)
    return 0


def _cpu() -> float:
    """Seconds of processor that all controllers took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _store(name: str, home: Path) -> Iterator[str]:
    """The address of a new store with the newest schema."""
    if name == "sqlite":
        yield f"sqlite:///{home / 'run' / 'store.db'}"
        return
    if reason := databases.missing(name):
        sys.exit(reason)
    with running(databases.SERVERS[name]) as server:
        settings = server.fresh()
        database = Database.open(settings)
        schema_version.upgrade(database)
        database.close()
        yield settings.connection


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="0 takes a new one")
    parser.add_argument("--db", choices=("sqlite", "postgresql", "mariadb"), default="sqlite")
    parser.add_argument("--backend", choices=("simulated", "libvirt"), default="simulated")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
