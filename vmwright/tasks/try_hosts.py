"""What decides, when a build fails on a host, whether it is tried on another one."""

from typing import Any

from taskflow import retry

from vmwright.persistence.logbook import outcome_of
from vmwright.spec import Spec
from vmwright.states import AttemptOutcome
from vmwright.tasks.task import Means, Run


class TryHosts(retry.Retry):  # type: ignore[misc]  # TaskFlow is untyped
    """Try one host after another, as long as nothing but hosts is to blame.

    TaskFlow asks it where nothing can be committed: it changes nothing, so that it may be asked
    again after a crash. The length of its history is the number of the attempt.
    """

    retry_name = "try_hosts"
    """What the database calls it. Renaming it strands operations in flight."""

    def __init__(self, means: Means) -> None:
        super().__init__(name=self.retry_name, requires=("run", "spec"))
        self._means = means

    def execute(self, history: retry.History, **_: Any) -> int:
        """The number of the attempt that begins."""
        return len(history) + 1

    def on_failure(self, history: retry.History, run: Run, spec: Spec) -> retry.Decision:
        """`REVERT` would leave what stands before the attempts: it is never the answer."""
        may_go_on = (
            len(history) < spec.max_attempts
            and spec.placement.forced_host is None
            and all(
                outcome_of(failure) is AttemptOutcome.FAILED
                for _, failure in history.outcomes_iter(index=-1)
            )
            and self._some_host_is_left(run)
        )
        return retry.RETRY if may_go_on else retry.REVERT_ALL

    def _some_host_is_left(self, run: Run) -> bool:
        """Whether there is a host to try; whether it fits is found out when it is claimed."""
        stores = self._means.stores
        with stores.database.read() as connection:
            tried = {
                known.host_id for known in stores.attempts.of_operation(connection, run.operation)
            }
            hosts = stores.registries.hosts.all(connection)
        return any(host.enabled and host.id not in tried for host in hosts)
