"""What is broken: a flow, how a run of it is begun, and which of its tasks are meant."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from stevedore.extension import ExtensionManager
from taskflow.flow import Flow

from vmwright import flows
from vmwright.controller import Controller
from vmwright.errors import InvalidRequest
from vmwright.request import CreateRequest, NetworkRequest
from vmwright.settings import HookSettings
from vmwright.spec import HooksSpec
from vmwright.tasks.hooks import POST, PRE
from vmwright.tasks.task import Means, RemovingTask, StoreTask, Task
from vmwright.testing.breaking import NO_MEANS
from vmwright.testing.stage import Stage, Work
from vmwright.views.graph import beside, flow_graph, undone_by
from vmwright.waiting import Wait

Hook = str | Callable[[Means], Task]
"""A plug-in: the name of an installed entry point, or the class itself."""

Check = Callable[[Stage], None]
"""Looks at a store and a world, and raises `AssertionError` if they are not as they must be."""

WISH = CreateRequest(
    name="vm1", image="demo", flavor="small", networks=(NetworkRequest(network="net1"),)
)
"""What is built unless something else is asked for: a guest with one interface."""


def _nothing() -> None:
    """Nothing has to be said to a new process."""


def stock(controller: Controller, cidr: str = "10.1.0.0/24") -> None:
    """Register what `WISH` names."""
    inventory, source = controller.inventory, controller.settings.state_dir / "demo.raw"
    source.write_bytes(b"\0" * 4096)
    inventory.ensure_default_host()
    inventory.create_image("demo", source, "raw", wait=Wait(60))
    inventory.create_flavor("small", 1, 64, 1)
    inventory.create_network("net1", cidr)
    source.unlink()


def stock_neighbour(controller: Controller) -> None:
    """As `stock`, beside it: two deployments share hosts, and no subnet."""
    stock(controller, "10.2.0.0/24")


def resume(controller: Controller) -> None:
    """Take up everything that is unfinished and see it through."""
    for operation in controller.resume():
        print(controller.wait(operation.id, timeout=60).state)  # noqa: T201 - that is how it tells


def pay(controller: Controller) -> None:
    """Pay what is due: nothing is under way any more."""
    print(controller.pay_debts())  # noqa: T201


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A flow to break.

    `start` begins a run and prints how it ended, `prepare` makes what that needs, once. `meant`
    are the tasks that are broken, in the order of the flow; the others are there because the
    flow has them.
    """

    flow: Callable[[], Flow]
    start: Work
    prepare: Work = stock
    prepare_neighbour: Work | None = stock_neighbour
    """What somebody else's deployment needs, in the same world; None: the world is ours alone."""
    meant: tuple[str, ...] = ()
    introduce: Callable[[], None] = _nothing
    """Called first in each process."""
    hooks: HookSettings = field(default_factory=HookSettings)
    removes: bool = False
    """A run that is done leaves less than there was: what that is, `done` must say."""
    done: Check | None = None
    """What must be true besides, once a run is done."""
    undone: Check | None = None
    """What must be true besides, once a run was taken back."""

    def __post_init__(self) -> None:
        if self.done is None and (self.removes or self.prepare_neighbour is None):
            raise InvalidRequest("nothing would be known of a run that is done: say what must be")

    def tasks(self) -> list[Task]:
        return flows.tasks_of(self.flow())

    def names(self) -> list[str]:
        return [task.name for task in self.tasks()]

    def targets(self) -> list[Task]:
        """The tasks that are broken. `InvalidRequest` if there are none, or one is not there."""
        known = {task.name: task for task in self.tasks()}
        missing = [name for name in self.meant if name not in known]
        if missing:
            raise InvalidRequest(f"the flow has no task {', '.join(missing)}")
        found = [task for name, task in known.items() if name in (self.meant or known)]
        if not found:
            raise InvalidRequest("a flow without tasks cannot be broken")
        return found

    def siblings(self) -> list[tuple[str, str]]:
        """The pairs, one of them meant, that may be under way at once. Tasks of the store run
        one at a time."""
        names = {task.name for task in self.targets()}
        outside = {task.name for task in self.tasks() if not isinstance(task, StoreTask)}
        pairs = beside(flow_graph(self.flow()))
        return [pair for pair in pairs if outside >= set(pair) and names & set(pair)]

    def undone_by(self, task: Task) -> list[str]:
        """What a failure of this task takes back for certain: the task and all before it. What
        may run beside it may not have begun."""
        names = undone_by(flow_graph(self.flow()), task.name)
        return [name for name in self.names() if name in names]

    def last(self) -> str:
        """The last task that can be taken back: when it fails, everything is."""
        able = [task.name for task in self.tasks() if not isinstance(task, RemovingTask)]
        return able[-1] if able else ""


