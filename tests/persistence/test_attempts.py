"""Which hosts an operation was tried on, and which of its failures a user is told."""

import pytest

from tests.support.rows import stored_operation
from vmwright.ids import HostId, OperationId, new_id
from vmwright.persistence.attempts import decisive_fault
from vmwright.persistence.records import Attempt
from vmwright.states import AttemptOutcome

HOST = HostId(new_id())


@pytest.fixture
def operation(stores):
    with stores.database.write() as connection:
        return stored_operation(stores, connection)


def test_attempts_are_noted_in_order(stores, operation):
    with stores.database.write() as connection:
        stores.attempts.place(connection, operation.id, 1, HOST)
        stores.attempts.end(connection, operation.id, 1, AttemptOutcome.FAILED, {"code": "a"})
        for _ in range(2):
            stores.attempts.begin(connection, operation.id, 2)
        first, second = stores.attempts.of_operation(connection, operation.id)
        now = stores.operations.get(connection, operation.id)
    assert (first.number, first.host_id, first.outcome) == (1, HOST, AttemptOutcome.FAILED)
    assert first.fault == {"code": "a"}
    assert first.ended_at is not None
    assert (second.number, second.host_id, second.outcome, second.ended_at) == (2, None, None, None)
    assert now.attempt == 2


def test_attempt_that_was_begun_before_is_not_gone_back_to(stores, operation):
    with stores.database.write() as connection:
        stores.attempts.begin(connection, operation.id, 3)
        stores.attempts.begin(connection, operation.id, 2)
        assert stores.operations.get(connection, operation.id).attempt == 3


def tried(*codes: str | None) -> list[Attempt]:
    """Attempts that ended with faults of these codes, each with its number as message."""
    return [
        Attempt(
            operation_id=OperationId("operation"),
            number=number,
            fault=code and {"code": code, "message": str(number)},
        )
        for number, code in enumerate(codes, 1)
    ]


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([None], None),
        (["HostFault"], "1"),
        (["HostFault", None], "1"),
        (["HostFault", "Unavailable"], "2"),
        (["HostFault", "NoValidHost"], "1"),
        (["HostFault", "Unavailable", "NoValidHost"], "2"),
        (["HostFault", "Cancelled"], "2"),
        (["HostFault", "Internal"], "2"),
        (["NoValidHost"], "1"),
    ],
)
def test_fault_of_a_build_is_the_last_one_that_was_not_only_a_consequence(codes, told):
    fault = decisive_fault(tried(*codes))
    assert (fault and fault["message"]) == told
