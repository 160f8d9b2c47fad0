"""Key pairs, groups and quotas: checked before they are stored, and limited however many ask."""

import pytest

from tests.support.crowds import all_at_once
from tests.support.databases import sqlite
from tests.support.deployments import deployed
from tests.support.ssh_keys import ECDSA, ED25519, FINGERPRINTS
from vmwright.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from vmwright.spec import SecurityGroupSpec


@pytest.fixture
def deployment(tmp_path):
    with deployed(tmp_path, sqlite(tmp_path)) as made:
        yield made


@pytest.fixture
def inventory(deployment):
    return deployment.inventory


def nouns(inventory):
    """Each noun with a way to create one."""
    return (
        (inventory.key_pairs, lambda name: inventory.key_pairs.create(name, ED25519)),
        (inventory.security_groups, inventory.security_groups.create),
        (inventory.server_groups, lambda name: inventory.server_groups.create(name, "affinity")),
    )


@pytest.mark.parametrize("name", ["", " a", "a\nb", "x" * 256], ids=ascii)
def test_names_follow_one_rule(inventory, name):
    for _, create in nouns(inventory):
        with pytest.raises(InvalidRequest, match=r"^name: "):
            create(name)


def test_taken_names_are_conflicts_and_missing_ones_not_found(inventory):
    for noun, create in nouns(inventory):
        first = create("one")
        with pytest.raises(Conflict, match="taken") as refused:
            create("one")
        assert refused.value.hint
        assert noun.get("one") == noun.get(first.id) == first
        assert noun.delete("one") == first
        for verb in (noun.get, noun.delete):
            with pytest.raises(NotFound):
                verb("one")


def test_other_projects_see_nothing_of_it(deployment, inventory):
    other = deployment.inventory_of("other", "bob")
    for (noun, create), (others, _) in zip(nouns(inventory), nouns(other), strict=True):
        one = create("one")
        assert one.id not in {thing.id for thing in others.list()}
        with pytest.raises(NotFound):
            others.delete(one.id)
        assert noun.get("one") == one


def test_key_pairs_go_with_their_user_into_every_project(deployment, inventory):
    pair = inventory.key_pairs.create("laptop", ED25519)
    assert list(deployment.inventory_of("other").key_pairs.list()) == [pair]


# Key pairs


@pytest.mark.parametrize("key", FINGERPRINTS, ids=lambda key: key.split()[0])
def test_key_has_the_fingerprint_that_ssh_shows(inventory, key):
    pair = inventory.key_pairs.create("laptop", f"{key}\n")
    assert (pair.fingerprint, pair.public_key) == (FINGERPRINTS[key], key)
    assert list(inventory.key_pairs.list()) == [pair]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "junk",
        "ssh-ed25519 AAAA",
        ED25519.replace("ssh-ed25519", "ssh-rsa"),
        ED25519.replace("ICIh", "IC"),
        ED25519.replace("ssh-ed25519", "ssh-unknown"),
        f"{ED25519}\n{ECDSA}",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
    ids=ascii,
)
def test_what_is_no_public_key_is_refused_and_not_repeated(inventory, key):
    with pytest.raises(InvalidRequest, match=r"^public_key: ") as refused:
        inventory.key_pairs.create("laptop", key)
    assert "AAAAC3" not in str(refused.value)
    assert list(inventory.key_pairs.list()) == []


# Security groups


def test_default_group_is_there_for_whoever_looks(deployment, inventory):
    groups = inventory.security_groups
    (default,) = groups.list()
    assert (default.name, len(groups.rules("default"))) == ("default", 4)
    assert deployment.inventory_of("other").security_groups.get("default") != default
    with pytest.raises(Conflict, match="default"):
        groups.delete("default")
    with pytest.raises(Conflict, match="taken"):
        groups.create("default")


def test_new_group_lets_everything_out_and_nothing_in(inventory):
    group = inventory.security_groups.create("web", "for web servers")
    assert group.description == "for web servers"
    rules = inventory.security_groups.rules("web")
    assert [(rule.direction, rule.ethertype) for rule in rules] == [
        ("egress", "IPv4"),
        ("egress", "IPv6"),
    ]


