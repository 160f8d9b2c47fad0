"""Commands on key pairs: ssh public keys that requests name."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import ForgetEach, Lister, ShowOne
from vmwright.cli.parsing import text
from vmwright.cli.values import fields_of

_COLUMNS = ("id", "name", "fingerprint", "public_key", "user_id", "created_at")
_LONGEST = 65536


class Create(ShowOne):
    """Register an ssh public key. The private half stays where it is."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--public-key", required=True, metavar="FILE", help="such as ~/.ssh/id_ed25519.pub"
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        key = text(arguments.public_key, _LONGEST)
        pair = self.session.controller.inventory.key_pairs.create(arguments.name, key)
        return fields_of(pair, _COLUMNS)


class List(Lister):
    """List your key pairs."""

    shown_columns = _COLUMNS
    short_columns = ("name", "fingerprint")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        pairs = self.session.controller.inventory.key_pairs.list()
        return [fields_of(pair, _COLUMNS) for pair in pairs]


class Show(ShowOne):
    """Show a key pair."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        return fields_of(self.session.controller.inventory.key_pairs.get(arguments.name), _COLUMNS)


class Delete(ForgetEach):
    """Delete key pairs. Instances keep the key that they were built with."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.key_pairs.get(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.key_pairs.delete(name)
