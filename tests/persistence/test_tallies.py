"""How much there is of what is not over, on every database."""

import sqlalchemy as sa

from tests.support.rows import stored_operation
from vmwright.ids import HostId, new_id
from vmwright.states import OperationState

HOST, OTHER = HostId(new_id()), HostId(new_id())


def read(stores, what):
    with stores.database.read() as connection:
        return what(connection)


def test_operations_are_counted_by_state_with_the_age_of_the_first(stores):
    states = ["queued", "queued", "stuck", "done", "undone", "cancelled"]
    table = stores.database.schema.operations
    with stores.database.write() as connection:
        for state in states:
            operation = stored_operation(stores, connection)
            values = {"state": state, "created_at": table.c.created_at - 60}
            connection.execute(sa.update(table).where(table.c.id == operation.id).values(values))
    found = read(stores, stores.tallies.operations)
    assert OperationState.DONE not in found
    assert {state: one.number for state, one in found.items() if one.number} == {
        "queued": 2,
        "stuck": 1,
    }
    assert 60 <= found[OperationState.QUEUED].oldest < 600
    assert found[OperationState.RUNNING] == (0, 0.0)


def test_debts_are_counted_by_host_and_kind_with_the_age_of_the_first(stores):
    with stores.database.write() as connection:
        for host, kind, key in (
            (HOST, "volume", "a"),
            (HOST, "volume", "b"),
            (HOST, "domain", "c"),
            (OTHER, "volume", "a"),
        ):
            stores.debts.owe(
                connection,
                host=host,
                kind=kind,
                key=key,
                whose={},
                reason="host away",
                delay=30.0,
                operation=None,
                instance=None,
            )
        debts = stores.database.schema.debts
        old = sa.update(debts).where(debts.c.key == "a", debts.c.host_id == HOST)
        connection.execute(old.values(created_at=debts.c.created_at - 60))
    found = {(one.host, one.kind): one for one in read(stores, stores.tallies.debts)}
    assert {key: one.number for key, one in found.items()} == {
        (HOST, "volume"): 2,
        (HOST, "domain"): 1,
        (OTHER, "volume"): 1,
    }
    assert found[HOST, "volume"].oldest >= 60
    assert found[OTHER, "volume"].oldest < 60


def test_a_store_without_anything_has_no_work_no_debts_and_no_owners(stores):
    assert all(one == (0, 0.0) for one in read(stores, stores.tallies.operations).values())
    assert read(stores, stores.tallies.debts) == []
    assert read(stores, stores.tallies.living_owners) == 0