@pytest.mark.parametrize(
    ("wish", "stored"),
    [
        ({}, {"ethertype": "IPv4", "protocol": None}),
        ({"protocol": "any"}, {"protocol": None}),
        ({"protocol": "TCP"}, {"protocol": "tcp", "port_range_min": None}),
        (
            {"protocol": "tcp", "port_range_min": 80, "port_range_max": 90},
            {"port_range_min": 80, "port_range_max": 90},
        ),
        (
            {"protocol": 17, "port_range_min": 1, "port_range_max": 65535},
            {"protocol": "udp", "port_range_max": 65535},
        ),
        ({"protocol": "132"}, {"protocol": "132"}),
        ({"protocol": "0"}, {"protocol": "0"}),
        ({"protocol": "icmp", "port_range_min": 8}, {"port_range_min": 8, "port_range_max": None}),
        (
            {"protocol": "icmp", "port_range_min": 0, "port_range_max": 255},
            {"port_range_min": 0, "port_range_max": 255},
        ),
        ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "icmpv6"}),
        ({"remote_ip_prefix": "10.1.0.5"}, {"remote_ip_prefix": "10.1.0.5/32"}),
        ({"remote_ip_prefix": "10.1.0.5/24"}, {"remote_ip_prefix": "10.1.0.0/24"}),
        ({"remote_ip_prefix": "fd00::/8", "ethertype": "IPv6"}, {"remote_ip_prefix": "fd00::/8"}),
    ],
    ids=str,
)
def test_rule_is_stored_in_one_form(inventory, wish, stored):
    inventory.security_groups.create("web")
    rule = inventory.security_groups.add_rule("web", "ingress", **wish)
    assert {name: getattr(rule, name) for name in stored} == stored
    assert inventory.security_groups.rules("web")[-1] == rule


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"direction": "sideways"}, "direction"),
        ({"ethertype": "IPv5"}, "ethertype"),
        ({"protocol": "junk"}, "protocol"),
        ({"protocol": "256"}, "protocol"),
        ({"protocol": "-1"}, "protocol"),
        ({"port_range_min": 1, "port_range_max": 2}, "ports go with"),
        ({"protocol": "132", "port_range_min": 1, "port_range_max": 2}, "ports go with"),
        ({"protocol": "tcp", "port_range_min": 80}, "both"),
        ({"protocol": "tcp", "port_range_max": 80}, "both"),
        ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 80}, "1 to 65535"),
        ({"protocol": "udp", "port_range_min": 90, "port_range_max": 80}, "not above"),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}, "port_range_max"),
        ({"protocol": "icmp", "port_range_min": 256}, "0 to 255"),
        ({"protocol": "icmp", "port_range_max": 0}, "needs a type"),
        ({"protocol": "icmpv6"}, "ethertype IPv6"),
        ({"remote_ip_prefix": "junk"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "10.0.0.0/33"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "fd00::/8"}, "not IPv4"),
        ({"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"}, "not IPv6"),
        ({"remote_ip_prefix": "10.0.0.0/8", "remote_group": "web"}, "not both"),
        ({"colour": "red"}, "colour"),
    ],
    ids=str,
)
def test_rule_that_no_packet_could_match_is_refused(inventory, wish, reason):
    inventory.security_groups.create("web")
    with pytest.raises(InvalidRequest, match=reason):
        inventory.security_groups.add_rule("web", **({"direction": "ingress"} | wish))
    assert len(inventory.security_groups.rules("web")) == 2


def test_rule_may_name_a_group_which_then_stays(inventory):
    groups = inventory.security_groups
    web, database = groups.create("web"), groups.create("database")
    rule = groups.add_rule("database", "ingress", remote_group="web")
    assert rule.remote_group_id == web.id
    with pytest.raises(NotFound):
        groups.add_rule("database", "ingress", remote_group="nothing")
    with pytest.raises(Conflict, match="in use"):
        groups.delete("web")
    assert groups.remove_rule(rule.id) == rule
    assert groups.delete("web") == web
    assert groups.delete("database") == database
    with pytest.raises(NotFound):
        groups.remove_rule(rule.id)


def test_same_rule_is_not_added_twice(inventory):
    groups = inventory.security_groups
    groups.create("web")
    groups.add_rule("web", "ingress", protocol="tcp", port_range_min=80, port_range_max=80)
    with pytest.raises(Conflict, match="already"):
        groups.add_rule("web", "ingress", protocol="6", port_range_min=80, port_range_max=80)
    groups.add_rule("web", "ingress", protocol="tcp", port_range_min=80, port_range_max=81)


