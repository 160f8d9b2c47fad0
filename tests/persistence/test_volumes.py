"""A volume is attached to one instance at most, and what an undo forgets is only its own."""

import pytest

from tests.support.crowds import all_at_once
from tests.support.rows import a_volume, an_attachment, stored_instance
from vmwright.errors import Conflict, NotFound
from vmwright.ids import HostId, OperationId, new_id

HOST, OPERATION, OTHER = HostId(new_id()), OperationId(new_id()), OperationId(new_id())


@pytest.fixture
def volume(stores):
    record = a_volume()
    with stores.database.write() as connection:
        stores.volumes.add(connection, record)
    return record


@pytest.fixture
def instance(stores):
    with stores.database.write() as connection:
        return stored_instance(stores, connection)


def attach(stores, volume, instance, operation=OPERATION):
    with stores.database.write() as connection:
        stores.volumes.attach(connection, an_attachment(volume.id, instance, operation))


def now(stores, volume):
    with stores.database.read() as connection:
        return now_within(stores, connection, volume)


def now_within(stores, connection, volume):
    return stores.volumes.get(connection, volume.id)


def test_adding_again_changes_nothing(stores, volume):
    with stores.database.write() as connection:
        stores.volumes.add(connection, a_volume(id=volume.id, name="other"))
    assert now(stores, volume).name == volume.name


def test_volume_is_attached_once(stores, volume, instance):
    attach(stores, volume, instance)
    attach(stores, volume, instance)
    with pytest.raises(Conflict, match="in use"):
        attach(stores, volume, instance, OTHER)


def test_refused_attachment_leaves_the_transaction_usable(stores, volume, instance):
    attach(stores, volume, instance)
    with stores.database.write() as connection:
        with pytest.raises(Conflict):
            stores.volumes.attach(connection, an_attachment(volume.id, instance, OTHER))
        assert stores.volumes.attachment_of(connection, volume.id).operation_id == OPERATION


