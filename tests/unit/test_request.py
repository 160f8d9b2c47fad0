"""What is wrong with a request is found at the door, and said without repeating secrets."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright.errors import InvalidRequest
from vmwright.request import CreateRequest, NetworkRequest, VolumeRequest
from vmwright.request.fields import MAX_USER_DATA
from vmwright.spec import Spec, hostname_of

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFake= someone@somewhere"
SECRET = "marker-of-a-secret"
ODD_CHARACTERS = {
    "newline": "a\nb",
    "carriage return": "a\rb",
    "tab": "a\tb",
    "nul": "a\0b",
    "escape": "a\x1b[31mb",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "right-to-left override": "a\u202eb",
    "right-to-left isolate": "a\u2067b",
    "zero width space": "a\u200bb",
    "byte order mark": "a\ufeffb",
    "lone surrogate": "a\ud800b",
    "private use": "a\ue000b",
}


def asked(**changes):
    return CreateRequest.parse(**({"name": "vm", "image": "i", "flavor": "f"} | changes))


def refusal(**changes) -> str:
    with pytest.raises(InvalidRequest) as refused:
        asked(**changes)
    assert refused.value.__cause__ is None
    return refused.value.message


# Names


@pytest.mark.parametrize(
    "name", ["a", "x" * 255, "Web 1", "wéb", "名前", "a.b_c-d", "'; DROP", "🙂"]
)
def test_names_may_hold_any_visible_character(name):
    assert asked(name=name).name == name


@pytest.mark.parametrize("name", ODD_CHARACTERS.values(), ids=ODD_CHARACTERS)
@pytest.mark.parametrize("field", ["name", "image", "flavor", "kernel"])
def test_invisible_characters_are_refused_wherever_a_name_is(field, name):
    changes = {"kernel": "k"} | {field: name}
    assert refusal(**changes) == f"{field}: a name has no newlines, control or invisible characters"


@pytest.mark.parametrize("name", [" a", "a ", "\u00a0a", "a\u3000"])
def test_white_space_at_the_ends_of_a_name_is_refused(name):
    assert "white space" in refusal(name=name)


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_names_have_1_to_255_characters(name):
    assert str(len(name)) in refusal(name=name)


def test_unknown_fields_are_refused():
    assert refusal(bogus=1).startswith("bogus: ")


@pytest.mark.parametrize("missing", ["name", "flavor"])
def test_needed_fields_are_named(missing):
    fields = {"name": "vm", "image": "i", "flavor": "f"}
    del fields[missing]
    with pytest.raises(InvalidRequest, match=f"^{missing}: "):
        CreateRequest.parse(**fields)


# Addresses


@pytest.mark.parametrize("mac", ["52:54:00:aa:bb:cc", "52-54-00-AA-BB-CC", "52:54:00:AA:BB:CC"])
def test_macs_are_written_in_one_way(mac):
    assert asked(networks=[{"network": "n", "mac": mac}]).networks[0].mac == "52:54:00:aa:bb:cc"


@pytest.mark.parametrize(
    "mac",
    [
        "52:54:00:aa:bb",
        "52:54:00:aa:bb:cc:dd",
        "52:54:00:aa:bb:gg",
        "525400aabbcc",
        "52:54:00:aa:bb:cc\n",
        "01:00:5e:00:00:01",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
        "",
    ],
)
def test_what_no_interface_can_have_is_no_mac(mac):
    assert refusal(networks=[{"network": "n", "mac": mac}]).startswith("networks.0.mac: ")


@pytest.mark.parametrize(
    "ip", ["10.0.0", "10.0.0.256", "10.0.0.1/24", "010.0.0.1", "::1", "10.0.0.1\n", "", "a"]
)
def test_what_is_no_ipv4_address_is_refused(ip):
    assert refusal(networks=[{"network": "n", "ip": ip}]).startswith("networks.0.ip: ")


def test_same_address_twice_is_refused():
    nic = {"network": "n", "ip": "10.0.0.5"}
    assert "same ip" in refusal(networks=[nic, nic])
    assert len(asked(networks=[nic, nic | {"network": "m"}]).networks) == 2
    mac = {"mac": "52:54:00:aa:bb:cc"}
    other = {"mac": "52-54-00-AA-BB-CC"}
    assert "same mac" in refusal(networks=[{"network": "n"} | mac, {"network": "m"} | other])


def test_interfaces_and_volumes_are_limited():
    assert refusal(networks=[{"network": "n"}] * 17).startswith("networks: ")
    assert refusal(volumes=[{"size": 1}] * 25).startswith("volumes: ")


# Volumes


@pytest.mark.parametrize(
    "volume",
    [
        {},
        {"name": "only a name"},
        {"size": 0},
        {"size": -1},
        {"size": 2**31},
        {"size": 1.5},
        {"volume": "v", "size": 1},
        {"volume": "v", "image": "i"},
        {"volume": "v", "name": "n"},
    ],
)
def test_volumes_have_one_source(volume):
    assert refusal(volumes=[volume]).startswith("volumes.0")


@pytest.mark.parametrize(
    "volume", [{"size": 1}, {"image": "i"}, {"image": "i", "size": 3}, {"volume": "v"}]
)
def test_each_source_of_a_volume_is_enough(volume):
    assert VolumeRequest.parse(**volume).delete_on_termination is None


def test_same_volume_twice_is_refused():
    assert "same volume" in refusal(volumes=[{"volume": "v"}, {"volume": "v"}])


# User data, keys, metadata


def test_user_data_is_limited_as_nova_limits_it():
    longest = MAX_USER_DATA // 4 * 3
    assert len(base64.b64encode(bytes(longest))) <= MAX_USER_DATA
    assert asked(user_data=bytes(longest)).user_data == bytes(longest)
    message = refusal(user_data=bytes(longest + 1))
    assert str(MAX_USER_DATA) in message
    assert str(len(base64.b64encode(bytes(longest + 1)))) in message


def test_user_data_needs_a_config_drive():
    assert "config drive" in refusal(user_data=b"x", config_drive=False)


def test_ramdisk_needs_a_kernel():
    assert "kernel" in refusal(ramdisk="r", kernel="nokernel")
    assert asked(ramdisk="r", kernel="k").ramdisk == "r"


def test_key_is_one_line():
    assert asked(key=f"  {KEY}\n").key == KEY


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ssh-ed25519",
        "not a key!",
        f"{KEY}\nssh-rsa AAAA other",
        f"{KEY}\rno-pty",
        f"{KEY} \u202e",
        "ssh-rsa AAAA " + "x" * 16384,
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",
    ],
)
def test_what_is_no_public_key_is_refused(key):
    assert refusal(key=key).startswith("key: ")


def test_metadata_values_are_limited():
    assert asked(metadata={"k": "v" * 255}).metadata == {"k": "v" * 255}
    assert "255" in refusal(metadata={"k": "v" * 256})


@pytest.mark.parametrize("key", ["", "k" * 256, "a/b", "ä", "a\n", "a\0"])
def test_metadata_keys_are_plain(key):
    assert refusal(metadata={key: "v"}).startswith("metadata: ")


@pytest.mark.parametrize("value", ["\0", "\ud800", 1, None, ["v"]])
def test_metadata_values_are_text(value):
    assert refusal(metadata={"k": value}).startswith("metadata")


def test_metadata_values_may_hold_several_lines():
    assert asked(metadata={"k": "a\n\tb"}).metadata == {"k": "a\n\tb"}


# Secrets


def test_user_data_is_in_no_repr():
    request = asked(user_data=SECRET.encode())
    assert SECRET not in repr(request)
    assert SECRET not in str(request)
    assert request.user_data == SECRET.encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"user_data": SECRET.encode() * 9000},
        {"user_data": SECRET.encode(), "config_drive": False},
        {"user_data": [SECRET]},
        {"user_data": SECRET.encode(), "kernel": "nokernel", "ramdisk": "r"},
        {"user_data": SECRET.encode(), "bogus": 1},
        {"key": SECRET},
        {"metadata": {"k": SECRET * 100}},
        {"networks": SECRET},
    ],
)
def test_refusals_do_not_repeat_what_was_given(changes):
    with pytest.raises(InvalidRequest) as refused:
        asked(**changes)
    assert SECRET not in repr(refused.value)
    assert SECRET not in str(refused.value.to_store())


# What is stored


def test_spec_is_read_back_as_it_was_stored():
    image = {
        "id": "i",
        "name": "image",
        "disk_format": "raw",
        "size_bytes": 1,
        "virtual_size_bytes": 1,
        "sha256": "0" * 64,
        "location": "here",
    }
    spec = Spec(
        name="vm",
        hostname="vm",
        project="p",
        image=image,
        flavor="f",
        vcpus=1,
        ram_mib=64,
        root_gib=0,
        nics=(),
        volumes=(),
        metadata={"k": "v"},
        key=KEY,
        config_drive=True,
        user_data="id of a secret",
    )
    assert Spec.from_store(spec.to_store()) == spec


def test_requests_cannot_be_changed():
    request = NetworkRequest.parse(network="n")
    with pytest.raises(ValueError, match="frozen"):
        request.network = "other"


# Host names


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("web-1", "web-1"),
        ("Web 1", "web-1"),
        ("my_vm.example.org", "my-vm-example-org"),
        ("-web-", "web"),
        ("..web..", "web"),
        ("a(b)c", "abc"),
        ("名前-1", "1"),
        ("wéb", "wb"),
        ("x" * 64, "x" * 63),
        ("!" * 10 + "y" * 60, "y" * 53),
        ("x" * 62 + "-y", "x" * 62),
        ("名前", "server-ID"),
        ("!!!", "server-ID"),
        ("---", "server-ID"),
    ],
)
def test_hostname_is_a_label_made_of_the_name(name, hostname):
    assert hostname_of(name, "ID") == hostname


@given(st.text(min_size=1, max_size=300))
def test_hostname_is_always_one_dns_label(name):
    label = hostname_of(name, "aaaaaaaa-0000-4000-8000-000000000001")
    assert 1 <= len(label) <= 63
    assert set(label) <= set(string.ascii_lowercase + string.digits + "-")
    assert label.strip("-") == label


@pytest.mark.parametrize("deep", [False, True])
def test_copy_with_other_disks_has_those(deep: bool) -> None:
    request = CreateRequest.parse(name="a", image="b", flavor="c", volumes=[{"size": 1}])
    other = CreateRequest.parse(name="a", image="b", flavor="c", volumes=[{"size": 2}])
    copied = request.model_copy(update={"volumes": other.volumes}, deep=deep)
    assert [device.volume_size for device in copied.devices()] == [2]
    assert (copied.devices(), copied) == (other.devices(), other)
