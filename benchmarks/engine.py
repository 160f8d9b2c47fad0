"""Six no-op durable steps per workflow on vmwright's engine: `engine.py URL [ALONE] [CONCURRENT]`.

The work of the peers: the third and the fourth step are independent of each other, and each is
written down durably before it begins. Submission is counted, but no request is looked at. Rows, how
they are stored, claims, runner and events are those of the product; only the flow is not. Prints
one JSON line per mode (alone; 50 at once).
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from taskflow.patterns import linear_flow, unordered_flow

from benchmarks.meter import CROWD, WARMING, measure
from vmwright import flows
from vmwright.admission.rows import Batch, Build, Rows, new_operation
from vmwright.backends.file_images import FileImageStore, images_of
from vmwright.backends.loading import load_backend
from vmwright.dispatcher import Dispatcher
from vmwright.flows import Recipe
from vmwright.ids import FlavorId, InstanceId, new_id
from vmwright.news import News
from vmwright.ownership import Ownership
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.deployment import deployment_of
from vmwright.persistence.records import Operation
from vmwright.persistence.shared_transactions import SharedTransactions
from vmwright.persistence.stores import Stores
from vmwright.pools import Pools
from vmwright.request import CreateRequest
from vmwright.runs import Accepted
from vmwright.settings import DatabaseSettings, OperationSettings, Settings, SimulatedSettings
from vmwright.spec import HooksSpec, Spec
from vmwright.states import OperationState
from vmwright.tasks.placement import Placement
from vmwright.tasks.task import Means, Task


class _NoOp(Task):
    """A step: what a task of a build has around it, and nothing in it."""

    task_name = "no_op"

    def __init__(self, means: Means, name: str) -> None:
        super().__init__(means)
        self.name = name

    def execute(self, **_: object) -> dict[str, str]:
        return {"ok": self.name}


def _six_steps(means: Means, _hooks: HooksSpec) -> linear_flow.Flow:
    one, two, three, four, five, six = (_NoOp(means, f"s{number}") for number in range(1, 7))
    both = unordered_flow.Flow("both").add(three, four)
    return linear_flow.Flow("bench").add(one, two, both, five, six)


RECIPE = Recipe(name="bench", version=1, kind="create", written=_six_steps)


class Bench:
    """A store, and a dispatcher on it."""

    def __init__(self, home: Path, url: str, parallel: int) -> None:
        flows.RECIPES = (RECIPE,)
        settings = Settings(
            backend="simulated",
            state_dir=home,
            database=DatabaseSettings(connection=url, table_prefix="bench_"),
            simulated=SimulatedSettings(world_dir=home / "world"),
            operations=OperationSettings(parallel=parallel, threads_per_host=parallel),
        )
        self.database = Database.open(settings.database)
        schema_version.upgrade(self.database)
        self.stores = Stores.of(self.database, home / "key")
        deployment = deployment_of(self.database)
        self.means = Means(
            self.stores,
            load_backend(settings, deployment),
            FileImageStore(images_of(home, deployment), 1 << 30),
            Placement(self.stores, settings.scheduler),
        )
        self._pools = Pools(parallel=parallel, tasks_per_host=parallel)
        self._ownership = Ownership(self.stores, home, settings.operations.lease)
        self._news = News()
        self._dispatcher = Dispatcher(
            self.means,
            deployment,
            settings.operations,
            self._ownership,
            self._pools,
            is_sound=lambda: True,
            news=self._news,
        )
        self._rows = Rows(self.means, time.time)
        self._submitting = SharedTransactions(self.database, self._submit)
        self._ownership.start(self._dispatcher.beat)
        self._dispatcher.start()

    def workflow(self) -> None:
        """One from its submission to its end."""
        build = self._submitting.store(new_operation("create", InstanceId(new_id()), *_CALLER))
        operation = build.operation
        accepted = Accepted(operation=operation, spec=build.spec, detail=build.run.detail)
        with self._news.bell(operation.id, every_event=False) as ended:
            self._dispatcher.see_through([operation.id], [accepted])
            ended.wait()

    def _submit(
        self, connection: sa.Connection, operations: Sequence[Operation], _again: bool
    ) -> Sequence[Build]:
        batch = Batch()
        builds = [
            self._rows.add_build(batch, operation, _SPEC, _REQUEST, None)
            for operation in operations
        ]
        self._rows.store(connection, batch)
        return builds

    def close(self) -> None:
        """All must be done, or nothing that was measured counts."""
        with self.database.read() as connection:
            left = connection.execute(
                sa.select(sa.func.count())
                .select_from(self.database.schema.operations)
                .where(self.database.schema.operations.c.state != OperationState.DONE)
            ).scalar_one()
        self._dispatcher.close()
        self._pools.close()
        self._ownership.close()
        self.database.close()
        if left:
            raise SystemExit(f"{left} workflows were not done")


_CALLER = ("bench", "bench")
"""Project and user."""

_SPEC = Spec(
    name="bench",
    hostname="bench",
    project="bench",
    image=None,
    flavor=FlavorId(new_id()),
    vcpus=1,
    ram_mib=64,
    root_gib=0,
    nics=(),
    volumes=(),
    metadata={},
    key=None,
    config_drive=False,
    user_data=None,
)

_REQUEST = CreateRequest.parse(name=_SPEC.name, flavor=_SPEC.flavor, image="none")
"""What it was made of: of a request, only what is secret is stored as it came."""


class Commits:
    """Counts the transactions that write. Those that only read end without a commit's cost."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        if database.writer is not database.reader:
            sa.event.listen(database.writer, "commit", self._one_more)
            return
        # One engine for both: what writes is told by its statements.
        self._writing: set[int] = set()
        sa.event.listen(database.writer, "before_execute", self._note)
        sa.event.listen(database.writer, "commit", self._if_it_wrote)

    def _one_more(self, _connection: object) -> None:
        self.count += 1

    def _note(self, connection: object, statement: object, *_: object) -> None:
        if isinstance(statement, sa.Insert | sa.Update | sa.Delete):
            self._writing.add(id(connection))

    def _if_it_wrote(self, connection: object) -> None:
        if id(connection) in self._writing:
            self._writing.discard(id(connection))
            self.count += 1


def main(arguments: list[str]) -> None:
    url = arguments[0]
    alone, concurrent = (int(number) for number in [*arguments[1:], "100", "300"][:2])
    with tempfile.TemporaryDirectory(prefix="vmwright-bench-") as home:
        bench = Bench(Path(home), url, parallel=CROWD)
        for _ in range(WARMING):
            bench.workflow()
        for count, threads in ((alone, 1), (concurrent, CROWD)):
            if count:
                commits = Commits(bench.database)
                figures = measure(lambda _: bench.workflow(), count, threads)
                figures["commits"] = round(commits.count / count, 2)
                print(json.dumps({"engine": "vmwright", **figures}), flush=True)
        bench.close()


if __name__ == "__main__":
    main(sys.argv[1:])
