"""Server groups: instances that are to be on one host, or on different ones."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vmwright.admission import Caller
from vmwright.admission.gate import Rights
from vmwright.errors import Conflict
from vmwright.ids import InstanceId, ServerGroupId, new_id
from vmwright.inventory.limits import Limits
from vmwright.persistence.records import ServerGroup
from vmwright.persistence.retrying import again_if_given_up
from vmwright.persistence.stores import Stores
from vmwright.request.fields import Name
from vmwright.request.model import Model


class NewServerGroup(Model):
    """A rule for where instances are to each other."""

    name: Name
    policy: Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]
    max_server_per_host: Annotated[int, Field(ge=1, strict=True)] | None = None

    @model_validator(mode="after")
    def _limit_fits(self) -> Self:
        if self.max_server_per_host is not None and self.policy != "anti-affinity":
            raise ValueError("max_server_per_host goes with policy anti-affinity only")
        return self


class ServerGroups:
    """The server groups of the caller's project."""

    def __init__(self, stores: Stores, limits: Limits, caller: Caller, rights: Rights) -> None:
        self._database = stores.database
        self._rows = stores.server_groups
        self._limits = limits
        self._rights = rights
        self._caller = caller

    @again_if_given_up
    def create(self, name: str, policy: str, max_server_per_host: int | None = None) -> ServerGroup:
        """Make a group for instances to be built in.

        The soft policies are kept to where hosts have room. `Conflict` if the name is taken,
        `QuotaExceeded` if there are too many.
        """
        self._rights.change()
        wish = NewServerGroup.parse(
            name=name, policy=policy, max_server_per_host=max_server_per_host
        )
        group = ServerGroup(
            id=ServerGroupId(new_id()),
            project_id=self._caller.project,
            user_id=self._caller.user,
            **wish.model_dump(),
        )
        with self._database.write() as connection:
            self._limits.hold(connection)
            held = self._rows.count(connection, self._caller.project)
            self._limits.refuse_excess(connection, "server_groups", held)
            self._rows.add(connection, group)
            return self._rows.get(connection, group.id)

    def list(self) -> Sequence[ServerGroup]:
        with self._database.read() as connection:
            return self._rows.of_project(connection, self._caller.project)

    def get(self, name_or_id: str) -> ServerGroup:
        with self._database.read() as connection:
            return self._rows.find(connection, self._caller.project, name_or_id)

    def members(self, name_or_id: str) -> Sequence[InstanceId]:
        """The living instances of a group, oldest first."""
        with self._database.read() as connection:
            group = self._rows.find(connection, self._caller.project, name_or_id)
            return self._rows.members(connection, group.id)

    @again_if_given_up
    def delete(self, name_or_id: str) -> ServerGroup:
        """Forget a group that no living instance is in."""
        self._rights.change()
        with self._database.write() as connection:
            group = self._rows.find(connection, self._caller.project, name_or_id)
            members = len(self._rows.members(connection, group.id))
            if members:
                raise Conflict(
                    f"server group {group.name!r} is in use by {members} instances",
                    hint=f"delete them first; see: vmwright server group show {group.id}",
                )
            self._rows.remove(connection, group.id)
        return group
