"""What each version of each flow is made of, as it must stay: operations in flight depend on it.

`python -m tests.support.recipes` pins versions that are new; it never changes one that is pinned.
"""

import json
from pathlib import Path
from typing import Any

from taskflow.atom import Atom

from tests.support.breaking import NO_MEANS
from vmwright.flows import NO_HOOKS, RECIPES, Recipe, atoms_of
from vmwright.tasks.task import RemovingTask, StoreTask, Task
from vmwright.views.graph import flow_graph

PINNED = Path(__file__).parents[1] / "unit" / "golden" / "recipes.json"


def key(recipe: Recipe) -> str:
    return f"{recipe.name} {recipe.version}"


def made_of(recipe: Recipe) -> dict[str, Any]:
    """Everything of a flow that what is stored of an operation relies on."""
    flow = recipe.make(NO_MEANS, NO_HOOKS)
    graph = flow_graph(flow)
    return {"kind": recipe.kind, "atoms": [_atom(atom, graph) for atom in atoms_of(flow)]}


def _atom(atom: Atom, graph: Any) -> dict[str, Any]:
    found = {
        "name": atom.name,
        "effect": _effect(atom),
        "requires": sorted(atom.requires),
        "undo_requires": sorted(atom.revert_rebind.values()),
        "provides": dict(sorted(atom.save_as.items())),
    }
    if isinstance(atom, Task):
        node = graph.nodes[atom.name]
        state = atom.task_state
        found |= {
            "after": sorted(before for before, _ in graph.in_edges(atom.name)),
            "retry": node["retry"],
            "task_state": None if state is None else str(state),
        }
    return found


def _effect(atom: Atom) -> str:
    """Where it has its effect, and whether there is a way back."""
    if not isinstance(atom, Task):
        return "none: it decides"
    where = "in the store" if isinstance(atom, StoreTask) else "outside"
    if isinstance(atom, RemovingTask):
        return f"removes {where}"
    undone = type(atom).revert is not Task.revert
    return f"{where}, {'undone' if undone else 'with nothing to undo'}"


def pinned() -> dict[str, Any]:
    known: dict[str, Any] = json.loads(PINNED.read_text()) if PINNED.exists() else {}
    return known


def main() -> None:
    known = pinned()
    for recipe in RECIPES:
        if key(recipe) not in known:
            known[key(recipe)] = made_of(recipe)
            print(f"pinned: {key(recipe)}")
    PINNED.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
