"""The command that compares hosts and store."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import Lister
from vmwright.cli.outcomes import OWING


class Audit(Lister):
    """List what lies on hosts with our mark and is needed by nothing. Ends with 3 if there is any.

    It changes nothing.
    """

    shown_columns = ("host", "kind", "key", "instance_id", "why")
    short_columns = shown_columns

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        leftovers = self.session.controller.audit()
        if leftovers:
            self.exit_code = OWING
        return leftovers
