"""Several instances of one request, the same request twice, and many requests at once."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import lab as labs
from tests.support.crowds import all_at_once
from tests.support.dialects import SERVERS
from tests.support.lab import Lab
from tests.support.servers import Server
from vmwright.admission import Reservation
from vmwright.controller import Controller
from vmwright.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from vmwright.persistence.records import ServerGroup
from vmwright.request import CreateRequest
from vmwright.settings import QuotaSettings

TABLES = (
    "instances",
    "operations",
    "attempts",
    "events",
    "secrets",
    "security_groups",
    "server_group_members",
)


def wish(**changes: object) -> CreateRequest:
    return labs.request(**({"volumes": [], "networks": []} | changes))


def everything(lab: Lab) -> dict[str, list[dict[str, object]]]:
    return {table: lab.rows(f"SELECT * FROM vmwright_{table}") for table in TABLES}


def opened(lab: Lab, **quota: int) -> Controller:
    return Controller(replace(lab.settings, quota=replace(QuotaSettings(), **quota)))


def submitted(controller: Controller, **changes: object) -> Reservation:
    (reservation,) = controller.submit_all(wish(**changes))
    return reservation


# Names, ids and numbers


@pytest.mark.parametrize(
    "alone",
    [
        {"networks": [{"network": "net1", "ip": "10.1.0.9"}]},
        {"networks": [{"network": "net1", "mac": "52:54:00:00:00:09"}]},
        {"networks": [{"port": "door"}]},
        {"volumes": [{"volume": "kept"}]},
        {"block_device_mapping": [{"device_name": "vdb", "volume_id": "kept"}]},
        {"hostname": "www"},
    ],
    ids=str,
)
@pytest.mark.parametrize("least", [1, 2])
def test_what_only_one_can_have_is_not_given_to_several(alone: dict, least: int) -> None:
    """Also where a quota might leave one of them."""
    assert wish(**alone, max_count=1)
    with pytest.raises(InvalidRequest):
        wish(**alone, min_count=least, max_count=2)


def test_several_have_names_hostnames_and_numbers_of_their_own(lab: Lab) -> None:
    with opened(lab) as controller:
        reservation = submitted(
            controller,
            name="Web",
            max_count=3,
            networks=[{"network": "net1"}],
            volumes=[{"size": 1}, {"size": 1, "name": "e"}],
        )
        shown = controller.instances(reservation.id)
    assert [instance.name for instance in shown] == ["Web-1", "Web-2", "Web-3"]
    assert [instance.hostname for instance in shown] == ["web-1", "web-2", "web-3"]
    assert [instance.request["launch_index"] for instance in shown] == [0, 1, 2]
    assert {instance.reservation_id for instance in shown} == {reservation.id}
    assert [o.instance_id for o in reservation.operations] == [one.id for one in shown]
    volumes = [volume for one in shown for volume in one.request["volumes"]]
    assert [volume["name"] for volume in volumes] == [
        name for number in (1, 2, 3) for name in (f"Web-{number}-volume-1", f"e-{number}")
    ]
    assert len({volume["volume"] for volume in volumes}) == 6
    assert len({nic["port"] for one in shown for nic in one.request["nics"]}) == 3
    assert len(set(reservation.passwords.values())) == 3


def test_the_number_of_a_long_name_is_never_cut(lab: Lab) -> None:
    with opened(lab) as controller:
        reservation = submitted(controller, name="x" * 250, min_count=12)
        shown = controller.instances(reservation.id)
    assert [len(instance.name) for instance in shown[-3:]] == [253] * 3
    assert [one.hostname for one in shown] == [
        f"{'x' * (63 - len(str(number)) - 1)}-{number}" for number in range(1, 13)
    ]


def test_one_of_one_keeps_its_name(lab: Lab) -> None:
    with opened(lab) as controller:
        submitted(controller, name="web", min_count=1, max_count=1)
        assert controller.instance("web").request["launch_index"] == 0


def test_several_are_built_side_by_side_and_listed_by_their_reservation(lab: Lab) -> None:
    def child(controller):
        other = controller.submit(wish(name="other"))
        (made,) = controller.create_all(wish(name="web", max_count=3))
        print(*(controller.wait(one.id, timeout=60).state for one in made.operations))
        print(*(one.name for one in controller.instances(made.id)))
        print(*(one.name for one in controller.instances(other.reservation_id)))

    ended = lab.child(child)
    assert ended.output.splitlines() == ["done done done", "web-1 web-2 web-3", "other"]


# All or none


@pytest.mark.parametrize("table", ["instances", "operations", "secrets", "events"])
def test_a_failure_at_the_third_leaves_nothing(lab: Lab, table: str) -> None:
    """The database refuses the third row."""
    count = len(lab.rows(f"SELECT 1 FROM vmwright_{table}"))
    lab.execute(
        f"CREATE TRIGGER third BEFORE INSERT ON vmwright_{table}"
        f" WHEN (SELECT count(*) FROM vmwright_{table}) >= {count + 2}"
        " BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    before = everything(lab)

    def child(controller):
        submitted(controller, name="web", max_count=3)

    assert lab.child(child).status == 1
    assert everything(lab) == before


def test_of_several_requests_all_are_accepted_or_none(lab: Lab) -> None:
    before = everything(lab)
    with opened(lab) as controller:
        with pytest.raises(NotFound):
            controller.submit_all(wish(name="a"), wish(name="b", image="unknown"))
        assert everything(lab) == before
        assert len(controller.submit_all(wish(name="a"), wish(name="b"))) == 2


def test_create_begins_one_and_says_so_of_several(lab: Lab) -> None:
    with opened(lab) as controller:
        for verb in (controller.create, controller.submit):
            with pytest.raises(InvalidRequest, match="2 instances are asked for"):
                verb(wish(max_count=2))


# Quotas


def test_a_quota_lowers_the_number_as_far_as_the_least(lab: Lab) -> None:
    with opened(lab, instances=3) as controller:
        assert len(submitted(controller, name="a", min_count=1, max_count=5).operations) == 3
        before = everything(lab)
        with pytest.raises(QuotaExceeded, match="already used 3 of 3 instances"):
            submitted(controller, name="b")
    assert everything(lab) == before


@pytest.mark.parametrize(
    ("quota", "fits"),
    [
        ({"cores": 2}, 2),
        ({"ram": 300}, 2),
        ({"volumes": 3}, 3),
        ({"gigabytes": 2}, 2),
        ({"fixed_ips": 2}, 1),
        ({"cores": 2, "fixed_ips": 4}, 2),
    ],
    ids=str,
)
def test_the_scarcest_resource_decides(lab: Lab, quota: dict[str, int], fits: int) -> None:
    several = {"networks": [{"network": "net1"}], "volumes": [{"size": 1}], "max_count": 9}
    with opened(lab, **({"volumes": -1} | quota)) as controller:
        controller.inventory.delete_volume("kept")
        with pytest.raises(QuotaExceeded, match="Quota exceeded for"):
            submitted(controller, min_count=fits + 1, **several)
        assert len(submitted(controller, min_count=fits, **several).operations) == fits


def test_what_was_deleted_is_in_no_server_group(lab: Lab) -> None:
    """Claims read the members of their group: they must not grow with its history."""

    def child(controller: Controller) -> None:
        controller.inventory.server_groups.create("apart", "anti-affinity")
        wish = labs.request(volumes=[], scheduler_hints={"group": "apart"})
        controller.wait(controller.create(wish).id, timeout=60)
        labs.delete(controller)

    ended = lab.child(child)
    assert ended.output.split() == ["done"], ended.output
    assert lab.rows("SELECT * FROM vmwright_server_group_members") == []


def test_a_server_group_has_room_for_all_of_them_or_for_none(lab: Lab) -> None:
    with opened(lab, server_group_members=4) as controller:
        group = ServerGroup(
            id="0" * 32, project_id="default", user_id="admin", name="apart", policy="anti-affinity"
        )
        with controller._stores.database.write() as connection:
            controller._stores.server_groups.add(connection, group)
        hints = {"scheduler_hints": {"group": "apart"}}
        submitted(controller, name="a", max_count=3, **hints)
        before = everything(lab)
        with pytest.raises(QuotaExceeded, match="2 wanted, 3 of 4 used"):
            submitted(controller, name="b", min_count=1, max_count=2, **hints)
        assert everything(lab) == before
        submitted(controller, name="c", **hints)


def crowd(lab: Lab) -> None:
    """Fifty requests at once, from two processes, against a quota for twenty."""

    def child(controller):
        work = [
            lambda number=number: controller.submit(wish(name=f"{os.getpid()}-{number}"))
            for number in range(25)
        ]
        results = all_at_once(work)
        refused = [result for result in results if isinstance(result, Exception)]
        assert {type(error) for error in refused} <= {QuotaExceeded}, refused
        print(len(results) - len(refused))

    quota = replace(lab.settings, quota=replace(QuotaSettings(), instances=20))
    processes = [lab.fork(child, quota) for _ in range(2)]
    ended = [lab.reap(process) for process in processes]
    assert all(one.status == 0 for one in ended), [one.output for one in ended]
    assert sum(int(one.output) for one in ended) == 20
    assert len(lab.rows("SELECT id FROM vmwright_instances")) == 20


def test_of_fifty_requests_at_once_a_quota_for_twenty_takes_twenty(lab: Lab) -> None:
    crowd(lab)


@pytest.mark.parametrize("server", SERVERS)
def test_so_it_does_on_a_server(
    server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    running: Server = request.getfixturevalue(server)
    lab = Lab(tmp_path, url=running.ready().connection)
    ended = lab.child(labs.prepare)
    assert ended.status == 0, ended.output
    crowd(lab)


# The same request again


def test_the_same_key_and_request_have_the_same_answer(lab: Lab) -> None:
    with opened(lab) as controller:
        first = submitted(controller, max_count=2, idempotency_key="k")
    before = everything(lab)
    with opened(lab) as controller:
        again = submitted(controller, max_count=2, idempotency_key="k")
    assert (again.id, [one.id for one in again.operations]) == (
        first.id,
        [one.id for one in first.operations],
    )
    assert again.passwords == first.passwords
    assert everything(lab) == before


def test_another_request_under_the_same_key_is_refused(lab: Lab) -> None:
    with opened(lab) as controller:
        submitted(controller, idempotency_key="k")
        before = everything(lab)
        for other in ({"name": "vm2"}, {"user_data": b"other"}, {"max_count": 2}):
            with pytest.raises(Conflict, match="was used with another request"):
                submitted(controller, idempotency_key="k", **other)
        assert everything(lab) == before


def test_a_key_is_one_projects_own(lab: Lab) -> None:
    with opened(lab) as controller:
        first = submitted(controller, idempotency_key="k")
    another = replace(lab.settings, caller=replace(lab.settings.caller, project="another"))
    with Controller(another) as controller:
        assert submitted(controller, idempotency_key="k").id != first.id


def test_a_refused_request_leaves_its_key_free(lab: Lab) -> None:
    with opened(lab) as controller:
        with pytest.raises(NotFound):
            submitted(controller, idempotency_key="k", image="unknown")
        first = submitted(controller, idempotency_key="k")
        assert submitted(controller, idempotency_key="k").id == first.id


def test_two_at_once_under_one_key_are_one(lab: Lab) -> None:
    with opened(lab) as controller:
        work = [lambda: submitted(controller, idempotency_key="k")] * 8
        answers = all_at_once(work)
    assert all(isinstance(answer, Reservation) for answer in answers), answers
    assert len({answer.id for answer in answers}) == 1
    assert len(lab.rows("SELECT id FROM vmwright_instances")) == 1


def test_a_kill_between_commit_and_answer_leaves_one_reservation(lab: Lab) -> None:
    """Whoever asked has no answer, asks again elsewhere, and gets the one that was stored."""

    def dying(controller):
        def die_once_it_is_stored(connection):
            connection.connection.driver_connection.commit()
            os.kill(os.getpid(), signal.SIGKILL)

        sa.event.listen(controller._database.writer, "commit", die_once_it_is_stored)
        submitted(controller, max_count=2, idempotency_key="k")

    assert lab.child(dying).killed
    (stored,) = {row["reservation_id"] for row in lab.rows("SELECT * FROM vmwright_operations")}
    before = everything(lab)

    def again(controller):
        answer = submitted(controller, max_count=2, idempotency_key="k")
        print(answer.id, len(answer.operations), len(answer.passwords))

    ended = lab.child(again)
    assert ended.output.split() == [stored, "2", "2"], ended.output
    assert everything(lab) == before


def test_an_answer_is_given_again_while_no_host_answers(lab: Lab) -> None:
    def first(controller):
        print(controller.wait(controller.create(wish(idempotency_key="k")).id, timeout=60).id)

    known = lab.child(first).output.split()
    ended = lab.with_faults("facts:1+:hang").child(
        lambda controller: print(controller.create(wish(idempotency_key="k")).id)
    )
    assert ended.output.split() == known, ended.output


# Passwords


def test_a_password_is_told_once_and_lies_nowhere_in_clear(lab: Lab) -> None:
    secret = labs.MARKER.decode()

    def child(controller):
        (told,) = controller.create_all(wish(admin_password=secret, idempotency_key="k"))
        assert list(told.passwords.values()) == [secret]
        assert secret not in repr(told)
        (before,) = controller.submit_all(wish(admin_password=secret, idempotency_key="k"))
        print(controller.wait(told.operations[0].id, timeout=60).state)
        (after,) = controller.submit_all(wish(admin_password=secret, idempotency_key="k"))
        assert after.id == before.id
        print(len(after.passwords))

    ended = lab.child(child)
    assert ended.output.split() == ["done", "0"], ended.output
    (row,) = lab.rows("SELECT * FROM vmwright_secrets WHERE kind = 'admin_password'")
    assert row["ciphertext"] is None
    (operation,) = lab.rows("SELECT request_digest FROM vmwright_operations")
    assert secret not in operation["request_digest"]


def test_a_password_that_waits_for_its_build_is_encrypted(lab: Lab) -> None:
    with opened(lab) as controller:
        submitted(controller, admin_password=labs.MARKER.decode(), user_data=None)
    assert lab.secrets_in_clear() == []
