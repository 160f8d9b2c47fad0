"""Everything that is tried with one subject: made from its flow, run one by one or all at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taskflow.flow import Flow

from vmwright.request import CreateRequest
from vmwright.tasks.task import Means
from vmwright.testing.cases import Case, Sweep, cases_of, sweeps_of
from vmwright.testing.stage import Stage
from vmwright.testing.subjects import WISH, Hook, Subject, hooked, own_flow
from vmwright.testing.trial import Trial, prepare_stage
from vmwright.testing.worlds import World

Worlds = World | Mapping[str, World]

NOTHING_ELSE: Mapping[str, World] = {}
"""For tasks that change nothing but what the backend's world shows."""


@dataclass(frozen=True)
class Matrix:
    """The cases of one subject. `InvalidRequest` if it has no task to break."""

    subject: Subject
    cases: tuple[Case | Sweep, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cases", (*cases_of(self.subject), *sweeps_of(self.subject)))

    @classmethod
    def of_hooks(
        cls,
        *,
        pre_create: Iterable[Hook] = (),
        post_create: Iterable[Hook] = (),
        request: CreateRequest = WISH,
    ) -> "Matrix":
        """Of plug-ins, classes or names of entry points, in builds of this request."""
        return cls(hooked(pre_create=pre_create, post_create=post_create, request=request))

    @classmethod
    def of_flow(cls, flow: Callable[[Means], Flow], *, request: CreateRequest = WISH) -> "Matrix":
        """Of a flow of your own: `flow` makes it. Its tasks are given `run` and `spec`."""
        return cls(own_flow(flow, request=request))

    def __iter__(self) -> Iterator[Case | Sweep]:
        return iter(self.cases)

    def stage(self, home: Path) -> Stage:
        """A new deployment under this directory, with all that a case needs."""
        home.mkdir(parents=True, exist_ok=True)
        return prepare_stage(Stage(home, hooks=self.subject.hooks), self.subject)

    def run(self, case: Case | Sweep, stage: Stage, worlds: Worlds = NOTHING_ELSE) -> None:
        """Run one case on a stage that nobody has used: `Caught` if a rule is broken,
        `NotShown` if these worlds cannot do what the case needs."""
        named = worlds if isinstance(worlds, Mapping) else {"the world": worlds}
        Trial(stage, self.subject, named).run(case)
