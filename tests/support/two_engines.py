"""One flow on TaskFlow's own engine, and on ours with a real store; and what each came to."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from taskflow import engines, exceptions
from taskflow import states as taskflow_states
from taskflow.persistence import models
from taskflow.persistence.backends import impl_sqlalchemy
from taskflow.types.failure import Failure

from tests.support.eventful_flows import EventfulFlow, Killed, World
from tests.support.rows import new_flow_rows, stored_operation
from vmwright.errors import VmwrightError
from vmwright.flows import atoms_of, refuse_other_rows
from vmwright.ids import DeploymentId, OperationId, OwnerId, new_id
from vmwright.outcomes import Ending
from vmwright.persistence.logbook import load_flow
from vmwright.persistence.stores import Stores
from vmwright.persistence.unit_of_work import UnitOfWork
from vmwright.pools import Places, Pools
from vmwright.runner import Assignment, CompiledFlow, Outcome, drive, identity_of
from vmwright.settings import OperationSettings

Known = Mapping[str, tuple[Any, ...]]
"""What is kept of each atom, as values that can be compared."""


@dataclass(frozen=True)
class End:
    """What a run came to."""

    state: str
    atoms: Known
    world: World


# TaskFlow's own.


class _Soonest(set[Any]):
    """Futures that are done, in the order in which ours are looked at; TaskFlow has none.

    Failures come first: nothing that was to follow what ended with them is begun, as with us.
    """

    def pop(self) -> Any:
        soonest = max(self, key=_urgency)
        self.remove(soonest)
        return soonest


def _urgency(future: Any) -> tuple[bool, int]:
    _, result = future.result()
    return isinstance(result, Failure), future.atom.priority


def _in_order(build: Callable[..., Any]) -> Callable[..., Any]:
    """What TaskFlow makes its state machine with, for one whose futures have an order."""

    def built(*arguments: Any, **options: Any) -> Any:
        machine, memory = build(*arguments, **options)
        memory.done = _Soonest()
        return machine, memory

    return built


def on_taskflow(flow: EventfulFlow) -> End:
    """From its beginning to its end. No removal stumbles: TaskFlow would go no further."""
    world = World()
    engine = engines.load(flow.make(world), engine="serial", backend={"connection": "memory"})
    return _turned(engine, world)


def seen_through(flow: EventfulFlow, stored: models.FlowDetail, world: World, backend: Any) -> End:
    """As far as TaskFlow's own engine comes with a run that is not over."""
    while True:
        engine = engines.load(
            flow.make(world), flow_detail=stored, engine="serial", backend=backend
        )
        end = _turned(engine, world)
        if end.state != STANDS_STILL:
            return end
        stored = engine.storage._flowdetail


STANDS_STILL = taskflow_states.RUNNING
"""What TaskFlow leaves a run in that has more to do and that it does not see: it looks for what may
be undone next only up to a retry. Another engine that begins with what is stored goes on."""


def _turned(engine: Any, world: World) -> End:
    # An undone run ends with its failures, one that stands still with a move that is none.
    ends = (VmwrightError, exceptions.WrappedFailure, exceptions.InvalidState)
    engine.compile()
    builder = engine._runtime.builder
    builder.build = _in_order(builder.build)
    with suppress(*ends):
        engine.run()
    return End(str(engine.storage.get_flow_state()), known(engine.storage._flowdetail), world)


# Ours.


class _Here(Places):
    """Places whose threads are those of whoever asks: what is begun together ends in order."""

    def submit(self, call: Callable[..., Any], *arguments: object) -> Any:
        call(*arguments)
        future: Any = super().submit(lambda: None)
        future.result()
        return future


class InOrder(Pools):
    """Pools of such places."""

    def of(self, host: str | None) -> Places:
        if host not in self._tasks:
            self._tasks[host] = _Here(self._per_host, "here")
        return self._tasks[host]


