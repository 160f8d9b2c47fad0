"""On whose behalf something is asked."""

from dataclasses import dataclass
from typing import Self

from vmwright.settings import CallerSettings

ADMIN, MEMBER, READER = "admin", "member", "reader"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A user of a project, with the roles that policies look at."""

    project: str = "default"
    user: str = "admin"
    roles: frozenset[str] = frozenset({ADMIN, MEMBER, READER})

    @classmethod
    def of(cls, settings: CallerSettings) -> Self:
        """Whom the configuration names."""
        roles = frozenset(settings.roles)
        return cls(project=settings.project, user=settings.user, roles=roles)

    @property
    def sees(self) -> str | None:
        """The only project whose things are there for the caller; None: every project's."""
        return None if ADMIN in self.roles else self.project
