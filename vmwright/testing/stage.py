"""A deployment to break: a store, a simulated world, and processes that may be killed.

Processes are forked from the one that tests, and are the only ones that open a controller: what
they leave behind when they are killed is what a machine leaves behind. What they did is read from
files and rows, never through the package.
"""

import functools
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

# Loaded before processes are forked, each of which would otherwise load them by itself.
import cryptography.fernet  # noqa: F401

import vmwright.backends.simulated
import vmwright.inventory
import vmwright.means
import vmwright.workshop  # noqa: F401
from vmwright.admission.policy import Policy
from vmwright.controller import Controller
from vmwright.persistence.tables import schema_of
from vmwright.scheduler.loading import load_scheduler
from vmwright.settings import (
    DatabaseSettings,
    HookSettings,
    OperationSettings,
    SchedulerSettings,
    Settings,
    SimulatedSettings,
)
from vmwright.tasks.task import Means

Work = Callable[[Controller], Any]
"""What a process does with its controller; it tells by printing."""

Watch = Callable[[Means], Means]

_KILLED = -signal.SIGKILL
_NOT_OF_INSTANCES = (
    *("networks", "bases", "lock", "host.json", "calls.json", "calls.lock"),
    # What a process that was killed was about to write: the next one writes over it.
    ".new",
)

IMPATIENT = OperationSettings(
    patience=1.0,
    undo_deadline=1.0,
    undo_backoff=0.05,
    late_effect=0.0,
    deadline=60.0,
)
"""A world of files answers at once: nobody waits for it as one waits for a host."""


@functools.cache
def _preload() -> None:
    """Have in memory what every process would load by itself: most of its time would go there."""
    Policy(None)
    load_scheduler(SchedulerSettings())
    assert schema_of(DatabaseSettings.table_prefix).logbook


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status (negative: the signal) and what it printed."""

    status: int
    output: str

    @property
    def killed(self) -> bool:
        return self.status == _KILLED


@dataclass(frozen=True)
class Stage:
    """One deployment under a directory: its store, its state and, unless it is in somebody
    else's, its world."""

    home: Path
    world_dir: Path | None = None
    hooks: HookSettings = field(default_factory=HookSettings)
    undo_tries: int = 5

    @property
    def settings(self) -> Settings:
        return Settings(
            backend="simulated",
            state_dir=self.home,
            database=DatabaseSettings(connection=f"sqlite:///{self.home / 'store.db'}"),
            simulated=SimulatedSettings(world_dir=self.world_root),
            operations=replace(IMPATIENT, undo_tries=self.undo_tries),
            hooks=self.hooks,
            reconcile_interval=0.2,
        )

    @property
    def world_root(self) -> Path:
        return self.world_dir or self.home / "world"

    def copied_to(self, home: Path) -> Self:
        """The same deployment, a moment later elsewhere: making one costs more than copying."""
        shutil.copytree(self.home, home, dirs_exist_ok=True)
        for log in home.rglob("child-*.log"):
            log.unlink()
        return replace(self, home=home)

    # What processes do.

    def child(self, work: Work, *, watch: Watch | None = None) -> Ended:
        """Fork a process, let it open a controller and do the work; wait for its end.

        `watch` is put around what its tasks work with: `vmwright.testing.points`.
        """
        return self.reap(self.fork(work, watch=watch))

    def fork(self, work: Work, settings: Settings | None = None, watch: Watch | None = None) -> int:
        """As `child`, without waiting: the process id."""
        _preload()
        sys.stdout.flush()
        process = os.fork()
        if process:
            return process
        status = 1
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            output = os.open(self._output(os.getpid()), flags, 0o600)
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
        return self.ended(process, status)

    def ended(self, process: int, status: int) -> Ended:
        """A process that was waited for."""
        path = self._output(process)
        return Ended(os.waitstatus_to_exitcode(status), path.read_text() if path.exists() else "")

    def _output(self, process: int) -> Path:
        return self.home / f"child-{process}.log"

    # What an outsider sees.

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """What the store says."""
        with closing(sqlite3.connect(self.home / "store.db")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def world(self) -> dict[str, str]:
        """Every file that instances have in the simulated world, with its content."""
        root = self.world_root
        files = (path for path in sorted(root.rglob("*")) if path.is_file())
        return {
            str(path.relative_to(root)): path.read_text()
            for path in files
            if not {path.name, path.parent.name} & set(_NOT_OF_INSTANCES)
        }
