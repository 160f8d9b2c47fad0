"""What an operator may do about what does not mend itself. Each verb is one transaction."""

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from vmwright.admission import Caller
from vmwright.admission.gate import Gate
from vmwright.admission.rules import DEBTS, GIVE_UP
from vmwright.descriptions import moment
from vmwright.errors import InvalidRequest
from vmwright.giving_up import GivingUp, Word
from vmwright.ids import DeploymentId, OperationId
from vmwright.persistence.kept import give_back_kept
from vmwright.persistence.records import Debt, Event, Operation
from vmwright.reconcilers.upkeep import Upkeep
from vmwright.settings import Settings
from vmwright.tasks.task import Means

_LONGEST = 255


class Operator:
    """Verbs that a person must give a reason for, by policy an administrator's."""

    def __init__(
        self,
        means: Means,
        deployment: DeploymentId,
        settings: Settings,
        caller: Caller,
        upkeep: Upkeep,
    ) -> None:
        self._stores = means.stores
        self._upkeep = upkeep
        self._gate = Gate(settings.policy_file)
        self._giving_up = GivingUp(means, deployment, settings.operations)
        self._caller = caller

    def skip(self, operation: str, task: str, why: str) -> Operation:
        """Give up what an operation is stuck in; see `Controller.skip`."""
        word = self._word(why)
        with self._stores.database.write() as connection:
            self._upkeep.history.check(connection)
            known = self._operation(connection, operation)
            self._giving_up.skip(connection, known, task, word)
        return known

    def abandon(self, operation: str, why: str) -> Operation:
        """End an operation that stands still; see `Controller.abandon`."""
        word = self._word(why)
        with self._stores.database.read() as connection:
            known = self._operation(connection, operation)
        self._upkeep.refuse_to_touch_guest(known)
        with self._stores.database.write() as connection:
            self._upkeep.history.check(connection)
            self._giving_up.abandon(connection, known, word)
            return self._stores.operations.get(connection, known.id)

    def debts(self) -> Sequence[dict[str, Any]]:
        """Everything that is owed, the oldest first; see `Controller.debts`."""
        self._gate.require(self._caller, [DEBTS])
        with self._stores.database.read() as connection:
            hosts = {host.id: host.name for host in self._stores.registries.hosts.all(connection)}
            debts = self._stores.debts.all(connection)
        return [described(debt, hosts.get(debt.host_id, debt.host_id)) for debt in debts]

    def drop_debt(self, debt: str, why: str) -> None:
        """See `Controller.drop_debt`."""
        word = self._word(why)
        self._gate.require(self._caller, [DEBTS])
        stores = self._stores
        with stores.database.write() as connection:
            self._upkeep.history.check(connection)
            known = stores.debts.get(connection, debt)
            stores.debts.forgive(connection, known)
            if known.instance_id is None:
                return
            give_back_kept(stores, connection, known.instance_id)
            if known.operation_id is not None:
                stores.operations.append(connection, [_dropped(known, word)])

    def _operation(self, connection: sa.Connection, operation: str) -> Operation:
        known = self._stores.operations.get(
            connection, OperationId(operation), project=self._caller.sees
        )
        self._gate.require(self._caller, [GIVE_UP], project=known.project_id, user=known.user_id)
        return known

    def _word(self, why: str) -> Word:
        why = " ".join(why.split())
        if not why or len(why) > _LONGEST:
            raise InvalidRequest(
                f"the reason must have from 1 to {_LONGEST} characters",
                hint="say why: whoever cleans up reads it",
            )
        return Word(by=self._caller.user, why=why)


def described(debt: Debt, host: str) -> dict[str, Any]:
    """A debt as operators see it."""
    return {
        "id": debt.id,
        "kind": debt.kind,
        "key": debt.key,
        "host": host,
        "reason": debt.reason,
        "operation_id": debt.operation_id,
        "instance_id": debt.instance_id,
        "tries": debt.tries,
        "error": debt.last_error,
        "not_before": moment(debt.not_before),
        "created_at": moment(debt.created_at),
    }


def _dropped(debt: Debt, word: Word) -> Event:
    assert debt.operation_id is not None, "it was looked at"
    assert debt.instance_id is not None, "it was looked at"
    return Event(
        operation_id=debt.operation_id,
        instance_id=debt.instance_id,
        kind="debt",
        state="dropped",
        at=time.time(),
        detail={**word.to_store(), "host": debt.host_id, "what": f"{debt.kind} {debt.key}"},
    )