def test_group_of_a_living_instance_is_not_deleted(deployment, inventory):
    groups = inventory.security_groups
    web, other = groups.create("web"), groups.create("other")
    named = (SecurityGroupSpec(id=web.id, name="web"),)
    instance = deployment.instance(
        deployment.image(), security_groups=named, metadata={"note": f"not {other.id}"}
    )
    with pytest.raises(Conflict, match="in use") as refused:
        groups.delete("web")
    assert instance.id in refused.value.hint
    groups.delete("other")
    deployment.bury(instance)
    groups.delete("web")


# Server groups


@pytest.mark.parametrize(
    ("policy", "limit"),
    [
        ("affinity", None),
        ("anti-affinity", None),
        ("anti-affinity", 2),
        ("soft-affinity", None),
        ("soft-anti-affinity", None),
    ],
)
def test_server_group_has_a_policy(inventory, policy, limit):
    group = inventory.server_groups.create("apart", policy, limit)
    assert (group.policy, group.max_server_per_host) == (policy, limit)
    assert (group.project_id, group.user_id) == ("default", "admin")


@pytest.mark.parametrize(
    ("policy", "limit"), [("nearby", None), ("", None), ("anti-affinity", 0), ("affinity", 1)]
)
def test_policy_that_means_nothing_is_refused(inventory, policy, limit):
    with pytest.raises(InvalidRequest):
        inventory.server_groups.create("odd", policy, limit)
    assert list(inventory.server_groups.list()) == []


def test_server_group_with_living_members_is_not_deleted(deployment, inventory):
    group = inventory.server_groups.create("apart", "anti-affinity")
    instance = deployment.instance(deployment.image())
    with deployment.database.write() as connection:
        deployment.stores.server_groups.add_members(connection, [(group.id, instance.id)])
    assert list(inventory.server_groups.members("apart")) == [instance.id]
    with pytest.raises(Conflict, match=r"server group .apart. is in use by 1 instances"):
        inventory.server_groups.delete("apart")
    deployment.bury(instance)
    assert list(inventory.server_groups.members("apart")) == []
    assert inventory.server_groups.delete("apart") == group


# Quotas


def quota(inventory, resource, project=None):
    return next(q for q in inventory.quotas.list(project) if q.resource == resource)


def test_limit_of_a_project_stands_for_the_configured_one(inventory):
    assert (quota(inventory, "cores").limit, quota(inventory, "cores").configured) == (-1, True)
    inventory.quotas.set({"cores": 8, "instances": 2})
    inventory.quotas.set({"cores": 3}, "other")
    assert (quota(inventory, "cores").limit, quota(inventory, "cores").configured) == (8, False)
    assert quota(inventory, "cores", "other").limit == 3
    inventory.quotas.unset(["cores"])
    assert quota(inventory, "cores").limit == -1
    assert quota(inventory, "instances").limit == 2


def test_quota_shows_what_is_in_use(deployment, inventory):
    inventory.create_volume("data", 3)
    inventory.security_groups.create("web")
    inventory.server_groups.create("apart", "affinity")
    in_use = {known.resource: known.in_use for known in inventory.quotas.list()}
    assert (in_use["volumes"], in_use["gigabytes"]) == (1, 3)
    assert (in_use["security_groups"], in_use["security_group_rules"]) == (2, 6)
    assert (in_use["server_groups"], in_use["injected_files"]) == (1, None)


@pytest.mark.parametrize("limits", [{"cores": -2}, {"cores": 2**31}, {"colour": 1}], ids=str)
def test_limit_that_makes_no_sense_is_refused_with_all_others(inventory, limits):
    with pytest.raises(InvalidRequest):
        inventory.quotas.set({"instances": 1} | limits)
    with pytest.raises(InvalidRequest):
        inventory.quotas.unset(["colour"])
    assert quota(inventory, "instances").limit == -1


def test_no_more_is_registered_than_the_quota_allows(inventory):
    groups = inventory.security_groups
    inventory.quotas.set(
        {"key_pairs": 1, "server_groups": 1, "security_groups": 2, "security_group_rules": 7}
    )
    for _, create in nouns(inventory):
        outcomes = all_at_once([lambda n=n, c=create: c(f"thing{n}") for n in range(5)])
        refused = [outcome for outcome in outcomes if isinstance(outcome, QuotaExceeded)]
        assert len(refused) == 4, outcomes
        assert "Quota exceeded" in refused[0].message
    (made,) = [group.name for group in groups.list() if group.name != "default"]
    groups.add_rule(made, "ingress", protocol="tcp")
    with pytest.raises(
        QuotaExceeded, match="security_group_rules: Requested 1, but already used 7 of 7"
    ):
        groups.add_rule(made, "ingress", protocol="udp")
