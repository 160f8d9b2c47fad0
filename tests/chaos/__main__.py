"""make chaos: controllers that build and delete at once are killed for a while; nothing may come
of it."""

import argparse
import resource
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.chaos.driver import Toll
from tests.chaos.outages import Reach, reach_of_file
from tests.chaos.run import Ended, chaos, ground_of
from tests.support import databases, private_host
from tests.support.proxy import Door, Proxy, proxied
from tests.support.servers import running
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database


def main() -> int:
    asked = _arguments()
    if asked.backend == "libvirt" and (reason := private_host.missing()):
        sys.exit(reason)
    seed = asked.seed or secrets.randbelow(10**9)
    home = Path(tempfile.mkdtemp(prefix="vmwright-chaos-"))
    print(f"seed={seed} database={asked.db} backend={asked.backend} directory={home}", flush=True)
    with (
        _store(asked.db, home) as reach,
        ground_of(asked.backend, home / "run", reach.url) as ground,
    ):
        ended = chaos(ground, reach, home, seed, _after(asked.seconds))
        wrong = list(ended.wrong)
        if ground.steps:  # of real hosts, which are slow, not every place can be asked for
            wrong += [f"nobody was killed at: {place}" for place in ended.missed]
    return _report(ended, wrong, home)


def _after(seconds: float) -> Callable[[Toll], bool]:
    """Whether so much time has passed since it was first asked."""
    began: list[float] = []

    def over(_: Toll) -> bool:
        began.append(time.monotonic())
        del began[1:-1]
        return began[-1] - began[0] >= seconds

    return over


def _report(ended: Ended, wrong: list[str], home: Path) -> int:
    toll = ended.toll
    print("\n".join([*wrong, *(f"parked: {text}" for text in ended.verdict.parked)]))
    print(
        f"places={ended.places} in_call={toll.in_call} stopped={toll.stops}"
        f" blows={toll.befallen} absences={toll.absences} ended={toll.failures} cpu={_cpu():.0f}s"
    )
    if wrong:
        print(f"evidence: {home}")
    else:
        shutil.rmtree(home)
    print(ended.verdict.line(toll.kills))
    return 1 if wrong else 0


def _cpu() -> float:
    """Seconds of processor that all controllers took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _store(name: str, home: Path) -> Iterator[Reach]:
    """A new store with the newest schema."""
    if name == "sqlite":
        yield reach_of_file(str(home / "run" / "store.db"))
        return
    if reason := databases.missing(name):
        sys.exit(reason)
    with running(databases.SERVERS[name]) as server, proxied(server.port) as proxy:
        settings = server.fresh()
        database = Database.open(settings)
        schema_version.upgrade(database)
        database.close()
        direct = sa.make_url(settings.connection)
        url = direct.set(port=proxy.port).render_as_string(hide_password=False)
        yield Reach(url, settings.connection, lambda: _shut(proxy))


def _shut(proxy: Proxy) -> Callable[[], None]:
    proxy.turn(Door.SHUT)
    return lambda: proxy.turn(Door.OPEN)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="0 takes a new one")
    parser.add_argument("--db", choices=("sqlite", "postgresql", "mariadb"), default="sqlite")
    parser.add_argument("--backend", choices=("simulated", "libvirt"), default="simulated")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
