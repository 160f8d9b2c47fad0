"""Builds on networks of each kind, on the hosts that have them, with addresses that all want."""

import json
from typing import Any

from tests.support import lab as labs
from tests.support.crowds import all_at_once
from tests.support.lab import Lab
from tests.support.oracle import assert_nothing_left, fault, instances
from vmwright.errors import Conflict, InvalidRequest

WANTED = "10.1.0.50"
CROWD, PROCESSES = 10, 5


def build(*networks: dict[str, str], **changes: Any) -> Any:
    """Build one instance on these networks, and say how it ended."""

    def child(controller):
        wish = labs.request(networks=list(networks), volumes=[], **changes)
        print(controller.wait(controller.create(wish).id, timeout=60).state)

    return child


def networks_of_others(controller) -> None:
    inventory = controller.inventory
    inventory.create_network("lan", "192.168.7.0/24", bridge="br0")
    inventory.create_network(
        "lv", "192.168.122.0/24", libvirt_network="default", pool=("192.168.122.9",) * 2
    )


def test_guest_is_plugged_into_what_is_there_and_nothing_is_made(lab: Lab) -> None:
    lab.child(networks_of_others)
    ended = lab.child(build({"network": "lan"}, {"network": "lv"}, {"network": "net1"}))
    assert ended.output.split() == ["done"], ended.output
    (domain,) = lab.things("domains")
    assert [(nic["kind"], nic["source"]) for nic in domain["nics"]] == [
        ("bridge", "br0"),
        ("libvirt", "default"),
        ("nat", None),
    ]
    ports = lab.rows(
        "SELECT mac, ip FROM vmwright_ports WHERE instance_id IS NOT NULL ORDER BY position"
    )
    assert [port["ip"] for port in ports] == ["192.168.7.2", "192.168.122.9", "10.1.0.2"]
    assert [port["mac"] for port in ports] == [nic["mac"] for nic in domain["nics"]]
    assert [found["ip"] for found in lab.things("reservations")] == ["10.1.0.2"]
    assert [found["cidr"] for found in lab.things("networks")] == ["10.1.0.0/24"]
    ended = lab.child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    assert lab.world() == {}


def test_guest_whose_hostname_has_a_domain_is_told_its_first_label_by_dhcp(lab: Lab) -> None:
    ended = lab.child(build({"network": "net1"}, hostname="web.example.org"))
    assert ended.output.split() == ["done"], ended.output
    assert [found["hostname"] for found in lab.things("reservations")] == ["web"]


def test_host_without_the_bridge_fails_the_build_and_all_is_given_back(lab: Lab) -> None:
    lab.child(networks_of_others)
    (host,) = (lab.home / "world" / "hosts").glob("*/host.json")
    host.write_text(json.dumps(json.loads(host.read_text()) | {"bridges": []}))
    ended = lab.child(build({"network": "lan"}, {"network": "net1"}))
    assert ended.output.split() == ["undone"], ended.output
    assert (fault(lab)["task"], fault(lab)["code"]) == ("spawn", "HostFault")
    assert "bridge network br0 does not exist" in fault(lab)["message"]
    assert_nothing_left(lab)


def test_instance_is_built_where_its_network_is(lab: Lab) -> None:
    def bind(controller):
        inventory = controller.inventory
        inventory.create_host("empty", "simulated:///empty")
        inventory.create_host("right", "simulated:///right")
        inventory.create_network("far", "10.3.0.0/24", hosts=["right"])

    lab.child(bind)
    ended = lab.child(build({"network": "far"}))
    assert ended.output.split() == ["done"], ended.output
    (domain,) = (lab.home / "world").glob("hosts/*/domains/*.json")
    assert domain.parts[-3] == "right"


def test_no_host_with_the_network_is_said_for_each(lab: Lab) -> None:
    def bind(controller):
        controller.inventory.create_host("right", "simulated:///right")
        controller.inventory.create_network("far", "10.3.0.0/24", hosts=["right"])
        controller.inventory.disable_host("right", "repair")

    lab.child(bind)
    ended = lab.child(build({"network": "far"}))
    assert ended.output.split() == ["undone"], ended.output
    assert "network 'far' is not there" in fault(lab)["message"]
    assert "disabled (repair)" in fault(lab)["message"]


def test_port_of_a_user_goes_from_one_instance_to_the_next(lab: Lab) -> None:
    for name in ("vm1", "vm2"):
        ended = lab.child(build({"port": "mine"}, name=name))
        assert ended.output.split() == ["done"], ended.output
        (reservation,) = lab.things("reservations")
        assert reservation["ip"] == "10.1.0.77"

        def delete(controller, name=name):
            print(controller.wait(controller.delete(name).id, timeout=60).state)

        assert lab.child(delete).output.split() == ["done"]
    (port,) = lab.rows("SELECT name, instance_id FROM vmwright_ports")
    assert port == {"name": "mine", "instance_id": None}


def test_port_that_was_taken_meanwhile_fails_the_later_build(lab: Lab) -> None:
    """Both were accepted while the port was free; one of them gets it."""

    def submit(controller):
        for name in ("vm1", "vm2"):
            controller.submit(labs.request(name=name, networks=[{"port": "mine"}], volumes=[]))

    lab.child(submit)
    ended = lab.child(labs.resume)
    assert sorted(ended.output.split()) == ["done", "undone"], ended.output
    faults = [row["fault"] for row in instances(lab) if row["fault"] is not None]
    assert len(faults) == 1
    assert "Port mine is still in use." in str(faults[0])
    (port,) = lab.rows("SELECT instance_id FROM vmwright_ports")
    (active,) = (row["id"] for row in instances(lab) if row["vm_state"] == "active")
    assert port["instance_id"] == active


def test_one_of_fifty_gets_the_address_that_all_want(lab: Lab) -> None:
    processes = [lab.fork(want_the_same) for _ in range(PROCESSES)]
    outcomes = []
    for process in processes:
        ended = lab.reap(process)
        assert ended.status == 0, ended.output
        outcomes += ended.output.split()
    assert len(outcomes) == CROWD * PROCESSES
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "undone", "Conflict", "InvalidRequest"}
    (domain,) = lab.things("domains")
    (reservation,) = lab.things("reservations")
    (port,) = lab.rows("SELECT * FROM vmwright_ports WHERE ip = ?", WANTED)
    assert port["instance_id"] == domain["uuid"]
    assert (reservation["ip"], reservation["mac"]) == (WANTED, port["mac"])
    states = [row["vm_state"] for row in instances(lab)]
    assert states.count("active") == 1
    assert set(states) <= {"active", "error"}
    for table in ("claims", "attachments"):
        held = lab.rows(f"SELECT instance_id FROM vmwright_{table}")
        assert {row["instance_id"] for row in held} <= {domain["uuid"]}
    assert lab.rows("SELECT * FROM vmwright_debts") == []


def want_the_same(controller) -> None:
    """Ask for one address many times at once, and say what each request came to."""

    def want():
        wish = labs.request(networks=[{"network": "net1", "ip": WANTED}], volumes=[])
        try:
            return controller.wait(controller.create(wish).id, timeout=120).state
        except (Conflict, InvalidRequest) as refused:
            return type(refused).__name__

    for outcome in all_at_once([want] * CROWD):
        print(outcome if isinstance(outcome, str) else repr(outcome))
