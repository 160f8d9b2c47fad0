"""What an operation leaves that cannot be read here: found by ids and rows, not by its tasks."""

from typing import Any

from vmwright.backends.removal import Kind, Removal
from vmwright.backends.volumes import FORMAT
from vmwright.ids import Mark, OperationId, volume_name
from vmwright.tasks.block_devices import ReleaseBlockDevices
from vmwright.tasks.network import UnplugNetwork
from vmwright.tasks.task import Run, Task

_EPHEMERAL = 16
"""More than any request may have. To name what was never made costs nothing."""

_LOCAL = [
    ("root", FORMAT),
    ("config", "raw"),
    ("swap", FORMAT),
    *((f"ephemeral{number}", FORMAT) for number in range(_EPHEMERAL)),
]


class Remains(Task):
    """Stands for all that a build may have made, or a delete has to remove, of any version.

    It is no part of a flow: only what it would remove, and what the store is to forget, is asked.
    """

    task_name = "remains"

    def execute(self) -> None:
        """Nothing is made."""

    def revert(self, run: Run, host: dict[str, Any], marks: list[dict[str, Any]]) -> None:
        """Never called: nothing runs this. It says what the other two are called with."""

    def removals(self, run: Run, marks: list[dict[str, Any]], **_: Any) -> list[Removal]:
        found = [Removal(kind=Kind.DOMAIN, key=run.instance, whose=run.whose)]
        for mark in marks:
            maker = Mark(
                deployment=run.mark.deployment,
                instance=run.instance,
                operation=OperationId(mark["operation"]),
                attempt=mark["attempt"],
            )
            names = [volume_name(maker, role, disk_format) for role, disk_format in _LOCAL]
            found += [Removal(kind=Kind.VOLUME, key=name, whose=run.whose) for name in names]
        reservations = UnplugNetwork(self._means).removals(run)
        return [*found, *self._volumes(run), *reservations]

    def forget(self, run: Run, **_: Any) -> None:
        """What a build did to volumes; the instance of a delete keeps what it has."""
        if run.whose.operation is None:
            return
        stores = self._means.stores
        attached = stores.volumes.attached(run.connection, run.instance)
        users_own = [known.id for _, known in attached if known.made_for != run.instance]
        stores.volumes.forget_made_by(run.connection, run.operation, users_own)
        keep = stores.debts.keep_volumes(run.connection, run.instance)
        stores.volumes.detach(run.connection, run.instance, run.operation, keep=keep)

    def _volumes(self, run: Run) -> list[Removal]:
        """A build's own, or what goes with the instance."""
        if run.whose.operation is None:
            return ReleaseBlockDevices(self._means).removals(run)
        stores = self._means.stores
        with stores.database.read() as connection:
            attached = stores.volumes.attached(connection, run.instance)
        return [
            Removal(kind=Kind.VOLUME, key=known.location, whose=run.whose)
            for _, known in attached
            if known.made_by == run.operation and known.location is not None
        ]
