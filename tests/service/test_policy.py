"""Who may do what: every rule allowed and denied, by role, by project, and by a file."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from vmwright.admission import Caller
from vmwright.admission.policy import Policy, list_rules
from vmwright.controller import Controller
from vmwright.errors import Forbidden, InvalidRequest, NotFound
from vmwright.ids import FlavorId, new_id
from vmwright.persistence.records import Flavor
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.waiting import Wait

ROOT = Path(__file__).parents[2]
ADMIN = Caller()
MEMBER = Caller(project="default", user="somebody", roles=frozenset({"member"}))
STRANGER = Caller(project="another", user="stranger", roles=frozenset({"member"}))

PLAIN: dict[str, Any] = {"volumes": [], "networks": [], "user_data": None}
WISHES: dict[str, dict[str, Any]] = {
    "vmwright:create": PLAIN,
    "vmwright:create:attach_network": PLAIN | {"networks": [{"network": "net1"}]},
    "vmwright:create:attach_volume": PLAIN | {"volumes": [{"size": 1}]},
    "vmwright:create:forced_host": PLAIN | {"availability_zone": ":host1"},
    "vmwright:create:zero_disk_flavor": PLAIN | {"flavor": "diskless"},
}
"""For each rule a request that needs it."""

ADMINISTRATORS_ONLY = {"vmwright:create:forced_host", "vmwright:create:zero_disk_flavor"}


@pytest.fixture(scope="module")
def shared(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = labs.copy_of(prepared, tmp_path_factory.mktemp("policy") / "lab")
    with Controller(lab.settings) as controller:
        flavor = Flavor(id=FlavorId(new_id()), name="diskless", vcpus=1, ram_mib=64, disk_gib=0)
        with controller._stores.database.write() as connection:
            controller._stores.registries.flavors.add(connection, flavor)
    return lab


OPERATORS = {"vmwright:operation:give_up", "vmwright:debts"}
"""What tests/unwind/test_giving_up.py asks for in a member's place."""

Opening = Callable[..., Controller]


@pytest.fixture
def opened(shared: Lab, tmp_path: Path) -> Iterator[Opening]:
    """Opens a controller for a caller, under rules of a file."""
    made: list[Controller] = []

    def open_one(caller: Caller, rules: str | None = None) -> Controller:
        settings: Settings = shared.settings
        if rules is not None:
            (tmp_path / "policy.yaml").write_text(rules)
            settings = replace(settings, policy_file=tmp_path / "policy.yaml")
        made.append(Controller(settings, caller=caller))
        return made[-1]

    yield open_one
    for controller in made:
        controller.close()


def wish(rule: str) -> CreateRequest:
    return labs.request(**WISHES[rule], name=f"of-{new_id()}")


def test_every_rule_has_a_wish_that_needs_it() -> None:
    known = {rule.name for rule in list_rules()} - {"admin_required", "admin_or_owner"}
    of_verbs = {"vmwright:delete", "vmwright:run", "vmwright:resources", "vmwright:operate"}
    # Those of verbs: see also test_rights.py.
    assert known == {*WISHES, *of_verbs, *OPERATORS, "vmwright:metrics"}


def test_who_monitors_sees_numbers_and_builds_nothing(opened: Opening) -> None:
    monitor = opened(Caller(project="watch", user="prometheus", roles=frozenset({"monitor"})))
    monitor.inventory.rights.measure()
    opened(ADMIN).inventory.rights.measure()
    with pytest.raises(Forbidden, match="vmwright:create"):
        monitor.submit(wish("vmwright:create"))
    with pytest.raises(Forbidden, match="vmwright:operate"):
        assert monitor.overview
    with pytest.raises(Forbidden, match="vmwright:metrics"):
        opened(MEMBER).inventory.rights.measure()


@pytest.mark.parametrize("rule", WISHES)
def test_an_administrator_may_do_everything(opened: Opening, rule: str) -> None:
    assert opened(ADMIN).submit(wish(rule)).project_id == "default"


