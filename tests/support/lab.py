"""A deployment of its own for each test: real SQLite file, simulated world, and child processes.

Children are forked from here and are the only ones that open a controller: what they leave
behind when they are killed is what a machine leaves behind. What they did is read from the files
of the world and the rows of the store, never through the package.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support import foreign_sql
from vmwright.controller import Controller
from vmwright.request import CreateRequest
from vmwright.settings import (
    CallerSettings,
    DatabaseSettings,
    OperationSettings,
    QuotaSettings,
    Settings,
    SimulatedSettings,
)
from vmwright.testing.stage import Ended, Stage, Work
from vmwright.testing.subjects import resume
from vmwright.waiting import Wait

__all__ = ["Ended", "Lab", "Work", "resume"]

MARKER = b"marker-of-a-secret-3f9c1d"
"""User data that must be found nowhere in clear."""


@dataclass(frozen=True)
class Lab(Stage):
    """A stage, of which more can be set."""

    faults: tuple[str, ...] = ()
    latency: str = "0"
    max_attempts: int = 3
    late_effect: float = 0.0
    url: str | None = None
    """Where the store is, if it is not an SQLite file in `home`."""
    parallel: int = 4
    takeovers: int = 10
    slow_after: float = 10.0
    undo_deadline: float = 1.0
    server_group_members: int = 10
    power_state_interval: float = 30.0
    reconcile_interval: float = 0.2
    roles: tuple[str, ...] = ("admin", "member", "reader")
    lease: float = 15.0
    database_timeout: float = 10.0

    @property
    def settings(self) -> Settings:
        return Settings(
            backend="simulated",
            state_dir=self.home,
            database=DatabaseSettings(connection=self._where, timeout=self.database_timeout),
            simulated=SimulatedSettings(
                world_dir=self.world_root, faults=self.faults, latency=self.latency
            ),
            operations=OperationSettings(
                lease=self.lease,
                patience=1.0,
                undo_deadline=self.undo_deadline,
                undo_backoff=0.05,
                undo_tries=self.undo_tries,
                max_attempts=self.max_attempts,
                late_effect=self.late_effect,
                deadline=60.0,
                parallel=self.parallel,
                takeovers=self.takeovers,
                slow_after=self.slow_after,
            ),
            hooks=self.hooks,
            quota=QuotaSettings(server_group_members=self.server_group_members),
            reconcile_interval=self.reconcile_interval,
            caller=CallerSettings(roles=self.roles),
            power_state_interval=self.power_state_interval,
        )

    @property
    def _where(self) -> str:
        return self.url or f"sqlite:///{self.home / 'store.db'}"

    def with_faults(self, *faults: str) -> "Lab":
        return replace(self, faults=faults)

    def prepared(self) -> "Lab":
        """This deployment, with all that `request` names."""
        ended = self.child(prepare)
        assert ended.status == 0, ended.output
        return self

    # What an outsider sees.

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """What the store says."""
        return foreign_sql.rows(self._where, statement, *values)

    def is_writable(self) -> bool:
        """Whether no process is in the middle of a transaction that keeps others from writing."""
        return foreign_sql.is_writable(self._where)

    def all_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table, of ours and of TaskFlow's."""
        names = foreign_sql.tables(self._where)
        return {name: sorted(self.rows(f"SELECT * FROM {name}"), key=repr) for name in names}

    def execute(self, statement: str) -> None:
        """Change the store behind everybody's back."""
        foreign_sql.execute(self._where, statement)

    def things(self, kind: str) -> list[dict[str, Any]]:
        """The domains, volumes or reservations of every host."""
        paths = sorted((self.home / "world").glob(f"hosts/*/{kind}/*.json"))
        return [json.loads(path.read_text()) for path in paths]

    def secrets_in_clear(self) -> list[str]:
        """Files of store, world and logs that hold the marker."""
        return [
            str(path)
            for path in self.home.rglob("*")
            if path.is_file() and MARKER in path.read_bytes()
        ]


def request(**changes: Any) -> CreateRequest:
    """One instance with an interface, user data, and disks of every kind: of its own (its
    flavor has an ephemeral and a swap disk), new volumes, and one that was there before.

    The volume ``kept`` and the port ``mine`` are the user's: one instance at a time has them.
    """
    wish = {
        "name": "vm1",
        "image": "demo",
        "flavor": "small",
        "networks": [{"network": "net1"}],
        "volumes": [{"size": 1}, {"image": "demo"}, {"volume": "kept"}],
        "user_data": MARKER,
    }
    return CreateRequest.parse(**(wish | changes))


def prepare(controller: Controller, subnet: str = "10.1.0") -> None:
    """Register what `request` names."""
    inventory, source = controller.inventory, controller.settings.state_dir / "demo.raw"
    source.write_bytes(b"\0" * 4096)
    inventory.ensure_default_host()
    inventory.create_image("demo", source, "raw", wait=Wait(10))
    inventory.create_flavor("small", 1, 128, 1, ephemeral_gib=1, swap_mib=64)
    inventory.create_network("net1", f"{subnet}.0/24")
    inventory.create_volume("kept", size_gib=1)
    inventory.ports.create("mine", "net1", ip=f"{subnet}.77")
    source.unlink()


def prepare_beside(controller: Controller) -> None:
    """As `prepare`, for another deployment in the same world: a host has a subnet once."""
    prepare(controller, "10.2.0")


def prepare_hosts(controller: Controller) -> None:
    """As `prepare`, with three hosts, which are tried in the order of their numbers."""
    prepare(controller)
    for name in ("host2", "host3"):
        controller.inventory.create_host(name, f"simulated:///{name}")


def preload(directory: Path) -> None:
    """Load into this process, once, what each of its children would load.

    Accepting a request loads nearly all of it, and starts no thread.
    """
    directory.mkdir()
    with Controller(Lab(directory).settings) as controller:
        prepare(controller)
        controller.submit(request())
        controller.plan(request(name="vm2", volumes=[]))


@contextmanager
def template(
    directory: Path, preparation: Callable[[Controller], None] = prepare
) -> Iterator[Path]:
    """A prepared deployment to copy: registering costs more than copying."""
    directory.mkdir()
    ended = Lab(directory).child(preparation)
    assert ended.status == 0, ended.output
    yield directory


def copy_of(prepared: Path, home: Path) -> Lab:
    return Lab(prepared).copied_to(home)


def create(controller: Controller) -> None:
    """Build one instance, also with a port of the user's, and say how it ended."""
    wish = request(networks=[{"network": "net1"}, {"port": "mine"}])
    print(controller.wait(controller.create(wish).id, timeout=60).state)


def delete(controller: Controller) -> None:
    """Delete the instance and see it through."""
    print(controller.wait(controller.delete("vm1").id, timeout=60).state)


def pay(controller: Controller) -> None:
    """Pay what is due: nothing is under way any more."""
    assert controller.pay_debts() == 0
