"""On whose behalf something is asked."""

from dataclasses import dataclass

ADMIN, MEMBER, READER = "admin", "member", "reader"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A user of a project, with the roles that policies look at."""

    project: str = "default"
    user: str = "admin"
    roles: frozenset[str] = frozenset({ADMIN, MEMBER, READER})

    @property
    def sees(self) -> str | None:
        """The only project whose things are there for the caller; None: every project's."""
        return None if ADMIN in self.roles else self.project