@pytest.mark.parametrize("rule", WISHES)
def test_users_may_do_what_is_not_for_administrators(opened: Opening, rule: str) -> None:
    controller = opened(MEMBER)
    if rule not in ADMINISTRATORS_ONLY:
        assert controller.submit(wish(rule)).user_id == "somebody"
        return
    with pytest.raises(Forbidden, match=f"policy does not allow {rule} to user 'somebody'"):
        controller.submit(wish(rule))


@pytest.mark.parametrize("rule", WISHES)
def test_a_file_changes_a_rule_in_both_directions(opened: Opening, rule: str) -> None:
    with pytest.raises(Forbidden, match=rule):
        opened(ADMIN, f'"{rule}": "!"\n').submit(wish(rule))
    assert opened(MEMBER, f'"{rule}": "role:member"\n').submit(wish(rule))


def test_a_rule_that_denies_leaves_the_others_alone(opened: Opening) -> None:
    controller = opened(ADMIN, '"vmwright:create:attach_volume": "!"\n')
    assert controller.submit(wish("vmwright:create:attach_network"))


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"vmwright:create": "!"\n')
    policy = Policy(file)
    with pytest.raises(Forbidden):
        policy.require(ADMIN, ["vmwright:create"], {"project_id": "default"})
    file.write_text('"vmwright:create": "role:admin or role:member"\n')
    policy.require(ADMIN, ["vmwright:create"], {"project_id": "default"})


def test_what_was_allowed_is_denied_once_the_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"vmwright:create": "role:admin"\n')
    policy = Policy(file)
    for _ in range(3):
        policy.require(ADMIN, ["vmwright:create"], {"project_id": "default"})
    with pytest.raises(Forbidden):
        policy.require(MEMBER, ["vmwright:create"], {"project_id": "default"})
    file.write_text('"vmwright:create": "!"\n')
    with pytest.raises(Forbidden):
        policy.require(ADMIN, ["vmwright:create"], {"project_id": "default"})


def test_a_rule_that_asks_a_server_asks_it_each_time(tmp_path: Path) -> None:
    """Its answer may be another one now: no answer of it is remembered."""
    answers = [b"True", b"True", b"False"]

    class Judge(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers.pop(0))

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    file = tmp_path / "policy.yaml"
    with HTTPServer(("127.0.0.1", 0), Judge) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/may"
        file.write_text(f'"asked": "{address}"\n"vmwright:create": "role:admin and rule:asked"\n')
        policy = Policy(file)
        for _ in range(2):
            policy.require(ADMIN, ["vmwright:create"], {"project_id": "default"})
        with pytest.raises(Forbidden):
            policy.require(ADMIN, ["vmwright:create"], {"project_id": "default"})
        server.shutdown()
    assert answers == []


@pytest.mark.parametrize(
    "rules",
    [
        "{",
        "- a list\n",
        '"vmwright:create": "rule:nowhere"\n',
        '"a": "rule:b"\n"b": "rule:a"\n"vmwright:create": "rule:a"\n',
        '"vmwright:create": "role:admin or nonsense"\n',
        '"vmwright:create": "nonsense"\n',
        '"vmwright:create": "(role:admin"\n',
        '"vmwright:create": 7\n',
        '"vmwright:creaate": "!"\n',
    ],
)
def test_a_broken_file_is_refused_by_its_name(opened: Opening, rules: str) -> None:
    """And not, as oslo.policy would, taken for a denial or found out by a traceback."""
    controller = opened(ADMIN, rules)
    with pytest.raises(InvalidRequest, match=r"policy file '.*policy\.yaml'"):
        controller.submit(wish("vmwright:create"))


def test_a_file_that_is_not_there_is_refused(shared: Lab) -> None:
    settings = replace(shared.settings, policy_file=Path("/nonexistent/policy.yaml"))
    with (
        Controller(settings) as controller,
        pytest.raises(InvalidRequest, match="does not exist"),
    ):
        controller.submit(wish("vmwright:create"))


# What belongs to others