@dataclass(frozen=True)
class Ground:
    """A store, and threads for tasks."""

    stores: Stores
    pools: Pools

    def submit(self, flow: EventfulFlow) -> OperationId:
        with self.stores.database.write() as connection:
            operation = stored_operation(self.stores, connection, flow_name="eventful")
            new_flow_rows(
                connection,
                self.stores,
                flow_name="eventful",
                detail_id=operation.flow_detail_id,
                atoms=atoms_of(flow.make(World())),
            )
        return operation.id

    def stored(self, operation: OperationId) -> models.FlowDetail:
        with self.stores.database.read() as connection:
            detail = self.stores.operations.get(connection, operation).flow_detail_id
            return load_flow(connection, self.stores, detail)

    def go_on(self, operation: OperationId, flow: EventfulFlow, world: World) -> Outcome:
        """As a process that begins now, and knows what is in the store. `Killed` if it dies."""
        stores, settings = self.stores, _SETTINGS
        stopping = threading.Event()
        with stores.database.write() as connection:
            read = stores.operations.get(connection, operation)
            assert stores.operations.claim(connection, read, OwnerId(new_id())) is not None
            ours = stores.operations.get(connection, operation)
            detail = load_flow(connection, stores, ours.flow_detail_id)
        made = flow.make(world)
        refuse_other_rows(made, (atom.name for atom in detail))
        compiled = CompiledFlow(made)
        compiled.refuse_other_kinds(detail)
        work = UnitOfWork(stores, ours, detail, trusted=lambda: True)
        ending = Ending(stores, ours, compiled.tasks, detail, work, settings)
        world.stop = stopping.set
        assignment = Assignment(
            run=identity_of(ours, _DEPLOYMENT, settings),
            inputs={"spec": None},
            cut_off=ours.epoch > 1,
            work=work,
            settings=settings,
            cancelled=threading.Event(),
            stopping=stopping,
            finish=ending.record,
            progress=lambda *_: None,
            hands_over=lambda _: lambda _: None,
            owe=lambda *_: None,
        )
        return drive(compiled, detail, assignment, self.pools)

    def see_through(self, flow: EventfulFlow, world: World) -> tuple[OperationId, Outcome]:
        """However many processes it takes, until it is over or will not move any more."""
        operation, before = self.submit(flow), None
        while True:
            outcome = self.goes_on(operation, flow, world)
            left = dict(world.stumbles)
            after = known(self.stored(operation)), len(world.calls), left
            if outcome in (Outcome.DONE, Outcome.UNDONE) or before == after:
                assert outcome is not None, "a process died in every task"
                return operation, outcome
            before = after

    def goes_on(self, operation: OperationId, flow: EventfulFlow, world: World) -> Outcome | None:
        """As `go_on`; None if it died."""
        world.dead = False
        try:
            return self.go_on(operation, flow, world)
        except Killed:
            return None

    def backend(self) -> Any:
        """TaskFlow's own, on this store."""
        writer = self.stores.database.writer
        url = writer.url.render_as_string(hide_password=False)
        return impl_sqlalchemy.SQLAlchemyBackend({"connection": url}, engine=writer)

    def end_of(self, operation: OperationId, world: World) -> End:
        detail = self.stored(operation)
        return End(str(detail.state), known(detail), world)


_SETTINGS = replace(OperationSettings(), undo_tries=10**6, undo_backoff=0.0)
_DEPLOYMENT = DeploymentId(new_id())


# What is kept.


def known(detail: models.FlowDetail) -> Known:
    return {atom.name: _of_atom(atom) for atom in detail}


def _of_atom(atom: models.AtomDetail) -> tuple[Any, ...]:
    if isinstance(atom, models.RetryDetail):
        results: Any = [
            (value, {name: _text(failure) for name, failure in failures.items()})
            for value, failures in atom.results
        ]
    else:
        results = atom.results
    return (
        atom.state,
        atom.intention,
        results,
        _text(atom.failure),
        atom.revert_results,
        _text(atom.revert_failure),
    )


def _text(failure: Failure | None) -> str | None:
    return None if failure is None else f"{next(iter(failure))}: {failure.exception_str}"
