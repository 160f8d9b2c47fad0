"""Key pairs, security groups and server groups are their owners' alone."""

import pytest

from tests.support.crowds import all_at_once
from tests.support.rows import (
    a_host,
    a_key_pair,
    a_rule,
    a_security_group,
    a_server_group,
    stored_instance,
)
from vmwright.errors import Conflict, NotFound
from vmwright.ids import InstanceId, new_id


def of_each_kind(stores):
    return (
        (stores.key_pairs, a_key_pair, "user_id", stores.key_pairs.of_user),
        (stores.security_groups, a_security_group, "project_id", stores.security_groups.of_project),
        (stores.server_groups, a_server_group, "project_id", stores.server_groups.of_project),
    )


def test_thing_is_found_by_its_owner_only(stores):
    for store, make, owner, of_owner in of_each_kind(stores):
        mine, other = make(name="one", **{owner: "me"}), make(name="one", **{owner: "you"})
        with stores.database.write() as connection:
            store.add(connection, mine)
            store.add(connection, other)
            for name in ("one", mine.id):
                assert store.find(connection, "me", name).id == mine.id
            with pytest.raises(NotFound, match=r"'me'") as missing:
                store.find(connection, "me", other.id)
            assert missing.value.hint
            assert [thing.id for thing in of_owner(connection, "you")] == [other.id]
            assert (store.count(connection, "me"), store.count(connection, "nobody")) == (1, 0)


def test_taken_name_is_a_conflict_that_spoils_nothing_else(stores):
    for store, make, owner, of_owner in of_each_kind(stores):
        with stores.database.write() as connection:
            store.add(connection, make(name="one", **{owner: "me"}))
            with pytest.raises(Conflict, match="taken"):
                store.add(connection, make(name="one", **{owner: "me"}))
            store.add(connection, make(name="two", **{owner: "me"}))
            assert [thing.name for thing in of_owner(connection, "me")] == ["one", "two"]


def test_removed_thing_is_found_no_more(stores):
    for store, make, owner, of_owner in of_each_kind(stores):
        thing = make(**{owner: "me"})
        with stores.database.write() as connection:
            store.add(connection, thing)
            store.remove(connection, thing.id)
            assert list(of_owner(connection, "me")) == []


# Security groups


def test_default_group_lets_everything_out_and_its_own_members_in(stores):
    groups = stores.security_groups
    with stores.database.write() as connection:
        group = groups.ensure_default(connection, "me")
        assert groups.ensure_default(connection, "me") == group
        rules = groups.rules(connection, group.id)
    assert group.name == "default"
    assert [(r.direction, r.ethertype, r.remote_group_id) for r in rules] == [
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", group.id),
        ("ingress", "IPv6", group.id),
    ]


def test_default_group_is_made_once_with_its_rules_by_many(stores):
    groups = stores.security_groups

    def rules_of_default() -> tuple[str, int]:
        with stores.database.write() as connection:
            group = groups.ensure_default(connection, "me")
            return group.id, len(groups.rules(connection, group.id))

    outcomes = all_at_once([rules_of_default] * 8)
    assert len(set(outcomes)) == 1
    assert outcomes[0][1] == 4
    with stores.database.read() as connection:
        assert groups.count(connection, "me") == 1


def test_default_group_is_not_removed(stores):
    with stores.database.write() as connection:
        group = stores.security_groups.ensure_default(connection, "me")
        with pytest.raises(Conflict, match="default"):
            stores.security_groups.remove(connection, group.id)
        assert len(stores.security_groups.rules(connection, group.id)) == 4


def test_group_goes_with_its_rules_unless_a_rule_of_another_names_it(stores):
    groups = stores.security_groups
    front, back = a_security_group(name="front"), a_security_group(name="back")
    own, foreign = a_rule(front.id, remote_group_id=front.id), a_rule(back.id)
    foreign_about_front = a_rule(back.id, remote_group_id=front.id)
    with stores.database.write() as connection:
        groups.add(connection, front)
        groups.add(connection, back)
        for rule in (own, foreign, foreign_about_front):
            groups.add_rule(connection, rule)
    with pytest.raises(Conflict, match="in use"), stores.database.write() as connection:
        groups.remove(connection, front.id)
    with stores.database.write() as connection:
        assert [rule.id for rule in groups.rules(connection, front.id)] == [own.id]
        groups.remove_rule(connection, foreign_about_front.id)
        groups.remove(connection, front.id)
        assert [rule.id for rule in groups.rules(connection, back.id)] == [foreign.id]
        assert groups.count_rules(connection, "default") == 1


def test_rule_is_found_by_the_project_of_its_group_only(stores):
    group = a_security_group(project_id="me")
    rule = a_rule(group.id)
    with stores.database.write() as connection:
        stores.security_groups.add(connection, group)
        stores.security_groups.add_rule(connection, rule)
        assert stores.security_groups.find_rule(connection, "me", rule.id).id == rule.id
        with pytest.raises(NotFound):
            stores.security_groups.find_rule(connection, "you", rule.id)
        assert stores.security_groups.name_of(connection, group.id) == "web"
        with pytest.raises(NotFound):
            stores.security_groups.name_of(connection, new_id())


# Server groups


@pytest.fixture
def group(stores):
    made = a_server_group()
    with stores.database.write() as connection:
        stores.server_groups.add(connection, made)
    return made


def member(stores, connection, group, **changes) -> InstanceId:
    instance = stored_instance(stores, connection, **changes)
    stores.server_groups.add_members(connection, [(group.id, instance)])
    return instance


def test_members_are_the_living_and_are_counted_where_they_are_placed(stores, group):
    groups = stores.server_groups
    one, two = a_host(name="1", connection_uri="s:1"), a_host(name="2", connection_uri="s:2")
    with stores.database.write() as connection:
        members = [
            member(stores, connection, group, host_id=host) for host in (one.id, one.id, two.id)
        ]
        members.append(member(stores, connection, group))
        stored_instance(stores, connection, host_id=one.id)
        stores.instances.bury(connection, member(stores, connection, group, host_id=two.id))
        assert list(groups.members(connection, group.id)) == members
        spread = groups.hosts_of_members(connection, group.id, InstanceId(""))
        assert spread == {one.id: 2, two.id: 1}
        without = groups.hosts_of_members(connection, group.id, members[0])
        assert without == {one.id: 1, two.id: 1}
        groups.forget_member(connection, members[0])
        assert list(groups.members(connection, group.id)) == members[1:]


def test_group_is_removed_once_no_living_instance_is_in_it(stores, group):
    with stores.database.write() as connection:
        instance = member(stores, connection, group)
    with pytest.raises(Conflict, match="in use"), stores.database.write() as connection:
        stores.server_groups.remove(connection, group.id)
    with stores.database.write() as connection:
        assert stores.server_groups.get(connection, group.id).name == group.name
        stores.instances.bury(connection, instance)
        stores.server_groups.remove(connection, group.id)
        with pytest.raises(NotFound):
            stores.server_groups.get(connection, group.id)


def test_holders_of_a_group_decide_one_after_the_other(stores, group):
    """Each puts a member on the host only if it finds none there."""
    host = a_host().id

    def place() -> bool:
        with stores.database.write() as connection:
            instance = stored_instance(stores, connection)
            stores.server_groups.hold(connection, group.id)
            if stores.server_groups.hosts_of_members(connection, group.id, instance):
                return False
            stores.server_groups.add_members(connection, [(group.id, instance)])
            stores.instances.place(connection, instance, host)
            return True

    assert sorted(all_at_once([place] * 12)) == [False] * 11 + [True]
