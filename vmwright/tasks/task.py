"""The rules that every task of every flow obeys."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import sqlalchemy as sa
from taskflow import task

from vmwright.backends.host import Backend, Host
from vmwright.backends.removal import Removal
from vmwright.errors import Internal, Unavailable
from vmwright.ids import HostId, InstanceId, Mark, OperationId, Whose
from vmwright.persistence.debts import HOST_AWAY, LATE_EFFECT
from vmwright.states import TaskState
from vmwright.tasks.means import Means as Means  # noqa: PLC0414  # whoever writes tasks asks here
from vmwright.waiting import Wait, patiently

DISK = "disk"
"""The kind of a volume that lives and dies with its guest."""


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A removal that could not be made, or must be made again later."""

    host: HostId
    removal: Removal
    reason: str
    delay: float


def _nowhere(kind: str, state: str) -> None:
    raise Internal(f"a task noted {kind} {state} outside of its store half")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a task may know of the run that it belongs to."""

    mark: Mark
    whose: Whose
    wait: Wait
    late_effect: float
    """Seconds in which a call that nobody waits for any more may still land."""
    late: bool = False
    """Whether such a call of this task may be under way."""
    owed: list[Owed] = field(default_factory=list)
    noted: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the `intend` of a task, under its name, read in the fenced transaction for the
    `execute` that follows it in the same process: a transaction of its own would cost more than
    all that it reads."""
    store_connection: sa.Connection | None = None
    note: Callable[[str, str], None] = _nowhere
    """Adds an event of this kind and state to the fenced transaction."""

    def but(self, **changes: Any) -> "Run":
        """The same with these changes. Made for each task: `replace` goes over every field."""
        changed = object.__new__(Run)
        vars(changed).update(vars(self), **changes)
        return changed

    @property
    def instance(self) -> InstanceId:
        return self.mark.instance

    @property
    def operation(self) -> OperationId:
        return self.mark.operation

    @property
    def connection(self) -> sa.Connection:
        """The fenced transaction; there is one in a store half only."""
        if self.store_connection is None:
            raise Internal("a task asked for the store outside of its store half")
        return self.store_connection

    def remove(self, backend: Backend, host: dict[str, Any], removals: Iterable[Removal]) -> None:
        """Make things absent from a host. What a host that is away keeps, is owed."""
        place = backend.host(host["uri"])
        for removal in removals:
            delay = self.late_effect if self.late else 0.0
            try:
                patiently(lambda: self._remove(place, removal), self.wait, removal.describe())  # noqa: B023
            except Unavailable:
                self._owe(host, removal, reason=HOST_AWAY, delay=delay)
                continue
            if self.late:
                self._owe(host, removal, reason=LATE_EFFECT, delay=delay)

    def _remove(self, host: Host, removal: Removal) -> None:
        if self.late:
            removal.settle(host, self.wait)
        removal.carry_out(host, self.wait)

    def _owe(self, host: dict[str, Any], removal: Removal, *, reason: str, delay: float) -> None:
        self.owed.append(Owed(host=HostId(host["id"]), removal=removal, reason=reason, delay=delay))


class Task(task.Task):  # type: ignore[misc]  # TaskFlow is untyped
    """One change to the world that can be repeated and taken back.

    * ``execute`` may run more than once: a crash hides whether it had run.
    * ``revert`` may run more than once, and after an ``execute`` that failed half-way, was
      refused or never began. It never reads its own result; it finds what to undo by names
      fixed before the flow began, and only what `Run.whose` covers.
    * ``intend`` is the store half of ``execute``: it runs before it, in the transaction that
      says that the task begins. ``forget`` is the store half of ``revert``: it is committed
      after it, with the words that the task was taken back.
    * Inputs and results are stored as JSON in clear: small values, no secrets.

    A task holds nothing of a run: one object serves all runs of a flow.
    """

    task_name: ClassVar[str]
    """What the database calls this task. Renaming it strands operations in flight."""
    task_state: ClassVar[TaskState | None] = None
    """What the instance's `task_state` says while this task runs."""
    only_looks: ClassVar[bool] = False
    """Whether it changes nothing anywhere: then nothing is committed before it begins, and a run
    that dies in it does it again. Its `intend` is called if something is committed all the same."""
    gives_back: ClassVar[str] = ""
    """What taking it back returns, for the fault that users read; empty if nothing."""
    leaves: ClassVar[frozenset[str]] = frozenset()
    """What of that may still be there: kinds of debts (a guest's own disk is a `DISK`), and what is
    kept for them (`Held`)."""

    def __init__(self, means: Means) -> None:
        super().__init__(name=self.task_name)
        self._means = means

    def intend(self, *_: Any, **__: Any) -> None:
        """Nothing to write down. Called with what `execute` is called with."""

    def revert(self, *_: Any, **__: Any) -> None:
        """Nothing to take back."""

    def forget(self, *_: Any, **__: Any) -> None:
        """Nothing to write down. Called with what `revert` is called with."""

    def removals(self, *_: Any, **__: Any) -> list[Removal]:
        """What `revert` makes absent from `host`, or `execute` of a `RemovingTask`: what holds
        others first. Called with what that is called with; it only looks.

        What nobody can remove now is owed by these, once somebody gives that up.
        """
        return []


class StoreTask(Task):
    """A task whose whole effect lies in the store: it runs inside the fenced transaction.

    ``execute`` and ``revert`` use `Run.connection`; they commit together with the words that
    they ran, so that they are atomic and need neither `intend` nor `forget`.
    """


class RemovingTask(Task):
    """A task that makes something absent. There is no way back from it, only on.

    A failure is not a reason to undo what was removed before: the run is suspended and the task
    tried again, as a failing undo is.
    """
