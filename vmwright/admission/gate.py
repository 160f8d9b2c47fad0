"""Asks the policies, which are read when the first question comes."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.admission.caller import Caller
from vmwright.admission.rules import METRICS, OPERATE, RESOURCES, RUN

if TYPE_CHECKING:
    from vmwright.admission.policy import Policy


class Gate:
    """The policies of a deployment. Thread-safe."""

    def __init__(self, policy_file: Path | None = None) -> None:
        self._file = policy_file

    def require(
        self,
        caller: Caller,
        rules: Iterable[str],
        *,
        project: str | None = None,
        user: str | None = None,
    ) -> None:
        """Raise `Forbidden` unless the caller may do this to what is a project's and a user's:
        by default the caller's own."""
        target = {"project_id": project or caller.project, "user_id": user or caller.user}
        self._policy.require(caller, rules, target)

    @cached_property
    def _policy(self) -> "Policy":
        # Loading oslo.policy takes longer than most commands.
        from vmwright.admission.policy import Policy

        return Policy(self._file)


class Rights:
    """What one caller may do apart from builds; each raises `Forbidden` that names the rule."""

    def __init__(self, gate: Gate, caller: Caller) -> None:
        self._gate = gate
        self._caller = caller

    def operate(self) -> None:
        """Before what concerns every project: its images, flavors, networks, hosts, quotas."""
        self._gate.require(self._caller, [OPERATE])

    def change(self) -> None:
        """Before a thing of the caller's project, or of the caller, is made, changed or deleted."""
        self._gate.require(self._caller, [RESOURCES])

    def measure(self) -> None:
        """Before the deployment is shown in numbers, of every project together."""
        self._gate.require(self._caller, [METRICS])

    def run(self, *projects: str) -> None:
        """Before operations of these projects are run, tried again or taken back."""
        for project in projects:
            self._gate.require(self._caller, [RUN], project=project)
            if project != self._caller.project:
                self.operate()
