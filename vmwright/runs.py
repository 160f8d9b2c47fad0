"""One run of an operation in this process: what it needs is put together, and it is driven."""

import logging
import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from dataclasses import dataclass
from functools import partial

from taskflow.persistence import models

from vmwright.concerning import concerning
from vmwright.errors import Internal
from vmwright.flows import refuse_other_rows, stored_flow
from vmwright.ids import DeploymentId, OperationId
from vmwright.loading import Loaded, load
from vmwright.outcomes import Ending
from vmwright.ownership import Ownership
from vmwright.persistence.held_operations import Claim
from vmwright.persistence.pending import Fenced
from vmwright.persistence.records import Operation
from vmwright.persistence.unit_of_work import UnitOfWork
from vmwright.pools import Pools
from vmwright.runner import (
    Active,
    Assignment,
    CompiledFlow,
    CompiledFlows,
    Outcome,
    drive,
    identity_of,
)
from vmwright.settings import OperationSettings
from vmwright.spec import Spec
from vmwright.states import HELD
from vmwright.tasks.task import Means, Owed

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """An operation that was just stored as queued, with what its run needs: whoever runs it here
    need not read it back. It follows no other one."""

    operation: Operation
    spec: Spec
    detail: Callable[[], models.FlowDetail]
    """TaskFlow's objects for its rows, made when it is run."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """An operation that is to run here now."""

    operation: Operation
    """As it is once it is ours."""
    as_read: Operation
    claim: Claim | None = None
    """How its first transaction makes it ours; None if it is."""
    accepted: Accepted | None = None
    """What is known of it, if it was accepted here."""
    loaded: Loaded | None = None
    """What was read for it ahead, if anything was."""

    def as_stored(self, active: Active) -> Operation:
        """How the store has it: what never began is not ours."""
        return self.operation if active.is_claimed else self.as_read


class Runs:
    """What all runs of a process have in common. Thread-safe."""

    def __init__(
        self,
        means: Means,
        deployment: DeploymentId,
        settings: OperationSettings,
        ownership: Ownership,
        pools: Pools,
        *,
        is_sound: Callable[[], bool],
        stopping: threading.Event,
        committed: Callable[[OperationId], None],
    ) -> None:
        """`committed` is called after each commit of a run."""
        self._means = means
        self._stores = means.stores
        self._deployment = deployment
        self._settings = settings
        self._ownership = ownership
        self._pools = pools
        self._is_sound = is_sound
        self._stopping = stopping
        self._committed = committed
        self._compiled = CompiledFlows()
        self.losses = Losses()

    def drive(self, begun: Begun, active: Active) -> Outcome:
        """See it as far as it goes here; what it is doing is in `active`."""
        operation = begun.operation
        loaded = self._loaded(begun)
        hooks = loaded.spec.hooks
        flow = stored_flow(operation.flow_name, operation.flow_version, self._means, hooks)
        if begun.accepted is None:
            refuse_other_rows(flow, (atom.name for atom in loaded.detail))
        compiled = self._compiled.of(flow)
        if begun.accepted is None:
            compiled.refuse_other_kinds(loaded.detail)
        active.work = UnitOfWork(
            self._stores,
            operation,
            loaded.detail,
            trusted=partial(self._trusts, operation.id, active),
            claim=begun.claim,
            claimed=active.is_ours_from_now_on,
            committed=partial(self._committed, operation.id),
        )
        assignment = self._assignment(begun, active, active.work, compiled, loaded)
        return drive(compiled, loaded.detail, assignment, self._pools)

    def _loaded(self, begun: Begun) -> Loaded:
        if begun.accepted is not None:
            return Loaded(spec=begun.accepted.spec, detail=begun.accepted.detail())
        return begun.loaded or load(self._stores, begun.operation)

    def _trusts(self, operation: OperationId, active: Active) -> bool:
        """Whether a run may go on by what the store says."""
        return self._is_sound() and self._ownership.trusts(operation, active.since)

    def _assignment(
        self,
        begun: Begun,
        active: Active,
        work: UnitOfWork,
        compiled: CompiledFlow,
        loaded: Loaded,
    ) -> Assignment:
        operation = begun.operation
        ending = Ending(
            self._stores, operation, compiled.tasks, loaded.detail, work, self._settings
        )

        return Assignment(
            run=identity_of(operation, self._deployment, self._settings),
            inputs={"spec": loaded.spec},
            # Also what is told to go on after it was parked: mostly because its process died.
            cut_off=begun.as_read.state in HELD or "parked" in (operation.error or {}),
            work=work,
            settings=self._settings,
            cancelled=active.cancelled,
            stopping=self._stopping,
            finish=ending.record,
            progress=active.hears,
            hands_over=active.hands_over,
            owe=lambda fenced, owed: self._owe(fenced, operation, owed),
        )

    def _owe(self, fenced: Fenced, operation: Operation, owed: list[Owed]) -> None:
        for debt in owed:
            self._stores.debts.owe(
                fenced.connection,
                host=debt.host,
                kind=debt.removal.kind,
                key=debt.removal.key,
                whose=debt.removal.whose.to_store(),
                reason=debt.reason,
                delay=debt.delay,
                operation=operation.id,
                instance=operation.instance_id,
            )


def about(operation: Operation) -> ContextDecorator:
    """Around what is done for it: what is logged meanwhile names it and its instance."""
    return concerning(operation_id=operation.id, instance_id=operation.instance_id)


class Losses:
    """Runs that ended here because their operations were not ours any more. Thread-safe."""

    def __init__(self) -> None:
        self.number = 0
        self._lock = threading.Lock()

    def note(self, operation: Operation) -> None:
        """One more, and the log says which."""
        with self._lock:
            self.number += 1
        LOG.warning(
            "operation %s (%s) is not ours any more, from epoch %d on: our lease ran out, or "
            "another process has taken it over; nothing more is done or written for it here",
            *(operation.id, operation.kind, operation.epoch),
        )


def broken() -> Internal:
    """What is told of one that fails for no reason that we know."""
    return Internal(
        "its rows could not be run; the log says why",
        hint="mend what the log names",
    )
