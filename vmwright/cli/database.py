"""Commands on the schema of the store."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vmwright.cli.command import Command, ShowOne

if TYPE_CHECKING:
    from vmwright.cli.session import Session
    from vmwright.persistence.database import Database


class Version(ShowOne):
    """Show which schema the database has, which one this vmwright writes, and which is the oldest
    whose vmwright may work on it as it is."""

    needs_store = True
    shown_columns = ("current", "newest", "oldest")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.persistence import schema_version

        del arguments
        with _database(self.session) as database:
            return {
                "current": schema_version.current_version(database),
                "newest": schema_version.newest_version(),
                "oldest": schema_version.oldest_version(database),
            }


class Check(Command):
    """End with 0 if this vmwright may work on the database's schema, else with 7."""

    needs_store = True

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        from vmwright.persistence import schema_version

        del parsed_args
        with _database(self.session) as database:
            schema_version.check(database)


class Upgrade(Command):
    """Bring the database to the newest schema. The release before may go on meanwhile if the
    changelog says so; stop every older vmwright first."""

    needs_store = True

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        from vmwright.persistence import schema_version

        del parsed_args
        with _database(self.session) as database:
            copy = schema_version.upgrade(database)
        if copy is not None:
            self.session.tell(f"the database as it was: {copy}")
        self.session.tell(f"the database is at version {schema_version.newest_version()}")


class Restored(Command):
    """Say that the database was restored from a backup, so that work on it may go on.

    What was under way is parked: look with audit, then resume or delete each.
    """

    needs_store = True

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        del parsed_args
        parked = self.session.controller.upkeep.accept_restored()
        for operation in parked:
            self.session.tell(
                f"parked: {operation.kind} {operation.id} of instance {operation.instance_id}"
            )
        self.session.tell(f"operations parked: {len(parked)}; next: vmwright audit")


@contextmanager
def _database(session: "Session") -> Iterator["Database"]:
    from vmwright.persistence.database import Database

    database = Database.open(session.settings.database, patient=True)
    try:
        yield database
    finally:
        database.close()
