"""A deployment of its own for each test: real SQLite file, simulated world, and child processes.

Children are forked from here and are the only ones that open a controller: what they leave
behind when they are killed is what a machine leaves behind. What they did is read from the files
of the world and the rows of the store, never through the package.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support import foreign_sql
from vmwright.controller import Controller
from vmwright.request import CreateRequest
from vmwright.settings import (
    DatabaseSettings,
    HookSettings,
    OperationSettings,
    QuotaSettings,
    Settings,
    SimulatedSettings,
)
from vmwright.tasks.task import Means
from vmwright.waiting import Wait

MARKER = b"marker-of-a-secret-3f9c1d"
"""User data that must be found nowhere in clear."""

_NOT_OF_INSTANCES = ("networks", "bases", "lock", "host.json", "calls.json", "calls.lock")
_KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status (negative: the signal) and what it printed."""

    status: int
    output: str

    @property
    def killed(self) -> bool:
        return self.status == _KILLED


@dataclass(frozen=True)
class Lab:
    """One deployment under a directory."""

    home: Path
    faults: tuple[str, ...] = ()
    latency: str = "0"
    undo_tries: int = 5
    max_attempts: int = 3
    late_effect: float = 0.0
    url: str | None = None
    """Where the store is, if it is not an SQLite file in `home`."""
    parallel: int = 4
    server_group_members: int = 10
    power_state_interval: float = 30.0
    reconcile_interval: float = 0.2
    hooks: HookSettings = field(default_factory=HookSettings)

    @property
    def settings(self) -> Settings:
        return Settings(
            backend="simulated",
            state_dir=self.home,
            database=DatabaseSettings(connection=self._where),
            simulated=SimulatedSettings(
                world_dir=self.home / "world", faults=self.faults, latency=self.latency
            ),
            operations=OperationSettings(
                patience=1.0,
                undo_deadline=1.0,
                undo_backoff=0.05,
                undo_tries=self.undo_tries,
                max_attempts=self.max_attempts,
                late_effect=self.late_effect,
                deadline=60.0,
                parallel=self.parallel,
            ),
            hooks=self.hooks,
            quota=QuotaSettings(server_group_members=self.server_group_members),
            reconcile_interval=self.reconcile_interval,
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

    # What children do.

    def child(self, work: Callable[[Controller], Any]) -> Ended:
        """Fork a process, let it open a controller and do the work; wait for its end."""
        return self.reap(self.fork(work))

    def fork(
        self,
        work: Callable[[Controller], Any],
        settings: Settings | None = None,
        *,
        watch: Callable[[Means], Means] | None = None,
    ) -> int:
        """As `child`, without waiting: the process id."""
        sys.stdout.flush()
        process = os.fork()
        if process:
            return process
        status = 1
        try:
            output = os.open(self._output(os.getpid()), os.O_WRONLY | os.O_CREAT, 0o600)
            sys.stdout = sys.stderr = os.fdopen(output, "w")
            with Controller(settings or self.settings, watch=watch) as controller:
                work(controller)
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the child ends and says so
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def reap(self, process: int) -> Ended:
        _, status = os.waitpid(process, 0)
        path = self._output(process)
        return Ended(os.waitstatus_to_exitcode(status), path.read_text() if path.exists() else "")

    def _output(self, process: int) -> Path:
        return self.home / f"child-{process}.log"

    # What an outsider sees.

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """What the store says."""
        return foreign_sql.rows(self._where, statement, *values)

    def execute(self, statement: str) -> None:
        """Change the store behind everybody's back."""
        foreign_sql.execute(self._where, statement)

    def world(self) -> dict[str, str]:
        """Every file that instances have in the world, with its content."""
        root = self.home / "world"
        files = (path for path in sorted(root.rglob("*")) if path.is_file())
        return {
            str(path.relative_to(root)): path.read_text()
            for path in files
            if not {path.name, path.parent.name} & set(_NOT_OF_INSTANCES)
        }

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


def prepare(controller: Controller) -> None:
    """Register what `request` names."""
    inventory, source = controller.inventory, controller.settings.state_dir / "demo.raw"
    source.write_bytes(b"\0" * 4096)
    inventory.ensure_default_host()
    inventory.create_image("demo", source, "raw", wait=Wait(10))
    inventory.create_flavor("small", 1, 128, 1, ephemeral_gib=1, swap_mib=64)
    inventory.create_network("net1", "10.1.0.0/24")
    inventory.create_volume("kept", size_gib=1)
    inventory.ports.create("mine", "net1", ip="10.1.0.77")
    source.unlink()


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
    shutil.copytree(prepared, home, dirs_exist_ok=True)
    for log in home.glob("child-*.log"):
        log.unlink()
    return Lab(home)


def create(controller: Controller) -> None:
    """Build one instance, also with a port of the user's, and say how it ended."""
    wish = request(networks=[{"network": "net1"}, {"port": "mine"}])
    print(controller.wait(controller.create(wish).id, timeout=60).state)


def resume(controller: Controller) -> None:
    """Take up everything that is unfinished and see it through."""
    for operation in controller.resume():
        print(controller.wait(operation.id, timeout=60).state)


def delete(controller: Controller) -> None:
    """Delete the instance and see it through."""
    print(controller.wait(controller.delete("vm1").id, timeout=60).state)


def pay(controller: Controller) -> None:
    """Pay what is due: nothing is under way any more."""
    assert controller.pay_debts() == 0
