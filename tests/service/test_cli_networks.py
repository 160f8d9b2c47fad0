"""Commands on networks that hosts have already, on hosts of networks, and on ports."""

from tests.support.command_line import BUILD, CommandLine


def test_network_is_created_with_all_that_is_said_of_it(vmwright: CommandLine) -> None:
    words = ("--bridge", "br0", "--gateway", "10.8.0.254", "--host", "host1")
    pool = ("--allocation-pool", "start=10.8.0.9,end=10.8.0.20")
    dns = ("--dns", "192.0.2.53", "--dns", "192.0.2.54")
    called = vmwright(
        "network", "create", "dmz", "--subnet-range", "10.8.0.0/24", *words, *pool, *dns
    )
    assert called.code == 0
    shown = vmwright("network", "show", "dmz", "-f", "json").data
    assert {key: value for key, value in shown.items() if key not in ("id", "created_at")} == {
        "name": "dmz",
        "kind": "bridge",
        "cidr": "10.8.0.0/24",
        "gateway": "10.8.0.254",
        "bridge": "br0",
        "libvirt_network": None,
        "pool_first": "10.8.0.9",
        "pool_last": "10.8.0.20",
        "dns": ["192.0.2.53", "192.0.2.54"],
        "hosts": ["host1"],
    }
    assert vmwright("network", "list", "-f", "json").data[1] == shown
    assert "192.0.2.53, 192.0.2.54" in vmwright("network", "show", "dmz").out


def test_instance_is_built_on_a_network_of_libvirt(vmwright: CommandLine) -> None:
    words = ("--subnet-range", "192.168.122.0/24", "--libvirt-network", "default")
    vmwright("network", "create", "lv", *words)
    assert vmwright("create", "web", *BUILD, "--network", "lv").code == 0
    assert vmwright("show", "web", "-f", "value", "-c", "addresses").out == (
        "lan=10.9.0.2; lv=192.168.122.2\n"
    )


def test_hosts_of_a_network_are_set(vmwright: CommandLine) -> None:
    vmwright("host", "create", "host2", "--uri", "simulated:///host2")
    bound = vmwright("network", "set", "lan", "--host", "host2", "--host", "host1", "-f", "json")
    assert bound.data["hosts"] == ["host1", "host2"]
    assert vmwright("host", "delete", "host2").code == 5
    bound = vmwright("network", "set", "lan", "--host", "host1", "-f", "json")
    assert bound.data["hosts"] == ["host1"]
    assert vmwright("network", "set", "lan", "--no-host", "-f", "json").data["hosts"] == []
    assert vmwright("host", "delete", "host2").code == 0


def test_port_is_created_listed_and_deleted(vmwright: CommandLine) -> None:
    words = ("--fixed-ip", "10.9.0.30", "--mac-address", "52:54:00:aa:bb:cc")
    shown = vmwright("port", "create", "mine", "--network", "lan", *words, "-f", "json").data
    assert (shown["name"], shown["network"], shown["ip"]) == ("mine", "lan", "10.9.0.30")
    assert (shown["mac"], shown["instance_id"]) == ("52:54:00:aa:bb:cc", None)
    assert vmwright("port", "show", "mine", "-f", "json").data == shown
    instance = vmwright("create", "web", *BUILD, "-f", "json").data
    ports = vmwright("port", "list", "-f", "json").data
    assert [(port["name"], port["instance_id"]) for port in ports] == [
        ("mine", None),
        (None, instance["id"]),
    ]
    refused = vmwright("port", "delete", ports[1]["id"])
    assert (refused.code, refused.out) == (5, "")
    assert f"Port {ports[1]['id']} is still in use." in refused.err
    assert vmwright("network", "delete", "lan").code == 5
    assert vmwright("port", "delete", "mine").code == 0
    assert vmwright("port", "show", "mine").code == 4
