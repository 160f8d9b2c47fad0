"""What is read of operations before there is room for them: a page at once, as of each alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.rows import (
    a_spec,
    an_image,
    an_instance,
    an_operation,
    new_flow_rows,
    tasks_named,
)
from vmwright.ahead import PAGE, Ahead
from vmwright.claims import Claims
from vmwright.errors import Damaged
from vmwright.ids import OperationId, new_id
from vmwright.loading import load, load_several
from vmwright.ownership import Ownership
from vmwright.persistence.records import Operation
from vmwright.persistence.stores import Stores
from vmwright.settings import OperationSettings
from vmwright.states import OperationState


def stored(stores: Stores, **changes: object) -> Operation:
    """An operation with all that its run needs."""
    instance = an_instance(spec=a_spec(an_image(), name=f"vm-{new_id()}"))
    operation = an_operation(instance.id, **changes)
    with stores.database.write() as connection:
        stores.instances.add(connection, instance)
        stores.operations.add(connection, operation)
        stores.attempts.begin(connection, operation.id, 1)
        new_flow_rows(
            connection,
            stores,
            flow_name="create_instance",
            detail_id=operation.flow_detail_id,
            atoms=tasks_named("first", "second"),
        )
    return operation


def change(stores: Stores, table: sa.Table, key: str, value: str, **values: object) -> None:
    with stores.database.write() as connection:
        # Past the columns' types, as somebody else would write it.
        words = ", ".join(f"{name} = :{name}" for name in values)
        statement = sa.text(f"UPDATE {table.name} SET {words} WHERE {key} = :sought")
        assert connection.execute(statement, {**values, "sought": value}).rowcount > 0


def test_several_are_read_as_each_of_them_alone(stores: Stores) -> None:
    operations = [stored(stores) for _ in range(3)]
    loaded = load_several(stores, operations)
    assert list(loaded) == [operation.id for operation in operations]
    for operation in operations:
        alone, known = load(stores, operation), loaded[operation.id]
        assert known.spec == alone.spec
        assert known.detail.to_dict() == alone.detail.to_dict()
        atoms = {atom.name: atom.to_dict() for atom in known.detail}
        assert atoms == {atom.name: atom.to_dict() for atom in alone.detail}
        assert atoms.keys() == {"first", "second"}


def test_one_that_cannot_be_run_is_left_out_and_says_why_alone(stores: Stores) -> None:
    schema = stores.database.schema
    lost, other, strange, faulty, sound = (stored(stores) for _ in range(5))
    flows, instances = schema.logbook.flowdetails, schema.instances
    change(stores, flows, "uuid", lost.flow_detail_id, state="REVERT_FAILURE")
    change(stores, instances, "id", other.instance_id, vm_state="melted")
    change(stores, instances, "id", strange.instance_id, request='{"version": 1}')
    change(stores, schema.attempts, "operation_id", faulty.id, fault="[1]")
    assert list(load_several(stores, [lost, other, strange, faulty, sound])) == [sound.id]
    for operation in (lost, other, strange, faulty):
        with pytest.raises(Damaged):
            load(stores, operation)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_page_is_looked_for_by_its_ids_and_not_among_all_that_are_in_its_states(
    stores: Stores,
) -> None:
    ids = [OperationId(new_id()) for _ in range(PAGE)]
    said: list[tuple[str, Any]] = []
    with stores.database.read() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", lambda *told: said.append((told[2], told[3]))
        )
        stores.operations.several(connection, ids)
        stores.operations.held(connection, dict.fromkeys(ids, (1, None)))
        plans = [
            " ".join(
                row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + sql, given)
            )
            for sql, given in list(said)
        ]
    assert len(plans) == 2
    assert [plan for plan in plans if "(id=?)" not in plan or "(state=?)" in plan] == []


# PostgreSQL stores nothing in these columns that is no JSON.
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_content_that_is_no_json_leaves_all_to_be_read_alone(stores: Stores) -> None:
    spoiled, sound = stored(stores), stored(stores)
    atoms = stores.database.schema.logbook.atomdetails
    change(stores, atoms, "parent_uuid", spoiled.flow_detail_id, meta="{no")
    assert load_several(stores, [spoiled, sound]) == {}
    with pytest.raises(Damaged, match=r"atomdetails\.meta"):
        load(stores, spoiled)
    assert load(stores, sound).spec


def test_a_page_is_kept_at_most_and_nothing_that_somebody_holds(stores: Stores) -> None:
    ahead, first = Ahead(stores), stored(stores)
    ahead.fill([first, replace(stored(stores), state=OperationState.RUNNING)])
    assert ahead.known() == [first.id]
    assert ahead.take(first.id) is not None
    assert ahead.take(first.id) is None
    many = [replace(first, id=new_id()) for _ in range(PAGE + 5)]
    ahead.fill(many)
    assert ahead.known() == [operation.id for operation in many[:PAGE]]
    ahead.fill([])
    assert ahead.known() == []


@pytest.fixture
def claims(stores: Stores, tmp_path: Path) -> Claims:
    return Claims(stores, OperationSettings(), Ownership(stores, tmp_path, 60.0))


def planned(claims: Claims, operation: Operation) -> Operation:
    (found,) = claims.plan([operation.id], ()).claim
    return found


def test_one_that_was_put_down_is_claimed_as_it_was_read(stores: Stores, claims: Claims) -> None:
    """Also with each column that may hold something."""
    operation = stored(
        stores,
        state=OperationState.INTERRUPTED,
        epoch=3,
        undo_tries=2,
        error={"code": "HostFault", "message": "é", "hint": ""},
        cancel_reason="enough",
        not_before=0.25,
    )
    claimed = claims.claim(planned(claims, operation))
    assert claimed is not None
    assert claimed.epoch == 4


def test_one_that_was_parked_and_told_to_go_on_since_it_was_read_is_read_again(
    stores: Stores, claims: Claims
) -> None:
    """Somebody may have mended its rows, and its epoch is the same."""
    operation = stored(stores, state=OperationState.INTERRUPTED, epoch=3)
    read = planned(claims, operation)
    claims.park(read, Damaged("it was spoiled"))
    with stores.database.write() as connection:
        assert stores.operations.move(connection, read.id, OperationState.INTERRUPTED)
    assert claims.claim(read) is None
    assert claims.claim(planned(claims, operation)) is not None
