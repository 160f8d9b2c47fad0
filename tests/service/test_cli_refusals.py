"""Calls of the command that are refused: one line, an exit code, and nothing is changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import BUILD, IMPATIENT, CommandLine
from tests.support.through_service import WAYS, called


@pytest.fixture(scope="module", params=WAYS)
def unchanged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """A store with an instance, for calls that change nothing."""
    with called(request.param, tmp_path_factory.mktemp("unchanged")) as command:
        assert command("create", "used", *BUILD).code == 0
        for words in (
            ("security", "group", "create", "web"),
            ("server", "group", "create", "apart", "--policy", "anti-affinity"),
        ):
            assert command(*words).code == 0
        yield command


RULE = ("security", "group", "rule", "create", "web")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ("create", "web", "--image", "disk", "--flavor", "small", "--network", "lan,ip=9")),
        (2, ("create", "web", *BUILD, "--network", "lan,ip=10.8.0.1")),
        (2, ("create", "web", *BUILD, "--network", "lan,mac=01:00:00:00:00:01")),
        (2, ("create", "web", *BUILD, "--volume", "size=0")),
        (2, ("create", "web", *BUILD, "--property", "key")),
        (2, ("create", "web", *BUILD, "--ramdisk", "disk")),
        (2, ("create", " web", *BUILD)),
        (2, ("flavor", "create", "none", "--vcpus", "0", "--ram", "64", "--disk", "1")),
        (2, ("network", "create", "bad", "--subnet-range", "10.0.0.0/33")),
        (2, ("network", "create", "bad", "--subnet-range", "10.7.0.0/24", "--gateway", "10.6.0.1")),
        *(
            (2, ("network", "create", "bad", "--subnet-range", "10.7.0.0/24", *words))
            for words in (
                ("--bridge", "br0", "--libvirt-network", "default"),
                ("--bridge", "no/bridge"),
                ("--allocation-pool", "10.7.0.2,10.7.0.3"),
                ("--allocation-pool", "start=10.7.0.2"),
                ("--allocation-pool", "start=10.7.0.3,end=10.7.0.2"),
                ("--dns", "example.org"),
            )
        ),
        (2, ("network", "set", "lan")),
        (2, ("network", "set", "lan", "--host", "host1", "--no-host")),
        (2, ("port", "create", "mine", "--network", "lan", "--fixed-ip", "10.9.0.1")),
        (2, ("port", "create", "mine", "--network", "lan", "--mac-address", "junk")),
        (2, ("port", "create", "mine")),
        (2, ("volume", "create", "none", "--size", "0")),
        (2, ("image", "create", "none", "--file", "/nonexistent/file")),
        (2, ("image", "create", "none", "--file", __file__, "--disk-format", "qcow2")),
        (2, ("host", "create", "h2", "--uri", "nonsense")),
        (2, ("host", "set", "host1")),
        (2, ("host", "set", "host1", "--reason", "none")),
        (2, ("host", "set", "host1", "--vcpus", "0")),
        (2, ("host", "set", "host1", "--zone", "a:b", "--enable")),
        (2, ("host", "set", "host1", "--trait", "small")),
        (2, ("host", "set", "host1", "--vcpu-ratio", "nan")),
        (2, ("host", "drain", "host1", "--timeout", "1")),
        (2, ("image", "set", "disk", "--property", "hw_disk_bus=floppy")),
        (2, ("image", "set", "disk", "--property", "a=1", "--property", "a=2")),
        (2, ("image", "unset", "disk")),
        (2, ("flavor", "set", "small", "--enable", "--disable")),
        (2, ("flavor", "set", "small", "--property", "a/b=1")),
        (2, ("keypair", "create", "key", "--public-key", __file__)),
        (2, ("keypair", "create", "key", "--public-key", "/nonexistent/file")),
        (2, ("security", "group", "create", " web")),
        (2, (*RULE, "--protocol", "tcp", "--dst-port", "90:80")),
        (2, (*RULE, "--protocol", "tcp", "--dst-port", "http")),
        (2, (*RULE, "--protocol", "tcp", "--dst-port", "80", "--icmp-code", "1")),
        (2, (*RULE, "--dst-port", "80")),
        (2, (*RULE, "--protocol", "icmp", "--dst-port", "8")),
        (2, (*RULE, "--protocol", "junk")),
        (2, (*RULE, "--remote-ip", "10.0.0.0/8", "--ethertype", "IPv6")),
        (2, ("server", "group", "create", "odd", "--policy", "nearby")),
        (2, ("server", "group", "create", "odd", "--rule", "colour=red")),
        (2, ("server", "group", "create", "odd", "--rule", "max_server_per_host=1")),
        (2, ("quota", "set", "default")),
        (2, ("quota", "set", "default", "--cores", "-2")),
        (2, ("quota", "set", "default", "--cores", "1", "--unset", "cores")),
        (2, ("quota", "set", "default", "--unset", "colour")),
        (4, ("host", "drain", "unknown")),
        (4, ("image", "set", "unknown", "--property", "a=1")),
        (4, ("flavor", "set", "unknown", "--enable")),
        (4, ("keypair", "show", "unknown")),
        (4, ("security", "group", "rule", "create", "unknown")),
        (4, ("security", "group", "rule", "list", "unknown")),
        (4, ("security", "group", "rule", "delete", "unknown")),
        (4, (*RULE, "--remote-group", "unknown")),
        *((4, (noun, "group", "show", "unknown")) for noun in ("security", "server")),
        *((4, (noun, "group", "delete", "unknown")) for noun in ("security", "server")),
        (5, ("security", "group", "create", "web")),
        (5, ("security", "group", "delete", "default")),
        (5, (*RULE, "--egress")),
        (5, ("server", "group", "create", "apart")),
        (4, ("create", "web", "--image", "unknown", "--flavor", "small")),
        (4, ("create", "web", "--image", "disk", "--flavor", "unknown")),
        (4, ("create", "web", *BUILD, "--network", "unknown")),
        (4, ("create", "web", *BUILD, "--volume", "volume=unknown")),
        (4, ("create", "web", *BUILD, "--kernel", "unknown")),
        (4, ("network", "create", "far", "--subnet-range", "10.7.0.0/24", "--host", "unknown")),
        (4, ("network", "set", "lan", "--host", "unknown")),
        (4, ("network", "set", "unknown", "--no-host")),
        (4, ("port", "create", "mine", "--network", "unknown")),
        (4, ("show", "unknown")),
        (4, ("delete", "unknown")),
        (4, ("console", "unknown")),
        (4, ("graph", "unknown")),
        *((4, ("operation", verb, "unknown")) for verb in ("show", "wait", "resume", "cancel")),
        *((4, (noun, "show", "unknown")) for noun in ("image", "flavor", "network", "port")),
        (4, ("volume", "show", "unknown")),
        *((4, (noun, "delete", "unknown")) for noun in ("image", "flavor", "network", "host")),
        (4, ("port", "delete", "unknown")),
        (5, ("flavor", "create", "small", "--vcpus", "1", "--ram", "64", "--disk", "1")),
        (5, ("network", "create", "overlap", "--subnet-range", "10.9.0.128/25")),
        (5, ("port", "create", "mine", "--network", "lan", "--fixed-ip", "10.9.0.2")),
        (5, ("host", "create", "host1", "--uri", "simulated:///host2")),
        (5, ("network", "delete", "lan")),
        (5, ("image", "delete", "disk")),
        (5, ("host", "delete", "host1")),
    ],
    ids=lambda value: value if isinstance(value, int) else " ".join(value)[:60],
)
def test_refused_call_is_one_line_and_changes_nothing(
    unchanged: CommandLine, code: int, words: tuple[str, ...]
) -> None:
    before = unchanged.stored()
    refused = unchanged(*words)
    assert (refused.code, refused.out) == (code, "")
    assert refused.err.startswith("vmwright: ")
    assert refused.err.count("\n") == 1
    assert unchanged.stored() == before
    assert refused == unchanged.here(*words)


def test_silent_host_refuses_a_build_with_7(vmwright: CommandLine) -> None:
    before = vmwright.stored()
    vmwright.configure(IMPATIENT, faults="facts:1+:hang")
    refused = vmwright("create", "web", *BUILD)
    assert (refused.code, refused.out) == (7, "")
    assert refused.err.count("\n") == 1
    assert vmwright.stored() == before


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (2, "[database]\nconnection = nonsense"),
        (2, "[database]\nconnection = sqlite://"),
        (2, "[operations]\nparallel = many"),
        (2, "[simulated]\nfaults = nonsense"),
        (7, "[database]\nconnection = postgresql+psycopg://nobody@127.0.0.1:1/none"),
        (7, "[database]\nconnection = postgresql+pg8000://nobody@127.0.0.1:1/none"),
        (7, "[database]\nconnection = sqlite:////proc/none/vmwright.db"),
        (2, "[database]\nconnection = mysql+nonexistent://nobody@127.0.0.1:1/none"),
    ],
    ids=lambda value: value if isinstance(value, int) else value.splitlines()[1],
)
def test_configuration_that_cannot_work_is_told_in_one_line(
    tmp_path: Path, code: int, text: str
) -> None:
    command = CommandLine(tmp_path)
    command.configure(text)
    told = command("image", "list")
    assert (told.code, told.out) == (code, "")
    assert told.err.startswith("vmwright: ")
    assert told.err.count("\n") == 1
