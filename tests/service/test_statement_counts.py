"""How often each task asks the store: a number that rises is a decision, not an accident."""

import functools
import json
import threading
from collections import Counter
from typing import Any

import sqlalchemy as sa

from tests.support import lab as labs
from tests.support.lab import Lab
from vmwright.controller import Controller
from vmwright.tasks import block_devices, guest, host, image, instance, network

HALVES = ("intend", "execute", "forget")

OF_A_CREATE = {
    "check_not_created.intend": 1,
    "allocate_network.execute": 2,
    "claim_host.execute": 8,
    "map_block_devices.intend": 3,
    "spawn.intend": 1,
    "mark_active.execute": 2,
}
"""With one interface, new volumes in any number, a config drive and a secret."""

OF_A_DELETE = {
    "locate_guest.execute": 4,
    "release_block_devices.intend": 2,
    "release_block_devices.forget": 5,
    "unplug_network.intend": 1,
    "release_host.execute": 2,
    "release_addresses.execute": 3,
    "mark_deleted.execute": 3,
}

_OURS = ("SELECT", "INSERT", "UPDATE", "DELETE", "SAVEPOINT")


class Counted:
    """Counts what each half of each task executes, in the thread that calls it."""

    def __init__(self) -> None:
        self.statements: Counter[str] = Counter()
        self._current = threading.local()
        sa.event.listen(sa.Engine, "before_cursor_execute", self._count)
        for module in (block_devices, guest, host, image, instance, network):
            for found in vars(module).values():
                if isinstance(found, type) and found.__module__ == module.__name__:
                    self._watch(found)

    def _watch(self, task: Any) -> None:
        for half in HALVES:
            if half in vars(task) and hasattr(task, "task_name"):
                setattr(task, half, self._watched(getattr(task, half), f"{task.task_name}.{half}"))

    def _watched(self, method: Any, name: str) -> Any:
        @functools.wraps(method)
        def watched(*arguments: Any, **named: Any) -> Any:
            self._current.name = name
            try:
                return method(*arguments, **named)
            finally:
                self._current.name = None

        return watched

    def _count(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        name = getattr(self._current, "name", None)
        if name is not None and statement.startswith(_OURS):
            self.statements[name] += 1

    def tell(self) -> None:
        print(json.dumps(self.statements))
        self.statements.clear()


def builds_and_deletes(controller: Controller, volumes: int) -> None:
    counted = Counted()
    wish = labs.request(volumes=[{"size": 1}] * volumes)
    # What a process reads once, it has read then.
    controller.wait(controller.create(wish).id, timeout=60)
    controller.wait(controller.delete("vm1").id, timeout=60)
    counted.statements.clear()
    controller.wait(controller.create(wish).id, timeout=60)
    counted.tell()
    controller.wait(controller.delete("vm1").id, timeout=60)
    counted.tell()


def told(lab: Lab, volumes: int) -> list[dict[str, int]]:
    ended = lab.child(lambda controller: builds_and_deletes(controller, volumes))
    assert ended.status == 0, ended.output
    return [json.loads(line) for line in ended.output.splitlines()]


def test_each_task_asks_the_store_no_more_often_than_it_is_known_to(lab: Lab) -> None:
    assert told(lab, 1) == [OF_A_CREATE, OF_A_DELETE]


def test_more_volumes_are_asked_for_in_no_more_statements(lab: Lab) -> None:
    assert told(lab, 4) == [OF_A_CREATE, OF_A_DELETE]
