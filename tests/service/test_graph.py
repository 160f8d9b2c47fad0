"""The graph of an operation, asked from another process: after a kill, a failure, a resume."""

import json

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, names
from tests.support.lab import Lab
from vmwright.views import RENDERERS


def states(lab: Lab) -> dict[str, str]:
    """What each task's node says, and that every format can draw it."""

    def draw(controller):
        (operation,) = controller.operations()
        graph = controller.graph(operation.id)
        assert all(render(graph) for render in RENDERERS.values())
        print(RENDERERS["json"](graph))

    ended = lab.child(draw)
    assert ended.status == 0, ended.output
    nodes = {node["id"]: node for node in json.loads(ended.output)["nodes"]}
    assert set(nodes) == set(names("create"))
    return {name: node["state"] for name, node in nodes.items()}


def test_after_a_kill_the_graph_shows_where_it_stopped(lab: Lab) -> None:
    assert lab.child(broken(labs.create, execute("spawn", Break.KILL_AFTER))).killed
    shown = states(lab)
    assert (shown["plug_network"], shown["spawn"], shown["mark_active"]) == (
        "SUCCESS",
        "RUNNING",
        "PENDING",
    )
    lab.child(labs.resume)
    assert set(states(lab).values()) == {"SUCCESS"}


def test_after_a_failure_the_graph_shows_what_was_given_back(lab: Lab) -> None:
    lab.child(broken(labs.create, execute("spawn", Break.FAIL_AFTER)))
    shown = states(lab)
    assert shown.pop("mark_active") == "PENDING"
    assert set(shown.values()) == {"REVERTED"}


def test_before_anything_ran_every_task_is_pending(lab: Lab) -> None:
    lab.child(lambda controller: controller.submit(labs.request()))
    assert set(states(lab).values()) == {"PENDING"}
