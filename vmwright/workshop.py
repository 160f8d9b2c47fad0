"""Everything with which a controller sees work through, whoever asked for it.

It is loaded as a whole, when the first of it is needed: whoever only looks at a store, or at what
builds choose from, needs no flow, no task and no engine.
"""

import time
from collections.abc import Callable

from vmwright.admission import Door
from vmwright.graphs import Graphs
from vmwright.ids import DeploymentId, InstanceId
from vmwright.news import News
from vmwright.planning import Planner
from vmwright.reconcilers.upkeep import Upkeep
from vmwright.settings import Settings
from vmwright.tasks.means import Means
from vmwright.worker import Worker


class Workshop:
    """One controller's, in the order in which work passes through it."""

    def __init__(
        self,
        means: Means,
        deployment: DeploymentId,
        settings: Settings,
        end: Callable[[InstanceId], object],
        news: News,
    ) -> None:
        """`end` and `news` as in `Worker`."""
        self.upkeep = Upkeep(means, deployment, settings)
        self.door = Door(means, settings, time.time)
        self.planner = Planner(means, deployment, self.door)
        self.worker = Worker(means, deployment, settings, end, self.upkeep, news)
        self.graphs = Graphs(means)
