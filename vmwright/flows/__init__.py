"""The flows: which tasks, in which order, under which name and version."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter

from taskflow.atom import Atom
from taskflow.flow import Flow

from vmwright.errors import Damaged, InvalidRequest, PackageMissing, UnknownFlow
from vmwright.flows import create_instance, delete_instance
from vmwright.spec import HooksSpec
from vmwright.tasks.hooks import refuse_misfits
from vmwright.tasks.task import Means, Task

NO_HOOKS = HooksSpec()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make a flow again, also years later, from what an operation's row says."""

    name: str
    version: int
    kind: str
    """What users call an operation that runs it."""
    written: Callable[[Means, HooksSpec], Flow]

    def make(self, means: Means, hooks: HooksSpec) -> Flow:
        """The flow with these plug-ins. `InvalidRequest` or `PackageMissing` for one that is
        not to be had, or does not fit."""
        flow = self.written(means, hooks)
        if hooks != NO_HOOKS:
            refuse_misfits(tasks_of(flow))
        return flow


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name=create_instance.NAME,
        version=1,
        kind="create",
        written=create_instance.create_instance_1,
    ),
    Recipe(
        name=create_instance.NAME,
        version=create_instance.VERSION,
        kind="create",
        written=create_instance.create_instance,
    ),
    Recipe(
        name=delete_instance.NAME,
        version=delete_instance.VERSION,
        kind="delete",
        written=delete_instance.delete_instance,
    ),
)
"""Every flow that operations may have begun with; the versions of one in order."""


def known_flows() -> frozenset[tuple[str, int]]:
    """Name and version of every flow that can be run here."""
    return frozenset((known.name, known.version) for known in RECIPES)


def recipe(name: str, version: int) -> Recipe:
    """The flow that a stored operation began with; `UnknownFlow` means: park it."""
    for known in RECIPES:
        if (known.name, known.version) == (name, version):
            return known
    raise UnknownFlow(
        f"flow {name!r} version {version} is not known here",
        hint="run a vmwright that knows it, or retry once one does",
    )


def stored_flow(name: str, version: int, means: Means, hooks: HooksSpec) -> Flow:
    """The flow that a stored operation began with, with the plug-ins that its spec names.

    `UnknownFlow` if that cannot be made here: park it.
    """
    try:
        return shared_flow(recipe(name, version), means, hooks)
    except (InvalidRequest, PackageMissing) as error:
        raise UnknownFlow(
            f"flow {name!r} cannot be made here: {error.message}",
            hint=error.hint,
        ) from error


def shared_flow(recipe: Recipe, means: Means, hooks: HooksSpec) -> Flow:
    """The flow of this recipe that all runs with these means and plug-ins have in common: its
    tasks hold nothing of a run. As `Recipe.make` otherwise."""
    key = (recipe, hooks.pre, hooks.post)
    flow = means.flows.get(key)
    if flow is None:
        flow = means.flows[key] = recipe.make(means, hooks)
    return flow


_version = attrgetter("version")


def newest(kind: str) -> Recipe:
    """The flow that new operations of this kind run."""
    return max([known for known in RECIPES if known.kind == kind], key=_version)


def atoms_of(flow: Flow) -> list[Atom]:
    """What of a flow has a state of its own: its tasks, and the retries around them."""
    retries = [part.retry for part in _parts_of(flow) if part.retry is not None]
    return [*tasks_of(flow), *retries]


def tasks_of(flow: Flow) -> list[Task]:
    """A flow's tasks, subflows included, in the order in which they are added."""
    tasks: list[Task] = []
    for child in flow:
        tasks += tasks_of(child) if isinstance(child, Flow) else [child]
    return tasks


def refuse_other_rows(flow: Flow, stored: Iterable[str]) -> None:
    """`Damaged` unless exactly these tasks and retries have rows in the store: TaskFlow would
    make what is missing in memory alone, and what ran would be forgotten with the process."""
    wanted, there = {atom.name for atom in atoms_of(flow)}, set(stored)
    wrong = [
        f"{what}: {', '.join(sorted(names))}"
        for what, names in (("missing", wanted - there), ("of another flow", there - wanted))
        if names
    ]
    if wrong:
        raise Damaged(f"rows of tasks (atomdetails) are {'; '.join(wrong)}")


def _parts_of(flow: Flow) -> list[Flow]:
    """The flow and its subflows."""
    parts = [flow]
    for child in flow:
        parts += _parts_of(child) if isinstance(child, Flow) else []
    return parts
