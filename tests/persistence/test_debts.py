"""What is owed is remembered until it is paid, each thing once."""

import pytest
import sqlalchemy as sa

from tests.support.crowds import all_at_once
from tests.support.rows import stored_operation
from vmwright.ids import HostId, InstanceId, OperationId, new_id
from vmwright.persistence.retrying import again_if_given_up

HOST, OTHER_HOST = HostId(new_id()), HostId(new_id())
WHOSE = {"deployment": "d", "instance": "i", "operation": None}


@pytest.fixture
def owe(stores):
    def owe(**changes):
        debt = {
            "host": HOST,
            "kind": "volume",
            "key": "name",
            "whose": WHOSE,
            "reason": "host away",
            "delay": 0.0,
            "operation": None,
            "instance": None,
        }
        with stores.database.write() as connection:
            stores.debts.owe(connection, **(debt | changes))

    return owe


def owed(stores):
    with stores.database.read() as connection:
        return list(stores.debts.all(connection))


def due(stores):
    with stores.database.read() as connection:
        return list(stores.debts.due(connection))


def test_debt_is_stored_with_everything_that_paying_it_needs(stores, owe):
    owe()
    (debt,) = due(stores)
    assert (debt.host_id, debt.kind, debt.key, debt.whose) == (HOST, "volume", "name", WHOSE)
    assert (debt.tries, debt.last_error) == (0, None)


def test_same_thing_is_owed_once(stores, owe):
    owe()
    operation = OperationId(new_id())
    owe(operation=operation, reason="late effect", delay=60.0)
    (debt,) = owed(stores)
    assert (debt.operation_id, debt.reason) == (operation, "late effect")
    assert due(stores) == []


def test_what_may_still_land_is_waited_for_whatever_it_is_owed_for_next(stores, owe):
    owe(reason="late effect", delay=3600.0)
    owe(reason="host away", delay=0.0)
    owe(reason="given up", delay=0.0)
    assert due(stores) == []
    (debt,) = owed(stores)
    assert debt.reason == "given up"


def test_what_was_being_made_is_due_as_soon_as_it_is_given_up(stores, owe):
    owe(reason="being made", delay=3600.0)
    owe(reason="given up", delay=0.0)
    assert len(due(stores)) == 1


def test_several_who_owe_the_same_at_once_owe_it_once(stores, owe):
    """As whoever abandons a build does, and the delete behind it, whose host is away."""
    assert all_at_once([again_if_given_up(owe)] * 6) == [None] * 6
    assert len(owed(stores)) == 1


def test_things_differ_by_host_kind_and_key(stores, owe):
    owe()
    owe(host=OTHER_HOST)
    owe(kind="network")
    owe(key="other")
    assert len(owed(stores)) == 4


def test_debt_is_due_after_its_delay_on_the_clock_of_the_database(stores, owe):
    owe(delay=3600.0)
    assert due(stores) == []
    with stores.database.write() as connection:
        table = stores.database.schema.debts
        connection.execute(sa.update(table).values(not_before=table.c.not_before - 3600.0))
    assert len(due(stores)) == 1


def test_longest_due_debts_come_first(stores, owe):
    owe(key="second", delay=-10.0)
    owe(key="first", delay=-20.0)
    assert [debt.key for debt in due(stores)] == ["first", "second"]


def test_paid_debt_is_gone(stores, owe):
    owe()
    (debt,) = due(stores)
    with stores.database.write() as connection:
        assert stores.debts.paid(connection, debt)
        assert not stores.debts.paid(connection, debt)
    assert owed(stores) == []


def test_debt_that_was_renewed_meanwhile_is_not_paid(stores, owe):
    owe()
    (debt,) = due(stores)
    owe(delay=60.0)
    with stores.database.write() as connection:
        assert not stores.debts.paid(connection, debt)
    assert len(owed(stores)) == 1


def test_debt_that_cannot_be_paid_waits_with_its_error(stores, owe):
    owe()
    (debt,) = due(stores)
    with stores.database.write() as connection:
        stores.debts.postpone(connection, debt, delay=60.0, error={"code": "Unavailable"})
    (waiting,) = owed(stores)
    assert (waiting.tries, waiting.last_error) == (1, {"code": "Unavailable"})
    assert due(stores) == []


def test_delete_adopts_what_a_create_left(stores, owe):
    with stores.database.write() as connection:
        create = stored_operation(stores, connection)
        delete = stored_operation(stores, connection, kind="delete")
    owe(operation=create.id, instance=create.instance_id)
    owe(key="of another", operation=create.id, instance=InstanceId(new_id()))
    with stores.database.write() as connection:
        stores.debts.adopt(connection, create.instance_id, delete.id)
    with stores.database.read() as connection:
        adopted = stores.debts.of_operation(connection, delete.id)
        kept = stores.debts.of_operation(connection, create.id)
    assert [debt.key for debt in adopted] == ["name"]
    assert [debt.key for debt in kept] == ["of another"]


def test_what_is_wanted_again_is_owed_by_no_host(stores, owe):
    owe(kind="base", key="digest/raw")
    owe(kind="base", key="digest/raw", host=OTHER_HOST)
    owe(kind="base", key="digest/qcow2")
    with stores.database.write() as connection:
        stores.debts.drop(connection, kind="base", key="digest/raw")
    assert [debt.key for debt in owed(stores)] == ["digest/qcow2"]


def test_debts_of_a_host_are_found(stores, owe):
    owe()
    owe(host=OTHER_HOST, key="there")
    with stores.database.read() as connection:
        assert [debt.key for debt in stores.debts.of_host(connection, OTHER_HOST)] == ["there"]


def test_debt_that_was_renewed_meanwhile_is_not_put_off(stores, owe):
    """A payer that was slow must not have it paid before a late call can have landed."""
    owe()
    (known,) = due(stores)
    owe(delay=600.0)
    with stores.database.write() as connection:
        stores.debts.postpone(connection, known, delay=-1.0, error={"code": "Unavailable"})
    assert due(stores) == []
    assert [(debt.tries, debt.last_error) for debt in owed(stores)] == [(0, None)]


@pytest.mark.parametrize("reason", ["host away", "late effect", "given up", "left over"])
@pytest.mark.parametrize("kind", ["domain", "volume", "reservation"])
def test_volumes_are_kept_as_long_as_a_guest_of_the_instance_is_owed(stores, owe, kind, reason):
    instance, other = InstanceId(new_id()), InstanceId(new_id())
    owe(kind=kind, reason=reason, instance=instance)
    with stores.database.read() as connection:
        assert stores.debts.keep_volumes(connection, instance) == (kind == "domain")
        assert not stores.debts.keep_volumes(connection, other)
