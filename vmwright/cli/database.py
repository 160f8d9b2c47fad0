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
    """Show which schema the database has, and which one this vmwright writes."""

    shown_columns = ("current", "newest")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.persistence import schema_version

        del arguments
        with _database(self.session) as database:
            current = schema_version.current_version(database)
        return {"current": current, "newest": schema_version.newest_version()}


class Check(Command):
    """End with 0 if the database has the schema that this vmwright writes, else with 7."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        from vmwright.persistence import schema_version

        del parsed_args
        with _database(self.session) as database:
            schema_version.check(database)


class Upgrade(Command):
    """Bring the database to the newest schema. Stop every other vmwright first."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        from vmwright.persistence import schema_version

        del parsed_args
        with _database(self.session) as database:
            copy = schema_version.upgrade(database)
        if copy is not None:
            self.session.tell(f"the database as it was: {copy}")
        self.session.tell(f"the database is at version {schema_version.newest_version()}")


@contextmanager
def _database(session: "Session") -> Iterator["Database"]:
    from vmwright.persistence.database import Database

    database = Database.open(session.settings.database, patient=True)
    try:
        yield database
    finally:
        database.close()
