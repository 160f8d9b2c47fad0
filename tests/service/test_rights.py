"""What callers may do apart from builds: readers look, members have their project, operators all.

Every verb that there is, is tried: whoever adds one says here that it only looks, or it must ask
a policy.
"""

import inspect
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.any_key import ssh_public_key
from tests.support.command_line import CommandLine
from tests.support.parameter_world import stocked_with_everything
from vmwright.admission import Caller
from vmwright.controller import Controller
from vmwright.errors import Forbidden, NotFound, VmwrightError
from vmwright.ids import new_id
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.waiting import Wait

READER = Caller(project="default", user="looker", roles=frozenset({"reader"}))
MEMBER = Caller(project="default", user="somebody", roles=frozenset({"member", "reader"}))
STRANGER = Caller(project="elsewhere", user="stranger", roles=frozenset({"member", "reader"}))
STRANGE_READER = replace(STRANGER, roles=frozenset({"reader"}))
NOBODY = Caller(project="default", user="nobody", roles=frozenset())

LOOKS = {
    *("images", "image", "flavors", "flavor", "networks", "network", "hosts_of_network"),
    *("volumes", "volume", "snapshots", "snapshot", "hosts", "host", "host_use", "zones"),
    *("hosts_in_use", "tokens.caller_of"),
    *("await_empty_host", "ensure_some_host_answers", "ensure_default_host", "has_host"),
    *("ports.all", "ports.get", "quotas.list"),
    *(f"{noun}.{verb}" for noun in ("key_pairs", "security_groups") for verb in ("list", "get")),
    *("server_groups.list", "server_groups.get", "server_groups.members"),
    *("security_groups.rules", "security_groups.rule"),
}
"""Verbs of the inventory that change nothing that a caller chooses, so that no policy is asked.

``tokens.caller_of`` is asked of whom nobody knows yet. ``ensure_default_host`` registers the one
that the configuration names, with anybody's first build.
"""

OF_MEMBERS = {
    *("create_volume", "delete_volume", "create_snapshot", "delete_snapshot"),
    *("ports.create", "ports.delete", "key_pairs.create", "key_pairs.delete"),
    *("security_groups.create", "security_groups.delete"),
    *("security_groups.add_rule", "security_groups.remove_rule"),
    *("server_groups.create", "server_groups.delete"),
}