def test_others_things_are_not_there(opened: Opening) -> None:
    theirs = opened(STRANGER).submit(wish("vmwright:create"))
    name = opened(STRANGER).instance_of(theirs).name
    mine = opened(MEMBER)
    for call in (
        lambda: mine.instance(name),
        lambda: mine.instance(theirs.instance_id),
        lambda: mine.delete(name),
        lambda: mine.operation(theirs.id),
        lambda: mine.cancel(theirs.id),
        lambda: mine.resume(theirs.id),
        lambda: mine.graph(theirs.id),
        lambda: mine.submit(labs.request(**PLAIN, scheduler_hints={"same_host": name})),
    ):
        with pytest.raises(NotFound):
            call()
    assert theirs.id not in {operation.id for operation in mine.operations()}
    assert name not in {instance.name for instance in mine.instances()}
    assert mine.instances(theirs.reservation_id) == []


def test_users_see_what_is_their_projects_and_administrators_everything(opened: Opening) -> None:
    theirs = opened(STRANGER).submit(wish("vmwright:create"))
    for caller in (STRANGER, ADMIN):
        controller = opened(caller)
        assert theirs.id in {operation.id for operation in controller.operations()}
        assert theirs.instance_id in {instance.id for instance in controller.instances()}
        assert controller.instance(theirs.instance_id).project_id == "another"


def test_names_of_others_are_in_nobodys_way(opened: Opening) -> None:
    for caller in (STRANGER, MEMBER):
        opened(caller).submit(labs.request(**PLAIN, name="web"))
    assert opened(MEMBER).instance("web").project_id == "default"


def test_volumes_of_others_are_not_there_for_a_build(opened: Opening) -> None:
    with pytest.raises(NotFound, match="no volume 'kept'"):
        opened(STRANGER).submit(labs.request(**PLAIN | {"volumes": [{"volume": "kept"}]}))


def test_volumes_of_others_are_not_there_at_all(opened: Opening) -> None:
    inventory = opened(STRANGER).inventory
    kept = opened(MEMBER).inventory.volume("kept")
    for name in (kept.name, kept.id):
        for call in (
            inventory.volume,
            inventory.delete_volume,
            lambda name: inventory.create_snapshot("taken", name, wait=Wait(10)),
        ):
            with pytest.raises(NotFound, match=f"no volume '{name}'"):
                call(name)
    assert inventory.volumes() == []
    assert kept.id in {volume.id for volume in opened(MEMBER).inventory.volumes()}
    assert kept.id in {
        volume.id for volume in opened(replace(ADMIN, project="x")).inventory.volumes()
    }


def test_a_user_may_delete_what_is_the_projects(lab: Lab) -> None:
    with Controller(lab.settings, caller=MEMBER) as controller:
        controller.submit(labs.request(**PLAIN, name="web"))
    with Controller(lab.settings, caller=replace(MEMBER, user="colleague")) as controller:
        operation = controller.delete("web")
        assert controller.wait(operation.id, timeout=60).state == "done"


def test_what_an_administrator_deletes_is_still_the_projects_to_see(lab: Lab) -> None:
    with Controller(lab.settings, caller=STRANGER) as theirs:
        theirs.submit(labs.request(**PLAIN, name="web"))
        with Controller(lab.settings) as controller:
            operation = controller.delete("web")
            controller.wait(operation.id, timeout=60)
        assert theirs.operation(operation.id).state == "done"
        assert theirs.operation(operation.id).user_id == "admin"


def test_deleting_can_be_denied(opened: Opening) -> None:
    opened(ADMIN).submit(labs.request(**PLAIN, name="kept-alive"))
    with pytest.raises(Forbidden, match="vmwright:delete"):
        opened(ADMIN, '"vmwright:delete": "!"\n').delete("kept-alive")
    assert opened(ADMIN).instance("kept-alive").task_state == "scheduling"


def test_the_sample_is_current() -> None:
    script = ROOT / "scripts" / "generate-policy-sample"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stderr}run: scripts/generate-policy-sample"
