"""A deployment to measure: a store, simulated hosts without latency, and what a build needs."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from vmwright import Controller, CreateRequest
from vmwright.errors import Conflict
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.settings import DatabaseSettings, OperationSettings, Settings, SimulatedSettings
from vmwright.states import OperationState
from vmwright.waiting import Wait

PARALLEL = 8
"""Operations at once: more only wait for each other's turn at the interpreter."""

_NAMES = itertools.count()


def settings_of(url: str, home: Path, *, parallel: int = PARALLEL) -> Settings:
    """Everything but how much runs at once is as it comes to hand."""
    return Settings(
        backend="simulated",
        state_dir=home,
        database=DatabaseSettings(connection=url),
        simulated=SimulatedSettings(world_dir=home / "world"),
        operations=OperationSettings(parallel=parallel, threads_per_host=parallel),
    )


def prepare(controller: Controller) -> None:
    """Register what `request` names, unless it is there: one host that takes any number."""
    inventory = controller.inventory
    source = controller.settings.state_dir / "bench.raw"
    source.write_bytes(b"\0" * 4096)
    try:
        inventory.create_image("bench", source, "raw", wait=Wait(10))
    except Conflict:
        return
    finally:
        source.unlink()
    inventory.ensure_default_host()
    (host, *_) = inventory.hosts()
    inventory.set_host(host.name, vcpu_ratio=1000, memory_ratio=1000, disk_ratio=1000)
    inventory.create_flavor("bench", 1, 64, 1)
    inventory.create_network("bench", "10.1.0.0/16")


def request() -> CreateRequest:
    """A plain build with a name of its own: an interface, a new volume, a config drive."""
    return CreateRequest.parse(
        name=f"bench{next(_NAMES)}",
        image="bench",
        flavor="bench",
        networks=[{"network": "bench"}],
        volumes=[{"size": 1}],
    )


def build(controller: Controller) -> None:
    """One create from the door until it is active."""
    ended = controller.wait(controller.create(request()).id)
    if ended.state is not OperationState.DONE:
        raise SystemExit(f"operation {ended.id} is {ended.state}: {ended.error}")


def warm(controller: Controller, builds: int) -> None:
    """Build so many times, and until what is measured next is what a deployment does that is older
    than two seconds: the check of an image file that is younger is not remembered."""
    settled = time.monotonic() + 2.1
    for _ in range(builds):
        build(controller)
    threading.Event().wait(max(0.0, settled - time.monotonic()))


@contextmanager
def opened(settings: Settings) -> Iterator[Controller]:
    """A controller whose deployment has what `request` names."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    _make_tables(settings)
    with Controller(settings) as controller:
        prepare(controller)
        yield controller


def _make_tables(settings: Settings) -> None:
    """A server has none until somebody asks for them."""
    with closing(Database.open(settings.database)) as database:
        if schema_version.current_version(database) is None:
            schema_version.upgrade(database)


def configured(settings: Settings) -> Path:
    """A configuration file of the same deployment, for the command."""
    file = settings.state_dir / "vmwright.conf"
    lines = {
        "DEFAULT": ["backend = simulated", f"state_dir = {settings.state_dir}"],
        "database": [f"connection = {settings.database.connection}"],
        "simulated": [f"world_dir = {settings.simulated.world_dir}"],
    }
    file.write_text(
        "".join(f"[{name}]\n" + "\n".join(those) + "\n" for name, those in lines.items())
    )
    return file


def of_sqlalchemy(url: str) -> str:
    """The same database for SQLAlchemy with psycopg 3."""
    return url.replace("postgresql:", "postgresql+psycopg:")