def build(request: CreateRequest) -> Work:
    """Build one instance and see it through."""

    def work(controller: Controller) -> None:
        ended = controller.wait(controller.create(request).id, timeout=60)
        print(ended.state)  # noqa: T201

    return work


def hooked(
    *, pre_create: Iterable[Hook] = (), post_create: Iterable[Hook] = (), request: CreateRequest
) -> Subject:
    """Builds with these plug-ins, which are what is meant."""
    plugins = {"pre_create": list(pre_create), "post_create": list(post_create)}
    names = {moment: tuple(map(_name_of, found)) for moment, found in plugins.items()}
    spec = HooksSpec(pre=names["pre_create"], post=names["post_create"])

    def introduce() -> None:
        for moment, found in plugins.items():
            _offer(
                f"vmwright.hooks.{moment}", [hook for hook in found if not isinstance(hook, str)]
            )

    def flow() -> Flow:
        with _for_a_while():
            introduce()
            return flows.newest("create").make(NO_MEANS, spec)

    return Subject(
        flow=flow,
        start=build(request),
        meant=(*_called(PRE, spec.pre), *_called(POST, spec.post)),
        introduce=introduce,
        hooks=HookSettings(**names),
    )


def own_flow(written: Callable[[Means], Flow], *, request: CreateRequest) -> Subject:
    """Runs of a flow of your own, in the place of the one that builds an instance.

    It is driven as ours are, and its tasks are given what ours are: `run`, and the `spec` that
    the request becomes.
    """

    def introduce() -> None:
        newest = flows.newest("create")
        name = str(written(NO_MEANS).name)
        recipe = replace(
            newest,
            name=name,
            version=newest.version + 1,
            written=lambda means, _hooks: written(means),
        )
        flows.RECIPES = (*flows.RECIPES, recipe)

    return Subject(flow=lambda: written(NO_MEANS), start=build(request), introduce=introduce)


def _called(moment: str, names: Sequence[str]) -> list[str]:
    return [f"{moment}.{name}" for name in names]


def _name_of(hook: Hook) -> str:
    if isinstance(hook, str):
        return hook
    name = getattr(hook, "task_name", None)
    if not isinstance(name, str):
        raise InvalidRequest(f"{hook!r} has no task_name to call it by")
    return name


def _offer(namespace: str, hooks: Iterable[Any]) -> None:
    """Have this process find these classes, as if their package were installed."""
    cache = ExtensionManager.ENTRY_POINT_CACHE
    known = cache.get(namespace) or list(entry_points(group=namespace))
    offered = [EntryPoint(hook.task_name, _address(hook), namespace) for hook in hooks]
    names = {entry.name for entry in offered}
    cache[namespace] = [*(entry for entry in known if entry.name not in names), *offered]


@contextmanager
def _for_a_while() -> Iterator[None]:
    """What is offered to this process is not, afterwards."""
    cache = ExtensionManager.ENTRY_POINT_CACHE
    before = dict(cache)
    try:
        yield
    finally:
        cache.clear()
        cache.update(before)


def _address(hook: Any) -> str:
    if "<locals>" in hook.__qualname__:
        raise InvalidRequest(
            f"{hook.__qualname__} can be found by nobody: define it at the top of its module"
        )
    return f"{hook.__module__}:{hook.__qualname__}"
