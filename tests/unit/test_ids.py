"""Names made of ids: they can be read again, and hosts accept them."""

import re
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright import ids
from vmwright.ids import (
    DeploymentId,
    InstanceId,
    Mark,
    NetworkId,
    OperationId,
    SnapshotId,
    VolumeId,
    Whose,
)

uuids = st.uuids().map(str)
marks = st.builds(
    Mark,
    deployment=uuids.map(DeploymentId),
    instance=uuids.map(InstanceId),
    operation=uuids.map(OperationId),
    attempt=st.integers(0, 10_000),
)
roles = st.sampled_from(["root", "config", "ephemeral0", "swap"]) | uuids.map(
    lambda v: ids.data_role(VolumeId(v))
)
formats = st.sampled_from(["raw", "qcow2"])
hostnames = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)

MAC = "52:54:00:61:07:0a"


def test_fresh_ids_are_random_uuids_and_none_is_made_twice() -> None:
    made = [uuid.UUID(ids.new_id()) for _ in range(1000)]
    assert {(one.version, one.variant) for one in made} == {(4, uuid.RFC_4122)}
    assert {str(one)[19] for one in made} == set("89ab")
    assert len(set(made)) == len(made)


def fresh_mark() -> Mark:
    return Mark(
        deployment=DeploymentId(ids.new_id()),
        instance=InstanceId(ids.new_id()),
        operation=OperationId(ids.new_id()),
        attempt=1,
    )


def test_fresh_ids_differ() -> None:
    assert uuid.UUID(ids.new_id()) != uuid.UUID(ids.new_id())


@given(marks)
def test_token_holds_the_whole_mark(mark: Mark) -> None:
    assert Mark.from_token(mark.token()) == mark
    assert re.fullmatch(r"[a-z0-9.]+", mark.token())


@given(st.text())
def test_foreign_token_is_not_a_mark(token: str) -> None:
    found = Mark.from_token(token)
    assert found is None or found.token() == token


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token.upper(),
        lambda token: token + "x",
        lambda token: token.removesuffix("1"),
        lambda token: "." + token,
        lambda token: token + ".1",
        lambda token: token.replace(".", "-"),
        lambda token: token[1:],
        lambda token: token + "²",
        lambda token: token[:-1] + "01",
        lambda token: token[:-1] + "\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_spoilt_token_is_not_a_mark(spoil: Callable[[str], str]) -> None:
    assert Mark.from_token(spoil(fresh_mark().token())) is None


@given(marks)
def test_stored_mark_is_the_same(mark: Mark) -> None:
    assert Mark.from_store(mark.to_store()) == mark


@given(marks, roles, formats)
def test_volume_name_holds_the_mark(mark: Mark, role: str, disk_format: str) -> None:
    name = ids.volume_name(mark, role, disk_format)
    assert ids.mark_of_volume(name) == mark
    assert re.fullmatch(r"[a-z0-9.]{1,200}", name)


@given(marks, hostnames)
def test_reservation_name_holds_the_mark(mark: Mark, hostname: str) -> None:
    name = ids.reservation_name(hostname, MAC, mark)
    assert ids.mark_of_reservation(name) == mark
    assert name.split(".")[0] == hostname
    assert all(len(label) <= 63 for label in name.split("."))


def test_label_with_spare_bits_set_is_not_a_mark() -> None:
    """130 bits of base 32 hold the 128 of a uuid: only one spelling is ours."""
    labels = fresh_mark().token().split(".")
    labels[0] = labels[0][:-1] + chr(ord(labels[0][-1]) + 1)
    assert Mark.from_token(".".join(labels)) is None


def test_reservations_of_two_interfaces_differ() -> None:
    mark = fresh_mark()
    other = ids.reservation_name("guest", MAC.replace("0a", "0b"), mark)
    assert ids.reservation_name("guest", MAC, mark) != other


def test_names_without_mark_are_not_ours() -> None:
    mark = fresh_mark()
    token = mark.token()
    for name in ("", "disk.qcow2", f"vmw.{token}.root", f"xyz.{token}.root.raw", f"vmw.{token}"):
        assert ids.mark_of_volume(name) is None
    base = ids.base_name(mark.deployment, "0" * 64, "qcow2")
    assert ids.mark_of_volume(base) is None
    for name in ("", "guest", f"guest.{token}", f"guest.{token}.lan", f"{token}.vmw"):
        assert ids.mark_of_reservation(name) is None


def test_different_things_have_different_names() -> None:
    mark = fresh_mark()
    others = [
        replace(mark, deployment=DeploymentId(ids.new_id())),
        replace(mark, instance=InstanceId(ids.new_id())),
        replace(mark, operation=OperationId(ids.new_id())),
        replace(mark, attempt=2),
    ]
    assert len({other.token() for other in [mark, *others]}) == 5


def test_bridge_name_is_legal_for_linux() -> None:
    network = NetworkId(ids.new_id())
    assert len(ids.bridge_name(network)) <= 15
    assert network in ids.network_name(network)


def test_pools_of_two_deployments_differ() -> None:
    assert ids.pool_name(DeploymentId("a")) != ids.pool_name(DeploymentId("b"))


def test_creates_undo_covers_its_own_operation_only() -> None:
    mark = fresh_mark()
    whose = Whose(deployment=mark.deployment, instance=mark.instance, operation=mark.operation)
    assert whose.covers(mark)
    assert whose.covers(replace(mark, attempt=7))
    assert not whose.covers(replace(mark, operation=OperationId(ids.new_id())))


def test_delete_covers_every_operation_of_its_instance() -> None:
    mark = fresh_mark()
    whose = Whose(deployment=mark.deployment, instance=mark.instance)
    assert whose.covers(replace(mark, operation=OperationId(ids.new_id())))
    assert not whose.covers(replace(mark, instance=InstanceId(ids.new_id())))
    assert not whose.covers(replace(mark, deployment=DeploymentId(ids.new_id())))


def test_things_without_mark_are_nobodys() -> None:
    mark = fresh_mark()
    assert not Whose(deployment=mark.deployment, instance=mark.instance).covers(None)


@pytest.mark.parametrize("operation", [None, OperationId("11111111-1111-4111-8111-111111111111")])
def test_stored_whose_is_the_same(operation: OperationId | None) -> None:
    whose = Whose(deployment=DeploymentId("d"), instance=InstanceId("i"), operation=operation)
    assert Whose.from_store(whose.to_store()) == whose


@given(uuids, uuids, formats)
def test_name_of_a_snapshot_holds_its_owner(
    deployment: str, snapshot: str, disk_format: str
) -> None:
    name = ids.snapshot_name(DeploymentId(deployment), SnapshotId(snapshot), disk_format)
    owner = Whose(deployment=DeploymentId(deployment), instance=InstanceId(snapshot))
    assert owner.covers(ids.mark_of_volume(name))
    assert ids.is_snapshot(name)


@given(marks, roles, formats)
def test_no_other_volume_is_taken_for_a_snapshot(mark: Mark, role: str, disk_format: str) -> None:
    assert not ids.is_snapshot(ids.volume_name(mark, role, disk_format))


@pytest.mark.parametrize("name", ["", "snapshot", "a.b.c.d.e.snapshot.qcow2", "vmw.snapshot"])
def test_names_of_others_are_no_snapshots(name: str) -> None:
    assert not ids.is_snapshot(name)