VALUES: dict[str, Any] = {
    "name": "made",
    "name_or_id": "host1",
    "source": Path(__file__),
    "wait": Wait(10),
    "token_digest": "0" * 64,
    "vcpus": 1,
    "ram_mib": 1,
    "disk_gib": 1,
    "size_gib": 1,
    "cidr": "10.77.0.0/24",
    "network": "lan",
    "uri": "simulated:///made",
    "volume": "data",
    "public_key": ssh_public_key(),
    "policy": "affinity",
    "direction": "egress",
    "identifier": new_id(),
    "reason": "because",
    "properties": {},
    "hosts": [],
    "limits": {"cores": -1},
    "resources": ["cores"],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return stocked_with_everything(tmp_path_factory.mktemp("rights"))


Opening = Callable[[Caller], Controller]


@pytest.fixture
def opened(world: CommandLine) -> Iterator[Opening]:
    settings, made = Settings.from_files(str(world.file)), []

    def open_one(caller: Caller) -> Controller:
        made.append(Controller(settings, caller=caller))
        return made[-1]

    yield open_one
    for controller in made:
        controller.close()


def verbs(inventory: Any) -> dict[str, Callable[..., Any]]:
    """Every public verb of the inventory and of its nouns, by name."""
    found = {}
    for name in (name for name in dir(inventory) if not name.startswith("_")):
        member = getattr(inventory, name)
        if name == "rights":
            continue  # who asks the policies
        if callable(member):
            found[name] = member
            continue
        inner = (verb for verb in dir(member) if not verb.startswith("_"))
        found |= {f"{name}.{verb}": getattr(member, verb) for verb in inner}
    return found


def called(verb: Callable[..., Any]) -> Any:
    """Call it with something for each argument that it needs."""
    needed = {
        name: VALUES[name]
        for name, parameter in inspect.signature(verb).parameters.items()
        if name == "size_gib"
        or (parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD)
    }
    return verb(**needed)


def changing(controller: Controller) -> dict[str, Callable[..., Any]]:
    found = verbs(controller.inventory)
    assert found.keys() > LOOKS | OF_MEMBERS
    return {name: verb for name, verb in found.items() if name not in LOOKS}


def test_a_reader_changes_nothing(opened: Opening, world: CommandLine) -> None:
    before = world.rows()
    for caller in (READER, NOBODY, STRANGE_READER):
        for name, verb in changing(opened(caller)).items():
            rule = "vmwright:resources" if name in OF_MEMBERS else "vmwright:operate"
            with pytest.raises(Forbidden, match=f"does not allow {rule} to user"):
                called(verb)
    assert world.rows() == before


def test_a_member_does_not_operate_the_deployment(opened: Opening, world: CommandLine) -> None:
    before = world.rows()
    for name, verb in changing(opened(MEMBER)).items():
        if name not in OF_MEMBERS:
            with pytest.raises(Forbidden, match="vmwright:operate"):
                called(verb)
    assert world.rows() == before


@pytest.mark.parametrize("name", sorted(OF_MEMBERS))
def test_a_member_changes_what_is_the_projects(opened: Opening, name: str) -> None:
    verb = verbs(opened(MEMBER).inventory)[name]
    try:
        called(verb)
    except Forbidden:
        raise
    except VmwrightError as error:
        refusal = error.message
    else:
        refusal = "none"
    # What these name need not be there, or is in use; what is made is made.
    assert refusal == "none" or "create" not in name or "never used" in refusal, refusal


def test_a_reader_runs_nothing(opened: Opening, world: CommandLine) -> None:
    before = world.rows()
    with_policy = opened(READER)
    stopped = threading.Event()
    stopped.set()
    request = CreateRequest.parse(name="made", image="disk", flavor="small")
    operation = with_policy.operations()[0].id
    for call in (
        lambda: with_policy.submit(request),
        lambda: with_policy.create(request),
        lambda: with_policy.plan(request),
        lambda: with_policy.delete("there"),
        lambda: with_policy.cancel(operation),
        lambda: with_policy.resume(operation),
        with_policy.resume,
        lambda: with_policy.retry(operation),
        with_policy.audit,
        with_policy.pay_debts,
        with_policy.debts,
        lambda: with_policy.drop_debt("any", "why"),
        lambda: with_policy.skip(operation, "spawn", "why"),
        lambda: with_policy.abandon(operation, "why"),
        lambda: with_policy.serve_until(stopped),
        lambda: with_policy.upkeep,
    ):
        with pytest.raises(Forbidden):
            call()
    assert world.rows() == before


def test_a_member_neither_audits_nor_sees_the_quotas_of_others(opened: Opening) -> None:
    controller = opened(MEMBER)
    stopped = threading.Event()
    stopped.set()
    for call in (
        controller.audit,
        controller.pay_debts,
        lambda: controller.serve_until(stopped),
        lambda: controller.inventory.quotas.list("elsewhere"),
    ):
        with pytest.raises(Forbidden, match="vmwright:operate"):
            call()
    assert controller.inventory.quotas.list("default")


def test_who_operates_one_project_alone_does_not_run_what_is_anothers(
    world: CommandLine, tmp_path: Path
) -> None:
    """An administrator from whom a file takes the rule of operators."""
    rules = tmp_path / "policy.yaml"
    rules.write_text('"vmwright:operate": "role:operator"\n')
    settings = replace(Settings.from_files(str(world.file)), policy_file=rules)
    with Controller(settings, caller=Caller(project="elsewhere")) as controller:
        theirs = controller.operations()[0]
        assert theirs.project_id == "default"
        for call in (
            lambda: controller.resume(theirs.id),
            controller.resume,
            lambda: controller.retry(theirs.id),
            lambda: controller.cancel(theirs.id),
        ):
            with pytest.raises(Forbidden, match="vmwright:operate"):
                call()


def test_a_lone_user_needs_no_policy_and_no_roles(world: CommandLine) -> None:
    """The configuration's caller, which is an administrator unless somebody says otherwise."""
    assert world("flavor", "create", "mine", "--vcpus", "1", "--ram", "64", "--disk", "1").code == 0
    assert world("flavor", "delete", "mine").code == 0


# Things of another project


def _uses(kind: str, name: str) -> dict[str, Any]:
    """A request that names the thing."""
    return {
        "volume": {"volumes": [{"volume": name}]},
        "snapshot": {"volumes": [{"snapshot": name}]},
        "port": {"networks": [{"port": name}]},
        "key pair": {"key_name": name},
        "security group": {"security_groups": [name]},
        "server group": {"scheduler_hints": {"group": name}},
        "instance": {"scheduler_hints": {"same_host": [name]}},
        "other instance": {"scheduler_hints": {"different_host": [name]}},
    }[kind]


def _verbs_on(controller: Controller, kind: str) -> list[Callable[[str], Any]]:
    inventory = controller.inventory
    return {
        "volume": [
            inventory.volume,
            inventory.delete_volume,
            lambda name: inventory.create_snapshot("taken", name, wait=Wait(10)),
        ],
        "snapshot": [
            inventory.snapshot,
            inventory.delete_snapshot,
            lambda name: inventory.create_volume("taken", snapshot=name),
        ],
        "port": [inventory.ports.get, inventory.ports.delete],
        "key pair": [inventory.key_pairs.get, inventory.key_pairs.delete],
        "security group": [
            inventory.security_groups.get,
            inventory.security_groups.rules,
            inventory.security_groups.delete,
            lambda name: inventory.security_groups.add_rule(name, "egress"),
            lambda name: inventory.security_groups.add_rule("default", "egress", remote_group=name),
        ],
        "rule": [inventory.security_groups.rule, inventory.security_groups.remove_rule],
        "server group": [
            inventory.server_groups.get,
            inventory.server_groups.members,
            inventory.server_groups.delete,
        ],
        "instance": [
            controller.instance,
            controller.delete,
            lambda name: next(controller.console(name, Wait(1))),
        ],
        "operation": [
            controller.operation,
            controller.cancel,
            controller.resume,
            controller.retry,
            controller.graph,
            controller.wait,
            lambda name: next(controller.watch(name)),
        ],
    }[kind]


def _theirs(controller: Controller) -> dict[str, list[Any]]:
    """Everything of the project that has something of everything."""
    inventory = controller.inventory
    groups = inventory.security_groups
    return {
        "volume": list(inventory.volumes()),
        "snapshot": list(inventory.snapshots()),
        "port": list(inventory.ports.all()),
        "key pair": list(inventory.key_pairs.list()),
        "security group": [group for group in groups.list() if group.name != "default"],
        "rule": [rule for group in groups.list() for rule in groups.rules(group.id)],
        "server group": list(inventory.server_groups.list()),
        "instance": list(controller.instances()),
        "operation": list(controller.operations()),
    }


@pytest.mark.parametrize("caller", [STRANGER, STRANGE_READER], ids=["member", "reader"])
def test_nothing_of_another_project_is_there(
    opened: Opening, world: CommandLine, caller: Caller
) -> None:
    stranger = opened(caller)
    stranger.inventory.security_groups.list()  # makes the stranger's own default group
    theirs, before = _theirs(opened(Caller())), world.rows()
    mine = {thing.id for things in _theirs(stranger).values() for thing in things}
    for kind, things in theirs.items():
        assert things, f"the world has no {kind}"
        assert not mine & {thing.id for thing in things}
        names = {thing.id for thing in things} | {
            str(thing.name) for thing in things if hasattr(thing, "name")
        }
        for name in names - {""}:
            for verb in _verbs_on(stranger, kind):
                # A reader is told that first, and by that learns nothing of what there is.
                with pytest.raises((NotFound, Forbidden) if caller is STRANGE_READER else NotFound):
                    verb(name)
    assert world.rows() == before


def test_nothing_of_another_project_can_be_built_with(opened: Opening, world: CommandLine) -> None:
    stranger, theirs, before = opened(STRANGER), _theirs(opened(Caller())), world.rows()
    theirs["other instance"] = theirs["instance"]
    for kind in theirs.keys() - {"rule", "operation"}:
        for name in {n for thing in theirs[kind] for n in (thing.id, thing.name) if n}:
            plain = {"name": "made", "image": "disk", "flavor": "small"}
            wish = CreateRequest.parse(**plain, **_uses(kind, name))
            for ask in (stranger.submit, stranger.create, stranger.plan):
                with pytest.raises(NotFound):
                    ask(wish)
    assert world.rows() == before
