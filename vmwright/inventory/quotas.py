"""Quotas: what projects may have beside what they have."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from pydantic import Field

from vmwright.admission import Caller
from vmwright.admission.gate import Rights
from vmwright.errors import InvalidRequest
from vmwright.limits import PROJECT_QUOTAS, QuotaSettings
from vmwright.persistence.retrying import again_if_given_up
from vmwright.persistence.stores import Stores
from vmwright.request.fields import Name
from vmwright.request.model import Model


class NewLimit(Model):
    """A limit of a project; -1 is unlimited."""

    project: Name
    limit: int = Field(ge=-1, le=2**31 - 1, strict=True)


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A limit and what counts against it."""

    resource: str
    limit: int
    """-1 is unlimited."""
    in_use: int | None
    """None where it is not the project's: the files of a request, the members of a group."""
    configured: bool
    """Whether the limit is the configuration's, and not the project's own."""


class Quotas:
    """The quotas of projects: of the caller's, if none is named."""

    def __init__(
        self, stores: Stores, configured: QuotaSettings, caller: Caller, rights: Rights
    ) -> None:
        self._stores = stores
        self._rows = stores.quotas
        self._configured = configured
        self._rights = rights
        self._project = caller.project

    def list(self, project: str | None = None) -> Sequence[Quota]:
        """Every limit of a project with its use."""
        project = project or self._project
        if project != self._project:
            self._rights.operate()
        with self._stores.database.read() as connection:
            own = self._rows.limits(connection, project)
            in_use = self._in_use(connection, project)
        limits = asdict(self._configured.overridden(own))
        return [
            Quota(
                resource=resource,
                limit=limits[resource],
                in_use=in_use.get(resource),
                configured=resource not in own,
            )
            for resource in PROJECT_QUOTAS
        ]

    @again_if_given_up
    def set(self, limits: Mapping[str, int], project: str | None = None) -> None:
        """Let these limits stand for the configured ones. What is there already stays there,
        also where a limit is now lower. `InvalidRequest` for a resource that has none."""
        self._rights.operate()
        _refuse_unknown(limits)
        wishes = {
            resource: NewLimit.parse(project=project or self._project, limit=limit)
            for resource, limit in limits.items()
        }
        with self._stores.database.write() as connection:
            for resource, wish in wishes.items():
                self._rows.set(connection, wish.project, resource, wish.limit)

    @again_if_given_up
    def unset(self, resources: Iterable[str], project: str | None = None) -> None:
        """Let the configured limits stand again."""
        self._rights.operate()
        chosen = tuple(resources)
        _refuse_unknown(chosen)
        with self._stores.database.write() as connection:
            for resource in chosen:
                self._rows.unset(connection, project or self._project, resource)

    def _in_use(self, connection: sa.Connection, project: str) -> dict[str, int]:
        stores = self._stores
        return asdict(self._rows.usage(connection, project)) | {
            "security_groups": stores.security_groups.count(connection, project),
            "security_group_rules": stores.security_groups.count_rules(connection, project),
            "server_groups": stores.server_groups.count(connection, project),
        }


def _refuse_unknown(resources: Iterable[str]) -> None:
    for resource in resources:
        if resource not in PROJECT_QUOTAS:
            raise InvalidRequest(
                f"there is no quota for {resource!r}", hint=f"one of {', '.join(PROJECT_QUOTAS)}"
            )
