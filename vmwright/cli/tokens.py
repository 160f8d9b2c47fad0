"""Commands on tokens: what callers of a service show to be known."""

import argparse
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from vmwright.cli.command import ForgetEach, Lister, ShowOne
from vmwright.cli.parsing import seconds
from vmwright.cli.values import fields_of

_COLUMNS = ("id", "name", "project_id", "user_id", "roles", "expires_at", "created_at")


class Create(ShowOne):
    """Make a token for a caller of the service. It is shown now, and never again."""

    shown_columns = (*_COLUMNS, "token")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--project", help="whose instances it is for; by default yours")
        parser.add_argument("--user", help="who it speaks for; by default you")
        parser.add_argument(
            "--role",
            dest="roles",
            action="append",
            metavar="ROLE",
            help="admin, member, reader, or what policies know; may be repeated; by default yours",
        )
        parser.add_argument(
            "--expires-in", type=seconds, metavar="SECONDS", help="how long it is known"
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        lasts = arguments.expires_in
        made, token = self.session.controller.inventory.tokens.create(
            arguments.name,
            project=arguments.project,
            user=arguments.user,
            roles=arguments.roles,
            expires_at=None if lasts is None else datetime.now(UTC) + timedelta(seconds=lasts),
        )
        return {**fields_of(made, _COLUMNS), "token": token}


class List(Lister):
    """List tokens; also those that are known no more, but not the service's own."""

    shown_columns = _COLUMNS
    short_columns = ("name", "project_id", "user_id", "roles", "expires_at")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        tokens = self.session.controller.inventory.tokens.list()
        return [fields_of(token, _COLUMNS) for token in tokens]


class Delete(ForgetEach):
    """Delete tokens. Who shows one is refused from now on."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.tokens.get(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.tokens.delete(name)
