"""Tasks that find a host and hold its room for a guest."""

from collections.abc import Mapping, Sequence
from typing import Any

from vmwright.errors import NoValidHost
from vmwright.ids import HostId
from vmwright.persistence.census import Held
from vmwright.persistence.records import Attempt
from vmwright.scheduler.decision import Refusal, why_no_host
from vmwright.scheduler.filters.company import ServerGroupPolicy
from vmwright.scheduler.filters.fitness import Capacity
from vmwright.scheduler.values import HostState, RequestSpec
from vmwright.spec import Spec
from vmwright.states import AttemptOutcome
from vmwright.tasks.instance import host_value
from vmwright.tasks.placement import demand_of
from vmwright.tasks.task import RemovingTask, Run, StoreTask


class ClaimHost(StoreTask):
    """Hold room on a host for the guest: the best one by the scheduler that takes the claim."""

    task_name = "claim_host"
    gives_back = "room on the host"
    leaves = frozenset({Held.CLAIM})
    default_provides = "host"

    def execute(self, run: Run, spec: Spec) -> dict[str, Any]:
        stores, group = self._means.stores, spec.placement.group
        attempts = stores.attempts.placed(run.connection, run.operation)
        held = self._held(run, attempts)
        if held is not None:
            return host_value(stores.registries.hosts.find(run.connection, held))
        if group is not None:
            # What is read of its members then holds all that was decided before.
            stores.server_groups.hold(run.connection, group)
        tried = _tried(attempts)
        request, decision = self._means.placement.decide(run.connection, run.instance, spec, tried)
        refusals = list(decision.refusals)
        for candidate in decision.candidates:
            host = candidate.host
            refusal = self._refusal_of_tried(host, tried) or self._refusal_of_policy(request, host)
            if refusal is None:
                last = candidate is decision.candidates[-1]
                refusal = self._claim(run, spec, request, host, last=last)
            if refusal is None:
                return host_value(host)
            refusals.append(refusal)
        raise NoValidHost(why_no_host(refusals), hint="see: vmwright host list")

    def _held(self, run: Run, attempts: Sequence[Attempt]) -> HostId | None:
        """The host of this attempt, if it was claimed before: what says so is written with it."""
        number = run.mark.attempt
        if not any(known.number == number and known.host_id for known in attempts):
            return None
        claims = self._means.stores.claims
        return claims.held(run.connection, run.instance, run.operation, attempt=number)

    def revert(self, run: Run, **_: Any) -> None:
        stores = self._means.stores
        # A guest that could not be removed, and that nobody keeps away from, still needs its room.
        if not stores.debts.keep_room(run.connection, run.instance):
            stores.claims.release(run.connection, run.instance, run.whose.operation)
        stores.instances.place(run.connection, run.instance, None)

    def _refusal_of_tried(self, host: HostState, tried: Mapping[HostId, str]) -> Refusal | None:
        """Whichever filters are on: what is owed there of the attempt that failed is paid while
        the guest of this one runs, and nothing outside tells the two apart."""
        if host.id not in tried:
            return None
        return Refusal(host=host.name, filter="retry", reason=f"tried already: {tried[host.id]}")

    def _refusal_of_policy(self, request: RequestSpec, host: HostState) -> Refusal | None:
        """What a claim keeps, it keeps whichever filters are on."""
        forced = request.forced_host is not None
        broken = None if forced else ServerGroupPolicy().why_not(host, request)
        if broken is None:
            return None
        return Refusal(host=host.name, filter=ServerGroupPolicy.name, reason=broken)

    def _claim(
        self, run: Run, spec: Spec, request: RequestSpec, host: HostState, *, last: bool
    ) -> Refusal | None:
        """None once the host is claimed."""
        stores = self._means.stores
        claimed = stores.claims.claim(
            run.connection,
            host.id,
            demand_of(spec),
            instance=run.instance,
            operation=run.operation,
            attempt=run.mark.attempt,
            forced=request.forced_host is not None,
            last=last,
        )
        if not claimed:
            reason = Capacity().why_not(host, request) or "taken, or switched off, meanwhile"
            return Refusal(host=host.name, filter=Capacity.name, reason=reason)
        stores.instances.place(run.connection, run.instance, host.id)
        stores.attempts.place(run.connection, run.operation, run.mark.attempt, host.id)
        return None


def _tried(attempts: Sequence[Attempt]) -> dict[HostId, str]:
    """The hosts on which this operation came to nothing, and why."""
    return {
        attempt.host_id: str((attempt.fault or {}).get("message"))
        for attempt in attempts
        if attempt.host_id is not None and attempt.outcome == AttemptOutcome.FAILED
    }


class ReleaseHost(StoreTask, RemovingTask):
    """Give the instance's room on its host back."""

    task_name = "release_host"

    def execute(self, run: Run) -> None:
        stores = self._means.stores
        if not stores.debts.keep_room(run.connection, run.instance):
            stores.claims.release(run.connection, run.instance, None)
