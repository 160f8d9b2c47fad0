"""Lists come in pages, each in a fixed number of statements, however long they are."""

import json
from typing import Any

import sqlalchemy as sa

from tests.support import lab as labs
from tests.support.command_line import BUILD, CommandLine
from tests.support.lab import Lab
from vmwright.controller import Controller
from vmwright.states import OperationState


def submit(controller: Controller, names: list[str]) -> None:
    for name in names:
        controller.submit(labs.request(name=name, volumes=[{"size": 1}]))


def said(controller: Controller, look: Any) -> int:
    """How many statements a look needs."""
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = controller._database.reader
    sa.event.listen(engine, "before_cursor_execute", note)
    look()
    sa.event.remove(engine, "before_cursor_execute", note)
    return len(statements)


def test_a_page_takes_as_many_statements_as_one_line_does(lab: Lab) -> None:
    def child(controller: Controller) -> None:
        counts = []
        for count in (2, 8):
            submit(controller, [f"vm{count}-{number}" for number in range(count)])
            counts += [
                said(controller, lambda: controller.describe_instances(controller.instances())),
                said(controller, lambda: controller.describe_operations(controller.operations())),
            ]
        print(*counts)

    instances, operations, *later = lab.child(child).output.split()
    assert later == [instances, operations]


def test_descriptions_of_a_page_are_those_of_each(lab: Lab) -> None:
    assert lab.child(labs.create).output.split() == ["done"]

    def child(controller: Controller) -> None:
        submit(controller, ["more"])
        found, begun = controller.instances(), controller.operations()
        assert controller.describe_instances(found) == [*map(controller.describe_instance, found)]
        assert controller.describe_operations(begun) == [*map(controller.describe_operation, begun)]
        print(json.dumps(controller.describe_instances(found)))

    ended = lab.child(child)
    assert ended.status == 0, ended.output
    built, waits = json.loads(ended.output)
    assert [volume["name"] for volume in built["volumes"]] == [
        "vm1-volume-1",
        "vm1-volume-2",
        "kept",
    ]
    assert [address["network"] for address in built["addresses"]] == ["net1", "net1"]
    assert (built["host"], waits["host"]) == ("host1", None)
    assert waits["volumes"] == []


def test_newest_operations_are_found_in_every_combination(lab: Lab) -> None:
    """As one goes back from the newest, those of each set of states come once, and in order."""

    def child(controller: Controller) -> None:
        submit(controller, [f"vm{number}" for number in range(6)])
        everything = controller.operations()
        for number, operation in enumerate(everything):
            state = list(OperationState)[number]
            with controller._database.write() as connection:
                controller._stores.operations.change(connection, operation.id, state=state)
        known = [controller.operation(one.id) for one in everything]
        for states in (list(OperationState), list(OperationState)[1:5], [OperationState.DONE]):
            wanted = [one.id for one in known if one.state in states]
            found: list[str] = []
            page = controller.operations(states, limit=2)
            while page:
                found = [*(one.id for one in page), *found]
                page = controller.operations(states, before=page[0].id, limit=2)
            assert found == wanted, states

    ended = lab.child(child)
    assert ended.status == 0, ended.output


def test_pages_on_the_command_line(vmwright: CommandLine) -> None:
    for name in ("a", "b", "c"):
        assert vmwright("create", name, *BUILD, "--no-wait").code == 0
    ids = [row["id"] for row in json.loads(vmwright("list", "-f", "json").out)]
    first = json.loads(vmwright("list", "--limit", "2", "-f", "json").out)
    rest = json.loads(vmwright("list", "--limit", "2", "--marker", ids[1], "-f", "json").out)
    assert [row["name"] for row in [*first, *rest]] == ["a", "b", "c"]
    assert vmwright("list", "--limit", "0", "-f", "json").out.strip() == "[]"
    assert vmwright("list", "--marker", "nobody").code == 4
    newest = json.loads(vmwright("operation", "list", "--limit", "1", "-f", "json").out)
    before = json.loads(
        vmwright("operation", "list", "--before", newest[0]["id"], "-f", "json").out
    )
    assert [one["instance_id"] for one in [*before, *newest]] == ids