def test_one_of_many_attachments_wins(stores, volume):
    with stores.database.write() as connection:
        instances = [stored_instance(stores, connection) for _ in range(6)]
    outcomes = all_at_once(
        [lambda i=i: attach(stores, volume, i, OperationId(new_id())) for i in instances]
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 5 + ["NoneType"]


def test_deleted_volume_is_not_attached(stores, volume, instance):
    with stores.database.write() as connection:
        stores.volumes.bury(connection, volume.id)
    with pytest.raises(NotFound, match="was deleted"):
        attach(stores, volume, instance)


def test_volume_is_either_attached_or_deleted(stores, instance):
    def bury_unless_attached(volume):
        with stores.database.write() as connection:
            stores.volumes.bury(connection, volume.id)
            if stores.volumes.attachment_of(connection, volume.id):
                raise Conflict("in use")

    for _ in range(10):
        record = a_volume()
        with stores.database.write() as connection:
            stores.volumes.add(connection, record)
        outcomes = all_at_once(
            [
                lambda record=record: attach(stores, record, instance, OperationId(new_id())),
                lambda record=record: bury_unless_attached(record),
            ]
        )
        assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1, outcomes


def test_devices_come_in_order(stores, instance):
    with stores.database.write() as connection:
        for position in (2, 0, 1):
            record = a_volume(name=f"v{position}")
            stores.volumes.add(connection, record)
            stores.volumes.attach(
                connection, an_attachment(record.id, instance, OPERATION, position=position)
            )
        pairs = stores.volumes.attached(connection, instance)
    assert [volume.name for _, volume in pairs] == ["v0", "v1", "v2"]


def test_place_of_a_volume_is_decided_once(stores, volume):
    with stores.database.write() as connection:
        first = stores.volumes.put(
            connection, volume.id, host=HOST, location="here", made_by=OPERATION
        )
        again = stores.volumes.put(
            connection, volume.id, host=HostId(new_id()), location="there", made_by=OTHER
        )
        assert stores.volumes.at(connection, "here")
        assert not stores.volumes.at(connection, "there")
    assert first == again
    assert (again.host_id, again.location, again.made_by) == (HOST, "here", OPERATION)


def test_undo_forgets_new_volumes_and_leaves_the_users_own_without_a_place(stores, volume):
    new, foreign = a_volume(), a_volume()
    with stores.database.write() as connection:
        for record, maker in ((volume, OPERATION), (new, OPERATION), (foreign, OTHER)):
            stores.volumes.add(connection, record)
            stores.volumes.put(
                connection, record.id, host=HOST, location=f"at {record.id}", made_by=maker
            )
        stores.volumes.forget_made_by(connection, OPERATION, [volume.id])
    kept = now(stores, volume)
    assert (kept.deleted_at, kept.host_id, kept.location, kept.made_by) == (None, None, None, None)
    assert now(stores, new).deleted_at is not None
    assert (now(stores, new).host_id, now(stores, new).location) == (None, None)
    assert now(stores, foreign).location == f"at {foreign.id}"


def test_volume_that_an_undo_forgot_can_be_made_again_elsewhere(stores):
    new, elsewhere = a_volume(), HostId(new_id())
    with stores.database.write() as connection:
        for host in (HOST, elsewhere):
            stores.volumes.add(connection, new)
            place = f"on {host}"
            stores.volumes.put(connection, new.id, host=host, location=place, made_by=OPERATION)
            made = now_within(stores, connection, new)
            stores.volumes.forget_made_by(connection, OPERATION, [])
    assert (made.deleted_at, made.host_id, made.location) == (None, elsewhere, f"on {elsewhere}")
    assert now(stores, new).deleted_at is not None


def test_detaching_ends_what_an_operation_attached(stores, volume, instance):
    attach(stores, volume, instance)
    with stores.database.write() as connection:
        stores.volumes.detach(connection, instance, OTHER)
        assert stores.volumes.attachment_of(connection, volume.id)
        stores.volumes.detach(connection, instance, None)
        assert stores.volumes.attachment_of(connection, volume.id) is None


def test_name_of_several_volumes_is_a_conflict_that_lists_them(stores, volume):
    twin = a_volume()
    with stores.database.write() as connection:
        stores.volumes.add(connection, twin)
    with pytest.raises(Conflict) as refused, stores.database.read() as connection:
        stores.volumes.find(connection, "volume")
    assert volume.id in refused.value.hint
    assert twin.id in refused.value.hint


def test_deleted_volumes_are_found_by_id_only(stores, volume):
    with stores.database.write() as connection:
        stores.volumes.bury(connection, volume.id)
    assert now(stores, volume).deleted_at is not None
    with stores.database.read() as connection:
        assert list(stores.volumes.page(connection)) == []
        with pytest.raises(NotFound):
            stores.volumes.find(connection, volume.id)


def three_attached(stores, connection, instance):
    """One that lies on a host, one that lies nowhere, one that was deleted."""
    lying, nowhere, gone = a_volume(name="lying"), a_volume(name="nowhere"), a_volume(name="gone")
    for position, record in enumerate((lying, nowhere, gone)):
        stores.volumes.add(connection, record)
        wish = {"position": position, "delete_on_termination": True}
        attachment = an_attachment(record.id, instance, OPERATION, **wish)
        stores.volumes.attach(connection, attachment)
        if record is not nowhere:
            place = f"at {record.name}"
            stores.volumes.put(connection, record.id, host=HOST, location=place, made_by=OTHER)
    stores.volumes.bury(connection, gone.id)
    return lying


def held(stores, connection, instance):
    return [
        (volume.name, attachment.delete_on_termination)
        for attachment, volume in stores.volumes.attached(connection, instance)
    ]


def test_only_what_lies_on_a_host_is_kept_and_no_more_goes_with_its_instance(stores, instance):
    with stores.database.write() as connection:
        three_attached(stores, connection, instance)
        other = stored_instance(stores, connection)
        three_attached(stores, connection, other)
        stores.volumes.detach(connection, instance, OTHER, keep=True)
        assert len(held(stores, connection, instance)) == 3
        stores.volumes.detach(connection, instance, OPERATION, keep=True)
        assert held(stores, connection, instance) == [("lying", False)]
        assert held(stores, connection, other) == [
            ("lying", True),
            ("nowhere", True),
            ("gone", True),
        ]


def test_volume_that_is_kept_is_given_to_no_other_and_wished_for_anew_by_its_own(stores, instance):
    with stores.database.write() as connection:
        lying = three_attached(stores, connection, instance)
        stores.volumes.detach(connection, instance, OPERATION, keep=True)
    with pytest.raises(Conflict, match="in use"):
        attach(stores, lying, instance, OTHER)
    with stores.database.write() as connection:
        wish = {"position": 2, "delete_on_termination": True}
        again = an_attachment(lying.id, instance, OPERATION, **wish)
        stores.volumes.attach(connection, again)
        found = stores.volumes.attachment_of(connection, lying.id)
        assert now_within(stores, connection, lying).uses == 1
    assert (found.position, found.delete_on_termination) == (2, True)


def test_what_an_undo_kept_is_given_back_and_what_it_left_undone_is_not(stores, instance):
    made = a_volume(name="made")
    with stores.database.write() as connection:
        lying = three_attached(stores, connection, instance)
        stores.volumes.detach(connection, instance, OPERATION, keep=True)
        stores.volumes.add(connection, made)
        stores.volumes.attach(connection, an_attachment(made.id, instance, OPERATION, position=3))
        stores.volumes.put(connection, made.id, host=HOST, location="there", made_by=OPERATION)
        stores.volumes.give_back(connection, instance, OTHER)
        assert len(held(stores, connection, instance)) == 2
        stores.volumes.give_back(connection, instance, OPERATION)
        assert held(stores, connection, instance) == [("made", False)]
        assert stores.volumes.attachment_of(connection, lying.id) is None
